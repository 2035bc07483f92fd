use crate::testing::{self, Family, expect_plan, lock};
use plan::{Action, Inputs, compute::Input};
use project::files::{Entry, File};
use std::{path::Path, time::SystemTime};

fn family() -> Family {
    let coupled = "[project]\nname = \"fastapi-serve\"\nrequires-python = \">=3.13,<3.14\"\n";
    testing::family().file("images/fastapi-serve/pyproject.toml", coupled)
}

#[test]
fn one_image_without_a_base_needs_no_journal() {
    expect_plan!("lock", family().outline(&["lock", "python-base"]));
}

#[test]
fn all_are_resolved_before_any_file_is_replaced() {
    expect_plan!("lock_all", family().outline(&["lock", "--all"]));
    expect_plan!("lock_with_dependents", family().outline(&["lock", "python-base", "--with-dependents"]));
}

#[test]
fn check_only_compares() {
    expect_plan!("lock_check", family().outline(&["lock", "--check", "--all"]));
}

#[test]
fn a_child_alone_keeps_to_the_lock_that_its_base_has() {
    let outline = family().outline(&["lock", "fastapi-serve"]);
    let couple = "cargo xtask couple images/python-base/poetry.lock images/.lock-fastapi-serve/pyproject.toml";
    assert!(outline.contains(couple), "{outline}");
}

#[test]
fn updates_are_poetrys_where_a_package_is_the_images_own() {
    let family = family();
    let asked = |args: &[&str]| -> Vec<String> {
        let outline = family.outline(&[&["lock"], args].concat());
        let calls = outline.lines().filter_map(|line| line.split_once("; then ")?.1.split_once(" poetry "));
        calls.map(|(_, call)| call.split(';').next().unwrap_or_default().to_owned()).collect()
    };
    let call = |verb: &str, packages: &str| {
        format!("{verb} --no-interaction --no-ansi --directory images/.lock-python-base{packages}")
    };
    assert_eq!(asked(&["python-base"]), [call("lock", "")]);
    assert_eq!(asked(&["python-base", "--update"]), [call("lock --regenerate", "")]);
    assert_eq!(asked(&["python-base", "--update=Requests"]), [call("update --lock", " requests")]);
    let fault = family.fault(&["lock", "python-base", "--update=reqests"]);
    assert_eq!(fault.what, "lock --update=reqests: no such package in python-base");
}

#[test]
fn a_lock_that_cannot_be_read_is_made_from_scratch() {
    let markers = format!("{}<<<<<<< HEAD\n=======\n>>>>>>> x\n", lock(&[("requests", "1")]));
    let plan = family().file("images/python-base/poetry.lock", &markers).plan(&["lock", "python-base"]).unwrap();
    let Action::Stage { from, .. } = &plan.steps[0].action else { panic!("{}", plan.outline()) };
    assert_eq!(*from, ["images/python-base/pyproject.toml"].map(std::path::PathBuf::from));
    let note = &plan.notes[0].text;
    assert!(note.starts_with("python-base: reading images/python-base/poetry.lock:10: an unresolved merge"), "{note}");
    assert!(note.ends_with("; it is made again from scratch"), "{note}");
    // And a package of it can't be a typo.
    assert!(
        family().file("images/python-base/poetry.lock", &markers).plan(&["lock", "python-base", "--update=x"]).is_ok()
    );
}

#[test]
fn a_lock_of_an_older_poetry_keeps_its_versions() {
    let old = lock(&[("requests", "1")]).replace("2.1", "1.1");
    let plan = family().file("images/python-base/poetry.lock", &old).plan(&["lock", "python-base"]).unwrap();
    let Action::Stage { from, .. } = &plan.steps[0].action else { panic!("{}", plan.outline()) };
    assert!(from.contains(&"images/python-base/poetry.lock".into()) && plan.notes.is_empty(), "{from:?}");
}

#[test]
fn settings_of_poetry_are_staged() {
    let outline = family().file("images/python-base/poetry.toml", "[virtualenvs]\n").outline(&["lock", "python-base"]);
    let stage =
        "cp -r images/python-base/pyproject.toml images/python-base/poetry.lock images/python-base/poetry.toml ";
    assert!(outline.contains(stage), "{outline}");
}

#[test]
fn files_that_are_depended_on_are_staged_and_nothing_else() {
    let pyproject = "[project]\nname = \"x\"\nrequires-python = \">=3.13\"\n[tool.poetry.dependencies]\n\
                     a = {path = \"vendor/a.whl\"}\nb = {path = \"../shared/b\"}\nc = {path = \"missing/c\"}\n";
    let family = family().file("images/python-base/pyproject.toml", pyproject);
    let family = family.file("images/python-base/vendor/a.whl", "").file("images/python-base/data/big", "");
    let plan = family.plan(&["lock", "python-base"]).unwrap();
    let Action::Stage { from, to } = &plan.steps[0].action else { panic!("{}", plan.outline()) };
    let expected = ["pyproject.toml", "poetry.lock", "vendor"];
    assert_eq!(*from, expected.map(|file| Path::new("images/python-base").join(file)));
    // Beside the image's folder, where `../shared` is the same.
    assert_eq!(to.to_str(), Some("images/.lock-python-base"));
}

#[test]
fn where_packages_are_looked_up() {
    let poetry = |family: &Family| family.outline(&["lock", "python-base"]);
    assert!(!poetry(&family()).contains("POETRY_PYPI_MIRROR_URL"));
    let noted = family().file("target/tools/index-url", "https://user:secret@index.example/simple");
    assert!(poetry(&noted).contains("POETRY_PYPI_MIRROR_URL=\"$(cat target/tools/index-url)\" poetry lock"));
    // setup noted nothing: the index has a credential, which is in pip's configuration alone.
    let secret = family().file("target/tools/poetry/requirements.txt", "poetry==2\n");
    let asked =
        "POETRY_PYPI_MIRROR_URL=\"$(target/tools/poetry/bin/python -m pip config get global.index-url)\" poetry lock";
    assert!(poetry(&secret).contains(asked), "{}", poetry(&secret));
    let mut pip = noted;
    pip.process.insert("PIP_INDEX_URL".to_owned(), "https://pip.example/simple".to_owned());
    assert!(poetry(&pip).contains("POETRY_PYPI_MIRROR_URL=\"$PIP_INDEX_URL\" poetry lock"));
    pip.process.insert("POETRY_PYPI_MIRROR_URL".to_owned(), "https://own.example/simple".to_owned());
    assert!(!poetry(&pip).contains("POETRY_PYPI_MIRROR_URL"));
}

#[test]
fn the_helper_runs_poetry_where_the_host_has_none() {
    let outline = family().with(|facts| drop(facts.programs.remove("poetry"))).outline(&["lock", "python-base"]);
    let helper = "    docker compose --file docker-compose.dev.yaml --project-directory . run --rm --build --no-TTY \
                  --no-deps --user 1000:1000 --name build-tools-python-base-7 build-tools lock --no-interaction \
                  --no-ansi --directory /images/.lock-python-base\n";
    assert!(outline.contains(helper), "{outline}");
    let neither = || family().with(|facts| facts.programs.clear());
    assert!(neither().fault(&["lock", "python-base"]).what.contains("poetry is not installed, and docker"));
    neither().outline(&["lock", "python-base", "--dry-run"]);
}

#[test]
fn a_read_only_file_is_left_alone() {
    let file = File { text: lock(&[]), read_only: true, private: false, modified: SystemTime::UNIX_EPOCH };
    let family = family().with(|facts| facts.files.set("images/python-base/poetry.lock", Entry::File(file)));
    let fault = family.fault(&["lock", "python-base"]);
    assert_eq!(fault.what, "lock: images/python-base/poetry.lock is read-only");
    assert_eq!(fault.help.as_deref(), Some("chmod u+w images/python-base/poetry.lock"));
}

#[test]
fn an_image_without_dependencies_is_skipped_with_a_note() {
    let plan = family().plan(&["lock", "kubeflow-b"]).unwrap();
    assert_eq!(plan.notes[0].text, "kubeflow-b: no images/kubeflow-b/pyproject.toml, nothing to lock");
    assert!(plan.steps.is_empty());
}

#[test]
fn what_a_killed_run_left_is_put_in_place_first() {
    let journal = "images/python-base/poetry.lock:images/fastapi-serve/poetry.lock:images/fastapi-serve/pyproject.toml";
    let killed = |image: &str| {
        let family = family().file("target/lock/python-base", journal);
        let left = family.file("images/.lock-fastapi-serve/poetry.lock", "new");
        let left = left.file("images/.lock-fastapi-serve/pyproject.toml", "new");
        left.file("images/.lock-python-base/pyproject.toml", "not replaced by that run").plan(&["lock", image]).unwrap()
    };
    let plan = killed("fastapi-serve");
    assert_eq!(
        plan.steps[0].action.to_string(),
        "mv images/.lock-fastapi-serve/poetry.lock images/fastapi-serve/poetry.lock && \
         mv images/.lock-fastapi-serve/pyproject.toml images/fastapi-serve/pyproject.toml"
    );
    assert_eq!(plan.steps[1].action.to_string(), "rm -rf target/lock/python-base");
    assert_eq!(plan.steps[2].action.to_string(), "rm -rf images/.lock-python-base");
    assert_eq!(plan.steps[3].action.to_string(), "rm -rf images/.lock-fastapi-serve");
    assert!(plan.steps[4].title == "stage fastapi-serve" && plan.steps[4].after == [3], "nothing is staged before");
    assert!(
        plan.notes[0].text.starts_with("a lock that was cut off is finished first: images/fastapi-serve/poetry.lock,")
    );
    // Another run's business where none of its images is ours.
    assert!(killed("kubeflow-a").steps[0].action.to_string().contains("mkdir"));
}

#[test]
fn an_edit_made_while_poetry_ran_is_kept() {
    let plan = family().plan(&["lock", "fastapi-serve"]).unwrap();
    let step = plan.steps.iter().find(|step| step.title == "keep what was edited meanwhile").unwrap();
    let Action::Compute(keep) = &step.action else { panic!("{step:?}") };
    let edited = "[project]\nname = \"x\" # mine\nrequires-python = \">=3.13\"\n";
    let read = vec![Input::Text(lock(&[("requests", "2")])), Input::Text(edited.to_owned())];
    let report = keep.report(&Inputs { read, after: Vec::new() });
    let [(path, text)] = report.writes.as_slice() else { panic!("{report:?}") };
    assert_eq!(path.to_str(), Some("images/.lock-fastapi-serve/pyproject.toml"));
    assert!(text.contains("# mine") && text.contains("requests = \"2\""), "{text}");
}

#[test]
fn couple_is_a_step_that_a_dry_run_only_shows() {
    let args = ["couple", "images/python-base/poetry.lock", "images/fastapi-serve/pyproject.toml"];
    let shown = family().outline(&[&args[..], &["--dry-run"]].concat());
    let line = "    cargo xtask couple images/python-base/poetry.lock images/fastapi-serve/pyproject.toml\n";
    assert!(shown.ends_with(line), "{shown}");
    let plan = family().plan(&args).unwrap();
    let Action::Compute(couple) = &plan.steps[0].action else { panic!("{}", plan.outline()) };
    let given = |lock: Input| {
        couple.report(&Inputs { read: vec![lock, Input::Text("[project]\n".to_owned())], after: Vec::new() })
    };
    let pinned = given(Input::Text(lock(&[("requests", "2")])));
    assert!(pinned.writes[0].1.contains("requests = \"2\""), "{pinned:?}");
    let missing = given(Input::Missing).fault.unwrap();
    let file = "images/fastapi-serve/pyproject.toml";
    let why = "reading images/python-base/poetry.lock, whose versions are to be kept to: no such file";
    assert_eq!(missing.what, format!("couple {file}: {why}"));
    assert_eq!(missing.help.as_deref(), Some("lock the base first: `cargo xtask lock python-base`"));
}
