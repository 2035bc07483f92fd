//! What is generated, and the workflows.

use super::{STALE_README, each};
use crate::support::{BASE, Python, SERVE, WORKFLOW, append, clean, remove};

#[test]
fn a_workflow_runs_one_plain_command() {
    const WHAT: &str = "runs something other than one plain `cargo xtask …` or `git …`: make it a verb";
    each(&[
        (
            "another tool",
            |repo| append(repo, WORKFLOW, "      - run: pip install x\n"),
            &[(WORKFLOW, "      - run: pip", WHAT)],
        ),
        (
            "another verb of cargo, under a name",
            |repo| append(repo, WORKFLOW, "      - name: x\n        run: cargo test\n"),
            &[(WORKFLOW, "        run: cargo test", WHAT)],
        ),
        (
            "a script",
            |repo| append(repo, WORKFLOW, "      - run: |\n          cargo xtask ci\n"),
            &[(WORKFLOW, "      - run: |", WHAT)],
        ),
        (
            "a variable in a shell",
            |repo| append(repo, WORKFLOW, "      - run: git checkout ${{ github.head_ref }}\n"),
            &[(WORKFLOW, "      - run: git checkout", WHAT)],
        ),
        (
            "a second workflow",
            |repo| repo.write(".github/workflows/a.yml", "steps:\n  - run: make\n"),
            &[(".github/workflows/a.yml", "  - run: make", WHAT)],
        ),
    ]);
    let repo = clean();
    append(&repo, WORKFLOW, "      - run: git -c credential.helper='!gh auth git-credential' push origin HEAD\n");
    repo.run(&["check"]).succeeds();
}

#[test]
fn a_workflows_actions_are_pinned_by_commit() {
    const WHAT: &str =
        "a tag can be moved to other code: pin the action, `uses: OWNER/NAME@<40-digit commit> # <version>`";
    each(&[
        (
            "a tag",
            |repo| append(repo, WORKFLOW, "      - uses: actions/cache@v4\n"),
            &[(WORKFLOW, "      - uses: actions/cache", WHAT)],
        ),
        (
            "no version, under a name",
            |repo| {
                let uses = "uses: actions/cache@3d3c42e5aac5ba805825da76410c181273ba90b1";
                append(repo, WORKFLOW, &format!("      - name: x\n        {uses}\n"));
            },
            &[(WORKFLOW, "        uses: actions/cache", WHAT)],
        ),
        (
            "a short commit",
            |repo| append(repo, WORKFLOW, "      - uses: actions/cache@3d3c42e # v4.2.0\n"),
            &[(WORKFLOW, "      - uses: actions/cache", WHAT)],
        ),
        (
            "a branch as long as a commit",
            |repo| {
                append(
                    repo,
                    WORKFLOW,
                    "      - uses: actions/cache@main-main-main-main-main-main-main-main- # v4.2.0\n",
                );
            },
            &[(WORKFLOW, "      - uses: actions/cache", WHAT)],
        ),
    ]);
    let repo = clean();
    append(&repo, WORKFLOW, "      - uses: ./.github/actions/ours\n");
    repo.run(&["check"]).succeeds();
}

#[test]
fn the_readmes_generated_parts_are_fresh() {
    each(&[
        ("graph", |repo| repo.edit("README.md", "flowchart LR", "flowchart TD"), &[STALE_README]),
        ("images", |repo| repo.edit("README.md", "| The kubeflow-a image |", "| Mine |"), &[STALE_README]),
        ("variables", |repo| repo.edit("README.md", "`IMAGE_TAG`", "`TAG`"), &[STALE_README]),
        (
            "no begin",
            |repo| repo.edit("README.md", "<!-- begin images -->", ""),
            &[("README.md", "", "no mark '<!-- begin images -->'")],
        ),
        (
            "no end",
            |repo| repo.edit("README.md", "<!-- end variables -->", ""),
            &[("README.md", "", "no mark '<!-- end variables -->'")],
        ),
    ]);
    // Between the marks alone, and once.
    let repo = clean();
    let fresh = repo.read("README.md");
    repo.edit("README.md", "The kubeflow-a image", "Mine");
    repo.edit("README.md", "`IMAGE_TAG`", "`TAG`");
    for said in ["README.md: generated parts written again\n", ""] {
        assert_eq!(repo.run(&["check", "--write"]).succeeds().stderr, said);
        assert_eq!(repo.read("README.md"), fresh);
    }
    repo.edit("README.md", "Between.", "My own words.");
    let before = repo.snapshot(".");
    repo.run(&["check", "--write"]).succeeds();
    assert_eq!(repo.snapshot("."), before);
    assert!(fresh.starts_with("# A family\n") && fresh.ends_with("\nThe end.\n"), "{fresh}");
}

#[test]
fn what_else_is_generated_is_fresh() {
    const README: &str = "images/fastapi-serve/README.md";
    const BOT: &str = ".github/dependabot.yml";
    each(&[
        ("versions", |repo| repo.edit(README, "| package | version |", "| mine |"), &[(README, "", STALE_README.2)]),
        (
            "an example that moved on",
            |repo| append(repo, "images/fastapi-serve/example/Dockerfile", "USER 1000\n"),
            &[(README, "", STALE_README.2)],
        ),
        (
            "no example",
            |repo| remove(repo, "images/fastapi-serve/example"),
            &[(README, "", "images/fastapi-serve/example/Dockerfile: no such file")],
        ),
        (
            "no mark",
            |repo| repo.edit(README, "<!-- begin versions -->", ""),
            &[(README, "", "no mark '<!-- begin versions -->'")],
        ),
        ("a bot's own words", |repo| repo.edit(BOT, "monthly", "daily"), &[(BOT, "", STALE_README.2)]),
        (
            "a folder with requirements",
            |repo| repo.write("xtask/more/requirements.in", "x\n"),
            &[(BOT, "", STALE_README.2)],
        ),
    ]);
    let repo = clean();
    remove(&repo, BOT);
    repo.run(&["check", "--write"]).succeeds();
    let bot = repo.read(BOT);
    for folder in ["/images/python-base", "/images/fastapi-serve", "/"] {
        assert!(bot.contains(&format!("      - {folder}\n")), "{bot}");
    }
    // A direct dependency with its version, and the example, between the marks.
    Python { pins: BASE.packages, ..SERVE }.write(&repo);
    repo.edit(
        "images/fastapi-serve/pyproject.toml",
        "requires-python",
        "dependencies = [\"FastAPI >=1\"]\nrequires-python",
    );
    // The page is written although the lock is stale.
    repo.run(&["check", "--write"]).fails(65, &["check: 1 fault found"]);
    let readme = repo.read(README);
    assert!(readme.contains("| fastapi | 1 |") && !readme.contains("| idna |"), "{readme}");
    assert!(readme.contains("```dockerfile\nFROM r.io/fastapi-serve:latest\n```\n<!-- end example -->"), "{readme}");
}
