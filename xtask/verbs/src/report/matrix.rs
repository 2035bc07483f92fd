//! The family's packages: what each image has, and how that compares to the others.

use super::html::tag;
use project::{
    ImageName, PackageName,
    family::{self, Member, PYTHON},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How a package's version in an image compares to the family's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Coupled: as the image's base has it.
    Base,
    Own,
    /// It differs from what the image named here has.
    Split(String),
    Exception(Exception),
}

/// An entry of an image's exceptions, by which a version may differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exception {
    /// What it is for: a package, `python`, or `*`, which is for all that differ.
    pub entry: String,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub version: String,
    pub mark: Mark,
}

/// A package, and what each image has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub package: String,
    pub cells: Vec<Option<Cell>>,
}

impl Mark {
    /// Its class and word, and the reason, where the version differs.
    pub fn apart(&self) -> Option<(&'static str, &str)> {
        match self {
            Mark::Base | Mark::Own => None,
            Mark::Split(why) => Some(("split", why)),
            Mark::Exception(exception) => Some(("exception", &exception.why)),
        }
    }
}

impl Row {
    /// The words that are beside its name, so that they are in sight wherever the cells are.
    pub fn tags(&self) -> String {
        let words: BTreeSet<&str> =
            self.cells.iter().flatten().filter_map(|cell| cell.mark.apart()).map(|(word, _)| word).collect();
        words.into_iter().map(|word| format!(" {}", tag(word, word))).collect()
    }
}

/// The Python first, then every package by its name.
pub fn matrix(members: &[Member]) -> Vec<Row> {
    let standards = family::standards(members);
    let versions: Vec<_> = members.iter().map(Member::versions).collect();
    let pins: Vec<_> = members.iter().map(|member| member.pyproject.pins()).collect();
    let names: BTreeSet<&PackageName> = versions.iter().flat_map(BTreeMap::keys).copied().collect();
    let join = |versions: &BTreeSet<&str>| versions.iter().copied().collect::<Vec<_>>().join(", ");
    let rows = names.into_iter().map(|package| {
        let cell = |(index, member): (usize, &Member)| {
            let own = versions[index].get(package)?;
            let (standard, theirs) = standards[index].get(package)?;
            let mark = match (own == theirs, exception(member, package)) {
                (true, _) if pins[index].contains_key(package) => Mark::Base,
                (true, _) => Mark::Own,
                (false, Some(exception)) => Mark::Exception(exception),
                (false, None) => Mark::Split(format!("{} has {}", standard.image.name, join(theirs))),
            };
            Some(Cell { version: join(own), mark })
        };
        Row { package: package.to_string(), cells: members.iter().enumerate().map(cell).collect() }
    });
    std::iter::once(pythons(members)).chain(rows).collect()
}

/// The image's own word for a package, else its word for all.
fn exception(member: &Member, package: &PackageName) -> Option<Exception> {
    let entry = if member.exceptions.contains_key(package) { package.as_str() } else { "*" };
    Some(Exception { entry: entry.to_owned(), why: member.exceptions.get(entry)?.clone() })
}

/// The Pythons that each image admits; an image is compared to its base.
fn pythons(members: &[Member]) -> Row {
    let by_name: HashMap<&ImageName, &Member> = members.iter().map(|member| (&member.image.name, member)).collect();
    let cell = |member: &Member| {
        let version = member.pyproject.requires_python().ok()?;
        let base = member.base.as_ref().and_then(|base| by_name.get(base));
        let mark = match base.and_then(|base| Some((base, base.pyproject.requires_python().ok()?))) {
            None => Mark::Own,
            Some((_, same)) if same == version => Mark::Base,
            Some((base, other)) => match member.exceptions.get(PYTHON) {
                Some(why) => Mark::Exception(Exception { entry: PYTHON.to_owned(), why: why.clone() }),
                None => Mark::Split(format!("{} has {other}", base.image.name)),
            },
        };
        Some(Cell { version: version.to_owned(), mark })
    };
    Row { package: "Python".to_owned(), cells: members.iter().map(cell).collect() }
}

#[cfg(test)]
mod tests {
    use super::{super::tests, *};

    #[test]
    fn the_matrix_marks_what_is_apart() {
        let (project, files) = tests::family();
        let (members, _) = family::members(&project, &files);
        let rows = matrix(&members);
        let cell = |version: &str, mark: Mark| Some(Cell { version: version.to_owned(), mark });
        let exception = |entry: &str, why: &str| Mark::Exception(Exception { entry: entry.into(), why: why.into() });
        let vendor = || exception("*", "a vendor's versions");
        let split = |why: &str| Mark::Split(why.to_owned());
        let expected = [
            (
                "Python",
                [
                    cell(">=3.13", Mark::Own),
                    cell(">=3.13", Mark::Base),
                    cell(">=3.12", split("base has >=3.13")),
                    cell(">=3.13", Mark::Base),
                ],
            ),
            ("a", [cell("1", Mark::Own), cell("1", Mark::Base), cell("1", Mark::Own), cell("7", vendor())]),
            (
                "b",
                [
                    cell("1", Mark::Own),
                    cell("2", split("base has 1")),
                    cell("9", exception("b", "frozen <upstream>")),
                    cell("8", vendor()),
                ],
            ),
            ("c", [None, cell("3", Mark::Own), None, None]),
        ];
        let expected = expected.map(|(package, cells)| Row { package: package.to_string(), cells: cells.to_vec() });
        assert_eq!(rows, expected);
    }
}
