//! What `doctor` asks, and what each answer means.

use super::Finding;
use crate::{
    common::with_patience,
    setup::{indexes, reaches, references},
};
use plan::{
    Compute, Facts, Inputs, Invocation, Report, Source,
    tools::docker::{self, STAND_IN},
};
use project::{Environment, ImageRef, Project, error::Fault};

/// The Python of Poetry's environment, below the root; without it, the PATH's is asked for the index.
pub const POETRY_PYTHON: &str = "target/tools/poetry/bin/python";
/// Builds of images with deep-learning wheels need about this much, in GB.
const DISK: u64 = 20;

type Answered = Box<dyn Fn(&Inputs) -> Finding + Send + Sync>;

/// Commands, all asked side by side, and the findings that are made of their answers.
#[derive(Default)]
pub struct Questions {
    asked: Vec<Invocation>,
    findings: Vec<Answered>,
}

impl Questions {
    /// Everything that is asked.
    ///
    /// # Errors
    /// A compose file that can't be read.
    pub fn all(project: &Project, facts: &Facts) -> Result<Questions, Fault> {
        let both =
            [Environment::Dev, Environment::Ci].map(|environment| facts.project(environment, project.vars.clone()));
        let [dev, ci] = both;
        let both = [dev?, ci?];
        let mut questions = Questions::default();
        questions.tools(facts);
        questions.engine();
        questions.disk();
        questions.package_index(facts);
        for (name, url) in indexes(&both) {
            questions.vendor_index(project, facts, name, url);
        }
        let stand_ins = questions.ask(docker::list_stand_ins());
        for reference in references(&both[..1]) {
            questions.external_image(reference, stand_ins);
        }
        Ok(questions)
    }

    /// One computation of all findings.
    pub fn compute(self, then: impl Fn(Vec<Finding>) -> Report + Send + Sync + 'static) -> Compute {
        let shown: Vec<String> = self.asked.iter().map(ToString::to_string).collect();
        let findings = self.findings;
        Compute::new(shown.join("\n"), self.asked.into_iter().map(Source::Output), move |inputs| {
            then(findings.iter().map(|finding| finding(inputs)).collect())
        })
    }

    fn ask(&mut self, run: Invocation) -> usize {
        self.asked.push(run);
        self.asked.len() - 1
    }

    fn find(&mut self, finding: impl Fn(&Inputs) -> Finding + Send + Sync + 'static) {
        self.findings.push(Box::new(finding));
    }

    /// The tools that print their version, and the oldest that will do.
    fn tools(&mut self, facts: &Facts) {
        let version = |name: &str| Invocation::new(&facts.program(name), ["--version"]);
        for (name, run, minimum) in [
            ("docker", Invocation::new("docker", ["--version"]), (20, 10)),
            ("docker compose", docker::Compose::version(), (2, 20)),
            ("docker buildx", Invocation::new("docker", ["buildx", "version"]), (0, 10)),
            ("poetry", version("poetry"), (2, 3)),
            ("aws", version("aws"), (1, 32)),
            ("hadolint", version("hadolint"), (2, 12)),
        ] {
            let at = self.ask(run);
            self.find(move |inputs| tool(name, inputs, at, minimum));
        }
    }

    fn engine(&mut self) {
        let at = self.ask(docker::engine_version());
        self.find(move |inputs| {
            let why = inputs.output(at).and_then(|output| output.stderr.lines().last());
            let version = inputs.stdout(at);
            let found = version.or(why).map(str::to_owned);
            Finding::new("docker engine", found, "answers", version.is_some(), "cargo xtask setup")
        });
    }

    /// In the engine's own folder, where it answers and is on this machine.
    fn disk(&mut self) {
        let script = "folder=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null) || folder=; \
                      df --output=avail,file --block-size=1G \"${folder:-.}\"";
        let at = self.ask(Invocation::new("sh", ["-c", script]));
        self.find(move |inputs| {
            let line = inputs.stdout(at).and_then(|text| text.lines().last()?.trim().split_once(' '));
            let free = line.and_then(|(free, folder)| Some((free.parse::<u64>().ok()?, folder.trim())));
            let found = free.map(|(free, folder)| format!("{free} GB in {folder}"));
            let enough = free.is_some_and(|(free, _)| free >= DISK);
            Finding::new("disk free", found, &format!("{DISK} GB or more"), enough, "docker system prune")
        });
    }

    fn package_index(&mut self, facts: &Facts) {
        let own = facts.files.has(POETRY_PYTHON).then(|| facts.argument(POETRY_PYTHON));
        let args = ["-m", "pip", "--disable-pip-version-check", "index", "versions", "pip"];
        let at = self.ask(with_patience(Invocation::new(own.as_deref().unwrap_or("python3"), args)));
        self.find(move |inputs| {
            let answers = inputs.stdout(at).is_some();
            let found = if answers { "answers" } else { "doesn't answer" };
            let help = "set PIP_INDEX_URL to an index that can be reached";
            Finding::new("Python package index", Some(found.to_owned()), "answers", answers, help)
        });
    }

    fn vendor_index(&mut self, project: &Project, facts: &Facts, name: String, url: String) {
        let needed = "answers, or a stand-in";
        if url == STAND_IN {
            let found = format!("a stand-in (from the {})", project.vars.origin(&name));
            return self.find(move |_| Finding::new(&name, Some(found.clone()), needed, true, ""));
        }
        let at = self.ask(reaches(project, facts, &url));
        self.find(move |inputs| {
            let answers = inputs.stdout(at).is_some();
            let found = format!("{url} {}", if answers { "answers" } else { "doesn't answer" });
            Finding::new(&name, Some(found), needed, answers, "cargo xtask setup")
        });
    }

    fn external_image(&mut self, reference: &ImageRef, stand_ins: usize) {
        let what = format!("image {reference}");
        let id = self.ask(docker::image_id(reference));
        let registry = self.ask(with_patience(docker::registry_descriptor(reference)));
        self.find(move |inputs| {
            let id = inputs.stdout(id).filter(|id| !id.is_empty());
            let is_stand_in = |id: &str| inputs.stdout(stand_ins).is_some_and(|list| list.contains(id));
            let here = match id {
                Some(id) if is_stand_in(id) => "here, a stand-in",
                Some(_) => "here",
                None => "not here",
            };
            let answers = inputs.stdout(registry).is_some();
            let reach = if answers { "its registry answers" } else { "its registry can't be reached" };
            let found = Some(format!("{here}; {reach}"));
            Finding::new(&what, found, "here, or can be pulled", id.is_some() || answers, "cargo xtask setup")
        });
    }
}

fn tool(name: &str, inputs: &Inputs, at: usize, minimum: (u32, u32)) -> Finding {
    let output = inputs.output(at).filter(|output| output.success());
    let version = output.and_then(|output| version_in(&output.stdout).or_else(|| version_in(&output.stderr)));
    let ok = version.as_deref().and_then(docker::major_minor).is_some_and(|version| version >= minimum);
    let needed = format!("{}.{} or newer", minimum.0, minimum.1);
    Finding::new(name, version, &needed, ok, "cargo xtask setup")
}

/// The first thing that looks like a version in what a tool says of itself.
fn version_in(text: &str) -> Option<String> {
    let starts =
        |word: &&str| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    text.split([' ', '\n', '/', ',']).find(starts).map(|word| word.trim_matches(|c| c == ')' || c == ',').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_tools_print_them() {
        for (text, expected) in [
            ("Docker version 26.1.5+dfsg1, build a72d7cd", "26.1.5+dfsg1"),
            ("github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3", "0.13.1+ds1"),
            ("Poetry (version 2.5.1)", "2.5.1"),
            ("aws-cli/1.42.3 Python/3.11.2", "1.42.3"),
            ("Haskell Dockerfile Linter 2.14.0", "2.14.0"),
            ("2.26.1-4", "2.26.1-4"),
        ] {
            assert_eq!(version_in(text).as_deref(), Some(expected), "{text}");
        }
    }
}
