//! Projects that are built on an image, as their developers make them.
//!
//! Needs the engine, and fastapi-serve built: for production at the tag that `IMAGE_TAG` names (as `engine::family`), and an
//! index that can be reached.

use super::docker::{docker, free_port, root, stderr, when_we_end};
use std::{env, fs, path::PathBuf, process::Command};

/// A folder and a container that go away with the test.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", "shop"]).output();
        let _ = Command::new("docker").args(["image", "rm", "--force", "shop:1"]).output();
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What stands in the page's blocks of this language, in their order.
fn blocks(page: &str, language: &str) -> String {
    let begin = format!("\n```{language}\n");
    let blocks = page.split(&begin).skip(1);
    blocks.map(|rest| format!("{}\n", rest.split("\n```").next().unwrap())).collect()
}

#[test]
#[ignore = "needs all images built: cargo xtask ci"]
fn the_page_from_nothing_to_a_running_image_can_be_followed() {
    let page = fs::read_to_string(root().join("docs/project.md")).unwrap();
    let folder = env::temp_dir().join(format!("core-images-project-{}", std::process::id()));
    let taken = docker(&["ps", "--all", "--quiet", "--filter", "name=^/shop$"]);
    assert_eq!(taken, "", "the page calls its container shop, and there is one");
    let gone = Gone(folder.clone());
    fs::create_dir_all(folder.join("shop")).unwrap();
    fs::write(folder.join("shop/Dockerfile"), blocks(&page, "dockerfile")).unwrap();
    let tools = root().join("target/tools/bin").display().to_string();
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &blocks(&page, "sh")]).current_dir(&folder);
    shell.env("PATH", format!("{tools}:{}", env::var("PATH").unwrap()));
    shell.env("BASE_IMAGE_TAG", env::var("IMAGE_TAG").unwrap_or_else(|_| "ci".to_owned()));
    // As `lock` tells poetry of an index in PyPI's place.
    let index = fs::read_to_string(root().join("target/tools/index-url")).unwrap_or_default();
    if !index.trim().is_empty() {
        shell.env("POETRY_PYPI_MIRROR_URL", index.trim()).env("PIP_INDEX_URL", index.trim());
    }
    let output = shell.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("{\"orders\":\"1,234,567\"}"), "{out}");
    assert!(out.contains("poetry.lock moves 1 of the image's packages:\n  fastapi  0.118.0, in the image "), "{out}");
    assert!(out.trim_end().ends_with("of them the image's, at its versions"), "{out}");
    drop(gone);
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn start_brings_a_project_s_packages_along() {
    let copy = super::copy::built();
    let project = copy.root.parent().unwrap().join("shop");
    fs::create_dir_all(project.join("shop")).unwrap();
    let example = root().join("images/fastapi-serve/example");
    for file in ["pyproject.toml", "poetry.lock", "shop/__init__.py", "shop/main.py"] {
        fs::copy(example.join(file), project.join(file)).unwrap();
    }
    let tag = format!("{}-development", copy.tag);
    let xtask = |args: &[&str], user: &str| {
        let mut xtask = copy.xtask(args);
        xtask
            .env("ENVIRONMENT", "dev")
            .env("IMAGE_TAG", &tag)
            .env("WORKSPACE", &project)
            .env("APP", "shop.main:app")
            .env("WORKSPACE_USER", user);
        xtask.env("APP_DIR", "/workspace").env("PORT", free_port().to_string()).output().unwrap()
    };
    let [child, base] = ["fastapi-serve", "python-base"].map(|image| copy.reference(image));
    when_we_end(&format!(
        "docker image rm --force {child}-development {base}-development; docker volume rm {}_packages",
        copy.tag
    ));
    // With the helper as it is here.
    assert!(xtask(&["build", "fastapi-serve"], "").status.success());
    let start_as = |user: &str| xtask(&["start", "fastapi-serve"], user);
    let start = || start_as("");
    let started = start();
    let said = stderr(&started);
    assert!(started.status.success() && said.contains("+ humanize=="), "{said}");
    assert!(stderr(&start()).contains("/workspace/poetry.lock is installed"));
    // Another user, who takes away what the first one has installed and used.
    let lock = project.join("poetry.lock");
    fs::rename(&lock, project.join("kept")).unwrap();
    fs::write(project.join("requirements.txt"), "humanize==4.17.0\n").unwrap();
    let other = start_as("1234:1234");
    assert!(other.status.success(), "{}", stderr(&other));
    fs::rename(project.join("kept"), &lock).unwrap();
    // A lock that is older than what it locks.
    let wanted = fs::read_to_string(project.join("pyproject.toml")).unwrap();
    let more = "\n[tool.poetry.group.more.dependencies]\npluggy = \"*\"\n";
    fs::write(project.join("pyproject.toml"), format!("{wanted}{more}")).unwrap();
    let refused = stderr(&start());
    assert!(refused.contains("with exit code 1: pyproject.toml changed significantly since poetry.lock"), "{refused}");
    fs::write(project.join("pyproject.toml"), wanted).unwrap();
    // A module that no lock has.
    fs::write(project.join("shop/main.py"), "import of_no_lock\n").unwrap();
    let failed = stderr(&start());
    assert!(failed.contains("it says `ModuleNotFoundError: No module named 'of_no_lock'`"), "{failed}");
    // A lock that moves a package of the image.
    let moved = "\n[[package]]\nname = \"fastapi\"\nversion = \"0.118.0\"\n";
    let lock = fs::read_to_string(project.join("poetry.lock")).unwrap();
    fs::write(project.join("poetry.lock"), lock + moved).unwrap();
    let refused = stderr(&start());
    assert!(refused.contains("  fastapi  0.118.0, in the image "), "{refused}");
    assert_eq!(copy.containers(), "");
}
