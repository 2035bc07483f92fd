//! `check`: the repository against its own rules, all faults at once; reads files only.

use super::{Context, ci, dependabot, readme};
use crate::{
    flags,
    tools::docker::{INDEX_LABEL, STAGE_LABEL},
};
use anyhow::{Context as _, Result};
use project::{
    Base, Environment, Image, ImageRef, Origin, Project,
    compose::KeyLines,
    error::Fault,
    family::{self, Finding, Member},
    files::Files,
    vars::Vars,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

/// What every image's folder holds besides its Dockerfile.
const FILES: [&str; 3] = [".dockerignore", "README.md", "tests"];

/// Everything that is wrong between and behind the two projects.
fn faults(context: &Context, dev: &Project, ci: &Project, members: &[Member]) -> Vec<Finding> {
    let mut faults = Vec::new();
    for (here, there) in [(dev, ci), (ci, dev)] {
        let text = fs::read_to_string(here.root.join(here.file())).unwrap_or_default();
        let (lines, keys): (Vec<&str>, _) = (text.lines().collect(), KeyLines::of(&text));
        let place = |image: &Image| {
            let line = keys.line(&["services", image.name.as_str()]);
            format!("{}:{}", here.file(), line.unwrap_or(1))
        };
        for image in &here.images {
            let mut add = |what: String| faults.push(Finding { place: place(image), what });
            match there.find(&image.name) {
                None => add(format!("{} isn't in {}", image.name, there.file())),
                // Each difference is told once.
                Some(_) if here.environment == Environment::Ci => {}
                Some(other) => differences(image, other).for_each(|what| add(format!("{}: {what}", image.name))),
            }
            if !image.helper {
                if image.about.is_none() {
                    add(format!("{} has no x-core-images: with description and hardware", image.name));
                }
                if let Some(suite) = suite_faults(&lines, &keys, image, here) {
                    add(suite);
                }
            }
        }
    }
    for image in &dev.images {
        faults.extend(folder_faults(context, dev, image));
    }
    faults.extend([dev, ci].into_iter().flat_map(external_faults));
    faults.extend(stray_folders(context, &[dev, ci]));
    faults.extend(family::findings(members));
    faults
}

/// The two files say the same of an image, but for stage, mounts and ports.
fn differences(dev: &Image, ci: &Image) -> impl Iterator<Item = String> {
    let bases = |image: &Image| -> BTreeSet<String> {
        image.bases.iter().map(|base| format!("{}={}", base.argument, base.reference)).collect()
    };
    let about = |image: &Image| image.about.as_ref().map(|about| (about.description.clone(), about.hardware.clone()));
    [
        (dev.reference != ci.reference, "image:"),
        (dev.dockerfile != ci.dockerfile, "build.context"),
        (dev.helper != ci.helper, "the profile tools"),
        (bases(dev) != bases(ci), "the images in build.args"),
        (dev.indexes != ci.indexes, "the indexes in build.args"),
        (dev.suite != ci.suite, "its suite"),
        (about(dev) != about(ci), "x-core-images"),
    ]
    .into_iter()
    .filter(|(differs, _)| *differs)
    .map(|(_, what)| format!("{what} differs between the two compose files"))
}

/// A child also passes its ancestors' tests: their folders stand in its suite's command.
fn suite_faults(lines: &[&str], keys: &KeyLines, image: &Image, project: &Project) -> Option<String> {
    let suite = image.suite.as_ref()?;
    let start = keys.line(&["services", suite])?;
    let lines = lines[start..].iter().take_while(|line| line.is_empty() || line.starts_with("   "));
    let code = |line: &&str| line.split(" #").next().unwrap_or_default().to_owned();
    let body: Vec<String> = lines.filter(|line| !line.trim_start().starts_with('#')).map(code).collect();
    let body = body.join("\n");
    // As a whole word: `x/tests-old` is not `x/tests`.
    let names = |body: &str, folder: &str| {
        body.match_indices(folder)
            .any(|(at, _)| !body[at + folder.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '-'))
    };
    let chain = project.with_bases(std::slice::from_ref(&image.name)).ok()?;
    let missing: Vec<String> = chain
        .iter()
        .filter(|image| !image.helper)
        .map(|image| format!("{}/tests", image.folder.display()))
        .filter(|folder| !names(&body, folder))
        .collect();
    (!missing.is_empty()).then(|| format!("{suite} doesn't run {}", missing.join(", ")))
}

/// Dockerfile, and what stands beside it.
fn folder_faults(context: &Context, project: &Project, image: &Image) -> Vec<Finding> {
    let folder = &image.folder;
    let mut faults = Vec::new();
    let parsed = match project.dockerfile(image, &Files::read(&project.root, &Project::dockerfiles([image]))) {
        Ok(parsed) => parsed,
        Err(fault) => return vec![Finding { place: image.dockerfile.display().to_string(), what: fault.what }],
    };
    for source in &parsed.sources {
        let declared = image.bases.iter().any(|base| base.is_meant_by(source));
        if !declared {
            let what = format!(
                "{} is neither a build argument *_IMAGE nor an additional context of {} in the compose files",
                source.image, image.name
            );
            faults.push(Finding { place: format!("{}:{}", image.dockerfile.display(), source.line), what });
        }
    }
    for line in &parsed.modeless {
        let what = "copies files with the modes that the builder's umask gave them: add --chmod=0644, or 0755 for \
                    programs and folders"
            .to_owned();
        faults.push(Finding { place: format!("{}:{line}", image.dockerfile.display()), what });
    }
    for base in &image.bases {
        if !parsed.sources.iter().any(|source| base.is_meant_by(source)) {
            let what = format!("{} of the compose files is used in no FROM, COPY --from or RUN --mount", base.argument);
            faults.push(Finding { place: image.dockerfile.display().to_string(), what });
        }
    }
    if image.helper {
        return faults;
    }
    let text = fs::read_to_string(context.root.join(&image.dockerfile)).unwrap_or_default();
    for (argument, _) in &image.indexes {
        let name = argument.trim_end_matches("_INDEX").to_lowercase().replace('_', "-");
        let label = format!("{INDEX_LABEL}{name}=${{{argument}}}");
        if !text.contains(&label) {
            let what = format!("{argument} of the compose files has no LABEL {label}, which deploy goes by");
            faults.push(Finding { place: image.dockerfile.display().to_string(), what });
        }
    }
    let has_development = parsed.stages.iter().any(|stage| stage == "development");
    if has_development && !text.contains(&format!("{STAGE_LABEL}=development")) {
        let what = format!("the development stage has no LABEL {STAGE_LABEL}=development, which deploy goes by");
        faults.push(Finding { place: image.dockerfile.display().to_string(), what });
    }
    let missing = FILES.iter().map(|file| folder.join(file)).filter(|file| !context.has(file));
    faults.extend(missing.map(|file| Finding { place: file.display().to_string(), what: "is missing".to_owned() }));
    if context.has(folder.join("pyproject.toml")) && !context.has(folder.join("poetry.lock")) {
        let what = format!("is missing: cargo xtask lock {}", image.name);
        faults.push(Finding { place: folder.join("poetry.lock").display().to_string(), what });
    }
    faults
}

/// What is generated: the file, and what it should hold, or why that can't be said.
type Generated = Vec<(PathBuf, Result<String, String>)>;

fn generated(context: &Context, project: &Project, members: &[Member]) -> Result<Generated> {
    let path = context.root.join("README.md");
    let readme = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let readme = ("README.md".into(), readme::generate(&readme, project));
    let dependabot = (dependabot::FILE.into(), Ok(dependabot::generate(context, project, members)));
    Ok([readme, dependabot].into_iter().chain(readme::of_images(project, members)).collect())
}

/// An external image stands in the compose files as a service, for bots look there, and in the arguments of what is built
/// from it: both say the same.
fn external_faults(project: &Project) -> Vec<Finding> {
    let finding = |Unnamed { image, base, moved }: Unnamed| {
        let (image, argument, reference) = (&image.name, &base.argument, &base.reference);
        let what = match moved {
            Some((service, named)) => {
                format!(
                    "{image}: {argument} is {reference}, the service {service} has {named}: cargo xtask check --write"
                )
            }
            None => format!("{image}: {argument} is {reference}, which no service with the profile external has"),
        };
        Finding { place: project.file().to_owned(), what }
    };
    unnamed_bases(project).into_iter().map(finding).collect()
}

/// An external image that an argument names and no service does.
struct Unnamed<'a> {
    image: &'a Image,
    base: &'a Base,
    /// The service that names another version of it, one that no argument has.
    moved: Option<&'a (String, ImageRef)>,
}

fn unnamed_bases(project: &Project) -> Vec<Unnamed<'_>> {
    let bases = project.images.iter().flat_map(|image| image.bases.iter().map(move |base| (image, base)));
    let external: Vec<_> = bases.filter(|(_, base)| base.origin == Origin::External).collect();
    let used: HashSet<&ImageRef> = external.iter().map(|(_, base)| &base.reference).collect();
    let named: HashSet<&ImageRef> = project.externals.iter().map(|(_, named)| named).collect();
    let repository = |reference: &ImageRef| (reference.registry.clone(), reference.repository.clone());
    let unused = project.externals.iter().filter(|(_, named)| !used.contains(named));
    // The first service of each repository.
    let moved: HashMap<_, _> = unused.rev().map(|service| (repository(&service.1), service)).collect();
    let unnamed = external.into_iter().filter(|(_, base)| !named.contains(&base.reference));
    let moved = |base: &Base| moved.get(&repository(&base.reference)).copied();
    unnamed.map(|(image, base)| Unnamed { image, base, moved: moved(base) }).collect()
}

/// Writes the tag of each external image's service, which a bot may have moved, wherever the old one stands.
fn carry_external_tags(context: &Context, projects: &[Project]) -> Result<()> {
    for project in projects {
        let path = context.root.join(project.file());
        let old = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let new =
            unnamed_bases(project).into_iter().fold(old.clone(), |text, Unnamed { base, moved, .. }| match moved {
                Some((_, named)) => text.replace(&base.reference.to_string(), &named.to_string()),
                None => text,
            });
        if new != old {
            fs::write(&path, new).with_context(|| format!("writing {}", path.display()))?;
            context.note(&format!("{}: external images' tags carried to the arguments", project.file()));
        }
    }
    Ok(())
}

/// A folder with a Dockerfile is an image, so it is a service.
fn stray_folders(context: &Context, projects: &[&Project]) -> Vec<Finding> {
    let entries = fs::read_dir(context.root.join("images")).into_iter().flatten().flatten();
    let folders = entries.map(|entry| Path::new("images").join(entry.file_name()));
    let services: HashSet<&Path> =
        projects.iter().flat_map(|project| &project.images).map(|image| image.folder.as_path()).collect();
    let is_service = |folder: &Path| services.contains(folder);
    let strays = folders.filter(|folder| context.has(folder.join("Dockerfile")) && !is_service(folder));
    strays
        .map(|folder| Finding {
            place: folder.display().to_string(),
            what: "has a Dockerfile, but is no service in the compose files".to_owned(),
        })
        .collect()
}

/// What is wrong in GitHub's workflows.
fn workflow_faults(context: &Context) -> Result<Vec<Finding>> {
    let mut faults = Vec::new();
    for file in ci::workflows(context)? {
        let path = context.root.join(&file);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_start().trim_start_matches("- ");
            let what = match line.split_once(':') {
                Some(("run", command)) if !is_alone(command) => {
                    "runs something other than one plain `cargo xtask …` or `git …`: make it a verb"
                }
                Some(("uses", action)) if !is_pinned(action) => {
                    "a tag can be moved to other code: pin the action, `uses: OWNER/NAME@<40-digit commit> # <version>`"
                }
                _ => continue,
            };
            faults.push(Finding { place: format!("{}:{}", file.display(), index + 1), what: what.to_owned() });
        }
    }
    Ok(faults)
}

/// What a workflow runs, anybody can run: one command, into which a shell puts nothing.
fn is_alone(command: &str) -> bool {
    let command = command.replace(['"', '\''], "");
    let command = command.trim();
    ["cargo xtask ", "git "].iter().any(|start| command.starts_with(start))
        && !command.contains([';', '|', '&', '$', '`', '<', '>'])
}

/// An action at a full commit, with its version for people and for Dependabot; or one of the repository's own.
fn is_pinned(action: &str) -> bool {
    let action = action.trim();
    let pinned = action.split_once('@').and_then(|(_, at)| at.split_once(" # "));
    action.starts_with("./")
        || pinned.is_some_and(|(commit, version)| {
            commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) && !version.is_empty()
        })
}

pub fn run(context: &Context, flags: &flags::Check) -> Result<()> {
    // As the files say it by themselves, whatever variables this shell has.
    let load = |environment| Project::load(&context.root, environment, Vars::default());
    let write = flags.write && !context.globals.dry_run;
    if write {
        carry_external_tags(context, &[load(Environment::Dev)?, load(Environment::Ci)?])?;
    }
    let (dev, ci) = (load(Environment::Dev)?, load(Environment::Ci)?);
    let all: Vec<_> = dev.images.iter().map(|image| image.name.clone()).collect();
    dev.with_bases(&all)?;
    let (members, unread) = family::members(&dev, &Files::read(&dev.root, &family::wanted(&dev)));
    let mut faults = faults(context, &dev, &ci, &members);
    faults.extend(unread);
    faults.extend(workflow_faults(context)?);
    for (path, new) in generated(context, &dev, &members)? {
        let old = fs::read_to_string(context.root.join(&path)).unwrap_or_default();
        match new {
            Err(why) => faults.push(Finding { place: path.display().to_string(), what: why }),
            Ok(new) if new == old => {}
            Ok(new) if write => {
                fs::write(context.root.join(&path), new).with_context(|| format!("writing {}", path.display()))?;
                context.note(&format!("{}: generated parts written anew", path.display()));
            }
            Ok(_) => faults.push(Finding {
                place: path.display().to_string(),
                what: "its generated parts are stale: cargo xtask check --write".to_owned(),
            }),
        }
    }
    for fault in &faults {
        context.note(&format!("{}: error: {}", fault.place, fault.what));
    }
    match faults.len() {
        0 => Ok(()),
        count => Err(Fault::project(format!(
            "check: {count} fault{} found, listed above",
            if count == 1 { "" } else { "s" }
        ))
        .into()),
    }
}
