//! Which packages a run moved: for people, for scripts, and for a pull request.

use super::{LOCK, choose::Chosen, generated::Generated};
use plan::{Compute, Facts, Inputs, Report, Source};
use project::{
    ImageName, Project,
    lockfile::{Lockfile, Move, moves},
};
use serde_json::json;
use std::{fmt::Write as _, path::PathBuf};

/// How the changes are told: text goes to people, what was asked for by a flag is data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    Markdown,
}

struct Changes(Vec<(ImageName, Vec<Move>)>);

/// What is said when the new locks are in place; what is generated from locks is written again.
pub fn report(project: &Project, facts: &Facts, chosen: &Chosen, format: Format) -> Compute {
    let images = chosen.images.iter();
    let before: Vec<(ImageName, PathBuf, Lockfile)> = images
        .map(|locked| {
            let path = locked.image.folder.join(LOCK);
            (locked.image.name.clone(), path, locked.lock.clone().unwrap_or_default())
        })
        .collect();
    let generated = Generated::of(project, facts, chosen);
    let locks = before.iter().map(|(_, path, _)| path);
    let sources: Vec<_> = locks.chain(&generated.paths).map(|path| Source::File(facts.shown(path))).collect();
    let others = chosen.others.clone();
    Compute::new("# says what changed, and names the new versions in README.md", sources, move |inputs| {
        let changes = Changes::of(&before, inputs);
        let report = match stale(&changes, &others) {
            Some(note) => changes.report(format).note(note),
            None => changes.report(format),
        };
        Report { writes: generated.writes(inputs.read.get(before.len()..).unwrap_or_default()), ..report }
    })
}

/// What to lock next, where a change stopped half-way through the family.
fn stale(changes: &Changes, others: &[(ImageName, ImageName)]) -> Option<String> {
    let changed: Vec<&ImageName> = changes.images().collect();
    let stale = others.iter().filter(|(_, base)| changed.contains(&base));
    let stale: Vec<&str> = stale.map(|(name, _)| name.as_str()).collect();
    (!stale.is_empty()).then(|| {
        format!("coupled to what changed, and stale now: {} (--with-dependents locks them too)", stale.join(", "))
    })
}

impl Changes {
    /// From the locks before to those that were read.
    fn of(before: &[(ImageName, PathBuf, Lockfile)], inputs: &Inputs) -> Changes {
        let changes = before.iter().enumerate().map(|(at, (image, path, before))| {
            let after = inputs.text(at).and_then(|text| Lockfile::parse(path, text).ok());
            (image.clone(), moves(before, &after.unwrap_or_default()))
        });
        Changes(changes.collect())
    }

    /// Those whose packages moved.
    fn images(&self) -> impl Iterator<Item = &ImageName> {
        self.0.iter().filter(|(_, moves)| !moves.is_empty()).map(|(image, _)| image)
    }

    fn report(&self, format: Format) -> Report {
        match format {
            Format::Json => Report::default().data(self.json()),
            Format::Markdown => Report::default().data(self.markdown()),
            Format::Text => {
                let lines = self.0.iter().map(|(image, moves)| format!("{image}: {}", summary(moves)));
                lines.fold(Report::default(), Report::note)
            }
        }
    }

    fn json(&self) -> String {
        let moved = |Move { package, before, after }: &Move| json!({"package": package.as_str(), "before": before, "after": after});
        let entry = |(image, moves): &(ImageName, Vec<Move>)| json!({"image": image.as_str(), "moves": moves.iter().map(moved).collect::<Vec<_>>()});
        format!("{:#}\n", serde_json::Value::from(self.0.iter().map(entry).collect::<Vec<_>>()))
    }

    fn markdown(&self) -> String {
        let mut out = "| image | package | before | after |\n|---|---|---|---|\n".to_owned();
        for (image, moves) in &self.0 {
            for Move { package, before, after } in moves {
                let cell = |version: &Option<String>| version.clone().unwrap_or_else(|| "–".to_owned());
                let _ = writeln!(out, "| `{image}` | `{package}` | {} | {} |", cell(before), cell(after));
            }
        }
        out
    }
}

fn summary(moves: &[Move]) -> String {
    if moves.is_empty() {
        return "no version moved".to_owned();
    }
    let one = |moved: &Move| match (&moved.before, &moved.after) {
        (Some(before), Some(after)) => format!("{} {before} → {after}", moved.package),
        (None, Some(after)) => format!("{} {after} (new)", moved.package),
        (Some(before), None) => format!("{} {before} (gone)", moved.package),
        (None, None) => moved.package.to_string(),
    };
    moves.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes() -> Changes {
        let moved = |package: &str, before: Option<&str>, after: Option<&str>| Move {
            package: package.into(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let moves = vec![moved("a", Some("1"), Some("2")), moved("b", None, Some("1")), moved("c", Some("3"), None)];
        Changes(vec![("x".parse().unwrap(), moves), ("y".parse().unwrap(), Vec::new())])
    }

    #[test]
    fn as_text_table_and_json() {
        let text = changes().report(Format::Text).notes;
        let text: Vec<&str> = text.iter().map(|note| note.text.as_str()).collect();
        assert_eq!(text, ["x: a 1 → 2, b 1 (new), c 3 (gone)", "y: no version moved"]);
        let table = changes().report(Format::Markdown).data;
        assert_eq!(table.lines().nth(2), Some("| `x` | `a` | 1 | 2 |"));
        assert_eq!(table.lines().last(), Some("| `x` | `c` | 3 | – |"));
        let json: serde_json::Value = serde_json::from_str(&changes().report(Format::Json).data).unwrap();
        assert_eq!(json[0]["moves"][2], json!({"package": "c", "before": "3", "after": null}));
        assert_eq!(json[1], json!({"image": "y", "moves": []}));
    }

    #[test]
    fn only_what_is_coupled_to_a_change_is_stale() {
        let name = |name: &str| -> ImageName { name.parse().unwrap() };
        let others = [(name("on-x"), name("x")), (name("on-y"), name("y"))];
        let expected = "coupled to what changed, and stale now: on-x (--with-dependents locks them too)";
        assert_eq!(stale(&changes(), &others).as_deref(), Some(expected));
        assert_eq!(stale(&changes(), &others[1..]), None);
    }
}
