//! What stands against a push: one thing a line, then the command that repairs all of it.

use crate::common::{as_arguments, rerun::rerun};
use project::{
    Environment, Image, ImageName, Project,
    error::{Cause, Fault},
};

/// All that stands against a push, and what helps.
#[derive(Debug, Default)]
pub struct Objections {
    why: Vec<String>,
    advice: Vec<String>,
    build: Vec<ImageName>,
    build_again: Vec<ImageName>,
    validate: Vec<ImageName>,
    commands: Vec<String>,
    force: Vec<&'static str>,
}

/// What helps against one thing.
pub enum Repair {
    /// Build these.
    Build(Vec<ImageName>),
    /// Build this without the cache: by its inputs, it is up to date.
    BuildAgain,
    Validate,
    /// Another command.
    Run(String),
    /// Only the flag.
    None,
    /// No command can.
    Advice(&'static str),
}

impl Objections {
    /// What stands against an image. `force` is the flag by which it is pushed all the same.
    pub fn add(&mut self, image: &Image, why: &str, repair: Repair, force: Option<&'static str>) {
        self.why.push(format!("{}: {why}", image.name));
        let is_built = matches!(repair, Repair::Build(_) | Repair::BuildAgain);
        match repair {
            Repair::Build(names) => names.into_iter().for_each(|name| add(&mut self.build, name)),
            Repair::BuildAgain => add(&mut self.build_again, image.name.clone()),
            Repair::Validate => add(&mut self.validate, image.name.clone()),
            Repair::Run(command) => add(&mut self.commands, command),
            Repair::None => {}
            Repair::Advice(advice) => self.advise(advice),
        }
        if is_built && image.suite.is_some() {
            // It is another image then.
            add(&mut self.validate, image.name.clone());
        }
        if let Some(flag) = force {
            add(&mut self.force, flag);
        }
    }

    /// What to do first.
    pub fn advise(&mut self, advice: &str) {
        add(&mut self.advice, advice.to_owned());
    }

    /// # Errors
    /// The objections, where there are any.
    pub fn refuse(self, project: &Project) -> Result<(), Fault> {
        if self.why.is_empty() {
            return Ok(());
        }
        let fault = Fault::of_several(Cause::Refused, "deploy: nothing was pushed", &self.why);
        Err(fault.help(self.help(project).join("\n")))
    }

    fn help(self, project: &Project) -> Vec<String> {
        // What may be published is built as ci builds it.
        let as_ci = |verb: &str, names: Vec<ImageName>, flags: &str| {
            let command = format!("cargo xtask {verb} {}{flags}", as_arguments(project, &names));
            (!names.is_empty()).then(|| rerun(project, Environment::Ci, &command))
        };
        let build_again = as_ci("build", self.build_again, " --use-docker-cache=false");
        let builds = [as_ci("build", self.build, ""), build_again, as_ci("validate", self.validate, "")];
        let commands: Vec<String> = builds.into_iter().flatten().chain(self.commands).collect();
        let mut help = self.advice;
        if !commands.is_empty() {
            help.push(format!("`{}`", commands.join(" && ")));
        }
        if !self.force.is_empty() {
            let or = if help.is_empty() { "" } else { "or, if you mean it, " };
            help.push(format!("{or}`deploy` with {}", self.force.join(" ")));
        }
        help
    }
}

fn add<T: PartialEq>(to: &mut Vec<T>, item: T) {
    if !to.contains(&item) {
        to.push(item);
    }
}
