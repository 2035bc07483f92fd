//! Whether the locks fit: poetry refuses those that don't, minutes into a build, and gives advice for another repository.

use super::choice;
use plan::Facts;
use project::{
    Image,
    error::{Cause, Fault},
    family,
    files::Wanted,
};

/// The files that say so, of images that may be built.
pub fn wanted(images: &[&Image]) -> Wanted {
    let of = |image: &&Image| ["pyproject.toml", "poetry.lock"].map(|file| image.folder.join(file));
    Wanted::files(images.iter().flat_map(of))
}

/// # Errors
/// A lock of an image that is to be built is not of its pyproject.toml, or can't be read.
pub fn check(facts: &Facts, builds: &[choice::Build]) -> Result<(), Fault> {
    let found = family::unfit_locks(builds.iter().map(|build| build.image), &facts.files);
    if found.is_empty() {
        return Ok(());
    }
    let each: Vec<String> = found.iter().map(|found| format!("{}: {}", found.place, found.what)).collect();
    let fault = Fault::of_several(Cause::Project, "build: nothing was built", &each);
    Err(fault.help(format!("`{}`", family::repairs(found.iter().filter_map(|found| found.repair.as_ref())))))
}

#[cfg(test)]
mod tests {
    use crate::testing;
    use plan::facts::Engine;

    #[test]
    fn a_lock_that_does_not_fit_is_said_before_anything_starts() {
        let family = testing::family().with(|facts| facts.engine = Engine::Has(Vec::new()));
        assert!(family.plan(&["build", "--all"]).is_ok());
        let pyproject = "[project]\nname = \"x\"\nrequires-python = \">=3.12\"\n";
        let family = family.file("images/fastapi-serve/pyproject.toml", pyproject);
        let fault = family.fault(&["build", "fastapi-serve"]);
        let what =
            "build: nothing was built: images/fastapi-serve/poetry.lock:1: stale: its pyproject.toml has changed since";
        assert_eq!((fault.cause.exit_code(), fault.what.as_str()), (65, what));
        assert_eq!(fault.help.as_deref(), Some("`cargo xtask lock fastapi-serve`"));
        // It isn't built.
        assert!(family.plan(&["build", "kubeflow-a"]).is_ok());
        let conflict = format!("<<<<<<< HEAD\n{}", testing::lock(&[]));
        let fault = family.file("images/python-base/poetry.lock", &conflict).fault(&["start", "fastapi-serve"]);
        for line in
            ["\n  images/python-base/poetry.lock:1: not a lock", "\n  images/fastapi-serve/poetry.lock:1: stale"]
        {
            assert!(fault.what.contains(line), "{fault}");
        }
        assert_eq!(fault.help.as_deref(), Some("`cargo xtask lock python-base fastapi-serve`"));
    }
}
