//! `report`: one page to look at, in one file that needs no network and no script.

mod cards;
mod html;
mod images;
mod matrix;
mod packages;
mod page;
mod picture;

use crate::{
    Verb,
    common::{identity, local},
    flags::{self, Globals},
    validate::record,
};
use page::Page;
use plan::{Action, Compute, Facts, Needs, Plan, Report, Source, Step, facts::Engine, quote};
use project::{ImageName, Project, error::Fault, family};
use std::path::PathBuf;

const OUTPUT: &str = "target/report.html";

impl Verb for flags::Report {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        let mut files = family::wanted(project);
        files.extend(record::all());
        let contexts = identity::contexts(project, &names(project)).unwrap_or_default();
        Ok(Needs { files, contexts, suites: names(project), ..Needs::default() })
    }

    /// One step: what the engine says is all that isn't known before.
    fn plan(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Plan, Fault> {
        let question = local::question(project, &names(project));
        let path = self.output.clone().unwrap_or_else(|| facts.shown(OUTPUT));
        let shown = format!("{question} # the answer goes into {}", quote(&path.display().to_string()));
        let (asked, family, facts) = (question.clone(), project.clone(), facts.clone());
        let write = Compute::new(shown, [Source::Output(question)], move |inputs| {
            let engine = Engine::of(&asked, inputs.output(0));
            Page::of(&family, &facts, &engine).map(|page| written(path.clone(), page.html())).into()
        });
        let mut plan = Plan::default();
        plan.push(Step::new("write the report", Action::Compute(write)));
        Ok(plan)
    }
}

fn names(project: &Project) -> Vec<ImageName> {
    project.family().map(|image| image.name.clone()).collect()
}

fn written(path: PathBuf, html: String) -> Report {
    Report::default().data(format!("{}\n", path.display())).write(path, html)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, expect_plan};
    use plan::{Inputs, Output, compute::Input};
    use project::{Environment, files::Files, vars::Vars};
    use std::{fmt::Write as _, path::Path};

    #[test]
    fn plans() {
        expect_plan!("report", testing::outline(&["report"]));
        expect_plan!("report_output", testing::outline(&["report", "--output", "a page.html"]));
    }

    #[test]
    fn writes_one_page_whatever_the_engine_says() {
        let plan = testing::family().plan(&["report", "--output", "x.html"]).unwrap();
        let [Step { action: Action::Compute(write), .. }] = &plan.steps[..] else { panic!("{}", plan.outline()) };
        let missing = Output { code: 1, stdout: "[]".to_owned(), stderr: "Error: No such image: a".to_owned() };
        for (answer, expected) in
            [(Input::Printed(missing), "not built here"), (Input::NotStarted("no docker".to_owned()), "unknown")]
        {
            let report = write.report(&Inputs { read: vec![answer], after: Vec::new() });
            assert_eq!((report.data.as_str(), report.fault), ("x.html\n", None));
            let [(path, html)] = &report.writes[..] else { panic!("{:?}", report.writes) };
            assert!(path == Path::new("x.html") && html.contains(expected), "no {expected} in {html}");
        }
    }

    /// An image: its name, its base, lines of its pyproject.toml, and its packages; `=` before those that are pinned.
    type Dependencies<'a> = (&'a str, Option<&'a str>, &'a str, &'a [(&'a str, &'a str)]);

    fn project(images: &[Dependencies]) -> (Project, Files) {
        let mut compose = "services:\n".to_owned();
        let mut files = Files::of(Vec::<(String, String)>::new());
        for (name, base, lines, packages) in images {
            let base = base.map_or("debian:12".to_owned(), |base| format!("r.io/{base}:1"));
            let _ = write!(
                compose,
                "  {name}:\n    image: r.io/{name}:1\n    x-core-images: {{description: 'a <b> & \"c\"', hardware: cpu}}\n    \
                 build: {{context: ./images/{name}, args: {{BASE_IMAGE: '{base}'}}}}\n"
            );
            let pinned = packages.iter().filter_map(|(package, version)| Some((package.strip_prefix('=')?, version)));
            let pins: String = pinned.map(|(package, version)| format!("{package} = \"{version}\"\n")).collect();
            let locked = packages.iter().map(|(package, version)| (package.trim_start_matches('='), *version));
            let group = "[tool.poetry.group.coupled]\noptional = true\n[tool.poetry.group.coupled.dependencies]\n";
            let folder = Path::new("images").join(name);
            files.insert(folder.join("pyproject.toml"), format!("[project]\n{lines}\n{group}{pins}"));
            files.insert(folder.join("poetry.lock"), testing::lock(&locked.collect::<Vec<_>>()));
        }
        let project = Project::parse("/r".as_ref(), Environment::Dev, Vars::default(), &compose, String::new());
        (project.unwrap(), files)
    }

    const PYTHON_13: &str = "requires-python = \">=3.13\"\n";
    const EXCEPTIONS: &str = "requires-python = \">=3.12\"\n[tool.core-images.exceptions]\nb = \"frozen <upstream>\"\n";
    const APART: &str =
        "requires-python = \">=3.13\"\n[tool.core-images.exceptions]\n\"*\" = \"a vendor's versions\"\n";

    pub(super) fn family() -> (Project, Files) {
        project(&[
            ("base", None, PYTHON_13, &[("a", "1"), ("b", "1")]),
            ("child", Some("base"), PYTHON_13, &[("=a", "1"), ("b", "2"), ("c", "3")]),
            ("odd", Some("base"), EXCEPTIONS, &[("a", "1"), ("b", "9")]),
            ("apart", Some("base"), APART, &[("a", "7"), ("b", "8")]),
        ])
    }
}
