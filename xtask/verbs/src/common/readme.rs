//! The parts of README.md and of the images' README.md that are generated, between marks, from the compose files, the
//! locks and the flags.

use super::graph::Graph;
use crate::flags::Cli;
use clap::CommandFactory as _;
use project::{Image, ImageRef, Project, family::Member, files::Files};
use std::{borrow::Cow, fmt::Write as _, path::PathBuf};

/// The repository's own page.
pub const FILE: &str = "README.md";

/// A file that is generated, in whole or in part: what it should hold, or why that can't be said.
pub type Generated = (PathBuf, Result<String, String>);

/// README.md with every generated part written again.
pub fn of_family(project: &Project, files: &Files) -> Generated {
    let text = files.text(FILE).and_then(|text| {
        let graph = format!("```mermaid\n{}```\n", Graph::of(project)?.mermaid());
        Ok((text, [("graph", graph), ("images", images(project)), ("variables", variables())]))
    });
    let new = match text {
        Ok((Some(text), parts)) => fill(text, &parts),
        Ok((None, _)) => Err("is missing".to_owned()),
        Err(fault) => Err(fault.what),
    };
    (FILE.into(), new)
}

/// Each image's README.md likewise: the versions of what it asks for, and its example's Dockerfile. Nothing of one that
/// doesn't exist.
pub fn of_images(members: &[Member], files: &Files) -> Vec<Generated> {
    let readme = |member: &Member| {
        let path = member.image.folder.join(FILE);
        let new = match files.text(&path) {
            Ok(None) => return None,
            Ok(Some(text)) => example(member.image, files)
                .and_then(|example| fill(text, &[("versions", versions(member)), ("example", example)])),
            Err(fault) => Err(fault.what),
        };
        Some((path, new))
    };
    members.iter().filter_map(readme).collect()
}

/// The files that `of_images` reads of an image.
pub fn wanted(image: &Image) -> [PathBuf; 2] {
    [image.folder.join(FILE), image.folder.join(EXAMPLE)]
}

/// A project that builds on the image.
const EXAMPLE: &str = "example/Dockerfile";

fn example(image: &Image, files: &Files) -> Result<String, String> {
    let path = image.folder.join(EXAMPLE);
    match files.text(&path) {
        Ok(Some(text)) => Ok(format!("```dockerfile\n{}\n```\n", with_lf(text).trim_end())),
        Ok(None) => Err(format!("{}: no such file", path.display())),
        Err(fault) => Err(fault.what),
    }
}

/// Puts each body between its marks.
fn fill(text: &str, parts: &[(&str, String)]) -> Result<String, String> {
    parts.iter().try_fold(with_lf(text).into_owned(), |text, (name, body)| {
        let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
        let from = text.find(&begin).ok_or_else(|| format!("no mark '{}'", begin.trim()))? + begin.len();
        let to = text[from..].find(&end).ok_or_else(|| format!("no mark '{end}'"))? + from;
        Ok(format!("{}{body}{}", &text[..from], &text[to..]))
    })
}

/// A clone may have CRLF line endings, which `check` reports by themselves; what is generated has LF.
fn with_lf(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) }
}

/// What an image asks for itself, as it was locked; the rest of the lock follows from it.
fn versions(member: &Member) -> String {
    let mut out = "| package | version |\n|---|---|\n".to_owned();
    let locked = member.lock.installed();
    for (name, _) in member.pyproject.dependencies() {
        if let Some(versions) = locked.get(&name) {
            let versions: Vec<&str> = versions.iter().copied().collect();
            let _ = writeln!(out, "| {} | {} |", cell(name.as_str()), cell(&versions.join(", ")));
        }
    }
    for wheel in &member.vendor {
        let _ = writeln!(out, "| {} | {} |", cell(wheel.name.as_str()), cell(&wheel.full_version));
    }
    out
}

fn images(project: &Project) -> String {
    let mut out = "| image | base | hardware | what it is |\n|---|---|---|---|\n".to_owned();
    // Of one of ours the tag is the one that is being built.
    let short = |base: &ImageRef| {
        let name = format!("{}:{}", base.repository, base.tag);
        format!("`{}`", name.strip_suffix(":latest").unwrap_or(&name))
    };
    for image in project.family() {
        let bases: Vec<String> = project.standing_on(image).map(short).collect();
        let (hardware, description) =
            image.about.as_ref().map_or(("", ""), |about| (about.hardware.as_str(), about.description.as_str()));
        let (name, folder) = (&image.name, image.folder.display());
        let (bases, hardware, description) = (bases.join(", "), cell(hardware), cell(description));
        let _ = writeln!(out, "| [`{name}`]({folder}/README.md) | {bases} | {hardware} | {description} |");
    }
    out
}

fn variables() -> String {
    let mut out = "| variable | flag | what it says |\n|---|---|---|\n".to_owned();
    let cli = Cli::command();
    for argument in cli.get_arguments() {
        if let (Some(variable), Some(flag)) = (argument.get_env(), argument.get_long()) {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(out, "| `{}` | `--{flag}` | {} |", variable.display(), cell(&help));
        }
    }
    out
}

/// Text as a cell of a table: a bar would begin the next cell, a line break end the row.
fn cell(text: &str) -> String {
    text.replace('|', r"\|").replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{common::graph::tests::project_of, testing};
    use project::family;

    const MARKS: &str = "# Ours\r\n<!-- begin graph -->\r\nold\r\n<!-- end graph -->\r\n<!-- begin images -->\r\n\
                         <!-- end images -->\r\n<!-- begin variables -->\r\n<!-- end variables -->\r\nThe end.\r\n";

    #[test]
    fn what_is_between_the_marks_is_written_again() {
        let project = project_of(&[("a", &["debian:12"], "cpu | gpu"), ("b", &["r.io/a:0.9", "r.io/tools:1"], "")]);
        let (path, text) = of_family(&project, &Files::of([(FILE, MARKS)]));
        let text = text.unwrap();
        for part in [
            "# Ours\n<!-- begin graph -->\n```mermaid\nflowchart LR\n",
            "| [`a`](images/a/README.md) | `debian:12` | cpu \\| gpu | The a |\n",
            "| [`b`](images/b/README.md) | `a:0.9` |  | The b |\n<!-- end images -->",
            "| `IMAGE_TAG` | `--image-tag` | The tag to build, start, validate or push [default: latest] |\n",
            "<!-- end variables -->\nThe end.\n",
        ] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
        assert!(!text.contains("old"), "{text}");
        assert_eq!(of_family(&project, &Files::of([(FILE, text.as_str())])), (path, Ok(text.clone())));
    }

    #[test]
    fn what_is_missing_is_named() {
        let project = project_of(&[("a", &[], "")]);
        let fails = |files: Files| of_family(&project, &files).1.unwrap_err();
        assert_eq!(fails(Files::of([(FILE, "nothing")])), "no mark '<!-- begin graph -->'");
        assert_eq!(
            fails(Files::of([(FILE, MARKS.replace("<!-- end images -->", "").as_str())])),
            "no mark '<!-- end images -->'"
        );
        assert_eq!(fails(Files::of([("images/x", "")])), "is missing");
    }

    #[test]
    fn an_images_page_shows_what_it_asks_for_and_its_example() {
        let page = "<!-- begin versions -->\n<!-- end versions -->\n<!-- begin example -->\n<!-- end example -->\n";
        let pyproject = "[project]\nrequires-python = \">=3.13\"\ndependencies = [\"Requests>=1\", \"absent\"]\n";
        let family = testing::family()
            .file("images/python-base/README.md", page)
            .file("images/python-base/pyproject.toml", pyproject)
            .file("images/python-base/poetry.lock", &testing::lock(&[("requests", "1.2"), ("idna", "3")]));
        let project = family.facts.project(project::Environment::Dev, project::vars::Vars::default()).unwrap();
        let of = |files: &Files| of_images(&family::members(&project, files).0, files);
        let missing = Err("images/python-base/example/Dockerfile: no such file".to_owned());
        assert_eq!(of(&family.facts.files), [("images/python-base/README.md".into(), missing)], "the others have none");
        let family = family.file("images/python-base/example/Dockerfile", "FROM x\n\n");
        let expected = "<!-- begin versions -->\n| package | version |\n|---|---|\n| requests | 1.2 |\n<!-- end versions -->\n\
                        <!-- begin example -->\n```dockerfile\nFROM x\n```\n<!-- end example -->\n";
        assert_eq!(of(&family.facts.files)[0].1.as_deref(), Ok(expected));
    }
}
