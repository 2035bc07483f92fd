//! What holds for every clone of this repository.

use std::{env, fs, path::Path, process::Command};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A Dockerfile or script with CRLF breaks in a container, and `check` compares generated files byte by byte.
#[test]
fn text_has_lf_in_every_clone_whatever_core_autocrlf_says() {
    let mut git = Command::new("git");
    // CI may run as another user than the clone's owner.
    git.args(["-c", "safe.directory=*", "ls-files", "--eol"]).current_dir(root());
    let output = git.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    // A symbolic link has no line ends; the target has its own line here.
    let files: Vec<_> = listed.lines().filter(|line| !line.starts_with("i/ ")).collect();
    assert!(files.iter().any(|file| file.ends_with("\timages/python-base/Dockerfile")), "{listed}");
    for file in files {
        let is_binary = file.starts_with("i/-text ");
        let is_lf = ["i/lf ", "i/none "].iter().any(|start| file.starts_with(start)) && file.contains(" eol=lf ");
        assert!(is_binary || is_lf, "{file}: .gitattributes must say eol=lf, and the commit have LF");
    }
}

#[test]
fn ci_runs_the_oldest_rust_that_cargo_toml_promises() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml_edit::DocumentMut = manifest.parse().unwrap();
    let promised = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    let workflow = fs::read_to_string(root().join(".github/workflows/ci.yml")).unwrap();
    assert!(workflow.contains(&format!("\n      RUSTUP_TOOLCHAIN: \"{promised}\"\n")), "ci.yml doesn't run {promised}");
}

/// The verbs that `--json` is for stand in the help of each verb, and in the README.
#[test]
fn help_and_readme_name_the_same_verbs_for_json() {
    let help = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["help", "list"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap().replace('`', "");
    let between = |text: &str, begin: &str| {
        let (_, rest) = text.split_once(begin).unwrap();
        rest.split_once(", and every").unwrap().0.to_owned()
    };
    assert_eq!(between(&help, "Print JSON on standard output ("), between(&readme, "--json prints for scripts: "));
}

/// Of a path with a part that varies, `images/<image>/tests`, the part before.
fn fixed(path: &str) -> &str {
    path.split(['<', '*', '#']).next().unwrap_or_default()
}

#[test]
fn the_documents_name_files_that_there_are() {
    for document in
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/day.md", "docs/project.md"]
    {
        let path_of_page = root().join(document);
        let text = fs::read_to_string(&path_of_page).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let links = links.filter(|link| !link.contains("://"));
        let named = text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("xtask/") && !code.contains(' '));
        for path in links.chain(named.filter(|_| document == "CONTRIBUTING.md")) {
            // A link is seen from its page, a name from the root.
            let seen_from = if path.starts_with("xtask/") { root() } else { path_of_page.parent().unwrap() };
            assert!(seen_from.join(fixed(path)).exists(), "{document}: {path} isn't there");
        }
    }
}

/// A filter that selects nothing passes.
#[test]
fn the_tests_that_contributing_md_names_are_there() {
    let page = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let commands = page.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("cargo test --test it -- "));
    let filters: Vec<_> =
        commands.filter_map(|args| args.split(' ').find(|argument| !argument.starts_with("--"))).collect();
    assert!(filters.len() > 1, "{filters:?}");
    for filter in filters {
        let listed = Command::new(env::current_exe().unwrap()).args(["--list", filter]).output().unwrap();
        assert!(String::from_utf8_lossy(&listed.stdout).contains(": test\n"), "CONTRIBUTING.md: no test is {filter}");
    }
}

#[test]
fn the_page_of_a_project_shows_the_dockerfile_of_the_example() {
    let page = fs::read_to_string(root().join("docs/project.md")).unwrap();
    let example = fs::read_to_string(root().join("images/fastapi-serve/example/Dockerfile")).unwrap();
    assert!(
        page.contains(&format!("\n```dockerfile\n{example}```\n")),
        "copy images/fastapi-serve/example/Dockerfile there"
    );
}

/// People copy it from an image's page into a project on another image.
#[test]
fn the_examples_install_a_lock_by_the_same_lines() {
    let folders = fs::read_dir(root().join("images")).unwrap();
    let examples =
        folders.filter_map(|folder| fs::read_to_string(folder.unwrap().path().join("example/Dockerfile")).ok());
    // Up to where the packages go, which a second stage decides.
    let steps: Vec<_> = examples
        .filter_map(|text| {
            let (_, from) = text.split_once("\nRUN --mount=type=bind,source=requirements.txt")?;
            Some(from.split_once("--require-hashes").unwrap().0.to_owned())
        })
        .collect();
    assert!(steps.len() > 1 && steps.iter().all(|step| *step == steps[0]), "{steps:#?}");
}

/// Each command of the documents for a shell, less its comment; what sets variables comes before, in the same block.
fn commands(page: &str) -> Vec<String> {
    let blocks = page.split("\n```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let lines = blocks.flat_map(|block| {
        let mut exports = String::new();
        let lines = block.lines().map(|line| line.split(" #").next().unwrap_or(line).trim());
        let commands = lines.filter_map(|line| {
            if line.starts_with("export ") {
                exports = format!("{exports}{line}; ");
            }
            let is_ours = line.contains("cargo xtask ") && !line.starts_with("source ");
            is_ours.then(|| format!("{exports}{line}"))
        });
        commands.collect::<Vec<_>>()
    });
    lines.collect()
}

#[test]
fn the_documents_commands_are_ones_that_there_are() {
    for document in ["README.md", "docs/day.md"] {
        let page = fs::read_to_string(root().join(document)).unwrap();
        let commands = commands(&page);
        assert!(commands.len() > 15, "{document}: {commands:?}");
        for command in commands {
            // A clone of a single branch has no other.
            let command = command.replace(" main", " HEAD");
            let script = format!("cargo() {{ shift; \"$XTASK\" --dry-run \"$@\"; }}\n{command}");
            let mut shell = Command::new("bash");
            shell.args(["-euc", &script]).current_dir(root()).env("XTASK", env!("CARGO_BIN_EXE_xtask"));
            let output = shell.output().unwrap();
            assert!(output.status.success(), "{document}: {command}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
