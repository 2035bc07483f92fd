//! Which packages a lock run moved: for people, for scripts, and for a pull request.

use super::Context;
use anyhow::{Context as _, Result};
use project::{
    ImageName,
    lockfile::{Lockfile, Move, moves},
};
use serde_json::json;
use std::fmt::Write as _;

pub struct Changes(Vec<(ImageName, Vec<Move>)>);

impl Changes {
    /// Of each image's lock before and after.
    pub fn of(locks: impl Iterator<Item = (ImageName, Lockfile, Lockfile)>) -> Changes {
        Changes(locks.map(|(image, before, after)| (image, moves(&before, &after))).collect())
    }

    /// Those whose packages moved.
    pub fn images(&self) -> impl Iterator<Item = &ImageName> {
        self.0.iter().filter(|(_, moves)| !moves.is_empty()).map(|(image, _)| image)
    }

    /// Text goes to people; what was asked for by a flag is data.
    pub fn print(&self, context: &Context, markdown: bool) -> Result<()> {
        if context.globals.json {
            let moved = |Move { package, before, after }: &Move| json!({"package": package.as_str(), "before": before, "after": after});
            let entry = |(image, moves): &(ImageName, Vec<Move>)| json!({"image": image.as_str(), "moves": moves.iter().map(moved).collect::<Vec<_>>()});
            let entries: Vec<_> = self.0.iter().map(entry).collect();
            data_line!("{}", serde_json::to_string_pretty(&entries).context("writing the changes as JSON")?);
        } else if markdown {
            data!("{}", self.markdown());
        } else {
            for (image, moves) in &self.0 {
                context.note(&format!("{image}: {}", told(moves)));
            }
        }
        Ok(())
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

fn told(moves: &[Move]) -> String {
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

    #[test]
    fn told_and_tabled() {
        let moved = |package: &str, before: Option<&str>, after: Option<&str>| Move {
            package: package.into(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let moves = vec![moved("a", Some("1"), Some("2")), moved("b", None, Some("1")), moved("c", Some("3"), None)];
        assert_eq!(told(&moves), "a 1 → 2, b 1 (new), c 3 (gone)");
        let changes = Changes(vec![("x".parse().unwrap(), moves)]);
        let rows = changes.markdown();
        assert_eq!(rows.lines().nth(2), Some("| `x` | `a` | 1 | 2 |"));
        assert_eq!(rows.lines().last(), Some("| `x` | `c` | 3 | – |"));
    }
}
