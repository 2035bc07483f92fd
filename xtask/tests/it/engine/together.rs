//! Several images in one process of buildx.

use super::{
    docker::{docker, stderr},
    stubs::Stubs,
};

const ALL: [&str; 4] = ["base", "left", "right", "leaf"];

fn processes(said: &str, words: &str) -> usize {
    said.lines().filter(|line| line.contains("$ ") && line.contains(words)).count()
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup"]
fn an_image_is_the_same_whether_it_is_built_together_with_others_or_alone() {
    let stubs = Stubs::new();
    let ids = || ALL.map(|image| stubs.id(image).unwrap());
    let first = stubs.run(&["build", "--all"]);
    let said = stderr(&first);
    assert!(first.status.success(), "{said}");
    assert_eq!((processes(&said, "buildx bake"), processes(&said, "docker compose")), (1, 2), "{said}");
    assert!(said.contains("left │ #") && said.contains("right │ #"), "{said}");
    let together = ids();
    stubs.forget(&ALL);
    let second = stubs.run(&["build", "--all", "--jobs", "2"]);
    assert!(second.status.success(), "{}", stderr(&second));
    assert_eq!(processes(&stderr(&second), "buildx bake"), 0);
    assert_eq!(ids(), together);
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup"]
fn a_failure_stops_only_what_is_built_on_it() {
    let stubs = Stubs::new();
    stubs.write("images/left/Dockerfile", "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY nothing /\n");
    let output = stubs.run(&["build", "--all"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("✓ build right (") && said.contains("· build leaf not run"), "{said}");
    assert!(said.contains("error: build left: ") && said.contains("\"/nothing\": not found"), "{said}");
    assert!(stubs.id("right").is_some() && stubs.id("leaf").is_none());
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup"]
fn it_works_from_a_folder_below_the_root() {
    let mut stubs = Stubs::new();
    stubs.write(".env", "NOTE=from the file\n");
    stubs.root.push("images");
    let output = stubs.run(&["build", "left", "right"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("$ (cd .. && "), "{}", stderr(&output));
    let note = ["image", "inspect", "--format", "{{.Config.Labels.note}}"];
    for image in ["base", "left", "right"] {
        assert_eq!(docker(&[&note[..], &[&stubs.reference(image)]].concat()), "from the file", "{image}");
    }
    stubs.root.pop();
}
