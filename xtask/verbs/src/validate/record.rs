//! The record that a suite has passed for an image: what `deploy` asks for.

use super::{REPORTS, junit::Counts};
use project::files::{Files, Wanted};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

/// That a suite has passed for exactly this image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    pub image: String,
    pub id: String,
    /// The stage whose promises were tested.
    pub stage: Option<String>,
    tests: u32,
    failures: u32,
    errors: u32,
    skipped: u32,
}

impl Passed {
    pub fn new(image: String, id: String, stage: Option<String>, counts: Counts) -> Passed {
        let Counts { tests, failures, errors, skipped } = counts;
        Passed { image, id, stage, tests, failures, errors, skipped }
    }

    pub fn counts(&self) -> Counts {
        Counts { tests: self.tests, failures: self.failures, errors: self.errors, skipped: self.skipped }
    }
}

fn folder() -> PathBuf {
    Path::new(REPORTS).join("passed")
}

/// The record of an image with this id, below the root: whatever else is built, it speaks of that image only.
pub fn path(id: &str) -> PathBuf {
    folder().join(format!("{}.json", id.replace(':', "-")))
}

/// All records.
pub fn all() -> Wanted {
    Wanted { files: Vec::new(), trees: vec![folder()] }
}

/// What a suite has passed for the image with this id, and when.
pub fn passed(files: &Files, id: &str) -> Option<(Passed, SystemTime)> {
    let file = files.file(path(id)).ok()??;
    let passed: Passed = serde_json::from_str(&file.text).ok()?;
    (passed.id == id).then_some((passed, file.modified))
}

/// Has a suite passed for the image with this id, with the promises of the stage that it was built at?
pub fn has_passed(files: &Files, id: &str, is_development: bool) -> bool {
    let tested = |passed: &Passed| passed.stage.as_deref() == Some("development");
    passed(files, id).is_some_and(|(passed, _)| tested(&passed) == is_development)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back() {
        let counts = Counts { tests: 4, failures: 1, errors: 2, skipped: 3 };
        for stage in [None, Some("development".to_owned())] {
            let written = Passed::new("a".to_owned(), "sha256:1".to_owned(), stage.clone(), counts);
            let files = Files::of([(path("sha256:1"), serde_json::to_string(&written).unwrap())]);
            let (read, _) = passed(&files, "sha256:1").unwrap();
            assert_eq!((read.counts(), &read), (counts, &written));
            assert!(
                has_passed(&files, "sha256:1", stage.is_some()) && !has_passed(&files, "sha256:1", stage.is_none())
            );
        }
    }

    #[test]
    fn what_is_no_record_of_this_image_is_none() {
        // As written by earlier versions.
        let old =
            r#"{"errors": 0, "failures": 0, "id": "sha256:1", "image": "a", "skipped": 0, "stage": null, "tests": 5}"#;
        for (text, is_record) in [
            (old, true),
            (r#"{"image": "a", "id": "sha256:1", "stage": null}"#, false),
            (&old.replace("sha256:1", "sha256:2"), false),
            ("", false),
        ] {
            let files = Files::of([(path("sha256:1"), text)]);
            assert_eq!(has_passed(&files, "sha256:1", false), is_record, "{text}");
        }
        assert!(!has_passed(&Files::of(Vec::<(String, String)>::new()), "sha256:1", false));
    }
}
