//! `setup`, and an image that is added.

use super::{
    copy::built,
    docker::{free_port, stderr},
};
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    process::Command,
    sync::mpsc,
    thread,
};

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_second_setup_does_nothing() {
    let copy = built();
    copy.succeeds(&["setup", "--tests"]);
    let second = copy.succeeds(&["setup", "--tests"]);
    let commands: Vec<String> =
        stderr(&second).lines().filter(|line| line.starts_with("$ ")).map(str::to_owned).collect();
    assert_eq!(commands, [""; 0]);
}

/// The vendors' indexes are asked for once; what can't be reached is noted where plain docker compose reads it.
#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn setup_notes_the_indexes_that_it_cannot_reach() {
    let copy = built();
    copy.succeeds(&["setup"]);
    let path = copy.root.join(".env");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let (asked, answers) = mpsc::channel();
    // An answer is one even where it is to come back later; a proxy whose server is gone (521) is none.
    thread::spawn(move || {
        for connection in server.incoming() {
            let mut connection = connection.unwrap();
            let mut request = String::new();
            BufReader::new(connection.try_clone().unwrap()).read_line(&mut request).unwrap();
            let gone = request.contains("/gone");
            let status = if gone { "521 Gone" } else { "429 Later\r\nRetry-After: 3600" };
            write!(connection, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            asked.send(gone).unwrap();
        }
    });
    let mine = format!(
        "MINE=1\nGONE_INDEX=http://{address}/gone\nBUSY_INDEX=http://{address}/busy\nNOWHERE_INDEX=http://127.0.0.1:{}",
        free_port()
    );
    let before = fs::read_to_string(&path).unwrap_or_default();
    // Without an end of line, as people leave files.
    fs::write(&path, format!("{before}{mine}")).unwrap();
    let compose = copy.root.join("docker-compose.ci.yaml");
    let text = fs::read_to_string(&compose).unwrap();
    let indexes = ["GONE_INDEX", "BUSY_INDEX", "NOWHERE_INDEX"].map(|name| format!("        {name}: ${{{name}:-}}\n"));
    fs::write(&compose, text.replacen("      args:\n", &format!("      args:\n{}", indexes.concat()), 1)).unwrap();
    copy.succeeds(&["setup"]);
    let (gone, busy): (Vec<bool>, Vec<bool>) = answers.try_iter().partition(|gone| *gone);
    assert_eq!((gone.len(), busy.len()), (3, 1), "it is tried again where there is no answer, and only there");
    let noted = fs::read_to_string(&path).unwrap();
    assert!(
        noted.starts_with(&format!("{before}{mine}\n")) && noted.ends_with("\nNOWHERE_INDEX=stand-in\n"),
        "{noted}"
    );
    assert!(noted.contains("\nGONE_INDEX=stand-in\n") && !noted.contains("\nBUSY_INDEX=stand-in\n"), "{noted}");
    let config = Command::new("docker")
        .args(["compose", "--file", "docker-compose.ci.yaml", "--profile", "*", "config"])
        .current_dir(&copy.root)
        .output()
        .unwrap();
    let config = String::from_utf8(config.stdout).unwrap();
    assert!(config.contains("NOWHERE_INDEX: stand-in"), "{config}");
    copy.succeeds(&["setup"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), noted);
    fs::write(&compose, text).unwrap();
    fs::write(&path, before).unwrap();
}

/// A folder and two services in both files: no line of Rust.
#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn another_image_takes_a_folder_and_two_services() {
    let copy = built();
    let write = |path: &str, text: &str| {
        let path = copy.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let files = ["docker-compose.dev.yaml", "docker-compose.ci.yaml"].map(|file| copy.root.join(file));
    let texts = files.clone().map(|file| fs::read_to_string(file).unwrap());
    // As fastapi-serve is written, but built on it: its command and health check are inherited, and so are its tests.
    for (file, text) in files.iter().zip(&texts) {
        let start = text.find("  fastapi-serve:\n").unwrap();
        let end = start + text[start..].find("\n\n  kubeflow-jupyter:").unwrap();
        let skipped = ["ports:", "volumes: [*workspace", "working_dir:", "environment:", "UVICORN_", "# dev:", "# ci:"];
        let lines =
            text[start..end].lines().filter(|line| !skipped.iter().any(|word| line.trim_start().starts_with(word)));
        let services = lines.collect::<Vec<_>>().join("\n").replace("fastapi-serve", "thirteenth");
        let services = services.replace("/python-base:${BASE", "/fastapi-serve:${BASE");
        let services =
            services.replace("/images/thirteenth/tests", "/images/fastapi-serve/tests, /images/thirteenth/tests");
        fs::write(file, format!("{text}\n{services}\n")).unwrap();
    }
    let dockerfile = fs::read_to_string(copy.root.join("images/fastapi-serve/Dockerfile")).unwrap();
    let (head, rest) = dockerfile.split_once("# Uvicorn reads").unwrap();
    let tail = rest[rest.find("LABEL org.opencontainers").unwrap()..]
        .replace("FastAPI served by one Uvicorn process", "Tables");
    let tail = tail.replace("title=fastapi-serve", "title=thirteenth");
    write("images/thirteenth/Dockerfile", &format!("{head}{tail}"));
    write("images/thirteenth/.dockerignore", "*\n!poetry.lock\n!pyproject.toml\n");
    let marks = ["versions", "example"].map(|name| format!("<!-- begin {name} -->\n<!-- end {name} -->\n")).concat();
    write("images/thirteenth/README.md", &marks);
    write("images/thirteenth/example/Dockerfile", "FROM thirteenth\n");
    write(
        "images/thirteenth/pyproject.toml",
        "[project]\nname = \"thirteenth\"\nversion = \"0\"\ndescription = \"Tables\"\nrequires-python = \">=3.13,<3.14\"\ndependencies = [\"tabulate >=0.9,<1\"]\n\n\
         [tool.poetry]\npackage-mode = false\n",
    );
    write(
        "images/thirteenth/tests/test_it.py",
        "def test_its_package():\n    import tabulate\n    assert tabulate.__version__\n",
    );
    copy.succeeds(&["lock", "thirteenth"]);
    copy.succeeds(&["check", "--write"]);
    copy.succeeds(&["check"]);
    copy.succeeds(&["build", "thirteenth"]);
    copy.succeeds(&["validate", "thirteenth"]);
    let list = String::from_utf8(copy.succeeds(&["list"]).stdout).unwrap();
    assert!(list.contains("\nthirteenth "), "{list}");
    Command::new("docker").args(["image", "rm", "--force", &copy.reference("thirteenth")]).output().unwrap();
    for (file, text) in files.iter().zip(texts) {
        fs::write(file, text).unwrap();
    }
    fs::remove_dir_all(copy.root.join("images/thirteenth")).unwrap();
    copy.succeeds(&["check", "--write"]);
}
