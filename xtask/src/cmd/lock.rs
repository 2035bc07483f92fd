//! `lock`: poetry resolves beside the image's folder, and the lock is put in its place when it is whole.

use super::{Context, setup};
use crate::{
    error::{Fault, Kind},
    flags,
    plan::{Action, EnvValue, Invocation, Plan, Probe, Step},
    project::{Image, Project, pyproject},
    tools::{
        docker::{self, Compose},
        poetry::{self, Index, MIRROR},
    },
};
use anyhow::Result;
use std::{fs, path::Path};

/// Where the helper that an image is built with mounts `images/`.
const MOUNT: &str = "/images";
/// Where `setup` notes the index that pip uses by default.
pub const DEFAULT_INDEX: &str = "target/tools/index-url";

/// The machine's own poetry, but for its arguments, and whether it is there.
struct Host {
    poetry: Invocation,
    there: bool,
}

/// A call of poetry, on the host and in the helper: they see the same folder under different paths.
struct Call {
    args: fn(&str) -> Vec<String>,
    on_host: String,
    in_helper: String,
}

/// The host's poetry where it has a Python that the image admits, else that of the helper which the image is built with.
fn with_fitting_python(host: &Host, helper: Option<&Helper>, index: &Index, minors: &[u32], call: &Call) -> Action {
    let on_host = index.apply(Invocation { args: (call.args)(&call.on_host), ..host.poetry.clone() });
    let Some(helper) = helper else {
        return Action::Run(on_host);
    };
    let arguments = (call.args)(&call.in_helper);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let user = format!("{}:{}", nix::unistd::getuid(), nix::unistd::getgid());
    let in_helper = index.apply(helper.compose.helper(&helper.service, &user, &helper.container, &arguments));
    // Newest first: the one that an image most likely has.
    let Some(minor) = minors.last().filter(|_| host.there) else {
        return Action::Run(in_helper);
    };
    let probe = Probe { run: Invocation::new(&format!("python3.{minor}"), ["--version"]), prints: None };
    Action::Either(probe, on_host, in_helper)
}

/// A service that runs poetry with the Python of the images that are built with it.
struct Helper<'a> {
    service: String,
    container: String,
    compose: &'a Compose,
}

/// Where poetry is to look packages up.
fn index(context: &Context) -> Index {
    if context.vars.get(MIRROR).is_some_and(|url| !url.is_empty()) {
        return Index::Default; // the user's own choice reaches poetry as it is
    }
    if context.vars.get("PIP_INDEX_URL").is_some_and(|url| !url.is_empty()) {
        return Index::FromPip;
    }
    if context.has(DEFAULT_INDEX) { Index::FromFile(context.shown(DEFAULT_INDEX)) } else { Index::Default }
}

pub fn plan(context: &Context, project: &Project, images: &[&Image], check: bool) -> Result<Plan> {
    let compose = context.compose(project);
    let index = index(context);
    // Poetry makes an environment even to lock: not among the user's own.
    let environments = EnvValue::Text(context.shown("target/poetry").display().to_string());
    let poetry = Invocation::new::<String>(&context.program("poetry"), []).env("POETRY_VIRTUALENVS_PATH", environments);
    let host =
        Host { poetry: setup::trusting(context, "REQUESTS_CA_BUNDLE", poetry), there: context.is_there("poetry") };
    let mut plan = Plan::default();
    for image in images {
        let name = &image.name;
        let pyproject = image.folder.join("pyproject.toml");
        let path = context.root.join(&pyproject);
        let text = fs::read_to_string(&path).map_err(|e| Fault::project(format!("reading {}: {e}", path.display())))?;
        let minors = pyproject::admitted_minors(&pyproject::requires_python(&path, &text)?);
        let helper = image.family_bases().find(|base| project.image(base).is_ok_and(|base| base.helper));
        let helper = helper.map(|service| Helper {
            service: service.to_string(),
            container: format!("{service}-{name}-{}", std::process::id()),
            compose: &compose,
        });
        let poetry = |args, folder: &Path| {
            let in_helper = Path::new(MOUNT).join(folder.strip_prefix("images").unwrap_or(folder));
            let (on_host, in_helper) = (context.shown(folder).display().to_string(), in_helper.display().to_string());
            with_fitting_python(&host, helper.as_ref(), &index, &minors, &Call { args, on_host, in_helper })
        };
        let container = helper.as_ref().map(|helper| Action::Run(docker::remove_container(&helper.container)));
        if check {
            let mut step =
                Step::new(format!("check the lock of {name}"), poetry(poetry::check, &image.folder)).image(name);
            step.rescue = container.into_iter().collect();
            plan.push(step);
            continue;
        }
        let beside = image.folder.join(".lock");
        let files = ["pyproject.toml", "poetry.lock"].map(|file| image.folder.join(file));
        let files = files.into_iter().filter(|file| context.has(file)).map(|file| context.shown(file));
        let stage = Action::Stage { from: files.collect(), to: context.shown(&beside) };
        let staged = plan.push(Step::new(format!("stage {name}"), stage));
        let mut step = Step::new(format!("lock {name}"), poetry(poetry::lock, &beside)).image(name);
        step.after = vec![staged];
        step.retry = true;
        step.rescue = container.into_iter().chain([Action::Remove(context.shown(&beside))]).collect();
        let locked = plan.push(step);
        let replace = Action::Replace {
            from: context.shown(beside.join("poetry.lock")),
            to: context.shown(image.folder.join("poetry.lock")),
        };
        let mut step = Step::new(format!("keep the lock of {name}"), replace);
        step.after = vec![locked];
        plan.push(step);
    }
    Ok(plan)
}

pub fn run(context: &Context, flags: &flags::Lock) -> Result<()> {
    let project = context.project()?;
    let mut images = Vec::new();
    for name in flags.images.of(&project)? {
        let image = project.image(&name)?;
        if !context.has(image.folder.join("pyproject.toml")) {
            context.note(&format!("{name}: no {}/pyproject.toml, nothing to lock", image.folder.display()));
        } else if flags.check && !context.has(image.folder.join("poetry.lock")) {
            return Err(Fault::project(format!(
                "checking the lock of {name}: no {}/poetry.lock",
                image.folder.display()
            ))
            .help(format!("make it: `cargo xtask lock {name}`"))
            .into());
        } else {
            images.push(image);
        }
    }
    let plan = plan(context, &project, &images, flags.check)?;
    if context.shows(&plan)? || images.is_empty() {
        return Ok(());
    }
    if !context.is_there("poetry") && !context.is_there("docker") {
        return Err(Fault::new(
            Kind::Unavailable,
            "lock: poetry is not installed, and docker, which could run it, neither",
        )
        .help("install them: `cargo xtask setup`")
        .into());
    }
    let _claims = context.claim("lock", images.iter().map(|image| &image.name))?;
    let before: Vec<_> =
        images.iter().map(|image| fs::read(context.root.join(image.folder.join("poetry.lock"))).ok()).collect();
    let result = context.exec.run(&plan);
    if flags.check {
        let names: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
        return result.map(|_| ()).map_err(|error| match error.downcast::<Fault>() {
            Ok(fault) if fault.help.is_none() => fault.help(format!("`cargo xtask lock {}`", names.join(" "))).into(),
            Ok(fault) => fault.into(),
            Err(error) => error,
        });
    }
    for (image, before) in images.iter().zip(before) {
        let after = fs::read(context.root.join(image.folder.join("poetry.lock"))).ok();
        let what = if after == before { "unchanged" } else { "changed" };
        context.note(&format!("{}: {}/poetry.lock {what}", image.name, image.folder.display()));
    }
    result.map(|_| ())
}
