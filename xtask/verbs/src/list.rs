//! `list`: what there is, and what the engine has of it.

use crate::{
    Verb,
    common::{
        enumerate,
        identity::{self, Fingerprints, known},
        local::{self, Local},
        table::{Column, Fitted, fitted},
    },
    flags::{self, Globals},
};
use plan::{Action, Compute, Facts, Needs, Note, Plan, Report, Source, Step, Style, facts::Engine};
use project::{
    Image, ImageName, Project,
    error::Fault,
    files::{Files, Wanted},
};
use serde_json::{Value, json};
use std::time::SystemTime;

/// What a narrow terminal has room for: what is there, and whether it is what it should be.
const COLUMNS: [Column; 11] = [
    Column::always("IMAGE"),
    Column::always("BASE").least(14),
    Column::always("HARDWARE").goes(5),
    Column::always("LOCK").goes(1),
    Column::always("SUITE").goes(2),
    Column::always("LOCAL ID").goes(3),
    Column::always("STAGE").goes(6),
    Column::always("SIZE").goes(7),
    Column::always("AGE").goes(8),
    Column::always("MARKS").least(24).goes(9),
    Column::always("DESCRIPTION").least(24).goes(4),
];

impl Verb for flags::List {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        let locks = project.family().map(|image| image.folder.join("poetry.lock"));
        let names: Vec<ImageName> = project.family().map(|image| image.name.clone()).collect();
        let contexts = identity::contexts(project, &names).unwrap_or_default();
        Ok(Needs { files: Wanted::files(locks), contexts, ..Needs::default() })
    }

    /// One step: what the engine says is all that isn't known before.
    fn plan(&self, project: &Project, facts: &Facts, globals: &Globals) -> Result<Plan, Fault> {
        let names = project.family().map(|image| &image.name).filter(|name| project.is_meant(name));
        let names: Vec<ImageName> = names.cloned().collect();
        let question = local::question(project, &names);
        let (family, facts, json) = (project.clone(), facts.clone(), globals.json);
        let asked = question.clone();
        let list = Compute::new(question.to_string(), [Source::Output(question)], move |inputs| {
            let engine = Engine::of(&asked, inputs.output(0));
            let known = known(&family, &facts, &engine, &names);
            let row = |image| row(&family, &facts.files, image, &engine, &known);
            report(
                &family.family().filter(|image| names.contains(&image.name)).map(row).collect::<Vec<_>>(),
                &engine,
                &facts,
                json,
            )
        });
        let mut plan = Plan::default();
        plan.push(Step::new("ask the engine", Action::Compute(list)));
        Ok(plan)
    }
}

#[derive(Debug)]
struct Row {
    name: String,
    reference: String,
    bases: Vec<String>,
    hardware: Option<String>,
    description: Option<String>,
    stage: Option<String>,
    lock: bool,
    suite: bool,
    /// What the engine has; nothing where it doesn't answer or has no such image.
    local: Option<Local>,
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "reference": self.reference,
            "bases": self.bases,
            "hardware": self.hardware,
            "description": self.description,
            "stage": self.stage,
            "lock": self.lock,
            "suite": self.suite,
            "local": self.local.as_ref().map(Local::json),
        })
    }
}

fn row(project: &Project, files: &Files, image: &Image, engine: &Engine, known: &Fingerprints) -> Row {
    Row {
        name: image.name.to_string(),
        bases: project.standing_on(image).map(ToString::to_string).collect(),
        hardware: image.about.as_ref().map(|about| about.hardware.clone()),
        description: image.about.as_ref().map(|about| about.description.clone()),
        stage: image.stage.clone(),
        lock: files.has(image.folder.join("poetry.lock")),
        suite: image.suite.is_some(),
        local: local::local(engine, project, known, image),
        reference: image.reference.to_string(),
    }
}

fn report(rows: &[Row], engine: &Engine, facts: &Facts, json: bool) -> Report {
    if json {
        let rows: Value = rows.iter().map(Row::json).collect();
        return Report::default().data(format!("{rows:#}\n"));
    }
    let Fitted { text, left_out } = fitted(&COLUMNS, cells(rows, facts.now), facts.width);
    let mut report = Report::default().data(text);
    if !left_out.is_empty() {
        let text = format!("No room for {}.\n`cargo xtask list | less -S` shows all.", enumerate(&left_out));
        report = report.note(Note::styled(Style::Dim, text));
    }
    match engine {
        Engine::Has(_) => report,
        Engine::NotAsked | Engine::Silent(_) => {
            let text = "The docker engine doesn't answer: what it has of these isn't shown.";
            report.note(Note::styled(Style::Dim, text))
        }
    }
}

fn cells(rows: &[Row], now: SystemTime) -> Vec<Vec<String>> {
    let mark = |there: bool| if there { "yes" } else { "no" }.to_owned();
    let cells = rows.iter().map(|row| {
        let short = |reference: &String| reference.rsplit('/').next().unwrap_or_default().to_owned();
        let local = |get: &dyn Fn(&Local) -> String| row.local.as_ref().map_or("-".to_owned(), get);
        vec![
            row.name.clone(),
            row.bases.iter().map(short).collect::<Vec<_>>().join(" "),
            row.hardware.clone().unwrap_or_else(|| "-".to_owned()),
            mark(row.lock),
            mark(row.suite),
            local(&|l| l.short_id().to_owned()),
            local(&|l| l.stage().to_owned()),
            local(&|l| local::size(l.size)),
            local(&|l| l.age(now)),
            local(&|l| l.marks().join(", ")),
            row.description.clone().unwrap_or_default(),
        ]
    });
    cells.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, expect_plan};
    use plan::{Inputs, Output, compute::Input};

    fn report(args: &[&str], answer: Input) -> Report {
        report_on(None, args, answer)
    }

    fn report_on(width: Option<usize>, args: &[&str], answer: Input) -> Report {
        let plan = testing::family().with(|facts| facts.width = width).plan(args).unwrap();
        let [Step { action: Action::Compute(list), .. }] = &plan.steps[..] else { panic!("{}", plan.outline()) };
        list.report(&Inputs { read: vec![answer], after: Vec::new() })
    }

    #[test]
    fn asks_the_engine_once() {
        expect_plan!("list", testing::outline(&["list"]));
    }

    #[test]
    fn shows_what_the_engine_has() {
        let found = json!([{
            "Id": "sha256:0123456789abcdef",
            "RepoTags": ["r.io/python-base:latest"],
            "Created": "1969-12-31T00:00:00Z",
            "Size": 75_000_000,
            "Config": {"Labels": {"core-images.stage": "development", "core-images.stand-in": "debian:trixie-slim"}},
        }]);
        let missing = "Error response from daemon: No such image: r.io/fastapi-serve:latest".to_owned();
        let answer = Input::Printed(Output { code: 1, stdout: found.to_string(), stderr: missing });
        let shown = report(&["list"], answer.clone());
        let line = |image: &str| shown.data.lines().find(|line| line.starts_with(&format!("{image} "))).unwrap();
        for cell in ["debian:trixie-slim", "development", "0123456789ab", "75 MB", "on a stand-in"] {
            assert!(line("python-base").contains(cell), "no {cell} in {}", line("python-base"));
        }
        assert!(line("fastapi-serve").contains("python-base:latest") && !line("fastapi-serve").contains("MB"));
        assert_eq!((shown.data.lines().count(), shown.notes.len()), (5, 0));
        let rows: Value = serde_json::from_str(&report(&["list", "--json"], answer).data).unwrap();
        assert_eq!((&rows[1]["local"]["size"], &rows[2]["local"]), (&json!(75_000_000), &Value::Null));
        assert_eq!(
            (&rows[2]["lock"], &rows[3]["lock"], &rows[3]["suite"]),
            (&true.into(), &false.into(), &false.into())
        );
    }

    #[test]
    fn fits_a_terminal() {
        let found = json!([{
            "Id": "sha256:0123456789abcdef",
            "RepoTags": ["r.io/python-base:latest"],
            "Created": "1970-01-01T00:00:00Z",
            "Size": 75_000_000,
            "Config": {"Labels": {
                "core-images.stage": "development",
                "core-images.stand-in": "debian:trixie-slim",
                "core-images.fingerprint": "another",
            }},
        }]);
        let answer = Input::Printed(Output { code: 1, stdout: found.to_string(), stderr: "No such image".to_owned() });
        let whole = report(&["list"], answer.clone());
        assert!(whole.data.lines().any(|line| line.chars().count() > 120), "{}", whole.data);
        for width in [60, 80, 120] {
            let shown = report_on(Some(width), &["list"], answer.clone());
            assert!(shown.data.lines().all(|line| line.chars().count() <= width), "{width}:\n{}", shown.data);
            assert_eq!((shown.data.lines().count(), shown.notes.len()), (5, 1), "{width}");
            let line = shown.data.lines().find(|line| line.starts_with("python-base ")).unwrap();
            assert!(line.contains("  on a stand-in, outdated"), "{line}");
            assert!(line.contains("  75 MB  ") || width < 80, "{line}");
        }
        assert_eq!(report_on(Some(400), &["list"], answer), whole);
    }

    #[test]
    fn does_without_an_engine() {
        let gone = Output { code: 1, stderr: "Cannot connect to the Docker daemon".to_owned(), ..Output::default() };
        for answer in [Input::Printed(gone), Input::NotStarted("no docker".to_owned())] {
            let shown = report(&["list"], answer);
            assert_eq!((shown.data.lines().count(), shown.notes.len(), shown.fault), (5, 1, None));
        }
    }
}
