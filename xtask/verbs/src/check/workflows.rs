//! GitHub's workflows: what they run, anybody can run, and nobody else can change.

use super::{GITHUB, finding_in_line};
use project::{family::Finding, files::Files};
use std::path::Path;

pub fn findings(files: &Files) -> Vec<Finding> {
    let workflows = Path::new(GITHUB).join("workflows");
    let mut findings = Vec::new();
    for (path, _) in files.below(&workflows) {
        let text = files.text(path).ok().flatten().unwrap_or_default();
        let faults = text.lines().zip(1..).filter_map(|(line, number)| Some((number, fault(line)?)));
        findings.extend(faults.map(|(number, what)| finding_in_line(path, number, what)));
    }
    findings
}

fn fault(line: &str) -> Option<&'static str> {
    match line.trim_start().trim_start_matches("- ").split_once(':') {
        Some(("run", command)) if !is_alone(command) => {
            Some("runs something other than one plain `cargo xtask …` or `git …`: make it a verb")
        }
        Some(("uses", action)) if !is_pinned(action) => {
            Some("a tag can be moved to other code: pin the action, `uses: OWNER/NAME@<40-digit commit> # <version>`")
        }
        _ => None,
    }
}

/// One command, into which a shell puts nothing but a variable between double quotes, which stays one word.
fn is_alone(command: &str) -> bool {
    let quoted = |part: &str| {
        part.strip_prefix('$').is_some_and(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
    };
    let parts = command.split('"').enumerate();
    let command: String = parts.filter(|(at, part)| at % 2 == 0 || !quoted(part)).map(|(_, part)| part).collect();
    let command = command.replace('\'', "");
    let command = command.trim();
    ["cargo xtask ", "git "].iter().any(|start| command.starts_with(start))
        && !command.contains([';', '|', '&', '$', '`', '<', '>'])
}

/// An action at a full commit, with its version for people and for Dependabot; or one of the repository's own.
fn is_pinned(action: &str) -> bool {
    let action = action.trim();
    let pinned = action.split_once('@').and_then(|(_, at)| at.split_once(" # "));
    ["./", "$/"].iter().any(|own| action.starts_with(own))
        || pinned.is_some_and(|(commit, version)| {
            commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) && !version.is_empty()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_runs_one_plain_command() {
        for bad in [
            "- run: pip install x",
            "run: cargo test",
            "- run: |",
            "- run: git checkout ${{ github.head_ref }}",
            "  - run: cargo xtask ci && make",
            "- run: cargo xtask build $IMAGE",
            "- run: cargo xtask build \"$(make)\"",
            "- run: cargo xtask build \"${{ inputs.image }}\"",
        ] {
            assert!(fault(bad).is_some_and(|what| what.contains("make it a verb")), "{bad}");
        }
        for good in [
            "- run: cargo xtask ci",
            "- run: cargo xtask build \"$IMAGE\"",
            "- run: git -c credential.helper='!gh auth git-credential' push origin",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
    }

    #[test]
    fn actions_are_pinned_by_commit() {
        let commit = "3d3c42e5aac5ba805825da76410c181273ba90b1";
        for bad in [
            "- uses: actions/cache@v4".to_owned(),
            format!("uses: actions/cache@{commit}"),
            "- uses: actions/cache@3d3c42e # v4.2.0".to_owned(),
            "- uses: actions/cache@main-main-main-main-main-main-main-main- # v4.2.0".to_owned(),
        ] {
            assert!(fault(&bad).is_some_and(|what| what.contains("pin the action")), "{bad}");
        }
        for good in [format!("- uses: actions/cache@{commit} # v4.2.0"), "- uses: ./.github/actions/ours".to_owned()] {
            assert_eq!(fault(&good), None, "{good}");
        }
    }

    #[test]
    fn every_workflow_is_read() {
        let text = "steps:\n  - run: make\n";
        let files = Files::of([(".github/workflows/a.yml", text), (".github/workflows/b.yaml", text)]);
        let places: Vec<String> = findings(&files).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, [".github/workflows/a.yml:2", ".github/workflows/b.yaml:2"]);
    }
}
