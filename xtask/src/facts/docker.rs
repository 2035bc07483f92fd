//! The engine and the registry: are they there, and what do they have?

use exec::Executor;
use plan::{
    Invocation, Needs, Output,
    facts::{Engine, Published},
    tools::{docker, registry},
};
use project::{
    ImageRef,
    error::{Cause, Fault},
    vars::Vars,
};
use std::{collections::BTreeMap, fs, path::PathBuf, thread};

/// The oldest docker compose whose `up --wait`, build secrets and `run --build` we use.
const COMPOSE: (u32, u32) = (2, 20);
/// Variables that choose the engine, and how it is spoken to.
const STEERING: [&str; 5] =
    ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION"];
/// How many questions a registry is asked at a time.
const AT_A_TIME: usize = 8;

/// Checks the engine, compose and the programs that are needed; says all that is missing at once. Gives compose's version,
/// where it is needed.
///
/// # Errors
/// What is missing.
pub fn require(
    exec: &Executor,
    needs: &Needs,
    vars: &Vars,
    there: &BTreeMap<String, String>,
) -> Result<Option<String>, Fault> {
    let missing = needs.programs.iter().filter(|name| !there.contains_key(**name));
    let mut problems: Vec<String> = missing.map(|name| format!("{name} is not installed")).collect();
    let mut version = None;
    if needs.docker && !there.contains_key("docker") {
        problems.push("docker is not installed".to_owned());
    } else if needs.docker {
        // Each takes a while to answer.
        let (compose, engine) = thread::scope(|scope| {
            let compose = scope.spawn(|| exec.capture(&docker::Compose::version()));
            let engine = exec.capture(&docker::engine_version());
            (compose.join().ok().and_then(Result::ok), engine)
        });
        problems.extend(compose_problem(compose.as_ref()));
        version = compose.map(|output| output.stdout);
        problems.extend(builder_problem(exec, vars));
        let engine = engine?;
        if !engine.success() {
            let why = engine.stderr.lines().last().unwrap_or("no answer").trim().to_owned();
            let steered = STEERING.iter().find(|name| vars.process.get(**name).is_some_and(|value| !value.is_empty()));
            let steered =
                steered.map_or(String::new(), |name| format!(" ({name} is set: is that the engine you mean?)"));
            problems.push(format!("the docker engine doesn't answer: {why}{steered}"));
        }
    }
    if problems.is_empty() {
        return Ok(version);
    }
    Err(Fault::of_several(Cause::Unavailable, "before starting", &problems)
        .help("`cargo xtask setup` installs and starts what is missing, `cargo xtask doctor` shows the rest"))
}

fn compose_problem(version: Option<&Output>) -> Option<String> {
    match version.filter(|output| output.success()) {
        Some(output) => match docker::major_minor(&output.stdout) {
            Some(version) if version >= COMPOSE => None,
            _ => {
                let found = output.stdout.trim();
                Some(format!("docker compose is {found}, {}.{} or newer is needed", COMPOSE.0, COMPOSE.1))
            }
        },
        None if which::which("docker-compose").is_ok() => {
            Some("docker has no compose plugin (docker-compose, version 1, is no substitute)".to_owned())
        }
        None => Some("docker has no compose plugin".to_owned()),
    }
}

/// `docker buildx use` makes another builder than the engine everybody's, without a word in the environment: images are
/// built on bases that only the engine itself has.
fn builder_problem(exec: &Executor, vars: &Vars) -> Option<String> {
    let given = |name: &str| vars.process.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = given("HOME").map(|home| home.join(".docker"));
    let folder = given("BUILDX_CONFIG").or_else(|| Some(given("DOCKER_CONFIG").or(home)?.join("buildx")))?;
    // The file is there once somebody chose a builder; asking costs a process, so only then.
    let current = fs::read_to_string(folder.join("current")).ok().filter(|text| !text.contains(r#""Name":"""#))?;
    let inspect = Invocation::new("docker", ["buildx", "inspect"]);
    let output = exec.capture(&inspect).ok().filter(|output| output.success() && !current.is_empty())?;
    let field = |name: &str| output.stdout.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let (name, driver) = (field("Name:")?, field("Driver:")?);
    (driver != "docker")
        .then(|| format!("builds go to the builder {name}, not to the engine: `docker buildx use default`"))
}

/// What the engine has of these images: one question for all.
pub fn engine(exec: &Executor, images: &[ImageRef]) -> Engine {
    let question = docker::inspect_all(&images.iter().collect::<Vec<_>>());
    let answer = exec.capture(&question);
    Engine::of(&question, answer.ok().as_ref())
}

/// Can the engine's own builder keep its cache in a registry? Only with the containerd image store.
pub fn exports_cache(exec: &Executor) -> bool {
    exec.capture(&docker::image_store()).is_ok_and(|output| output.stdout.contains("io.containerd.snapshotter"))
}

/// What their registry has of these images.
pub fn published(exec: &Executor, images: &[ImageRef]) -> BTreeMap<ImageRef, Published> {
    let ask = |image: &ImageRef| {
        let capture = |run| {
            exec.capture(&run).unwrap_or_else(|fault| Output { code: 1, stderr: fault.what, ..Output::default() })
        };
        let manifest = capture(docker::registry_manifest(image));
        let descriptor =
            if manifest.success() { capture(docker::registry_descriptor(image)) } else { manifest.clone() };
        registry::published(&manifest, &descriptor)
    };
    let mut answers = BTreeMap::new();
    for images in images.chunks(AT_A_TIME) {
        thread::scope(|scope| {
            let asked: Vec<_> = images.iter().map(|image| (image, scope.spawn(|| ask(image)))).collect();
            for (image, answer) in asked {
                let answer = answer.join().unwrap_or_else(|_| Published::Unreachable("no answer".to_owned()));
                answers.insert(image.clone(), answer);
            }
        });
    }
    answers
}
