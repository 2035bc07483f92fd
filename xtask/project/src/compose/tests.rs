//! Our reading of compose files, by itself and against docker compose.

use super::*;
use crate::testing::{Random, compose_config};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FILE: &str = "docker-compose.dev.yaml";

fn vars(env: &[(&str, &str)]) -> Vars {
    Vars { process: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), ..Vars::default() }
}

fn parse(text: &str) -> Result<ComposeFile, Fault> {
    ComposeFile::parse(Path::new(FILE), text, &Vars::default())
}

/// What is read of a service `b` with these keys, in the order that they are asked for here.
fn service(keys: &str) -> Result<Service, Fault> {
    let text = format!("x-args: &args {{A: 1, X_IMAGE: 'debian:13'}}\nservices:\n  b:\n    image: r.io/b:1\n{keys}");
    ComposeFile::parse(Path::new(FILE), &text, &vars(&[("SET", "set")])).map(|mut file| file.services.remove(0))
}

fn args(keys: &str) -> Vec<(String, String)> {
    service(keys).unwrap().build.unwrap().args.into_iter().collect()
}

#[test]
fn reads_what_it_plans_with() {
    let file = parse(
        "x-common: &common {image: 'r.io/a:${T:-1}'}\nservices:\n  a:\n    <<: *common\n    \
         build: {context: ./images/a, args: [B=x], additional_contexts: [c=service:d]}\n    \
         ports: ['127.0.0.1:${P:-80}:8000', {target: 9}, 7000, '53-54:53-54/udp', '90-92:80', '[::1]::81']\n    \
         unknown: {is: compose's}\n    x-core-images: {description: 'It is 7', hardware: cpu}\n",
    )
    .unwrap();
    let a = &file.services[0];
    assert_eq!((a.name.as_str(), a.image.as_deref()), ("a", Some("r.io/a:1")));
    assert_eq!(a.ports, [8000, 9, 7000, 53, 54, 80, 81]);
    assert_eq!(a.about.as_ref().unwrap().description, "It is 7");
    let build = a.build.as_ref().unwrap();
    assert_eq!(json!(build.args), json!({"B": "x"}));
    assert_eq!(json!(build.contexts), json!({"c": "service:d"}));
}

#[test]
fn anchors_merges_and_plain_values_are_what_compose_says() {
    let file = parse(
        "x-one: &one {image: r.io/one:1, profiles: [p]}\nx-two: &two {<<: *one, image: 'r.io/two:1'}\n\
         x-args: &args {A: 1.10, B: 0x10, C: true}\nservices:\n  a:\n    <<: [*two, *one]\n    build:\n      \
         args: {<<: *args, C: no, D: '007', E: 100000000.0, F: 1.5e-9, G: 123456.5}\n",
    )
    .unwrap();
    let a = &file.services[0];
    assert_eq!((a.image.as_deref(), a.profiles.as_slice()), (Some("r.io/two:1"), ["p".to_owned()].as_slice()));
    let build = a.build.as_ref().unwrap();
    assert_eq!(build.context, ".");
    let args = json!({"A": "1.1", "B": "16", "C": "no", "D": "007", "E": "1e+08", "F": "1.5e-09", "G": "123456.5"});
    assert_eq!(json!(build.args), args);
}

#[test]
fn an_argument_without_a_value_has_the_environments() {
    let expected = [("B".to_owned(), String::new()), ("SET".to_owned(), "set".to_owned())];
    assert_eq!(args("    build: {args: [SET, UNSET, B=]}\n"), expected);
    assert_eq!(args("    build:\n      args:\n        SET:\n        UNSET: ~\n        B: ''\n"), expected);
}

#[test]
fn reset_and_override_are_what_compose_makes_of_them() {
    let b = service("    ports: !reset [80]\n    profiles: !override [p]\n    build: {args: {A: !reset 1, B: !x 2}}\n")
        .unwrap();
    assert_eq!((b.ports.len(), b.profiles.len()), (0, 1));
    assert_eq!(json!(b.build.unwrap().args), json!({"B": "2"}));
    // As if the entry were not there: what is merged in stays.
    assert_eq!(args("    build:\n      args:\n        <<: *args\n        A: !reset\n").len(), 2);
    assert_eq!(args("    build: !override {args: {A: !reset 1}}\n"), [("A".to_owned(), "1".to_owned())]);
    assert!(service("    build: !reset .\n").unwrap().build.is_none());
}

#[test]
fn names_file_and_line() {
    for (text, expected) in [
        ("services:\n  a: {\n", "docker-compose.dev.yaml:"),
        (
            "services:\n  a:\n    image: ${X:?set it}\n",
            "docker-compose.dev.yaml:3: service a: image: required variable X is missing a value: set it",
        ),
        ("services:\n  a:\n    image: b\n    extends: {service: c}\n", "docker-compose.dev.yaml:4: `extends`"),
        (
            "services:\n  a:\n    x-core-images: {descriptoin: b}\n",
            "docker-compose.dev.yaml:3: service a: x-core-images: unknown field `descriptoin`, expected",
        ),
        (
            "services:\n  a:\n    x-core-images:\n      description: \"red\\e[31m\"\n      hardware: cpu\n",
            "docker-compose.dev.yaml:3: service a: x-core-images: description: one line without control characters is \
             wanted, not \"red\\u{1b}[31m\"",
        ),
        (
            "services:\n  a:\n    x-core-images:\n      hardware: cpu\n      description: |\n        one\n        two\n",
            "docker-compose.dev.yaml:3: service a: x-core-images: description: one line",
        ),
        ("services:\n  a:\n    x-core-images: {description: b}\n", "x-core-images: missing field `hardware`"),
        ("include: [x]\nservices: {}\n", "docker-compose.dev.yaml:1: `include`"),
        ("services:\n  a:\n    image: b\n    image: c\n", "docker-compose.dev.yaml:3:5: services.a: the key image"),
        ("services:\n  a:\n    <<: b\n", "docker-compose.dev.yaml:3:5: services.a: merging `<<`: a mapping"),
        (
            "services:\n  a:\n    <<: {image: a}\n    <<: {image: b}\n",
            "docker-compose.dev.yaml:3:5: services.a: `<<` stands",
        ),
        ("services:\n  a:\n    image:\n", "docker-compose.dev.yaml:3: service a: image: a string is wanted"),
        (
            "services:\n  a:\n    image: a\n    build:\n",
            "docker-compose.dev.yaml:4: service a: build: a string or a mapping",
        ),
        (
            "services:\n  a:\n    build:\n      context: .\n      dockerfile_inline: FROM x\n",
            "docker-compose.dev.yaml:5: `build.dockerfile_inline` isn't supported",
        ),
        (
            "services:\n  a:\n    build:\n      args:\n        A: 017\n",
            "docker-compose.dev.yaml:4: service a: build.args: A: compose takes 017 for a number or a date",
        ),
        (
            "services:\n  a:\n    build:\n      target: 1.0\n",
            "docker-compose.dev.yaml:4: service a: build.target: a string",
        ),
        ("services:\n  a:\n    ports: [80-79]\n", "service a: ports: '80-79' does not name a container port"),
        (
            "services:\n  a:\n    ports: ['80:80-81']\n",
            "service a: ports: '80:80-81' names ranges of ports that differ",
        ),
        ("services:\n  a:\n    ports: [70000]\n", "service a: ports: '70000' does not name"),
        ("services:\n  a:\n    ports: [{published: 80}]\n", "service a: ports: no target:"),
        ("services:\n  a: b\n", "docker-compose.dev.yaml:2: service a: no mapping"),
        ("[]", "no mapping"),
        ("services: []", "no mapping `services:`"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Asserts that ours is what compose makes of the file.
fn assert_same(ours: &ComposeFile, theirs: &Value, folder: &Path, at: &str) {
    let services = theirs["services"].as_object().cloned().unwrap_or_default();
    assert_eq!(ours.services.len(), services.len(), "{at}");
    for service in &ours.services {
        let theirs = &services[&service.name];
        let at = format!("service {} of {at}", service.name);
        assert_eq!(service.image.as_deref(), theirs["image"].as_str(), "{at}");
        let list = |key: &str| theirs[key].as_array().cloned().unwrap_or_default();
        assert_eq!(service.profiles, list("profiles"), "{at}");
        // A range comes in the order of its text.
        let ports: BTreeSet<u64> = list("ports").iter().map(|port| port["target"].as_u64().unwrap()).collect();
        assert_eq!(service.ports.iter().copied().map(u64::from).collect::<BTreeSet<_>>(), ports, "{at}");
        let Some(build) = &service.build else {
            assert!(theirs.get("build").is_none(), "{at}");
            continue;
        };
        let theirs = &theirs["build"];
        let map = |key: &str| theirs.get(key).cloned().unwrap_or_else(|| json!({}));
        assert_eq!(build.target.as_deref(), theirs["target"].as_str(), "{at}");
        let context: std::path::PathBuf = folder.join(&build.context).components().collect();
        assert_eq!(context, theirs["context"].as_str().map_or(folder, Path::new), "{at}");
        assert_eq!(json!(build.args), map("args"), "{at}");
        assert_eq!(json!(build.contexts), map("additional_contexts"), "{at}");
    }
}

#[test]
#[ignore = "needs docker compose: cargo xtask setup"]
fn both_files_are_read_as_compose_reads_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let environments: [&[(&str, &str)]; 4] = [
        &[],
        &[("IMAGE_TAG", "7"), ("TARGET_BUILD_STAGE", "production"), ("PORT", "9000")],
        &[("BASE_IMAGE_TAG", "5"), ("AWS_REGION", "eu-west-1"), ("AWS_ACCOUNT_ID", "123456789012"), ("PORT", "")],
        &[
            ("REGISTRY", "localhost:5000"),
            ("IMAGE_TAG", ""),
            ("DEBIAN_IMAGE", "debian:13"),
            ("PLATFORM", "linux/arm64"),
        ],
    ];
    for (file, env) in
        ["docker-compose.dev.yaml", "docker-compose.ci.yaml"].iter().flat_map(|f| environments.map(|e| (f, e)))
    {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let ours = ComposeFile::parse(Path::new(file), &text, &vars(env)).unwrap();
        // Not this machine's own .env.
        let env = [env, &[("COMPOSE_DISABLE_ENV_FILE", "1")]].concat();
        assert_same(&ours, &compose_config(&root, file, &env).unwrap(), &root, &format!("{file} {env:?}"));
    }
}

/// Templates out of the grammar's own pieces, valid and not.
fn templates(count: usize) -> Vec<String> {
    let pieces = [
        "${",
        "}",
        "$",
        "$$",
        "SET",
        "EMPTY",
        "UNSET",
        ":-",
        "-",
        ":+",
        "+",
        "a",
        "/",
        "${SET}",
        "${UNSET:-",
        "{",
        ":",
        " ",
    ];
    let mut random = Random(20_261_122);
    (0..count).map(|_| random.text(&pieces, 7)).collect()
}

#[test]
#[ignore = "needs docker compose: cargo xtask setup"]
fn templates_are_read_as_compose_reads_them() {
    let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
    let env = [("SET", "set"), ("EMPTY", "")];
    let vars = vars(&env);
    let config = |templates: &[&String]| {
        let service = |(i, template): (usize, &&String)| {
            format!("  s{i}:\n    build:\n      context: .\n      args:\n        - 'A={template}|'\n")
        };
        let services: String = templates.iter().enumerate().map(service).collect();
        std::fs::write(folder.path().join("c.yaml"), format!("services:\n{services}")).unwrap();
        compose_config(folder.path(), "c.yaml", &env)
    };
    let (valid, invalid): (Vec<_>, Vec<_>) = templates(600).into_iter().partition(|t| vars.interpolate(t).is_ok());
    assert!(valid.len() > 100 && invalid.len() > 60);
    let theirs = config(&valid.iter().collect::<Vec<_>>()).unwrap();
    for (i, template) in valid.iter().enumerate() {
        let theirs = theirs["services"][format!("s{i}")]["build"]["args"]["A"].as_str().unwrap();
        assert_eq!(format!("{}|", vars.interpolate(template).unwrap()), theirs, "{template}");
    }
    for template in invalid.iter().take(60) {
        assert!(config(&[template]).is_err(), "compose takes '{template}'");
    }
}

/// A value of some key, right and wrong.
fn any_value(random: &mut Random, depth: usize) -> String {
    let plain = [
        "a",
        "'b'",
        "\"c\"",
        "1",
        "0x1f",
        "1.50",
        "1e7",
        "true",
        "no",
        "~",
        "",
        "'007'",
        "'${SET}'",
        "${SET:-d}",
        "$UNSET",
        "a$$b",
        "-1",
        "'a b'",
        "\"x\\ty\"",
        "'1_000'",
        ".5",
        "017",
        "null",
        "'null'",
    ];
    let tag = random.of(&["", "", "", "", "", "!override ", "!reset ", "!!str ", "!other "]);
    let value = match random.below(if depth == 0 { 6 } else { 9 }) {
        6 => format!("[{}, {}]", any_value(random, depth - 1), any_value(random, depth - 1)),
        7 => format!("{{A: {}, B: {}}}", any_value(random, depth - 1), any_value(random, depth - 1)),
        8 => random
            .of(&["*args", "[A, B=1, SET]", "{<<: *args, A: 2}", "{<<: [*args, *more], B: }", "[SET=x, SET, 'C=a=b']"])
            .to_owned(),
        _ => random.of(&plain).to_owned(),
    };
    // An alias can't have a tag; null has none that would mean something.
    if value.starts_with('*') || matches!(value.as_str(), "" | "~" | "null") { value } else { format!("{tag}{value}") }
}

fn any_port(random: &mut Random) -> String {
    let port = ["80", "8000-8002", "0", "70000", "x", "80-79", "9", "", "443"];
    let short = |random: &mut Random| {
        let host = random
            .of(&["", "", "90:", "90-92:", "127.0.0.1:90:", "127.0.0.1::", "'", "${UNSET}", "[::1]:90:"])
            .to_owned();
        let container = random.of(&port).to_owned();
        let protocol = random.of(&["", "", "/udp", "/tcp"]);
        format!("\"{}{container}{protocol}\"", host.replace('\'', ""))
    };
    match random.below(4) {
        0 => format!("{{target: {}, published: 90}}", random.of(&port)),
        1 => random.of(&["80", "8000", "'81'"]).to_owned(),
        _ => short(random),
    }
}

/// Compose files out of the keys that we read, with values right and wrong: we take what compose takes, and read the same;
/// or refuse what it takes by its name.
#[test]
#[ignore = "needs docker compose: cargo xtask setup"]
fn any_file_is_read_as_compose_reads_it() {
    let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let env = [("SET", "set")];
    let mut random = Random(20_261_125);
    let (mut same, mut refused, mut differing) = (0, 0, Vec::new());
    for _ in 0..300 {
        let head = "x-args: &args {A: 1, SET: }\nx-more: &more {B: x}\nservices:\n  c: {image: c, build: .}\n  b:\n";
        let mut keys = String::new();
        let mut key = |name: &str, value: String| keys.extend(["    ", name, ": ", value.as_str(), "\n"]);
        for _ in 0..=random.below(1) {
            match random.below(7) {
                0 => key("image", any_value(&mut random, 1)),
                1 => key("profiles", any_value(&mut random, 1)),
                2 => key("ports", format!("[{}, {}]", any_port(&mut random), any_port(&mut random))),
                3 => key("build", any_value(&mut random, 1)),
                4 => {
                    let inner = random.of(&["context", "target", "dockerfile"]);
                    key("build", format!("{{{inner}: {}}}", any_value(&mut random, 0)));
                }
                5 => key(
                    "build",
                    format!(
                        "{{context: ., additional_contexts: {}}}",
                        random.of(&["[a=service:c]", "{a: docker-image://x}", "[a]", "{a: }"])
                    ),
                ),
                _ => key("build", format!("\n      args: {}", any_value(&mut random, 2))),
            }
        }
        let text = format!("{head}    hostname: x\n{keys}");
        std::fs::write(folder.join("c.yaml"), &text).unwrap();
        let ours = ComposeFile::parse(Path::new("c.yaml"), &text, &vars(&env));
        match (ours, compose_config(&folder, "c.yaml", &env)) {
            (Ok(ours), Ok(theirs)) => {
                assert_same(&ours, &theirs, &folder, &text);
                same += 1;
            }
            (Err(_), Err(_)) => refused += 1,
            (Err(ours), Ok(_)) if ours.what.contains("put it in quotes") => refused += 1,
            // Keys that are nothing to us, and a service that is.
            (Ok(_), Err(theirs))
                if ["Additional property", "neither an image nor a build"].iter().any(|why| theirs.contains(why)) =>
            {
                refused += 1;
            }
            (Ok(_), Err(theirs)) => {
                differing.push(format!("{keys}compose: {}", theirs.lines().next().unwrap_or_default()));
            }
            (Err(ours), Ok(theirs)) => {
                differing.push(format!("{keys}{ours}, but compose says {}", theirs["services"]["b"]));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(same > 60 && refused > 60, "{same} the same, {refused} refused");
}
