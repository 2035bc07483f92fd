//! The parts of README.md that are generated, between marks, from the compose files and the flags.

use super::graph::Graph;
use crate::{flags::Cli, project::Project};
use clap::CommandFactory as _;
use std::fmt::Write as _;

/// `text` with every generated part made anew.
///
/// # Errors
/// A mark that is missing, or bases that go round in a circle.
pub fn generate(text: &str, project: &Project) -> Result<String, String> {
    let graph = Graph::of(project).map_err(|fault| fault.what)?;
    let graph = format!("```mermaid\n{}```\n", graph.mermaid());
    [("graph", graph), ("images", images(project)), ("variables", variables())].into_iter().try_fold(
        text.to_owned(),
        |text, (name, body)| {
            let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
            let from = text.find(&begin).ok_or_else(|| format!("no mark '{}'", begin.trim()))? + begin.len();
            let to = text[from..].find(&end).ok_or_else(|| format!("no mark '{end}'"))? + from;
            Ok(format!("{}{body}{}", &text[..from], &text[to..]))
        },
    )
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
