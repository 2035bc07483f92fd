//! The generated files hold what the compose files, the locks and the flags give; and line endings.

use super::{Written, finding};
use crate::common::{
    dependabot,
    readme::{self, Generated},
};
use plan::quote;
use project::{
    Environment, Project,
    family::{Finding, Member},
    files::{Entry, Files},
};
use std::path::{Path, PathBuf};

/// The files that are stale, as they should be; and what can't be generated.
pub fn stale(project: &Project, members: &[Member], files: &Files) -> (Vec<Written>, Vec<Finding>) {
    let dependabot: Generated = (dependabot::FILE.into(), Ok(dependabot::generate(project, members, files)));
    let generated = [readme::of_family(project, files), dependabot].into_iter();
    let (mut stale, mut wrong) = (Vec::new(), Vec::new());
    for (path, text) in generated.chain(readme::of_images(members, files)) {
        match text {
            Err(why) => wrong.push(finding(&path, why)),
            Ok(text) if is_fresh(&path, &text, files) => {}
            Ok(text) => stale.push(Written { path, text, note: "generated parts written again" }),
        }
    }
    (stale, wrong)
}

/// Does the file hold this text? Line endings are for [`crlf`].
fn is_fresh(path: &Path, text: &str, files: &Files) -> bool {
    let old = files.text(path).ok().flatten().unwrap_or_default();
    old == text || old.contains('\r') && old.replace("\r\n", "\n") == text
}

/// Files with Windows' line endings, said once: Linux containers run them, whatever made the clone.
pub fn crlf(files: &Files) -> Option<Finding> {
    let has_crlf = |entry: &Entry| matches!(entry, Entry::File(file) if file.text.contains("\r\n"));
    let single = [Environment::Dev.file(), Environment::Ci.file(), readme::FILE].map(Path::new);
    let single = single.into_iter().filter_map(|path| Some((path, files.entry(path).ok()?)));
    let trees = ["images", super::GITHUB].map(Path::new);
    let below = trees.iter().flat_map(|tree| files.below(tree));
    let found: Vec<PathBuf> =
        single.chain(below).filter(|(_, entry)| has_crlf(entry)).map(|(path, _)| path.to_owned()).collect();
    let (first, others) = found.split_first()?;
    let more = match others.len() {
        0 => String::new(),
        1 => ", and in another file".to_owned(),
        more => format!(", and in {more} other files"),
    };
    let quoted: Vec<_> = found.iter().map(|path| quote(&path.display().to_string()).into_owned()).collect();
    Some(finding(first, format!(r"CRLF line endings{more}: sed -i 's/\r$//' {}", quoted.join(" "))))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Rules;

    const STALE: &str = "its generated parts are stale: cargo xtask check --write";
    const README: &str = "images/fastapi-serve/README.md";
    const BOT: &str = ".github/dependabot.yml";

    #[test]
    fn what_is_generated_is_fresh() {
        for (path, from, to) in [
            ("README.md", "flowchart LR", "flowchart TD"),
            ("README.md", "| The kubeflow-a image |", "| Mine |"),
            ("README.md", "`IMAGE_TAG`", "`TAG`"),
            (README, "| package | version |", "| mine |"),
            (BOT, "monthly", "daily"),
        ] {
            let rules = Rules::kept();
            let fresh = rules.read(path);
            let rules = rules.edit(path, from, to);
            assert_eq!(rules.findings(), [format!("{path}: {STALE}")]);
            assert_eq!(rules.writes(), [(path.to_owned(), fresh)]);
        }
        for (path, text, stale) in [
            ("images/fastapi-serve/example/Dockerfile", "FROM x\n", README),
            ("xtask/more/requirements.in", "x\n", BOT),
        ] {
            assert_eq!(Rules::kept().file(path, text).findings(), [format!("{stale}: {STALE}")]);
        }
        assert_eq!(Rules::kept().without(BOT).findings(), [format!("{BOT}: {STALE}")]);
    }

    #[test]
    fn what_cannot_be_generated_is_said() {
        for (path, mark) in [
            ("README.md", "<!-- begin images -->"),
            ("README.md", "<!-- end variables -->"),
            (README, "<!-- begin versions -->"),
        ] {
            let rules = Rules::kept().edit(path, mark, "");
            assert_eq!(rules.findings(), [format!("{path}: no mark '{mark}'")]);
            assert_eq!(rules.writes(), []);
        }
        let rules = Rules::kept().without("images/fastapi-serve/example/Dockerfile");
        assert_eq!(rules.findings(), [format!("{README}: images/fastapi-serve/example/Dockerfile: no such file")]);
        assert_eq!(Rules::kept().without("README.md").findings(), ["README.md: is missing"]);
    }

    #[test]
    fn the_rest_of_a_page_is_its_writers() {
        let rules = Rules::kept().edit("README.md", "Between.", "My own words.");
        assert_eq!((rules.findings(), rules.writes()), (vec![], vec![]));
    }

    #[test]
    fn windows_line_endings_are_one_fault() {
        let mut rules = Rules::kept();
        let example = "images/fastapi-serve/example/Dockerfile";
        let pages = ["README.md", README, example, "images/kubeflow-a/README.md"];
        for path in pages {
            let text = rules.read(path).replace('\n', "\r\n");
            rules = rules.file(path, &text);
        }
        let what = format!(r"README.md: CRLF line endings, and in 3 other files: sed -i 's/\r$//' {}", pages.join(" "));
        assert_eq!((rules.findings(), rules.writes()), (vec![what], vec![]));
        let rules = rules.edit("README.md", "flowchart LR", "flowchart TD");
        assert_eq!(rules.writes(), [("README.md".to_owned(), Rules::kept().read("README.md"))]);
    }
}
