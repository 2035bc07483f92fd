//! `lock` with the real poetry.

use super::{
    copy::{Copy, Saved, built},
    docker::stderr,
};
use serde_json::Value;
use std::{fs, process::Command};

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_lock_from_scratch_of_pinned_input_is_the_committed_one() {
    let copy = built();
    let folder = copy.root.join("images/python-base");
    let (lock, project) = (folder.join("poetry.lock"), folder.join("pyproject.toml"));
    let committed = fs::read_to_string(&lock).unwrap();
    let packages = |text: &str| -> Vec<(String, String)> {
        let document: toml_edit::DocumentMut = text.parse().unwrap();
        let packages = document["package"].as_array_of_tables().unwrap();
        let field = |table: &toml_edit::Table, name: &str| table[name].as_str().unwrap().to_owned();
        packages.iter().map(|package| (field(package, "name"), field(package, "version"))).collect()
    };
    let pinned = packages(&committed);
    let mut document: toml_edit::DocumentMut = fs::read_to_string(&project).unwrap().parse().unwrap();
    let pins: toml_edit::Array = pinned.iter().map(|(name, version)| format!("{name}=={version}")).collect();
    document["project"]["dependencies"] = toml_edit::value(pins);
    let original = fs::read_to_string(&project).unwrap();
    fs::write(&project, document.to_string()).unwrap();
    fs::remove_file(&lock).unwrap();
    copy.succeeds(&["lock", "python-base"]);
    let made = fs::read_to_string(&lock).unwrap();
    copy.succeeds(&["lock", "--check", "python-base"]);
    fs::write(&project, original).unwrap();
    // With the requirements as they were, the lock made from the pins is stale.
    let stale = copy.run(&["lock", "--check", "python-base"]);
    fs::write(&lock, &committed).unwrap();
    assert_eq!(packages(&made), pinned);
    assert!(!made.contains("://"), "a lock names no index");
    assert_eq!(stale.status.code(), Some(1), "{}", stderr(&stale));
    assert!(!folder.join(".lock").exists());
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_conflict_leaves_the_lock_as_it_was() {
    let copy = built();
    let folder = copy.root.join("images/python-base");
    let (lock, project) = (folder.join("poetry.lock"), folder.join("pyproject.toml"));
    let (before, original) = (fs::read(&lock).unwrap(), fs::read_to_string(&project).unwrap());
    let mut document: toml_edit::DocumentMut = original.parse().unwrap();
    let clash: toml_edit::Array = ["requests==2.34.2", "urllib3==1.20"].into_iter().collect();
    document["project"]["dependencies"] = toml_edit::value(clash);
    fs::write(&project, document.to_string()).unwrap();
    let output = copy.run(&["lock", "python-base"]);
    fs::write(&project, original).unwrap();
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let told = error.lines().rev().find(|line| line.starts_with("error:")).unwrap();
    assert!(told.contains("requests") && told.contains("urllib3"), "{told}");
    assert_eq!(fs::read(&lock).unwrap(), before);
    assert!(!folder.join(".lock").exists());
}

fn requires(copy: &Copy, image: &str, requirements: &[&str]) {
    let path = copy.root.join(format!("images/{image}/pyproject.toml"));
    let mut document: toml_edit::DocumentMut = fs::read_to_string(&path).unwrap().parse().unwrap();
    let list = document["project"]["dependencies"].as_array_mut().unwrap();
    let name = |requirement: &str| requirement.split([' ', '<', '>', '=', '[']).next().unwrap().to_owned();
    for requirement in requirements {
        list.retain(|old| name(old.as_str().unwrap()) != name(requirement));
        list.push(*requirement);
    }
    fs::write(path, document.to_string()).unwrap();
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_bump_in_the_base_is_noticed_and_flows_through_the_family() {
    let copy = built();
    let saved = Saved::of(copy);
    copy.succeeds(&["check"]);
    requires(copy, "python-base", &["requests ==2.32.3"]);
    let stale = copy.run(&["check"]);
    assert_eq!(stale.status.code(), Some(65));
    assert!(stderr(&stale).contains("images/python-base/poetry.lock:1: error: stale"), "{}", stderr(&stale));

    // As a dependency bot leaves it: one image moved, and the one built on it did not.
    copy.succeeds(&["lock", "python-base"]);
    let split = copy.run(&["check"]);
    assert_eq!(split.status.code(), Some(65));
    for expected in ["requests 2.34.2, python-base has 2.32.3", "cargo xtask lock fastapi-serve"] {
        assert!(stderr(&split).contains(expected), "{}", stderr(&split));
    }

    let repaired = copy.succeeds(&["lock", "python-base", "--with-dependents", "--json"]);
    let moves: Value = serde_json::from_slice(&repaired.stdout).unwrap();
    let child = moves.as_array().unwrap().iter().find(|entry| entry["image"] == "fastapi-serve").unwrap();
    assert_eq!(child["moves"][0]["package"], "requests");
    assert_eq!(child["moves"][0]["after"], "2.32.3");
    copy.succeeds(&["check"]);

    let now: Vec<Vec<u8>> = saved.0.iter().map(|(file, _)| fs::read(file).unwrap()).collect();
    copy.succeeds(&["lock", "--all"]);
    let again: Vec<Vec<u8>> = saved.0.iter().map(|(file, _)| fs::read(file).unwrap()).collect();
    assert!(now == again, "a second run changes nothing");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_clash_with_the_base_names_both_sides() {
    let copy = built();
    let saved = Saved::of(copy);
    // An old client, which pins its botocore to another than the base's.
    requires(copy, "fastapi-serve", &["aiobotocore ==2.19.0"]);
    let output = copy.run(&["lock", "--all"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let error = stderr(&output);
    let told = error.lines().rev().find(|line| line.starts_with("error:")).unwrap();
    for side in ["lock fastapi-serve: python-base has botocore 1.", "aiobotocore (2.19.0)"] {
        assert!(told.contains(side), "{told}");
    }
    assert!(!told.contains("poetry"), "the command is in the log: {told}");
    let help = error.lines().rev().find(|line| line.starts_with(" help:")).unwrap();
    for way in [
        "change what python-base requires (images/python-base/pyproject.toml:",
        "what fastapi-serve requires (images/fastapi-serve/pyproject.toml:",
        "[tool.core-images.exceptions] botocore",
    ] {
        assert!(help.contains(way), "{help}");
    }
    for (file, content) in saved.0.iter().filter(|(file, _)| file.ends_with("poetry.lock")) {
        assert_eq!(&fs::read(file).unwrap(), content, "{}", file.display());
    }
}

#[test]
#[ignore = "needs the docker engine and root: cargo xtask setup --tests"]
fn a_full_disk_changes_nothing() {
    let copy = built();
    let saved = Saved::of(copy);
    // In a mount namespace of its own; there is room for all that is there, but not for another lock.
    let script = "set -e; cp -r images full; mount -t tmpfs tmpfs images; cp -r full/. images; rm -r full; \
                  used=$(df --output=used --block-size=1K images | tail -n 1); \
                  mount -o remount,size=$((used + 48))k images; code=0; \
                  \"$0\" lock fastapi-serve || code=$?; \
                  test ! -e images/.lock-fastapi-serve; cat images/fastapi-serve/poetry.lock; exit $code";
    let mut run = Command::new(if nix::unistd::geteuid().is_root() { "unshare" } else { "sudo" });
    if !nix::unistd::geteuid().is_root() {
        run.arg("unshare");
    }
    let output = run
        .args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_xtask")])
        .current_dir(&copy.root)
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("No space left on device"), "{}", stderr(&output));
    let (_, before) = saved.0.iter().find(|(file, _)| file.ends_with("fastapi-serve/poetry.lock")).unwrap();
    assert!(output.stdout == *before, "the lock is as it was");
}
