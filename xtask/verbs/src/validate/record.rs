//! The record that a suite has passed for an image: what `validate` leaves out, and what `deploy` asks for.

use super::{REPORTS, junit::Counts};
use crate::common::local;
use identity::{Hash, hash};
use plan::Facts;
use project::{
    Image, Project,
    error::{Cause, Fault},
    files::{Files, Wanted},
};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The hardware that must be there, whose tests are else skipped.
const HARDWARE: &str = "REQUIRE_HARDWARE";
const DEVELOPMENT: &str = "development";
const PRODUCTION: &str = "production";

/// What a pass is a pass of: the image's content, the suite, the stage whose promises are tested, and the hardware that is demanded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    content: String,
    suite: String,
    stage: String,
    hardware: Vec<String>,
}

/// That a suite has passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    image: String,
    /// What the engine calls it that had it.
    id: String,
    #[serde(flatten)]
    key: Key,
    /// When that run began.
    when: String,
    tests: u32,
    failures: u32,
    errors: u32,
    skipped: u32,
}

impl Key {
    /// Of an image's suite as it is now, for what the engine has of the image.
    ///
    /// # Errors
    /// The suite can't be read, or was not read.
    pub fn of(
        project: &Project,
        facts: &Facts,
        image: &Image,
        content: String,
        stage: Option<&str>,
    ) -> Result<Key, Fault> {
        let suite = facts.suites.get(&image.name).ok_or_else(|| {
            Fault::new(Cause::Internal, format!("the suite of {} was not read before planning", image.name))
                .help("this is a fault of the xtask itself: please report it")
        })?;
        Ok(Key::new(content, suite.clone()?, stage, project.vars.get(HARDWARE).unwrap_or_default()))
    }

    pub fn new(content: String, suite: Hash, stage: Option<&str>, hardware: &str) -> Key {
        let named = hardware.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned);
        let mut hardware: Vec<String> = named.collect();
        hardware.sort();
        hardware.dedup();
        // To a label, what is not development is production.
        let stage = stage.filter(|stage| *stage == DEVELOPMENT).unwrap_or(PRODUCTION);
        Key { content, suite: suite.to_string(), stage: stage.to_owned(), hardware }
    }

    /// All of it as one name.
    pub fn hash(&self) -> Hash {
        hash(format!("{} {} {} {:?}", self.content, self.suite, self.stage, self.hardware).as_bytes())
    }

    /// Where its record is, below the root: one file each, so that none replaces another's.
    pub fn path(&self) -> PathBuf {
        folder().join(format!("{}.json", self.hash()))
    }

    /// The record of exactly this, and when it was written.
    pub fn passed(&self, files: &Files) -> Option<(Passed, SystemTime)> {
        let file = files.file(self.path()).ok()??;
        let passed: Passed = serde_json::from_str(&file.text).ok()?;
        (passed.key == *self).then_some((passed, file.modified))
    }
}

impl Passed {
    pub fn new(image: String, id: String, key: Key, began: SystemTime, counts: Counts) -> Passed {
        let Counts { tests, failures, errors, skipped } = counts;
        Passed { image, id, key, when: local::date(began), tests, failures, errors, skipped }
    }

    /// As it is written down, for people, too.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// As one line.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What such a line says, where it is the pass of this.
    pub fn read(line: &str, key: &Key) -> Option<Passed> {
        serde_json::from_str(line).ok().filter(|passed: &Passed| passed.key == *key)
    }

    /// The same pass, of an image that this engine calls so.
    pub fn here(self, image: &Image, id: &str) -> Passed {
        Passed { image: image.reference.to_string(), id: id.to_owned(), ..self }
    }

    pub fn counts(&self) -> Counts {
        Counts { tests: self.tests, failures: self.failures, errors: self.errors, skipped: self.skipped }
    }
}

fn folder() -> PathBuf {
    Path::new(REPORTS).join("passed")
}

/// All records.
pub fn all() -> Wanted {
    Wanted { files: Vec::new(), trees: vec![folder()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Counts = Counts { tests: 4, failures: 1, errors: 2, skipped: 3 };

    fn key(content: &str, suite: &str, stage: &str, hardware: &str) -> Key {
        Key::new(content.to_owned(), hash(suite.as_bytes()), Some(stage), hardware)
    }

    fn written(key: &Key) -> String {
        serde_json::to_string(&Passed::new("a".to_owned(), "1".to_owned(), key.clone(), SystemTime::UNIX_EPOCH, COUNTS))
            .unwrap()
    }

    #[test]
    fn a_record_counts_for_exactly_what_passed() {
        let passed = key("sha256:1", "suite", "production", "gpu, inf1");
        let files = Files::of([(passed.path(), written(&passed))]);
        assert_eq!(key("sha256:1", "suite", "production", "inf1 gpu").passed(&files).unwrap().0.counts(), COUNTS);
        for other in [
            key("sha256:2", "suite", "production", "gpu, inf1"),
            key("sha256:1", "other", "production", "gpu, inf1"),
            key("sha256:1", "suite", "development", "gpu, inf1"),
            key("sha256:1", "suite", "production", "gpu"),
            key("sha256:1", "suite", "production", ""),
        ] {
            assert_eq!(other.passed(&files), None, "{other:?}");
            // Nor under its own name.
            assert_eq!(other.passed(&Files::of([(other.path(), written(&passed))])), None, "{other:?}");
        }
    }

    #[test]
    fn what_does_not_name_its_suite_is_no_record() {
        let key = key("sha256:1", "suite", "production", "");
        // As written by earlier versions.
        let old =
            r#"{"errors": 0, "failures": 0, "id": "sha256:1", "image": "a", "skipped": 0, "stage": null, "tests": 5}"#;
        for (text, is_record) in [(old, false), ("", false), (&written(&key), true)] {
            assert_eq!(key.passed(&Files::of([(key.path(), text)])).is_some(), is_record, "{text}");
        }
        let at_its_old_place = Files::of([(folder().join("sha256-1.json"), old)]);
        assert_eq!(key.passed(&at_its_old_place), None);
    }
}
