//! The third layer: the real engine, compose, poetry, aws CLI and an authenticated registry. What is asserted is the
//! state of the engine and of the registry's disk, not what we print.
//!
//! `cargo xtask setup --tests` brings what this needs; `cargo xtask ci` runs it. The tests share one build, so they want
//! `--test-threads=1`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};
use xshell::{Shell, cmd};

/// The account that moto answers for.
const ACCOUNT: &str = "123456789012";
/// What a tag gets for a test that must not touch the others' images.
const MOVED: &str = "-moved";
/// Longer than anything here takes, so that a hang fails.
const LIMIT: Duration = Duration::from_secs(300);

/// A copy of the repository, whose images bear a tag of their own in a registry of their own.
struct Copy {
    root: PathBuf,
    registry: Registry,
    moto: Server,
    docker_config: PathBuf,
    tag: String,
}

/// A process that ends with the test.
struct Server {
    child: Child,
    port: u16,
}

struct Registry {
    server: Server,
    data: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file that gets its text back.
struct Restored(PathBuf, String);

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = fs::write(&self.0, &self.1);
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn serve(command: &mut Command, port: u16) -> Server {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let server = Server { child, port };
    wait_for("a server to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    server
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Debian's registry with a user list: ECR's stand-in.
fn registry(folder: &Path, password: &str) -> Registry {
    let sh = Shell::new().unwrap();
    let users = cmd!(sh, "htpasswd -Bbn AWS {password}").quiet().read().unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("users"), users).unwrap();
    let (port, data) = (free_port(), folder.join("data"));
    let config = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n\
         auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
        data.display(),
        folder.join("users").display()
    );
    fs::write(folder.join("config.yml"), config).unwrap();
    let server = serve(Command::new("docker-registry").arg("serve").arg(folder.join("config.yml")), port);
    Registry { server, data }
}

impl Registry {
    fn name(&self) -> String {
        format!("localhost:{}", self.server.port)
    }

    /// The digest that a tag leads to, from the registry's own disk.
    fn digest(&self, image: &str, tag: &str) -> Option<String> {
        let link = format!("docker/registry/v2/repositories/{image}/_manifests/tags/{tag}/current/link");
        fs::read_to_string(self.data.join(link)).ok()
    }
}

impl Copy {
    fn new() -> Copy {
        let folder = env::temp_dir().join(format!("core-images-engine-test-{}", std::process::id()));
        let root = folder.join("repo");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let sh = Shell::new().unwrap();
        sh.change_dir(source);
        // What is tracked, and what is new and not ignored: what a commit would hold.
        let files = cmd!(sh, "git ls-files --cached --others --exclude-standard images docker-compose.dev.yaml docker-compose.ci.yaml README.md .github xtask/tests xtask/tools").quiet().read().unwrap();
        // And what setup found out about this machine.
        for file in files.lines().chain([".env"]).filter(|file| source.join(file).is_file()) {
            let to = root.join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(source.join(file), to).unwrap();
        }
        fs::create_dir_all(root.join("target")).unwrap();
        std::os::unix::fs::symlink(source.join("target/tools"), root.join("target/tools")).unwrap();
        let registry = registry(&folder.join("registry"), &format!("{ACCOUNT}-auth-token"));
        let port = free_port();
        let mut moto = Command::new(source.join("target/tools/bin/moto_server"));
        let moto = serve(moto.args(["--host", "127.0.0.1", "--port", &port.to_string()]), port);
        let docker_config = folder.join("docker");
        fs::create_dir_all(&docker_config).unwrap();
        let tag = format!("engine-test-{}", std::process::id());
        let copy = Copy { root, registry, moto, docker_config, tag };
        let [base, child] = ["python-base", "fastapi-serve"].map(|image| copy.reference(image));
        when_we_end(&format!(
            "kill {} {}; docker rm --force $(docker ps --all --quiet --filter label=com.docker.compose.project={}); \
             docker image rm --force {base} {child} {base}{MOVED} {child}{MOVED}; rm -rf {}",
            copy.registry.server.child.id(),
            copy.moto.child.id(),
            copy.tag,
            folder.display(),
        ));
        copy
    }

    /// `cargo xtask` in the copy, in the CI environment, with credentials that only moto takes.
    fn xtask(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        for name in ["BASE_IMAGE_TAG", "TARGET_BUILD_STAGE", "USE_DOCKER_CACHE", "PORT", "WORKSPACE", "GITHUB_ACTIONS"]
        {
            command.env_remove(name);
        }
        command
            .args(args)
            .current_dir(&self.root)
            .env("ENVIRONMENT", "ci")
            .env("IMAGE_TAG", &self.tag)
            .env("REGISTRY", self.registry.name())
            .env("DOCKER_CONFIG", &self.docker_config)
            .env("COMPOSE_PROJECT_NAME", &self.tag)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.moto.port))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.xtask(args).output().unwrap()
    }

    fn succeeds(&self, args: &[&str]) -> Output {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn reference(&self, image: &str) -> String {
        format!("{}/{image}:{}", self.registry.name(), self.tag)
    }

    fn inspect(&self, image: &str) -> Option<Value> {
        let output = Command::new("docker").args(["image", "inspect", &self.reference(image)]).output().unwrap();
        serde_json::from_slice::<Vec<Value>>(&output.stdout).ok()?.into_iter().next()
    }

    /// The containers of this copy, running or not.
    fn containers(&self) -> String {
        // A suite's container bears the project's label, as every container of compose does.
        let filter = format!("label=com.docker.compose.project={}", self.tag);
        let output = Command::new("docker").args(["ps", "--all", "--quiet", "--filter", &filter]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn signal_when(&self, args: &[&str], ready: impl Fn() -> bool) -> Output {
        let child = self.xtask(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for("the work to begin", ready);
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        child.wait_with_output().unwrap()
    }
}

/// Cleans up when this process has ended, however it has: what is shared is never dropped. (The end closes the pipe that
/// the shell reads.)
fn when_we_end(script: &str) {
    let script = format!("cat >/dev/null; {script}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Not in our group: a Ctrl-C ends the tests first.
    shell.process_group(0);
    std::mem::forget(shell.spawn().unwrap());
}

/// The copy that the tests share, with both images built from scratch: no cached layer, no base.
fn built() -> &'static Copy {
    static COPY: OnceLock<Copy> = OnceLock::new();
    COPY.get_or_init(|| {
        let copy = Copy::new();
        assert!(copy.inspect("python-base").is_none() && copy.inspect("fastapi-serve").is_none());
        let output = copy.xtask(&["build", "fastapi-serve"]).env("USE_DOCKER_CACHE", "false").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        copy
    })
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

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
    // As fastapi-serve is written, less what serves.
    for (file, text) in files.iter().zip(&texts) {
        let start = text.find("  fastapi-serve:\n").unwrap();
        let end = start + text[start..].find("\n\n  kubeflow-jupyter:").unwrap();
        let skipped = ["ports:", "volumes: *workspace", "working_dir:", "environment:", "UVICORN_", "# dev:", "# ci:"];
        let lines =
            text[start..end].lines().filter(|line| !skipped.iter().any(|word| line.trim_start().starts_with(word)));
        let services = lines.collect::<Vec<_>>().join("\n").replace("fastapi-serve", "thirteenth");
        fs::write(file, format!("{text}\n{services}\n")).unwrap();
    }
    let dockerfile = fs::read_to_string(copy.root.join("images/fastapi-serve/Dockerfile")).unwrap();
    let (head, rest) = dockerfile.split_once("# Uvicorn reads").unwrap();
    let tail = &rest[rest.find("USER 1000\n").unwrap()..];
    write("images/thirteenth/Dockerfile", &format!("{head}{tail}"));
    write("images/thirteenth/.dockerignore", "*\n!poetry.lock\n!pyproject.toml\n");
    let marks = ["versions", "example"].map(|name| format!("<!-- begin {name} -->\n<!-- end {name} -->\n")).concat();
    write("images/thirteenth/README.md", &marks);
    write("images/thirteenth/example/Dockerfile", "FROM thirteenth\n");
    write(
        "images/thirteenth/pyproject.toml",
        "[project]\nname = \"thirteenth\"\nversion = \"0\"\nrequires-python = \">=3.13,<3.14\"\ndependencies = [\"tabulate >=0.9,<1\"]\n\n\
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

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn build_makes_the_missing_base_and_stands_on_it() {
    let copy = built();
    let layers = |image: &str| copy.inspect(image).unwrap()["RootFS"]["Layers"].as_array().unwrap().clone();
    let (base, child) = (layers("python-base"), layers("fastapi-serve"));
    assert!(child.len() > base.len() && child.starts_with(&base));
    assert_eq!(copy.inspect("fastapi-serve").unwrap()["Config"]["User"], "1000");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn validate_is_green_and_leaves_nothing() {
    let copy = built();
    copy.succeeds(&["validate", "python-base", "fastapi-serve"]);
    for image in ["python-base", "fastapi-serve"] {
        let junit = fs::read_to_string(copy.root.join(format!("target/validate/{image}/junit.xml"))).unwrap();
        assert!(junit.contains(r#"failures="0""#) && junit.contains(r#"errors="0""#), "{junit}");
        assert!(junit.matches("<testcase ").count() > 20);
    }
    assert_eq!(copy.containers(), "");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn validate_is_red_when_a_test_is_broken() {
    let copy = built();
    let broken = copy.root.join("images/python-base/tests/test_broken_on_purpose.py");
    fs::write(&broken, "def test_broken():\n    assert 1 == 2\n").unwrap();
    let output = copy.run(&["validate", "python-base"]);
    let part = copy.run(&["validate", "python-base", "--", "-k", "broken or nothing", "--quiet"]);
    fs::remove_file(broken).unwrap();
    assert_eq!(output.status.code(), Some(1), "pytest's own: {}", stderr(&output));
    assert!(stderr(&output).contains("test_broken_on_purpose::test_broken: assert 1 == 2"), "{}", stderr(&output));
    assert_eq!(part.status.code(), Some(1));
    assert!(stderr(&part).contains("python-base: 1 passed, 1 failed, 0 skipped"), "{}", stderr(&part));
    let junit = fs::read_to_string(copy.root.join("target/validate/python-base/junit.xml")).unwrap();
    assert!(junit.contains(r#"failures="1""#) && junit.contains("test_broken"), "{junit}");
    assert_eq!(copy.containers(), "");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn an_image_whose_base_was_built_anew_is_outdated() {
    let copy = built();
    // Apart from what the other tests use.
    let tag = copy.tag.clone() + MOVED;
    let run = |args: &[&str]| copy.xtask(args).env("IMAGE_TAG", &tag).output().unwrap();
    let built = |args: &[&str]| {
        let output = run(&[&["build"], args].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let outdated = || {
        let list: Value = serde_json::from_slice(&run(&["list", "--json"]).stdout).unwrap();
        let image = list.as_array().unwrap().iter().find(|image| image["name"] == "fastapi-serve").unwrap().clone();
        assert!(image["local"]["id"].is_string(), "{image}");
        image["local"]["outdated"].as_str().map(str::to_owned)
    };
    let compose = |image: &str| {
        let mut plain = Command::new("docker");
        plain.args(["compose", "--file", "docker-compose.ci.yaml", "build", image]).current_dir(&copy.root);
        plain.env("IMAGE_TAG", &tag).env("REGISTRY", copy.registry.name());
        let output = plain.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    };
    let path = copy.root.join("images/python-base/Dockerfile");
    let text = fs::read_to_string(&path).unwrap();
    let _restored = Restored(path.clone(), text.clone());

    assert!(!built(&["python-base", "fastapi-serve"]).contains("built anew since"));
    assert_eq!(outdated(), None);
    // A variable is no layer.
    fs::write(&path, format!("{text}\nENV CHANGED=1\n")).unwrap();
    let command = format!("to build these as well: ENVIRONMENT=ci IMAGE_TAG={tag} cargo xtask build fastapi-serve\n");
    assert!(built(&["python-base"]).contains(&command));
    assert_eq!(outdated().as_deref(), Some("python-base"));
    let refused = run(&["deploy", "fastapi-serve", "--force-unvalidated"]);
    assert_eq!(refused.status.code(), Some(77), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("fastapi-serve: outdated, for python-base"), "{}", stderr(&refused));
    assert!(copy.registry.digest("fastapi-serve", &tag).is_none());
    assert!(!built(&["fastapi-serve"]).contains("built anew since"));
    assert_eq!(outdated(), None);

    // Plain compose knows no digest to give, but what it builds has layers.
    fs::write(&path, &text).unwrap();
    compose("python-base");
    compose("fastapi-serve");
    assert_eq!(outdated(), None);
    fs::write(&path, format!("{text}\nRUN [\"touch\", \"/tmp/changed\"]\n")).unwrap();
    compose("python-base");
    assert_eq!(outdated().as_deref(), Some("python-base"));
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn login_and_deploy_to_an_authenticated_registry() {
    let copy = built();
    // Without a login the registry refuses, and nothing arrives. (aws is made to fail, so that deploy can't log in.)
    copy.succeeds(&["validate", "python-base", "fastapi-serve"]);
    let refused = copy
        .xtask(&["deploy", "python-base"])
        .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", free_port()))
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(77), "{}", stderr(&refused));
    assert_eq!(copy.registry.digest("python-base", &copy.tag), None);

    let login = copy.succeeds(&["login"]);
    let password = format!("{ACCOUNT}-auth-token");
    assert!(!stderr(&login).contains(&password));
    let config = fs::read_to_string(copy.docker_config.join("config.json")).unwrap();
    assert!(config.contains(&copy.registry.name()), "{config}");

    let deployed = copy.succeeds(&["deploy", "fastapi-serve", "python-base"]);
    let stdout = String::from_utf8_lossy(&deployed.stdout).into_owned();
    let expected: Vec<String> = ["python-base", "fastapi-serve"]
        .iter()
        .map(|image| format!("{}@{}", copy.reference(image), copy.registry.digest(image, &copy.tag).unwrap()))
        .collect();
    assert_eq!(stdout.lines().collect::<Vec<_>>(), expected);

    // A second time there is nothing to push.
    let again = copy.succeeds(&["deploy", "python-base"]);
    assert!(!stderr(&again).contains(" push "), "{}", stderr(&again));
    assert!(String::from_utf8_lossy(&again.stdout).contains(&expected[0]));
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn deploy_logs_in_by_itself() {
    let copy = built();
    copy.succeeds(&["validate", "python-base"]);
    let other = copy.docker_config.join("another");
    fs::create_dir_all(&other).unwrap();
    let tag = format!("{}-again", copy.tag);
    let (from, to) = (copy.reference("python-base"), format!("{}/python-base:{tag}", copy.registry.name()));
    assert!(Command::new("docker").args(["tag", &from, &to]).status().unwrap().success());
    let output =
        copy.xtask(&["deploy", "python-base"]).env("DOCKER_CONFIG", &other).env("IMAGE_TAG", &tag).output().unwrap();
    let _ = Command::new("docker").args(["image", "rm", &to]).output();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(copy.registry.digest("python-base", &tag).is_some());
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_wrong_password_is_refused() {
    let copy = built();
    let folder = copy.docker_config.join("other-registry");
    let other = registry(&folder, "something-else");
    let output = copy.xtask(&["login"]).env("REGISTRY", other.name()).output().unwrap();
    assert_eq!(output.status.code(), Some(77), "{}", stderr(&output));
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn start_serves_and_stop_removes() {
    let copy = built();
    let started = copy.succeeds(&["start", "fastapi-serve"]);
    let address = String::from_utf8(started.stdout).unwrap();
    let host = address.trim().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    write!(stream, "GET /health HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(copy.containers().lines().count(), 1);
    copy.succeeds(&["stop", "fastapi-serve"]);
    assert_eq!(copy.containers(), "");
    // Nothing to stop is no failure.
    copy.succeeds(&["stop", "fastapi-serve"]);
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn an_unhealthy_start_shows_its_log_and_is_removed() {
    let copy = built();
    let path = copy.root.join("docker-compose.ci.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("command: [sleep, infinity]", "command: [sh, -c, 'echo planted; exit 3']")).unwrap();
    let output = copy.run(&["start", "python-base"]);
    fs::write(&path, text).unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("planted"), "{}", stderr(&output));
    assert_eq!(copy.containers(), "");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn an_interrupt_stops_validate_and_removes_its_container() {
    let copy = built();
    let slow = copy.root.join("images/python-base/tests/test_slow_on_purpose.py");
    fs::write(&slow, "import time\n\ndef test_slow():\n    time.sleep(600)\n").unwrap();
    let running = || {
        let filter = format!("label=com.docker.compose.project={}", copy.tag);
        let ps = Command::new("docker").args(["ps", "--quiet", "--filter", &filter]).output().unwrap();
        !ps.stdout.is_empty()
    };
    let output = copy.signal_when(&["validate", "python-base"], running);
    fs::remove_file(slow).unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert_eq!(copy.containers(), "");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn an_interrupt_stops_start_and_removes_its_container() {
    let copy = built();
    let path = copy.root.join("docker-compose.ci.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let never = text.replacen("test: [CMD, python, --version]", "test: [CMD, 'false']\n      retries: 1000", 1);
    assert_ne!(never, text);
    fs::write(&path, never).unwrap();
    let output = copy.signal_when(&["start", "python-base"], || !copy.containers().is_empty());
    fs::write(&path, text).unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert_eq!(copy.containers(), "");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn an_interrupt_stops_build() {
    let copy = built();
    let path = copy.root.join("images/python-base/Dockerfile");
    let text = fs::read_to_string(&path).unwrap();
    let mark = format!("still-building-{}", std::process::id());
    fs::write(&path, format!("{text}\nRUN sleep 600 && echo {mark}\n")).unwrap();
    // The step's own process, as the host sees it.
    let runs = || {
        let processes =
            fs::read_dir("/proc").unwrap().flatten().filter_map(|p| fs::read(p.path().join("cmdline")).ok());
        processes
            .filter(|line| line.starts_with(b"/bin/sh") || line.starts_with(b"/bin/bash"))
            .any(|line| String::from_utf8_lossy(&line).contains(&mark))
    };
    let output = copy.signal_when(&["build", "python-base"], runs);
    fs::write(&path, text).unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    wait_for("the build step to end", || !runs());
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_lock_from_scratch_of_pinned_input_is_the_committed_one() {
    let copy = built();
    let folder = copy.root.join("images/python-base");
    let (lock, project) = (folder.join("poetry.lock"), folder.join("pyproject.toml"));
    let committed = fs::read_to_string(&lock).unwrap();
    let packages = |text: &str| -> Vec<(String, String)> {
        let document: toml_edit::DocumentMut = text.parse().unwrap();
        let packages = document["package"].as_array_of_tables().unwrap();
        let field = |table: &toml_edit::Table, name: &str| table[name].as_str().unwrap().to_owned();
        packages.iter().map(|package| (field(package, "name"), field(package, "version"))).collect()
    };
    let pinned = packages(&committed);
    let mut document: toml_edit::DocumentMut = fs::read_to_string(&project).unwrap().parse().unwrap();
    let pins: toml_edit::Array = pinned.iter().map(|(name, version)| format!("{name}=={version}")).collect();
    document["project"]["dependencies"] = toml_edit::value(pins);
    let original = fs::read_to_string(&project).unwrap();
    fs::write(&project, document.to_string()).unwrap();
    fs::remove_file(&lock).unwrap();
    copy.succeeds(&["lock", "python-base"]);
    let made = fs::read_to_string(&lock).unwrap();
    copy.succeeds(&["lock", "--check", "python-base"]);
    fs::write(&project, original).unwrap();
    // With the requirements as they were, the lock made from the pins is stale.
    let stale = copy.run(&["lock", "--check", "python-base"]);
    fs::write(&lock, &committed).unwrap();
    assert_eq!(packages(&made), pinned);
    assert!(!made.contains("://"), "a lock names no index");
    assert_eq!(stale.status.code(), Some(1), "{}", stderr(&stale));
    assert!(!folder.join(".lock").exists());
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_conflict_leaves_the_lock_as_it_was() {
    let copy = built();
    let folder = copy.root.join("images/python-base");
    let (lock, project) = (folder.join("poetry.lock"), folder.join("pyproject.toml"));
    let (before, original) = (fs::read(&lock).unwrap(), fs::read_to_string(&project).unwrap());
    let mut document: toml_edit::DocumentMut = original.parse().unwrap();
    let clash: toml_edit::Array = ["requests==2.34.2", "urllib3==1.20"].into_iter().collect();
    document["project"]["dependencies"] = toml_edit::value(clash);
    fs::write(&project, document.to_string()).unwrap();
    let output = copy.run(&["lock", "python-base"]);
    fs::write(&project, original).unwrap();
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let told = error.lines().rev().find(|line| line.starts_with("error:")).unwrap();
    assert!(told.contains("requests") && told.contains("urllib3"), "{told}");
    assert_eq!(fs::read(&lock).unwrap(), before);
    assert!(!folder.join(".lock").exists());
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn list_shows_what_the_engine_has() {
    let copy = built();
    let list = copy.succeeds(&["list", "--json"]);
    let rows: Vec<Value> = serde_json::from_slice(&list.stdout).unwrap();
    let row = rows.iter().find(|row| row["name"] == "fastapi-serve").unwrap();
    assert_eq!(row["local"]["id"], copy.inspect("fastapi-serve").unwrap()["Id"]);
    let label = &copy.inspect("fastapi-serve").unwrap()["Config"]["Labels"]["core-images.stand-in"];
    assert_eq!(row["local"]["stand_in"], label.is_string());
}

/// The files that a lock run may change, to be put back whatever a test does.
struct Saved(Vec<(PathBuf, Vec<u8>)>);

impl Saved {
    fn of(copy: &Copy) -> Saved {
        let folders = fs::read_dir(copy.root.join("images")).unwrap().map(|entry| entry.unwrap().path());
        let files = folders.flat_map(|folder| ["pyproject.toml", "poetry.lock"].map(|file| folder.join(file)));
        let files = files.filter(|file| file.exists());
        Saved(files.map(|file| (file.clone(), fs::read(&file).unwrap())).collect())
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        for (file, content) in &self.0 {
            let _ = fs::write(file, content);
        }
    }
}

fn requires(copy: &Copy, image: &str, requirements: &[&str]) {
    let path = copy.root.join(format!("images/{image}/pyproject.toml"));
    let mut document: toml_edit::DocumentMut = fs::read_to_string(&path).unwrap().parse().unwrap();
    let list = document["project"]["dependencies"].as_array_mut().unwrap();
    let name = |requirement: &str| requirement.split([' ', '<', '>', '=', '[']).next().unwrap().to_owned();
    for requirement in requirements {
        list.retain(|old| name(old.as_str().unwrap()) != name(requirement));
        list.push(*requirement);
    }
    fs::write(path, document.to_string()).unwrap();
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_bump_in_the_base_is_noticed_and_flows_through_the_family() {
    let copy = built();
    let saved = Saved::of(copy);
    copy.succeeds(&["check"]);
    requires(copy, "python-base", &["requests ==2.32.3"]);
    let stale = copy.run(&["check"]);
    assert_eq!(stale.status.code(), Some(65));
    assert!(stderr(&stale).contains("images/python-base/poetry.lock:1: error: stale"), "{}", stderr(&stale));

    // As a dependency bot leaves it: one image moved, and the one that stands on it not.
    copy.succeeds(&["lock", "python-base"]);
    let split = copy.run(&["check"]);
    assert_eq!(split.status.code(), Some(65));
    for expected in ["requests 2.34.2, python-base has 2.32.3", "cargo xtask lock fastapi-serve"] {
        assert!(stderr(&split).contains(expected), "{}", stderr(&split));
    }

    let repaired = copy.succeeds(&["lock", "python-base", "--with-dependents", "--json"]);
    let moves: Value = serde_json::from_slice(&repaired.stdout).unwrap();
    let child = moves.as_array().unwrap().iter().find(|entry| entry["image"] == "fastapi-serve").unwrap();
    assert_eq!(child["moves"][0]["package"], "requests");
    assert_eq!(child["moves"][0]["after"], "2.32.3");
    copy.succeeds(&["check"]);

    let now: Vec<Vec<u8>> = saved.0.iter().map(|(file, _)| fs::read(file).unwrap()).collect();
    copy.succeeds(&["lock", "--all"]);
    let again: Vec<Vec<u8>> = saved.0.iter().map(|(file, _)| fs::read(file).unwrap()).collect();
    assert!(now == again, "a second run changes nothing");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_clash_with_the_base_names_both_sides() {
    let copy = built();
    let saved = Saved::of(copy);
    // An old client, which pins its botocore to another than the base's.
    requires(copy, "fastapi-serve", &["aiobotocore ==2.19.0"]);
    let output = copy.run(&["lock", "--all"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let error = stderr(&output);
    let told = error.lines().rev().find(|line| line.starts_with("error:")).unwrap();
    for side in ["lock fastapi-serve: python-base has botocore 1.", "aiobotocore (2.19.0)"] {
        assert!(told.contains(side), "{told}");
    }
    assert!(!told.contains("poetry"), "the command is in the log: {told}");
    let help = error.lines().rev().find(|line| line.starts_with(" help:")).unwrap();
    assert!(help.contains("change python-base") && help.contains("[tool.core-images.exceptions] botocore"), "{help}");
    for (file, content) in saved.0.iter().filter(|(file, _)| file.ends_with("poetry.lock")) {
        assert_eq!(&fs::read(file).unwrap(), content, "{}", file.display());
    }
}

#[test]
#[ignore = "needs the docker engine and root: cargo xtask setup --tests"]
fn a_full_disk_changes_nothing() {
    let copy = built();
    let saved = Saved::of(copy);
    // Mounts of its own, so that nobody else sees this one; the lock fits in it once, and not twice.
    let script = "set -e; cd images; cp -r fastapi-serve full; mount -t tmpfs -o size=260k tmpfs fastapi-serve; \
                  cp -r full/. fastapi-serve; rm -r full; cd ..; code=0; \
                  \"$0\" lock fastapi-serve || code=$?; \
                  test ! -e images/fastapi-serve/.lock; cat images/fastapi-serve/poetry.lock; exit $code";
    let mut run = Command::new(if nix::unistd::geteuid().is_root() { "unshare" } else { "sudo" });
    if !nix::unistd::geteuid().is_root() {
        run.arg("unshare");
    }
    let output = run
        .args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_xtask")])
        .current_dir(&copy.root)
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("No space left on device"), "{}", stderr(&output));
    let (_, before) = saved.0.iter().find(|(file, _)| file.ends_with("fastapi-serve/poetry.lock")).unwrap();
    assert!(output.stdout == *before, "the lock is as it was");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_child_changes_no_file_of_a_package_of_its_base() {
    let copy = built();
    // Every file that a package's own record names, with its hash.
    let code = "import hashlib, importlib.metadata as m, json, pathlib\n\
                paths = {p.locate() for d in m.distributions() for p in d.files or []}\n\
                print(json.dumps({str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in map(pathlib.Path, paths) if p.is_file()}))";
    let files = |image: &str| -> serde_json::Map<String, Value> {
        let run = ["run", "--rm", "--network", "none", "--entrypoint", "python", &copy.reference(image), "-c", code];
        let output = Command::new("docker").args(run).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let (base, child) = (files("python-base"), files("fastapi-serve"));
    assert!(base.len() > 500 && child.len() > base.len());
    let changed: Vec<&String> =
        base.iter().filter(|(path, hash)| child.get(*path) != Some(hash)).map(|(path, _)| path).collect();
    assert_eq!(changed, [""; 0]);
}
