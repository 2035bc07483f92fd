//! `lock`: what poetry is asked, and what becomes of the files.

use crate::support::{OLD_LOCK, Reply, Repo, SECRET, dev, new_lock};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

#[test]
fn lock_resolves_beside_the_folder_and_then_replaces() {
    let repo = Repo::new();
    repo.on("poetry lock *", Reply::does("/bin/cp target/new.lock images/.lock-python-base/poetry.lock; exit 0"));
    let ran = repo.run(&["lock", "python-base"]).succeeds();
    let poetry = "poetry lock --no-interaction --no-ansi --directory images/.lock-python-base";
    assert_eq!(repo.calls(), ["python3.13 --version", poetry]);
    assert_eq!(repo.all_calls()[1].var("POETRY_VIRTUALENVS_PATH"), Some("target/poetry"));
    assert_eq!(repo.read("images/python-base/poetry.lock"), new_lock());
    assert!(!repo.has("images/.lock-python-base"));
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("python-base: requests 1 → 2"), "{}", ran.stderr);
}

#[test]
fn lock_says_that_nothing_changed() {
    let repo = Repo::new();
    let ran = repo.run(&["lock", "python-base"]).succeeds();
    assert!(ran.stderr.contains("python-base: no version moved"), "{}", ran.stderr);
    assert_eq!(repo.read("images/python-base/poetry.lock"), OLD_LOCK);
}

#[test]
fn lock_takes_the_helper_where_the_host_has_no_fitting_python() {
    for missing in ["python3.13", "poetry"] {
        let repo = Repo::new();
        repo.uninstall(&[missing]);
        let running = repo.xtask(&["lock", "python-base"]).start();
        let pid = running.pid();
        running.finish().succeeds();
        let user = format!("{}:{}", nix::unistd::getuid(), nix::unistd::getgid());
        let helper = format!(
            "run --rm --build --no-TTY --no-deps --user {user} --name build-tools-python-base-{pid} build-tools \
             lock --no-interaction --no-ansi --directory /images/.lock-python-base"
        );
        assert_eq!(repo.calls(), [dev(&helper)], "without {missing}");
    }
}

#[test]
fn lock_check_compares_only() {
    let repo = Repo::new();
    let before = repo.snapshot("images");
    repo.run(&["lock", "--check", "python-base", "kubeflow-a", "--jobs", "1"]).succeeds();
    let check = |image| format!("poetry check --lock --no-interaction --no-ansi --directory images/{image}");
    let python = "python3.13 --version".to_owned();
    assert_eq!(repo.calls(), [python.clone(), check("python-base"), python, check("kubeflow-a")]);
    assert_eq!(repo.snapshot("images"), before);
}

#[test]
fn lock_check_fails_on_a_stale_lock_and_names_the_command_that_helps() {
    let repo = Repo::new();
    repo.on("poetry check *", Reply::fails(1, "Error: pyproject.toml changed significantly since poetry.lock"));
    let ran = repo.run(&["lock", "--check", "python-base"]).fails(1, &["changed significantly"]);
    assert!(ran.help().contains("cargo xtask lock python-base"), "{}", ran.stderr);
    fs::remove_file(repo.root.join("images/python-base/poetry.lock")).unwrap();
    let ran = repo.run(&["lock", "--check", "python-base"]).fails(65, &["no images/python-base/poetry.lock"]);
    assert!(ran.help().contains("cargo xtask lock python-base"), "{}", ran.stderr);
}

#[test]
fn lock_skips_an_image_without_pyproject() {
    let repo = Repo::new();
    let ran = repo.run(&["lock", "kubeflow-b"]).succeeds();
    assert!(ran.stderr.contains("kubeflow-b: no images/kubeflow-b/pyproject.toml, nothing to lock"));
    assert_eq!(repo.calls(), [""; 0]);
}

#[test]
fn lock_passes_pips_index_to_poetry_and_never_shows_it() {
    let repo = Repo::new();
    let url = format!("https://user:{SECRET}@index.example/simple");
    let ran = repo.xtask(&["lock", "python-base"]).env("PIP_INDEX_URL", &url).run().succeeds();
    let poetry = repo.all_calls().into_iter().find(|call| call.program == "poetry").unwrap();
    assert!(poetry.env.contains("POETRY_PYPI_MIRROR_URL="), "{}", poetry.env);
    assert!(ran.stderr.contains("POETRY_PYPI_MIRROR_URL=\"$PIP_INDEX_URL\" "), "{}", ran.stderr);
    assert!(!ran.stderr.contains("p4ss") && !poetry.line().contains("p4ss"), "{}", ran.stderr);
}

#[test]
fn lock_conflict_names_both_sides_and_leaves_the_old_lock() {
    let repo = Repo::new();
    let words = "Because a depends on b (1)\n and c depends on b (2), a is incompatible with c.\nSo, because python-base \
                 depends on both a (7)\n and c (8), version solving failed.";
    let script = format!("printf half >images/.lock-python-base/poetry.lock; printf '%s\\n' '{words}' >&2; exit 1");
    repo.on("poetry lock *", Reply::does(&script));
    let before = repo.snapshot("images");
    let ran = repo.run(&["lock", "python-base"]).fails(1, &["So, because python-base depends on both a (7) and c (8)"]);
    assert!(ran.help().contains("pyproject.toml"), "{}", ran.stderr);
    assert_eq!(repo.snapshot("images"), before);
    assert!(!repo.has("images/.lock-python-base"));
}

#[test]
fn a_lock_that_fails_leaves_the_others_locked() {
    let repo = Repo::new();
    repo.on("poetry lock *", Reply::does("/bin/cp target/new.lock \"${call##* }/poetry.lock\"; exit 0"));
    repo.on("poetry lock * images/.lock-python-base", Reply::fails(1, "version solving failed"));
    repo.run(&["lock", "--all", "--jobs", "1"]).fails(1, &["python-base"]);
    assert_eq!(repo.read("images/python-base/poetry.lock"), OLD_LOCK);
    assert_eq!(repo.read("images/fastapi-serve/poetry.lock"), OLD_LOCK, "it is coupled to what failed");
}

#[test]
fn a_poetry_that_is_killed_half_way_changes_nothing() {
    let repo = Repo::new();
    repo.on("poetry lock *", Reply::does("printf '[[pack' >images/.lock-fastapi-serve/poetry.lock; kill -9 $$"));
    let before = repo.snapshot("images");
    repo.run(&["lock", "fastapi-serve"]).fails(137, &["exit code 137"]);
    assert_eq!(repo.snapshot("images"), before);
}

#[test]
fn lock_leaves_a_read_only_file_alone() {
    let repo = Repo::new();
    let lock = repo.root.join("images/python-base/poetry.lock");
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o444)).unwrap();
    let ran = repo.run(&["lock", "python-base"]).fails(65, &["images/python-base/poetry.lock is read-only"]);
    assert!(ran.help().contains("chmod u+w"), "{}", ran.stderr);
    assert_eq!(repo.calls(), [""; 0]);
}

#[test]
fn a_base_with_a_broken_lock_is_named_before_poetry_runs() {
    let conflicted = format!("<<<<<<< HEAD\n{OLD_LOCK}");
    for (content, expected) in [
        (None, "reading images/python-base/poetry.lock, whose versions are to be kept to"),
        (Some(conflicted.as_str()), "images/python-base/poetry.lock:1: an unresolved merge conflict"),
        (
            Some(OLD_LOCK.split("[metadata]").next().unwrap()),
            "no [metadata] with lock-version and content-hash: cut off",
        ),
        (Some(&OLD_LOCK.replace("2.1", "3.0")), "its format is 3.0, ours 2.1"),
    ] {
        let repo = Repo::new();
        let lock = repo.root.join("images/python-base/poetry.lock");
        match content {
            None => fs::remove_file(lock).unwrap(),
            Some(text) => fs::write(lock, text).unwrap(),
        }
        let before = repo.snapshot("images");
        let ran = repo.run(&["lock", "fastapi-serve"]).fails(65, &[expected]);
        assert!(ran.help().contains("cargo xtask lock python-base"), "{}", ran.stderr);
        assert_eq!(repo.calls(), [""; 0]);
        assert_eq!(repo.snapshot("images"), before);
    }
}

#[test]
fn lock_fails_where_it_may_not_write() {
    let obstacles: [fn(&Path); 2] = [
        |folder| fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap(),
        // For root, whom permissions don't stop.
        |folder| symlink("/nonexistent/folder", folder.join(".lock-python-base")).unwrap(),
    ];
    for obstacle in obstacles {
        let repo = Repo::new();
        let folder = repo.root.join("images");
        obstacle(&folder);
        if fs::write(folder.join("probe"), "").is_ok() && !repo.has("images/.lock-python-base") {
            continue;
        }
        let ran = repo.run(&["lock", "python-base"]);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        ran.fails(74, &["images/.lock-python-base"]);
        assert_eq!(repo.read("images/python-base/poetry.lock"), OLD_LOCK);
        assert_eq!(repo.calls(), [""; 0]);
    }
}

#[test]
fn a_password_in_the_index_url_is_masked_in_what_tools_print() {
    let repo = Repo::new();
    repo.on("poetry lock *", Reply::fails(1, "All attempts to connect to user:p4ss@index.example failed."));
    let ran = repo.xtask(&["lock", "python-base"]).env("PIP_INDEX_URL", "https://user:p4ss@index.example/simple").run();
    let ran = ran.fails(1, &["All attempts to connect to ***@index.example failed."]);
    assert!(!ran.stderr.contains("p4ss"), "{}", ran.stderr);
}

#[test]
fn an_edit_of_pyproject_while_poetry_runs_is_kept() {
    let repo = Repo::new();
    let script = "echo '# mine' >>images/fastapi-serve/pyproject.toml; /bin/cp target/new.lock \"${call##* }/poetry.lock\"; exit 0";
    repo.on("poetry lock *", Reply::does(script));
    repo.run(&["lock", "fastapi-serve"]).succeeds();
    let text = repo.read("images/fastapi-serve/pyproject.toml");
    assert!(text.contains("# mine") && text.contains("requests = \"1\""), "{text}");
}

#[test]
fn a_lock_with_merge_markers_is_made_from_scratch() {
    let repo = Repo::new();
    repo.write("images/python-base/poetry.lock", &format!("{OLD_LOCK}<<<<<<< HEAD\n=======\n>>>>>>> x\n"));
    let script = "[ ! -e images/.lock-python-base/poetry.lock ] && /bin/cp target/new.lock images/.lock-python-base/poetry.lock; exit $?";
    repo.on("poetry lock *", Reply::does(script));
    let ran = repo.run(&["lock", "python-base"]).succeeds();
    assert!(ran.stderr.contains("an unresolved merge conflict; it is made again from scratch"), "{}", ran.stderr);
    assert_eq!(repo.read("images/python-base/poetry.lock"), new_lock());
}

#[test]
fn poetry_finds_the_files_that_are_depended_on() {
    let repo = Repo::new();
    let dependency = "[tool.poetry.dependencies]\na = {path = \"vendor/a.whl\"}\nb = {path = \"../shared/b.whl\"}\n";
    let pyproject = repo.read("images/python-base/pyproject.toml");
    repo.write("images/python-base/pyproject.toml", &format!("{pyproject}{dependency}"));
    for file in ["images/python-base/vendor/a.whl", "images/python-base/poetry.toml", "images/shared/b.whl"] {
        repo.write(file, "");
    }
    let script = "cd \"${call##* }\" && [ -e vendor/a.whl ] && [ -e ../shared/b.whl ] && [ -e poetry.toml ]; exit $?";
    repo.on("poetry lock *", Reply::does(script));
    repo.run(&["lock", "python-base"]).succeeds();
}

#[test]
fn a_new_lock_is_as_readable_as_the_old_one() {
    let repo = Repo::new();
    let script =
        "umask 077; new=images/.lock-python-base/poetry.lock; /bin/rm $new; /bin/cat target/new.lock >$new; exit 0";
    repo.on("poetry lock *", Reply::does(script));
    repo.run(&["lock", "python-base"]).succeeds();
    let lock = repo.root.join("images/python-base/poetry.lock");
    assert_eq!(fs::read_to_string(&lock).unwrap(), new_lock());
    assert_eq!(fs::metadata(lock).unwrap().permissions().mode() & 0o044, 0o044);
}

#[test]
fn a_dry_run_of_couple_writes_nothing() {
    let repo = Repo::new();
    let (base, child) = ("images/python-base/poetry.lock", "images/fastapi-serve/pyproject.toml");
    let before = repo.read(child);
    let ran = repo.run(&["couple", base, child, "--dry-run"]).succeeds();
    assert_eq!(ran.stdout, format!("cargo xtask couple {base} {child}\n"));
    assert_eq!(repo.read(child), before);
    repo.run(&["couple", base, child]).succeeds();
    assert!(repo.read(child).contains("requests = \"1\""), "{}", repo.read(child));
}
