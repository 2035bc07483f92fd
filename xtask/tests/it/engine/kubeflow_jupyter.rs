//! What a notebook image promises that only shows from outside: volumes, users, privileges, the end, and a browser.
//! What shows from inside is its suite's: `images/common/notebook`.
//!
//! Needs the engine, chromium and its driver; the tests share one build.

use super::docker::{LIMIT, REGISTRY, RESTRICTED, build, docker, free_port, wait_for, when_we_end};
use serde_json::{Value, json};
use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::Instant,
};

const IMAGE: &str = "kubeflow-jupyter";
const PREFIX: &str = "/notebook/team/mine";
/// As a kubelet gives a new volume to a pod with `fsGroup: 100`: root's, and the group's.
const EMPTY_VOLUME: &str = "--tmpfs=/home/jovyan:uid=0,gid=100,mode=2775";

/// The production image, under a tag of our own that goes when this process ends, however it does.
fn image() -> &'static str {
    static IMAGES: OnceLock<String> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let tag = format!("{IMAGE}-test-{}", std::process::id());
        let reference = |image: &str| format!("{REGISTRY}/{image}:{tag}");
        when_we_end(&format!("docker image rm --force {} {}", reference(IMAGE), reference("python-base")));
        build(IMAGE, &tag);
        reference(IMAGE)
    })
}

/// A server in a container, which goes with its volumes.
struct Notebook {
    container: String,
    port: u16,
}

impl Drop for Notebook {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = Command::new("docker").args(["logs", "--tail=30", &self.container]).status();
        }
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.container]).output();
    }
}

struct Volume(String);

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["volume", "rm", "--force", &self.0]).output();
    }
}

impl Notebook {
    /// With `options` of docker's, and answering.
    fn start(options: &[&str]) -> Notebook {
        Notebook::of(image(), options)
    }

    fn of(image: &str, options: &[&str]) -> Notebook {
        let prefix = format!("--env=NB_PREFIX={PREFIX}");
        let run = ["run", "--detach", "--publish=127.0.0.1::8888", &prefix];
        let container = docker(&[&run, options, &[image]].concat());
        let mut notebook = Notebook { container, port: 0 };
        let published = docker(&["port", &notebook.container, "8888/tcp"]);
        notebook.port = published.rsplit(':').next().unwrap().parse().unwrap();
        wait_for("the server", || notebook.get("/api").filter(|(head, _)| head.starts_with("HTTP/1.1 200")));
        notebook
    }

    fn exec(&self, args: &[&str]) -> String {
        docker(&[&["exec", &self.container], args].concat())
    }

    fn get(&self, path: &str) -> Option<(String, String)> {
        http(self.port, "GET", &format!("{PREFIX}{path}"), None)
    }

    fn json(&self, path: &str) -> Value {
        let (head, body) = self.get(path).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        serde_json::from_str(&body).unwrap()
    }

    /// Runs a cell by Jupyter's own client, as the container's user: the server's kernel specification, what it needs of
    /// the home, and what the cell writes there.
    fn runs_a_cell_and_saves(&self, file: &str) {
        let script = format!(
            "from jupyter_client.manager import run_kernel\n\
             with run_kernel() as client:\n    \
                 client.execute_interactive('open(\"{file}\", \"w\").write(str(6 * 7))', timeout=30)\n"
        );
        self.exec(&["python", "-c", &script]);
        assert_eq!(self.json(&format!("/api/contents/{file}"))["content"], "42");
    }

    /// Seconds from SIGTERM to the end, which is an orderly one.
    fn stop(&self) -> f64 {
        let start = Instant::now();
        docker(&["stop", "--time=20", &self.container]);
        let seconds = start.elapsed().as_secs_f64();
        let code = docker(&["inspect", "--format={{.State.ExitCode}}", &self.container]);
        assert!(["0", "143"].contains(&code.as_str()), "ended with {code}");
        seconds
    }
}

/// A request on loopback: (head, body), or nothing where nobody answers.
fn http(port: u16, method: &str, path: &str, body: Option<&Value>) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    // The driver keeps the connection open, whatever it is asked.
    let mut answer = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), None);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        (answer.read_line(&mut head).ok()? > 0).then_some(())?;
        if let Some((name, value)) = head[start..].split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    let mut body = Vec::new();
    answer.take(length.unwrap_or(u64::MAX)).read_to_end(&mut body).ok()?;
    Some((head, String::from_utf8_lossy(&body).into_owned()))
}

/// Headless Chromium, spoken to through its driver.
struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: PathBuf,
}

impl Drop for Browser {
    fn drop(&mut self) {
        if thread::panicking() && !self.session.is_empty() {
            eprintln!("the page says: {}", self.run("return document.body.innerText"));
        }
        // Ends the browser, which isn't in the driver's process group.
        let _ = http(self.port, "DELETE", &format!("/session/{}", self.session), None);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

impl Browser {
    fn start() -> Browser {
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: apt-get install chromium chromium-driver");
        let profile = env::temp_dir().join(format!("{IMAGE}-test-{}", std::process::id()));
        let mut browser = Browser { driver, port, session: String::new(), profile };
        wait_for("the driver", || http(port, "GET", "/status", None));
        let profile = format!("--user-data-dir={}", browser.profile.display());
        let args = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server", &profile];
        let options = json!({"binary": "/usr/bin/chromium", "args": args});
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let answer = browser.send("/session", &wanted);
        assert!(answer["sessionId"].is_string(), "{answer}");
        answer["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        browser
    }

    fn send(&self, path: &str, body: &Value) -> Value {
        // Null where the driver has died; whoever waits for it fails.
        let answer = http(self.port, "POST", path, Some(body)).map(|(_, answer)| answer).unwrap_or_default();
        serde_json::from_str::<Value>(&answer).unwrap_or_default()["value"].take()
    }

    fn command(&self, name: &str, body: &Value) -> Value {
        self.send(&format!("/session/{}/{name}", self.session), body)
    }

    fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({"script": script, "args": []}))
    }

    /// The element, once it is on the page and can be seen.
    fn find(&self, css: &str) -> String {
        wait_for(css, || {
            let found = self.command("element", &json!({"using": "css selector", "value": css}));
            found.as_object()?.values().next()?.as_str().filter(|_| found["error"].is_null()).map(str::to_owned)
        })
    }

    /// Until it works: a dialog or a spinner may still lie over it.
    fn act(&self, css: &str, action: &str, body: &Value) {
        wait_for(css, || {
            let element = self.find(css);
            self.command(&format!("element/{element}/{action}"), body)["error"].is_null().then_some(())
        });
    }

    fn click(&self, css: &str) {
        self.act(css, "click", &json!({}));
    }

    fn press(&self, css: &str, keys: &str) {
        self.act(css, "value", &json!({"text": keys}));
    }

    fn text(&self, css: &str) -> String {
        wait_for(css, || {
            let script = format!("return document.querySelector({})?.textContent", json!(css));
            self.run(&script).as_str().filter(|text| !text.trim().is_empty()).map(|text| text.trim().to_owned())
        })
    }
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn it_serves_on_an_empty_volume_without_any_privilege() {
    let notebook = Notebook::start(&[&RESTRICTED[..], &[EMPTY_VOLUME]].concat());
    let (head, _) = notebook.get("/lab").unwrap();
    assert!(head.to_ascii_lowercase().contains("access-control-allow-origin: *"), "{head}");
    assert_eq!(notebook.json("/api/status")["kernels"], 0);
    assert_eq!(notebook.exec(&["id"]), "uid=1000(jovyan) gid=1000(jovyan) groups=1000(jovyan),100(users)");
    assert_eq!(
        notebook.exec(&["sh", "-c", "grep -E 'CapEff|NoNewPrivs' /proc/1/status | cut -f2 | xargs"]),
        "0000000000000000 1"
    );
    notebook.runs_a_cell_and_saves("saved.txt");
    assert_eq!(notebook.exec(&["stat", "--format=%g", "/home/jovyan/saved.txt"]), "100");
    let seconds = notebook.stop();
    assert!(seconds < 3.0, "{seconds} s");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn it_serves_whatever_user_the_pod_has() {
    // On the image's own home, and on a volume of the cluster's.
    let own: [&[&str]; 4] = [
        &["--user=12345:0"],
        &["--user=12345:100"],
        &["--user=12345:0", "--group-add=100", EMPTY_VOLUME],
        &["--user=12345:100", EMPTY_VOLUME],
    ];
    for options in own {
        // Without a volume the container's own file system must take what is saved.
        let restricted = if options.contains(&EMPTY_VOLUME) { &RESTRICTED[..] } else { &RESTRICTED[..4] };
        let notebook = Notebook::start(&[restricted, options].concat());
        assert_eq!(notebook.exec(&["id", "--user"]), "12345", "{options:?}");
        assert_eq!(notebook.exec(&["sh", "-c", "python -c 'import getpass; print(getpass.getuser())'"]), "jovyan");
        notebook.runs_a_cell_and_saves("saved.txt");
    }
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_volume_serves_the_next_container_even_as_another_user() {
    let volume = Volume(format!("{IMAGE}-test-{}", std::process::id()));
    let mount = format!("--mount=type=volume,source={},target=/home/jovyan", volume.0);
    let first = Notebook::start(&[&RESTRICTED[..], &[&mount]].concat());
    first.runs_a_cell_and_saves("first.txt");
    first.exec(&["sh", "-c", "echo '# mine' >~/.bashrc && rm ~/.profile"]);
    drop(first);
    // Another user of the same group, as when a cluster's policy changes.
    let second = Notebook::start(&[&RESTRICTED[..], &[&mount, "--user=12345:100"]].concat());
    assert_eq!(second.json("/api/contents/first.txt")["content"], "42");
    assert_eq!(second.exec(&["cat", "/home/jovyan/.bashrc"]), "# mine");
    second.exec(&["test", "-e", "/home/jovyan/.profile"]);
    second.runs_a_cell_and_saves("second.txt");
}

/// What `README.md` tells a project to do.
#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_project_brings_defaults_for_an_empty_home() {
    let (_, tag) = image().rsplit_once(':').unwrap();
    let (registry, tag) = (format!("--build-arg=REGISTRY={REGISTRY}"), format!("--build-arg=BASE_IMAGE_TAG={tag}"));
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../images/kubeflow-jupyter/example");
    let project = docker(&["build", "--quiet", &registry, &tag, example]);
    let notebook = Notebook::of(&project, &[&RESTRICTED[..], &[EMPTY_VOLUME]].concat());
    assert_eq!(notebook.json("/api/contents/notebooks")["content"][0]["name"], "orders.ipynb");
    drop(notebook);
    docker(&["image", "rm", "--force", &project]);
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn the_engine_sees_its_health() {
    let notebook = Notebook::start(&["--health-start-interval=500ms"]);
    wait_for("health", || {
        let status = docker(&["inspect", "--format={{.State.Health.Status}}", &notebook.container]);
        (status == "healthy").then_some(())
    });
}

#[test]
#[ignore = "needs the docker engine, chromium and its driver: cargo xtask setup --tests"]
fn a_browser_opens_jupyterlab_under_the_prefix_and_runs_a_cell() {
    let notebook = Notebook::start(&[&RESTRICTED[..], &[EMPTY_VOLUME]].concat());
    let browser = Browser::start();
    let url = format!("http://127.0.0.1:{}{PREFIX}/lab", notebook.port);
    browser.command("url", &json!({"url": url}));

    browser.click(".jp-LauncherCard[data-category=Notebook]");
    // Until the kernel is connected, the page is still being put together, and may lose what is typed.
    wait_for("the kernel", || {
        let idle = "return document.body.innerText.includes('| Idle')";
        (browser.run(idle) == true).then_some(())
    });
    let cell = ".jp-Notebook .jp-CodeCell .cm-content";
    browser.press(cell, "import os; print(6 * 7, os.getuid(), os.environ['NB_PREFIX'])");
    // Shift and Enter.
    browser.press(cell, "\u{E008}\u{E007}");
    assert_eq!(browser.text(".jp-Notebook .jp-OutputArea-output pre"), format!("42 1000 {PREFIX}"));

    // Nothing asks the person anything, and nothing is fetched from elsewhere.
    assert_eq!(browser.run("return document.querySelectorAll('.jp-Dialog, .Toastify__toast').length"), 0);
    let fetched = browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)");
    let elsewhere: Vec<&str> = fetched
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| name.starts_with("http") && !name.starts_with(&url[..url.len() - "lab".len()]))
        .collect();
    assert_eq!(elsewhere, [""; 0]);

    // What the culler asks knows of it, and page and kernel don't hold up the end.
    assert_eq!(notebook.json("/api/kernels")[0]["connections"], 1);
    assert_eq!(notebook.json("/api/status")["kernels"], 1);
    let seconds = notebook.stop();
    assert!(seconds < 3.0, "{seconds} s");
}
