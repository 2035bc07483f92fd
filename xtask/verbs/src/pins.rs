//! `pins`: what an image holds, for the projects that are built on it.

use crate::{
    Verb,
    common::one_image,
    flags::{self, Globals},
};
use plan::{Action, Compute, Facts, Needs, Plan, Report, Step};
use project::{ImageName, Project, coupling, error::Fault, family, family::Finding, pin::Pins, pyproject::Pyproject};
use serde_json::json;
use std::{fmt::Write as _, path::Path};

impl Verb for flags::Pins {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        self.name(project)?;
        Ok(Needs { files: family::wanted(project), ..Needs::default() })
    }

    fn plan(&self, project: &Project, facts: &Facts, globals: &Globals) -> Result<Plan, Fault> {
        let name = self.name(project)?;
        let (members, findings) = family::members(project, &facts.files);
        let image = project.image(&name)?;
        // Of an image that can't be read nothing is known, and it may be a base of this one.
        let line = project.with_bases(std::slice::from_ref(&name))?;
        let unreadable =
            |finding: &&Finding| line.iter().any(|image| finding.place == image.folder.display().to_string());
        let unreadable = findings.iter().find(unreadable);
        if let Some(finding) = unreadable {
            return Err(Fault::project(format!("pins {name}: {}", finding.what)));
        }
        let pins = coupling::held(project, &members, image);
        if pins.is_empty() {
            return Err(Fault::project(format!("pins {name}: it has no poetry.lock")).help("cargo xtask list"));
        }
        let text = match (globals.json, self.poetry) {
            (true, _) => json(&name, &pins),
            (_, true) => group(&name, &pins)?,
            _ => constraints(&name, &pins),
        };
        let print = Compute::new(format!("# prints what {name} holds"), [], move |_| Report::default().data(&*text));
        let mut plan = Plan::default();
        plan.push(Step::new(format!("print the pins of {name}"), Action::Compute(print)));
        Ok(plan)
    }
}

impl flags::Pins {
    fn name(&self, project: &Project) -> Result<ImageName, Fault> {
        one_image("pins", &self.image, project)
    }
}

/// As `/opt/constraints.txt` in the image, which has just the lines that hold there.
fn constraints(name: &ImageName, pins: &Pins) -> String {
    let mut out = format!("# What {name} holds: uv pip install --constraint=FILE, pip install --constraint FILE.\n");
    for (package, pin) in pins.iter().flat_map(|(package, pins)| pins.iter().map(move |pin| (package, pin))) {
        let marker = pin.markers.as_ref().map_or(String::new(), |marker| format!(" ; {marker}"));
        let _ = writeln!(out, "{package}=={}{marker}", pin.version);
    }
    out
}

/// The same group that `lock` writes for the images on this one.
fn group(name: &ImageName, pins: &Pins) -> Result<String, Fault> {
    let text = Pyproject::parse(Path::new("pyproject.toml"), "")?.with_pins(pins)?;
    let table = text.find('[').map_or("", |from| &text[from..]);
    Ok(format!("# What {name} holds: the resolver must agree with it. Never installed itself.\n{table}"))
}

fn json(name: &ImageName, pins: &Pins) -> String {
    let packages = pins.iter().flat_map(|(package, pins)| {
        let one =
            |pin: &project::pin::Pin| json!({"name": package.as_str(), "version": pin.version, "marker": pin.markers});
        pins.iter().map(one).collect::<Vec<_>>()
    });
    format!("{:#}\n", json!({"image": name.as_str(), "packages": packages.collect::<Vec<_>>()}))
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, Family};
    use plan::{Action, Inputs, Step};

    fn family() -> Family {
        let base = "[[package]]\nname = \"requests\"\nversion = \"2\"\ngroups = [\"main\"]\n\n\
                    [[package]]\nname = \"colorama\"\nversion = \"4\"\ngroups = [\"main\"]\nmarkers = \"os_name == 'nt'\"\n\n\
                    [metadata]\nlock-version = \"2.1\"\ncontent-hash = \"x\"\n";
        // What is in the group of the pins alone is the base's, or nobody's.
        let child = base
            .replace("requests", "fastapi")
            .replace("colorama", "absent")
            .replace("groups = [\"main\"]\nmarkers", "groups = [\"coupled\"]\nmarkers");
        testing::family()
            .file("images/python-base/poetry.lock", base)
            .file("images/fastapi-serve/poetry.lock", &child)
            .file("images/fastapi-serve/vendor-wheels/pytorch-cpu.txt", "torch==2.14.1+cpu --hash=sha256:1\n")
    }

    fn printed(family: &Family, args: &[&str]) -> String {
        let plan = family.plan(args).unwrap();
        let [Step { action: Action::Compute(compute), .. }] = &plan.steps[..] else { panic!("{}", plan.outline()) };
        compute.report(&Inputs::default()).data
    }

    #[test]
    fn what_an_image_and_its_bases_install() {
        let expected = "# What fastapi-serve holds: uv pip install --constraint=FILE, pip install --constraint FILE.\n\
                        colorama==4 ; os_name == 'nt'\nfastapi==2\nrequests==2\ntorch==2.14.1\n";
        assert_eq!(printed(&family(), &["pins", "fastapi-serve"]), expected);
        let json: serde_json::Value =
            serde_json::from_str(&printed(&family(), &["pins", "fastapi-serve", "--json"])).unwrap();
        assert_eq!(
            json["packages"][0],
            serde_json::json!({"name": "colorama", "version": "4", "marker": "os_name == 'nt'"})
        );
    }

    #[test]
    fn a_group_for_poetry() {
        let text = printed(&family(), &["pins", "fastapi-serve", "--poetry"]);
        let group = "# What fastapi-serve holds: the resolver must agree with it. Never installed itself.\n\
                     [tool.poetry.group.coupled]\noptional = true\n\n[tool.poetry.group.coupled.dependencies]\n\
                     colorama = { version = \"4\", markers = \"os_name == 'nt'\" }\nfastapi = \"2\"\nrequests = \"2\"\ntorch = \"2.14.1\"\n";
        assert_eq!(text, group);
    }

    #[test]
    fn an_environment_of_another_python_has_nothing_of_the_base() {
        let apart = "[project]\nname = \"x\"\nrequires-python = \">=3.9\"\n\
                     [tool.core-images.exceptions]\npython = \"frozen\"\n\"*\" = \"its own\"\n";
        let family = family().file("images/fastapi-serve/pyproject.toml", apart);
        assert!(!printed(&family, &["pins", "fastapi-serve"]).contains("requests"));
    }

    #[test]
    fn what_can_t_be_known_is_an_error() {
        assert_eq!(family().fault(&["pins", "kubeflow-*"]).what, "pins kubeflow-*: one image at a time");
        let broken = family().file("images/python-base/poetry.lock", "<<<<<<< HEAD\n");
        assert!(broken.fault(&["pins", "fastapi-serve"]).what.contains("unresolved merge conflict"));
    }
}
