//! What several tests assert.

use super::{Ran, Repo, effects};

/// Fails with one clear error and this code, before any tool is called but to ask, and writes nothing.
#[track_caller]
pub fn refuses(repo: &Repo, args: &[&str], code: i32, words: &[&str]) -> Ran {
    let before = repo.snapshot("images");
    let ran = repo.run(args).fails(code, words);
    assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    assert_eq!(effects(repo), [""; 0]);
    assert_eq!(repo.snapshot("images"), before);
    ran
}
