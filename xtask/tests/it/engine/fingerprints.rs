//! Two machines, played by two clones: what is the same on both.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A clone that a shell makes with these words before `clone`.
fn clone(folder: &Path, words: &str, name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let script = format!("{words} clone --quiet 'file://{}' '{name}'", root.display());
    let cloned = Command::new("sh").args(["-c", &script]).current_dir(folder).status().unwrap();
    assert!(cloned.success(), "{script}");
    folder.join(name)
}

fn printed(clone: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(args).current_dir(clone).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn of_a_clone(folder: &Path, words: &str, name: &str) -> String {
    printed(&clone(folder, words, name), &["fingerprint", "--all"])
}

#[test]
#[ignore = "needs the engine: cargo xtask setup"]
fn clones_of_one_commit_have_the_same_fingerprints() {
    let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
    let one = of_a_clone(folder.path(), "umask 022; git", "one");
    let other = of_a_clone(folder.path(), "umask 077; git -c core.autocrlf=true", "another name, and longer");
    assert_eq!(one, other);
    assert!(one.lines().count() > 1 && one.lines().all(|line| line.len() > 64), "{one}");
}

#[test]
#[ignore = "needs the engine: cargo xtask setup"]
fn git_itself_says_what_has_changed() {
    let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
    let clone = clone(folder.path(), "git", "clone");
    let image = clone.join("images/fastapi-serve");
    assert_eq!(printed(&clone, &["explain", "fastapi-serve"]), "");
    fs::write(image.join("README.md"), "not in the context").unwrap();
    fs::write(clone.join("images/dask-base/.dockerignore"), "*").unwrap();
    assert_eq!(printed(&clone, &["explain", "fastapi-serve"]), "");
    fs::rename(image.join("poetry.lock"), image.join("other.lock")).unwrap();
    fs::write(image.join("pyproject.toml"), "[project]").unwrap();
    let compose = clone.join("docker-compose.dev.yaml");
    let text = fs::read_to_string(&compose).unwrap().replace("-development}", "-production}");
    fs::write(compose, text).unwrap();
    let explained = printed(&clone, &["explain", "fastapi-serve", "HEAD"]);
    for line in [
        "target: development → production",
        "poetry.lock is gone",
        "pyproject.toml has changed",
        "base python-base: target: ",
    ] {
        assert!(explained.contains(&format!("fastapi-serve: {line}")), "no {line} in {explained}");
    }
    assert!(!explained.contains("README") && !explained.contains("other.lock"), "{explained}");
}

#[test]
#[ignore = "needs the engine: cargo xtask setup"]
fn in_a_shallow_clone_an_older_commit_is_refused() {
    let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
    let clone = clone(folder.path(), "git -c advice.detachedHead=false", "full");
    let script = format!("git clone --quiet --depth 1 'file://{}' shallow", clone.display());
    assert!(Command::new("sh").args(["-c", &script]).current_dir(folder.path()).status().unwrap().success());
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["list", "--changed-since", "HEAD~1"])
        .current_dir(folder.path().join("shallow"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("git fetch --unshallow"), "{said}");
}
