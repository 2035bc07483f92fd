//! The parts of README.md that are generated, between marks, from the compose files and the flags.

use super::graph::Graph;
use crate::flags::Cli;
use clap::CommandFactory as _;
use project::{Image, Project, family::Member};
use std::{fmt::Write as _, fs, path::PathBuf};

/// README.md with every generated part made anew.
///
/// # Errors
/// A mark that is missing, or bases that go round in a circle.
pub fn generate(text: &str, project: &Project) -> Result<String, String> {
    let graph = Graph::of(project).map_err(|fault| fault.what)?;
    let graph = format!("```mermaid\n{}```\n", graph.mermaid());
    fill(text, &[("graph", graph), ("images", images(project)), ("variables", variables())])
}

/// Every image's README.md likewise: the versions of what it asks for, and its example's Dockerfile. Of a missing one
/// there is nothing to say.
pub fn of_images(project: &Project, members: &[Member]) -> Vec<(PathBuf, Result<String, String>)> {
    let readme = |member: &Member| {
        let path = member.image.folder.join("README.md");
        let text = fs::read_to_string(project.root.join(&path)).ok()?;
        let new = example(project, member.image)
            .and_then(|example| fill(&text, &[("versions", versions(member)), ("example", example)]));
        Some((path, new))
    };
    members.iter().filter_map(readme).collect()
}

fn example(project: &Project, image: &Image) -> Result<String, String> {
    let path = image.folder.join("example/Dockerfile");
    let text = fs::read_to_string(project.root.join(&path)).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(format!("```dockerfile\n{}\n```\n", text.trim_end()))
}

/// Puts each body between its marks.
fn fill(text: &str, parts: &[(&str, String)]) -> Result<String, String> {
    parts.iter().try_fold(text.to_owned(), |text, (name, body)| {
        let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
        let from = text.find(&begin).ok_or_else(|| format!("no mark '{}'", begin.trim()))? + begin.len();
        let to = text[from..].find(&end).ok_or_else(|| format!("no mark '{end}'"))? + from;
        Ok(format!("{}{body}{}", &text[..from], &text[to..]))
    })
}

/// What an image asks for itself, as it was locked; the rest of the lock follows from it.
fn versions(member: &Member) -> String {
    let mut out = "| package | version |\n|---|---|\n".to_owned();
    let locked = member.lock.installed();
    for (name, _) in member.pyproject.dependencies() {
        if let Some(versions) = locked.get(&name) {
            let versions: Vec<&str> = versions.iter().copied().collect();
            let _ = writeln!(out, "| {name} | {} |", versions.join(", "));
        }
    }
    for wheel in &member.vendor {
        let _ = writeln!(out, "| {} | {} |", wheel.name, wheel.full_version);
    }
    out
}

fn images(project: &Project) -> String {
    let mut out = "| image | base | hardware | what it is |\n|---|---|---|---|\n".to_owned();
    for image in project.family() {
        let bases: Vec<String> =
            project.standing_on(image).map(|base| format!("`{}:{}`", base.repository, base.tag)).collect();
        let bases: Vec<&str> = bases.iter().map(|base| base.trim_end_matches(":latest`")).collect();
        let bases: Vec<String> = bases
            .iter()
            .map(|base| if base.ends_with('`') { (*base).to_owned() } else { format!("{base}`") })
            .collect();
        let (hardware, description) =
            image.about.as_ref().map_or(("", ""), |about| (about.hardware.as_str(), about.description.as_str()));
        let name = &image.name;
        let folder = image.folder.display();
        let _ = writeln!(out, "| [`{name}`]({folder}/README.md) | {} | {hardware} | {description} |", bases.join(", "));
    }
    out
}

fn variables() -> String {
    let mut out = "| variable | flag | what it says |\n|---|---|---|\n".to_owned();
    let cli = Cli::command();
    for argument in cli.get_arguments() {
        if let (Some(variable), Some(flag)) = (argument.get_env(), argument.get_long()) {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(out, "| `{}` | `--{flag}` | {help} |", variable.display());
        }
    }
    out
}
