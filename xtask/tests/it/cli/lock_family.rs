//! `lock` across a family: `--update`, `--with-dependents`, `--markdown`, `--json`.

use crate::support::{BASE, NOTEBOOK, Python, Reply, Repo, SERVE, clean};

/// What the base's lock becomes: one package moved, one gone, one new.
const NEW_BASE: Python = Python { packages: &[("certifi", "1"), ("requests", "3")], ..BASE };

const NEW_SERVE: Python =
    Python { pins: NEW_BASE.packages, packages: &[("certifi", "1"), ("fastapi", "1"), ("requests", "3")], ..SERVE };

const NEW_NOTEBOOK: Python = Python {
    pins: NEW_BASE.packages,
    packages: &[("certifi", "1"), ("fastapi", "1"), ("numpy", "1"), ("requests", "3")],
    ..NOTEBOOK
};

/// The clean family, and a poetry that makes these locks, and keeps what it was given as `target/seen-<image>.toml`.
fn poetry_makes(locks: &[Python]) -> Repo {
    let repo = clean();
    for python in locks {
        repo.write(&format!("target/new-{}.lock", python.image), &python.lock());
    }
    let script = "image=${call#*images/.lock-}; image=${image%% *}\n\
                  /bin/cp \"images/.lock-$image/pyproject.toml\" \"target/seen-$image.toml\"\n\
                  [ ! -e \"target/new-$image.lock\" ] || /bin/cp \"target/new-$image.lock\" \"images/.lock-$image/poetry.lock\"\n\
                  exit 0";
    repo.on("poetry *", Reply::does(script));
    repo
}

/// What poetry was called with, one after the other.
fn poetry_calls(repo: &Repo) -> Vec<String> {
    repo.calls().into_iter().filter(|call| call.starts_with("poetry ")).collect()
}

fn poetry(verb: &str, image: &str, packages: &str) -> String {
    format!("poetry {verb} --no-interaction --no-ansi --directory images/.lock-{image}{packages}")
}

#[test]
fn update_of_an_unknown_package_is_an_error() {
    let repo = poetry_makes(&[]);
    let ran = repo.run(&["lock", "python-base", "fastapi-serve", "--update=reqests"]);
    ran.fails(2, &["lock --update=reqests: no such package in python-base, fastapi-serve"]);
}

#[test]
fn update_runs_poetry_update_where_the_package_is_the_images_own() {
    let (base, serve) = ("python-base", "fastapi-serve");
    let (lock, anew, update) = ("lock", "lock --regenerate", "update --lock");
    let cases: [(&[&str], [String; 2]); 7] = [
        (&[base, serve], [poetry(lock, base, ""), poetry(lock, serve, "")]),
        (&["--update", base, serve], [poetry(anew, base, ""), poetry(anew, serve, "")]),
        // The dependents that come along are kept, but for what is the base's.
        (&["--update=requests", base, serve], [poetry(update, base, " requests"), poetry(lock, serve, "")]),
        (&["--update=requests,idna", base, serve], [poetry(update, base, " requests idna"), poetry(lock, serve, "")]),
        (
            &["--update=Requests,FastAPI", base, serve],
            [poetry(update, base, " requests"), poetry(update, serve, " fastapi")],
        ),
        (&["--update=fastapi", base, serve], [poetry(lock, base, ""), poetry(update, serve, " fastapi")]),
        (&["--update=fastapi", serve, base], [poetry(lock, base, ""), poetry(update, serve, " fastapi")]),
    ];
    let repo = poetry_makes(&[]);
    for (args, expected) in cases {
        repo.forget();
        repo.run(&[&["lock", "--jobs", "1"], args].concat()).succeeds();
        assert_eq!(poetry_calls(&repo), expected, "{args:?}");
    }
}

#[test]
fn an_update_of_everything_reaches_every_chosen_image_and_one_of_a_package_those_named() {
    for (update, serve, notebook) in
        [("--update", "lock --regenerate", "lock --regenerate"), ("--update=fastapi", "lock", "lock")]
    {
        let repo = poetry_makes(&[]);
        repo.run(&["lock", update, "--with-dependents", "--jobs", "1", "python-base"]).succeeds();
        let base = if update == "--update" { "lock --regenerate" } else { "lock" };
        let expected =
            [poetry(base, "python-base", ""), poetry(serve, "fastapi-serve", ""), poetry(notebook, "kubeflow-a", "")];
        assert_eq!(poetry_calls(&repo), expected, "{update}");
    }
}

#[test]
fn with_dependents_a_change_flows_through_the_family_and_check_passes() {
    for jobs in ["1", "3"] {
        let repo = poetry_makes(&[NEW_BASE, NEW_SERVE, NEW_NOTEBOOK]);
        let ran = repo.run(&["lock", "--with-dependents", "--jobs", jobs, "python-base"]).succeeds();
        let mut calls = poetry_calls(&repo);
        assert_eq!(calls[0], poetry("lock", "python-base", ""), "the base first");
        calls.sort();
        assert_eq!(calls, ["fastapi-serve", "kubeflow-a", "python-base"].map(|image| poetry("lock", image, "")));
        for image in ["fastapi-serve", "kubeflow-a"] {
            let seen = repo.read(&format!("target/seen-{image}.toml"));
            let pins = seen.split_once("[tool.poetry.group.coupled.dependencies]\n").unwrap().1;
            assert_eq!(pins, "certifi = \"1\"\nrequests = \"3\"\n", "poetry saw the new lock's pins");
            assert_eq!(repo.read(&format!("images/{image}/pyproject.toml")), seen);
            assert!(!repo.has(&format!("images/.lock-{image}")));
        }
        for (image, new) in [("python-base", NEW_BASE), ("fastapi-serve", NEW_SERVE), ("kubeflow-a", NEW_NOTEBOOK)] {
            assert_eq!(repo.read(&format!("images/{image}/poetry.lock")), new.lock());
            let said = format!("{image}: certifi 1 (new), idna 3 (gone), requests 2 → 3\n");
            assert!(ran.stderr.contains(&said), "{}", ran.stderr);
        }
        assert!(!ran.stderr.contains("stale now"), "{}", ran.stderr);
        repo.run(&["check"]).succeeds();
    }
}

#[test]
fn without_dependents_the_stale_ones_are_named_and_left_alone() {
    const SAID: &str = "coupled to what changed, and stale now: ";
    let repo = poetry_makes(&[NEW_BASE, NEW_SERVE]);
    let before = ["fastapi-serve", "kubeflow-a"].map(|image| repo.snapshot(&format!("images/{image}")));
    let ran = repo.run(&["lock", "python-base"]).succeeds();
    assert_eq!(poetry_calls(&repo), [poetry("lock", "python-base", "")]);
    let said = format!("{SAID}fastapi-serve, kubeflow-a (--with-dependents locks them too)\n");
    assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    assert_eq!(before, ["fastapi-serve", "kubeflow-a"].map(|image| repo.snapshot(&format!("images/{image}"))));
    // Only those that were left out, and only after a change.
    BASE.write(&repo);
    let ran = repo.run(&["lock", "python-base", "fastapi-serve"]).succeeds();
    assert!(ran.stderr.contains(&format!("{SAID}kubeflow-a (")), "{}", ran.stderr);
    let ran = repo.run(&["lock", "python-base", "fastapi-serve"]).succeeds();
    assert!(ran.stderr.contains("python-base: no version moved") && !ran.stderr.contains(SAID), "{}", ran.stderr);
}

#[test]
fn with_dependents_reaches_only_images_built_on_the_named() {
    let repo = poetry_makes(&[]);
    repo.run(&["lock", "--with-dependents", "fastapi-serve"]).succeeds();
    assert_eq!(poetry_calls(&repo), [poetry("lock", "fastapi-serve", "")]);
    // Nor to what goes its own way.
    let repo = poetry_makes(&[]);
    repo.edit(
        "images/kubeflow-a/pyproject.toml",
        "[project]",
        "[tool.core-images.exceptions]\n\"*\" = \"frozen\"\n\n[project]",
    );
    repo.run(&["lock", "--with-dependents", "python-base"]).succeeds();
    assert_eq!(poetry_calls(&repo), ["python-base", "fastapi-serve"].map(|image| poetry("lock", image, "")));
}

#[test]
fn markdown_is_a_table_on_standard_output() {
    let repo = poetry_makes(&[NEW_BASE, NEW_SERVE]);
    let ran = repo.run(&["lock", "--markdown", "python-base", "fastapi-serve", "kubeflow-a"]);
    // A dependent whose lock didn't move has no row.
    let rows = |image: &str| {
        format!(
            "| `{image}` | `certifi` | – | 1 |\n| `{image}` | `idna` | 3 | – |\n| `{image}` | `requests` | 2 | 3 |\n"
        )
    };
    let head = "| image | package | before | after |\n|---|---|---|---|\n";
    assert_eq!(ran.succeeds().stdout, [head, &rows("python-base"), &rows("fastapi-serve")].concat());
    let again = repo.run(&["lock", "--markdown", "python-base"]).succeeds();
    assert_eq!(again.stdout, head);
    // A table of what, or for whom?
    for other in ["--json", "--check"] {
        let ran = repo.run(&["lock", "--markdown", other, "python-base"]);
        assert!(ran.code == 2 && ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
    }
}

#[test]
fn json_is_an_array_on_standard_output() {
    let repo = poetry_makes(&[NEW_BASE]);
    let ran = repo.run(&["lock", "--json", "python-base", "fastapi-serve"]).succeeds();
    let expected = r#"[
  {
    "image": "python-base",
    "moves": [
      {
        "after": "1",
        "before": null,
        "package": "certifi"
      },
      {
        "after": null,
        "before": "3",
        "package": "idna"
      },
      {
        "after": "3",
        "before": "2",
        "package": "requests"
      }
    ]
  },
  {
    "image": "fastapi-serve",
    "moves": []
  }
]
"#;
    assert_eq!(ran.stdout, expected);
    assert!(!ran.stderr.contains("requests 2 → 3"), "said once: {}", ran.stderr);
}

#[test]
fn nothing_is_locked_under_a_base_that_fails() {
    for jobs in ["1", "3"] {
        let repo = poetry_makes(&[NEW_BASE, NEW_SERVE, NEW_NOTEBOOK]);
        repo.on("poetry * images/.lock-python-base", Reply::fails(1, "version solving failed"));
        let before = repo.snapshot("images");
        repo.run(&["lock", "--with-dependents", "--jobs", jobs, "python-base"]).fails(1, &["python-base"]);
        assert_eq!(poetry_calls(&repo), [poetry("lock", "python-base", "")]);
        assert_eq!(repo.snapshot("images"), before);
    }
    // A child that fails leaves the whole family as it was: half of it at the new version would fit nobody.
    let repo = poetry_makes(&[NEW_BASE, NEW_SERVE, NEW_NOTEBOOK]);
    repo.on("poetry * images/.lock-fastapi-serve", Reply::fails(1, "version solving failed"));
    let before = repo.snapshot("images");
    repo.run(&["lock", "--with-dependents", "python-base"]).fails(1, &["fastapi-serve"]);
    assert_eq!(repo.snapshot("images"), before);
}

#[test]
fn what_failed_and_what_was_not_run_are_named() {
    let repo = poetry_makes(&[NEW_BASE]);
    repo.on("poetry * images/.lock-python-base", Reply::fails(1, "version solving failed"));
    let ran = repo.run(&["lock", "--with-dependents", "python-base"]).fails(1, &["lock python-base"]);
    let note = "no lock was changed, of any image; failed: python-base; not run: fastapi-serve and kubeflow-a\n";
    assert!(ran.stderr.contains(note), "{}", ran.stderr);
}

#[test]
fn a_run_that_was_killed_between_two_files_is_finished_by_the_next() {
    // Killed after the first rename: the base's lock is new, everything else waits beside its image.
    let killed = || {
        let repo = poetry_makes(&[]);
        repo.write("images/python-base/poetry.lock", &NEW_BASE.lock());
        repo.write("images/.lock-python-base/pyproject.toml", &BASE.pyproject());
        repo.write("images/.lock-fastapi-serve/pyproject.toml", &NEW_SERVE.pyproject());
        repo.write("images/.lock-fastapi-serve/poetry.lock", &NEW_SERVE.lock());
        let replaced = ["python-base/poetry.lock", "fastapi-serve/poetry.lock", "fastapi-serve/pyproject.toml"];
        repo.write("target/lock/python-base", &replaced.map(|file| format!("images/{file}")).join(":"));
        repo
    };
    for image in ["python-base", "fastapi-serve"] {
        let repo = killed();
        let ran = repo.run(&["lock", image]).succeeds();
        assert!(ran.stderr.contains("a lock that was cut off is finished first"), "{}", ran.stderr);
        assert_eq!(repo.read("images/fastapi-serve/poetry.lock"), NEW_SERVE.lock());
        assert_eq!(repo.read("images/fastapi-serve/pyproject.toml"), NEW_SERVE.pyproject());
        assert!(!repo.has("target/lock/python-base"));
        assert!(!repo.has("images/.lock-python-base") && !repo.has("images/.lock-fastapi-serve"));
    }
    // Another image's run leaves it alone.
    let repo = killed();
    repo.run(&["lock", "kubeflow-a"]).succeeds();
    assert!(repo.has("target/lock/python-base"));
}
