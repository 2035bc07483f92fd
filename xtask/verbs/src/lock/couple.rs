//! The pins of a base's lock, written into a pyproject.toml; `couple` does it for one file.

use crate::{
    Verb,
    flags::{self, Globals},
};
use plan::{Action, Compute, Facts, Inputs, Needs, Plan, Report, Source, Step, compute::Input};
use project::{
    Project,
    coupling::pins_of,
    error::{Cause, Fault},
    lockfile::Lockfile,
    pyproject::Pyproject,
};
use std::path::{Path, PathBuf};

/// Which files: the base's lock, the pyproject.toml that is read, and where it is written with the pins.
#[derive(Debug, Clone)]
pub struct Coupling {
    /// What an error begins with.
    pub title: String,
    pub base: PathBuf,
    pub from: PathBuf,
    pub to: PathBuf,
}

impl Coupling {
    pub fn sources(&self) -> [Source; 2] {
        [Source::File(self.base.clone()), Source::File(self.from.clone())]
    }

    /// The text with the pins, where it isn't what is written already.
    ///
    /// # Errors
    /// A file that is missing or that can't be read.
    pub fn write(&self, base: Option<&Input>, from: Option<&Input>) -> Result<Option<(PathBuf, String)>, Fault> {
        self.written(base, from).map_err(|fault| Fault { what: format!("{}: {}", self.title, fault.what), ..fault })
    }

    fn written(&self, base: Option<&Input>, from: Option<&Input>) -> Result<Option<(PathBuf, String)>, Fault> {
        let image = self.base.parent().and_then(Path::file_name).unwrap_or_default().display();
        let lock = text(base).map_err(|why| {
            let what = format!("reading {}, whose versions are to be kept to: {why}", self.base.display());
            Fault::project(what).help(format!("lock the base first: `cargo xtask lock {image}`"))
        })?;
        let before =
            text(from).map_err(|why| Fault::new(Cause::Io, format!("reading {}: {why}", self.from.display())))?;
        let pyproject = Pyproject::parse(&self.from, before)?;
        let pins = pins_of(&Lockfile::parse(&self.base, lock)?, &pyproject.exceptions()?);
        let after = pyproject.with_pins(&pins)?;
        Ok((after != before || self.to != self.from).then(|| (self.to.clone(), after)))
    }

    /// As a computation, shown as the command that does the same.
    pub fn compute(self) -> Compute {
        let path = |path: &Path| plan::quote(&path.display().to_string()).into_owned();
        let shown = format!("cargo xtask couple {} {}", path(&self.base), path(&self.to));
        Compute::new(shown, self.sources(), move |inputs: &Inputs| {
            let written = self.write(inputs.read.first(), inputs.read.get(1));
            written
                .map(|write| write.into_iter().fold(Report::default(), |report, (path, text)| report.write(path, text)))
                .into()
        })
    }
}

fn text(input: Option<&Input>) -> Result<&str, String> {
    match input {
        Some(Input::Text(text)) => Ok(text),
        Some(Input::Unreadable(why)) => Err(why.clone()),
        _ => Err("no such file".to_owned()),
    }
}

impl Verb for flags::Couple {
    fn needs(&self, _project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        Ok(Needs::default())
    }

    fn plan(&self, _project: &Project, _facts: &Facts, _globals: &Globals) -> Result<Plan, Fault> {
        let (base, file) = (self.base.clone(), self.pyproject.clone());
        let title = format!("couple {}", file.display());
        let couple = Coupling { title: title.clone(), base, from: file.clone(), to: file };
        let mut plan = Plan::default();
        plan.push(Step::new(title, Action::Compute(couple.compute())));
        Ok(plan)
    }
}
