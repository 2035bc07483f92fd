//! Two machines, played by two clones: what is the same on both.

use std::{path::Path, process::Command};

/// The fingerprints of all images, in a clone that a shell with these words before `git clone` makes.
fn of_a_clone(folder: &Path, words: &str, name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let script = format!("{words} clone --quiet '{}' '{name}'", root.display());
    let cloned = Command::new("sh").args(["-c", &script]).current_dir(folder).status().unwrap();
    assert!(cloned.success(), "{script}");
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let output = Command::new(xtask).args(["fingerprint", "--all"]).current_dir(folder.join(name)).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
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
