//! The report as a browser shows it: Debian's chromium, without a window, at a phone's width and at a desktop's.
//!
//! A script that measures is put into a copy of the page; the page itself has none. Pictures of both pages are left in
//! `target/tmp/browser`, to be looked at.

use crate::support::{Image, PYTHON_BASE, REGISTRY, Reply, Repo, suite_reports};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use xshell::Shell;

const PHONE: u32 = 390;
const DESKTOP: u32 = 1280;

/// What is seen: boxes with their texts, marks, and whether anything sticks out.
const MEASURE: &str = "<script>
const rect = e => { const r = e.getBoundingClientRect(); return {x: r.x, y: r.y, right: r.right, bottom: r.bottom}; };
const shown = e => e.getClientRects().length > 0;
const all = (s) => [...document.querySelectorAll(s)].filter(shown);
const scroller = all('.scroll').find(e => e.querySelector('.matrix'));
scroller.scrollTo(150, 120);
const measured = {
  window: innerWidth,
  page: document.documentElement.scrollWidth,
  requests: performance.getEntriesByType('resource').length,
  boxes: all('svg .box').map(e => ({name: e.querySelector('text').textContent, link: e.getAttribute('href'),
    frame: rect(e.querySelector('rect')), texts: [...e.querySelectorAll('text')].map(rect)})),
  edges: all('svg .edge').length,
  images: [document.querySelector('.images').scrollWidth, document.querySelector('.images').parentElement.clientWidth],
  apart: all('.apart tbody tr').map(e => [...e.children].map(cell => cell.innerText)),
  splits: all('.matrix td.split').map(e => e.innerText),
  exceptions: all('.matrix td.exception').map(e => e.innerText),
  tagged: all('.matrix th').filter(e => e.querySelector('.tag')).map(e => e.innerText),
  base: all('td.base').length,
  scrolled: scroller.scrollLeft,
  left: rect(scroller).x,
  top: rect(scroller).y,
  first: rect(scroller.querySelector('tbody tr:last-child th')).x,
  head: rect(scroller.querySelector('thead th')).y,
};
parent.postMessage(JSON.stringify(measured), '*');
</script>";
/// Chromium makes no window narrower than 500 pixels, but any frame.
const FRAME: &str =
    "<!doctype html><body><iframe width=\"WIDTH\" height=\"900\" style=\"border: 0\" src=\"copy.html\"></iframe>
<script>onmessage = e => { document.body.textContent = 'MEASURED' + e.data + 'MEASURED'; };</script>";

/// Runs chromium on a file, as someone who has never used it.
fn chromium(page: &Path, width: u32, height: u32, options: &[String]) -> String {
    let profile = Shell::new().unwrap().create_temp_dir().unwrap();
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"])
        .args(["--no-first-run", "--disable-sync", "--disable-component-update", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size={width},{height}"))
        .args(options)
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn measure(page: &Path, width: u32) -> Value {
    let html = fs::read_to_string(page).unwrap();
    assert!(!html.contains("<script"), "the page needs a script");
    let folder = Shell::new().unwrap().create_temp_dir().unwrap();
    fs::write(folder.path().join("copy.html"), html.replace("</body>", &format!("{MEASURE}</body>"))).unwrap();
    let frame = folder.path().join("frame.html");
    fs::write(&frame, FRAME.replace("WIDTH", &width.to_string())).unwrap();
    let dom = chromium(&frame, DESKTOP + 100, 1000, &["--dump-dom".to_owned()]);
    let text = dom.split("MEASURED").nth(1).unwrap_or_else(|| panic!("nothing measured: {dom}"));
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Leaves pictures for people, in both themes.
fn photograph(page: &Path, name: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("browser");
    fs::create_dir_all(&folder).unwrap();
    for (width, theme, setting) in [(PHONE, "light", 1), (DESKTOP, "light", 1), (DESKTOP, "dark", 0)] {
        let picture = folder.join(format!("{name}-{width}-{theme}.png"));
        let _ = fs::remove_file(&picture);
        let options =
            [format!("--blink-settings=preferredColorScheme={setting}"), format!("--screenshot={}", picture.display())];
        chromium(page, width, 2600, &options);
        assert!(fs::metadata(&picture).unwrap().len() > 20_000, "{} is empty", picture.display());
    }
}

/// What holds for any family, at any width.
fn is_sound(seen: &Value, width: u32, images: usize) {
    assert_eq!(seen["window"], width);
    assert!(seen["page"].as_u64().unwrap() <= u64::from(width), "the page is {} wide at {width}", seen["page"]);
    assert_eq!(seen["requests"], 0, "the page asked for something");
    let boxes = seen["boxes"].as_array().unwrap();
    assert_eq!(boxes.iter().filter(|each| each["link"].is_string()).count(), images, "{boxes:#?}");
    assert!(seen["edges"].as_u64().unwrap() >= images as u64);
    let number = |value: &Value| value.as_f64().unwrap();
    for (i, each) in boxes.iter().enumerate() {
        let frame = &each["frame"];
        assert!(number(&frame["right"]) - number(&frame["x"]) > 40.0, "{each}");
        for text in each["texts"].as_array().unwrap() {
            let inside = number(&text["x"]) >= number(&frame["x"]) && number(&text["right"]) <= number(&frame["right"]);
            assert!(inside, "a text sticks out of its box: {each}");
        }
        for other in &boxes[i + 1..] {
            let other = &other["frame"];
            let apart = [("x", "right"), ("y", "bottom")].iter().any(|(from, to)| {
                number(&frame[to]) <= number(&other[from]) || number(&other[to]) <= number(&frame[from])
            });
            assert!(apart, "two boxes overlap: {frame} {other}");
        }
    }
    if width == DESKTOP {
        assert!(
            number(&seen["images"][0]) <= number(&seen["images"][1]),
            "a column of the images is out of sight: {seen}"
        );
    }
    // The names stay in sight when a table is scrolled, to the side and down.
    assert!((number(&seen["first"]) - number(&seen["left"])).abs() < 2.0, "{seen}");
    assert!((number(&seen["head"]) - number(&seen["top"])).abs() < 2.0, "{seen}");
}

#[test]
#[ignore = "needs chromium: cargo xtask setup --tests"]
fn the_report_of_this_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = Shell::new().unwrap().create_temp_dir().unwrap();
    let page = folder.path().join("report.html");
    let xtask = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(args).current_dir(root).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let images: Value = serde_json::from_str(&xtask(&["list", "--json"])).unwrap();
    assert_eq!(xtask(&["report", "--output", page.to_str().unwrap()]).trim_end(), page.to_str().unwrap());
    for width in [PHONE, DESKTOP] {
        let seen = measure(&page, width);
        is_sound(&seen, width, images.as_array().unwrap().len());
        assert_eq!(seen["splits"], json!([]), "this repository has a split");
        assert!(seen["base"].as_u64().unwrap() > 0, "no package is coupled");
    }
    photograph(&page, "repository");
}

const fn on(name: &'static str, base: &'static str) -> Image {
    Image { name, base: Some(base), ..PYTHON_BASE }
}

/// A family as a company has it; each image has the packages of its base, and those named here.
const FAMILY: [(Image, &[&str]); 12] = [
    (PYTHON_BASE, &["boto3 1.44.5", "certifi 2026.10.18", "pydantic 2.14.3", "requests 2.34.2", "structlog 26.1.0"]),
    (on("fastapi-serve", "python-base"), &["fastapi 0.130.0", "starlette 1.2.0", "uvicorn 0.41.0"]),
    (on("streamlit-app", "python-base"), &["pandas 3.1.0", "numpy 2.5.1", "streamlit 1.60.0"]),
    (on("kubeflow-jupyter", "python-base"), &["jupyterlab 4.6.1", "numpy 2.5.1", "pandas 3.1.0"]),
    (on("kubeflow-pipelines", "python-base"), &["kfp 3.0.0", "protobuf 6.33.1"]),
    (on("scikit-train", "kubeflow-jupyter"), &["scikit-learn 1.9.0", "scipy 1.18.0"]),
    (on("pytorch-train", "scikit-train"), &["torch 2.13.0", "torchvision 0.29.2"]),
    (on("pytorch-train-distributed", "pytorch-train"), &["deepspeed 0.20.0"]),
    (on("pytorch-serve", "fastapi-serve"), &["torch 2.13.0", "numpy 2.5.1"]),
    (on("xgboost-serve", "fastapi-serve"), &["xgboost 3.4.0", "numpy 2.4.0", "scipy 1.18.0"]),
    (on("legacy-serve", "python-base"), &["pydantic 1.10.24", "tensorflow 2.11.1"]),
    (Image { name: "batch-tools", base: None, port: None, suite: false, pyproject: false }, &[]),
];
const EXCEPTION: &str = "The <vendor>'s models load with pydantic 1 only, until they are trained anew";

/// Its name and version, and whether the base has it.
fn packages(name: &str) -> Vec<(String, bool)> {
    let (image, own) = FAMILY.iter().find(|(image, _)| image.name == name).unwrap();
    let mut found: Vec<(String, bool)> = own.iter().map(|package| ((*package).to_owned(), false)).collect();
    for (package, _) in image.base.map(packages).unwrap_or_default() {
        let same = |own: &str| own.split(' ').next() == package.split(' ').next();
        if !own.iter().any(|own| same(own)) {
            found.push((package, true));
        }
    }
    found
}

fn family() -> Repo {
    let repo = Repo::with(&FAMILY.map(|(image, _)| image));
    let mut engine = Vec::new();
    for (index, (image, _)) in FAMILY.iter().enumerate() {
        let name = image.name;
        let id = format!("sha256:{index:064x}");
        if index % 4 != 2 {
            let labels = if index == 4 { json!({"core-images.stand-in": "debian"}) } else { json!({}) };
            engine.push(json!({
                "Id": id, "RepoTags": [format!("{REGISTRY}/{name}:latest")], "Size": 191_000_000 * (index + 1),
                "Created": "2026-01-02T03:04:05Z", "Config": {"Labels": labels},
                // Each has layers of its own, so that all but the first are outdated: the longest mark.
                "RootFS": {"Layers": [format!("sha256:{index}")]},
            }));
        }
        if image.pyproject {
            let mut text = format!("[project]\nname = \"{name}\"\nrequires-python = \">=3.13,<3.14\"\n");
            if name == "legacy-serve" {
                let _ = write!(text, "\n[tool.core-images.exceptions]\npydantic = \"{EXCEPTION}\"\n");
            }
            text += "\n[tool.poetry.group.coupled]\noptional = true\n\n[tool.poetry.group.coupled.dependencies]\n";
            let mut lock = String::new();
            for (package, coupled) in packages(name) {
                let (package, version) = package.split_once(' ').unwrap();
                let _ =
                    writeln!(lock, "[[package]]\nname = \"{package}\"\nversion = \"{version}\"\ngroups = [\"main\"]\n");
                if coupled {
                    let _ = writeln!(text, "{package} = \"{version}\"");
                }
            }
            lock += "[metadata]\nlock-version = \"2.1\"\npython-versions = \"*\"\ncontent-hash = \"old\"\n";
            repo.write(&format!("images/{name}/pyproject.toml"), &text);
            repo.write(&format!("images/{name}/poetry.lock"), &lock);
        }
    }
    for (index, (image, _)) in FAMILY.iter().enumerate().filter(|(index, (image, _))| index % 4 == 0 && image.suite) {
        repo.engine_has(image.name, &format!("sha256:{index:064x}"), &[]);
        suite_reports(&repo, image.name, 0, 0);
        repo.run(&["validate", image.name, "--environment", "ci"]).succeeds();
    }
    let answer = Value::from(engine).to_string().replace('\'', "");
    repo.on(
        "docker image inspect *",
        Reply::does(&format!("echo '{answer}'; echo 'Error: No such image: x' >&2; exit 1")),
    );
    repo
}

#[test]
#[ignore = "needs chromium: cargo xtask setup --tests"]
fn the_report_of_a_family_of_twelve() {
    let repo = family();
    assert_eq!(repo.run(&["report"]).succeeds().stdout, "target/report.html\n");
    let page = repo.root.join("target/report.html");
    for width in [PHONE, DESKTOP] {
        let seen = measure(&page, width);
        is_sound(&seen, width, FAMILY.len());
        let apart = json!([
            ["numpy", "xgboost-serve", "2.4.0", "split", "streamlit-app has 2.5.1"],
            ["pydantic", "legacy-serve", "1.10.24", "exception", EXCEPTION],
        ]);
        assert_eq!(seen["apart"], apart, "at {width}");
        // In the matrix, too, with a word beside the name, which stays in sight.
        assert_eq!((&seen["splits"], &seen["exceptions"]), (&json!(["2.4.0 split"]), &json!(["1.10.24 exception"])));
        assert_eq!(seen["tagged"], json!(["numpy split", "pydantic exception"]), "at {width}");
        assert!(seen["base"].as_u64().unwrap() > 50, "{seen}");
        assert!(seen["scrolled"].as_f64().unwrap() > 100.0, "a matrix of twelve images fits {width} pixels");
    }
    photograph(&page, "twelve");
}
