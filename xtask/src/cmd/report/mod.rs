//! `report`: one page to look at, in one file that needs no network and no script.

mod html;
mod matrix;
mod page;
mod picture;

use super::{Context, engine};
use crate::{
    flags,
    plan::{Action, Plan, Step},
};
use anyhow::{Context as _, Result};
use page::Page;
use std::{fs, path::Path, time::SystemTime};

const OUTPUT: &str = "target/report.html";

pub fn run(context: &Context, flags: &flags::Report) -> Result<()> {
    let project = context.project()?;
    let question = engine::question(project.family());
    let path = flags.output.clone().unwrap_or_else(|| context.shown(OUTPUT));
    let mut plan = Plan::default();
    plan.push(Step::new("ask the engine", Action::Run(question.clone())));
    if context.shows(&plan)? {
        if !context.globals.json {
            // What is written depends on the answer.
            data_line!("# writes {}", path.display());
        }
        return Ok(());
    }
    let answer = engine::ask(context, &question);
    let page = Page::of(&project, answer.as_ref(), SystemTime::now())?;
    write(&path, &page.html())?;
    data_line!("{}", path.display());
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use project::{Environment, Project, vars::Vars};
    use std::{fmt::Write as _, fs};

    /// An image: its name, its base, lines of its pyproject.toml, and its packages; `=` before those that are pinned.
    type Dependencies<'a> = (&'a str, Option<&'a str>, &'a str, &'a [(&'a str, &'a str)]);

    fn project(images: &[Dependencies]) -> (xshell::TempDir, Project) {
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        let root = folder.path();
        let mut compose = "services:\n".to_owned();
        for (name, base, lines, packages) in images {
            let base = base.map_or("debian:12".to_owned(), |base| format!("r.io/{base}:1"));
            let _ = write!(
                compose,
                "  {name}:\n    image: r.io/{name}:1\n    x-core-images: {{description: 'a <b> & \"c\"', hardware: cpu}}\n    \
                 build: {{context: ./images/{name}, args: {{BASE_IMAGE: '{base}'}}}}\n"
            );
            let (mut pins, mut lock) = (String::new(), String::new());
            for (package, version) in *packages {
                if let Some(package) = package.strip_prefix('=') {
                    let _ = writeln!(pins, "{package} = \"{version}\"");
                }
                let package = package.trim_start_matches('=');
                let _ =
                    write!(lock, "[[package]]\nname = \"{package}\"\nversion = \"{version}\"\ngroups = [\"main\"]\n\n");
            }
            lock += "[metadata]\nlock-version = \"2.1\"\npython-versions = \"3\"\ncontent-hash = \"x\"\n";
            let group = "[tool.poetry.group.coupled]\noptional = true\n[tool.poetry.group.coupled.dependencies]\n";
            let at = root.join("images").join(name);
            fs::create_dir_all(&at).unwrap();
            fs::write(at.join("pyproject.toml"), format!("[project]\n{lines}\n{group}{pins}")).unwrap();
            fs::write(at.join("poetry.lock"), lock).unwrap();
        }
        fs::write(root.join(Environment::Dev.file()), compose).unwrap();
        let project = Project::load(root, Environment::Dev, Vars::default()).unwrap();
        (folder, project)
    }

    const PYTHON_13: &str = "requires-python = \">=3.13\"\n";
    const EXCEPTIONS: &str = "requires-python = \">=3.12\"\n[tool.core-images.exceptions]\nb = \"frozen <upstream>\"\n";

    pub fn family() -> (xshell::TempDir, Project) {
        project(&[
            ("base", None, PYTHON_13, &[("a", "1"), ("b", "1")]),
            ("child", Some("base"), PYTHON_13, &[("=a", "1"), ("b", "2"), ("c", "3")]),
            ("odd", Some("base"), EXCEPTIONS, &[("a", "1"), ("b", "9")]),
        ])
    }
}
