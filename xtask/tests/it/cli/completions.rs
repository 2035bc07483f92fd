//! Completions, and the scripts that shells source.

use crate::support::Repo;

#[test]
fn completions_offer_the_images_without_any_tool() {
    let repo = Repo::new();
    let complete = |words: &[&str]| {
        let ran = repo.run(&[&["complete", "--"], words].concat()).succeeds();
        assert_eq!(ran.stderr, "");
        ran.stdout
    };
    let words = |words: &[&str]| -> Vec<String> {
        complete(words).lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    let offered = complete(&["build", "kube"]);
    assert_eq!(words(&["build", "kube"]), ["kubeflow-a", "kubeflow-b"]);
    assert!(offered.contains("The kubeflow-a image"), "{offered}");
    for verb in ["lock", "deploy", "start", "stop", "validate"] {
        assert!(complete(&[verb, "py"]).starts_with("python-base"), "{verb}");
    }
    assert_eq!(words(&["va"]), ["validate"]);
    assert!(complete(&["va"]).contains("Run the images' suites"));
    // Every verb that the help lists, and none that it hides.
    let help = repo.run(&["--help"]).succeeds().stdout;
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    let listed = listed.lines().map_while(|line| line.split_whitespace().next());
    assert_eq!(words(&[""]), listed.collect::<Vec<_>>());
    assert_eq!(words(&["--json", "build", "python-base", "--with"]), ["--with-dependents"]);
    assert_eq!(words(&["build", "--image-"]), ["--image-tag"], "a flag of every verb");
    assert_eq!(words(&["graph", "--format", ""]), ["text", "mermaid", "dot", "json"]);
    assert_eq!(words(&["completions", ""]), ["bash", "zsh", "fish"]);
    assert_eq!(words(&["build", "--image-tag", ""]), [""; 0], "any value");
    assert_eq!(words(&["build", "-j", "py"]), [""; 0]);
    assert_eq!(words(&["lock", "--update", "py"]), ["python-base"], "its values follow a =");
    repo.write("docker-compose.dev.yaml", "services: [");
    assert_eq!(complete(&["build", "kube"]), "");
    for shell in ["bash", "zsh", "fish"] {
        let ran = repo.run(&["completions", shell]).succeeds();
        assert!(ran.stdout.contains("cargo") && ran.stderr.is_empty(), "{shell}");
    }
    assert_eq!(repo.calls(), [""; 0]);
}

#[test]
fn bash_completes_images_behind_cargo_xtask_and_leaves_cargo_its_own() {
    let repo = Repo::new();
    let script = repo.run(&["completions", "bash"]).succeeds().stdout;
    repo.write("complete.sh", &script);
    let typed = |words: &str, last: &str| {
        let ask = format!(
            "_cargo() {{ COMPREPLY=(cargos-own); }}; complete -F _cargo cargo; source complete.sh; \
             COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _cargo_xtask cargo {last} x; echo \"${{COMPREPLY[@]}}\""
        );
        repo.shell(&format!("/bin/bash -c '{}'", ask.replace('\'', "'\\''"))).run().succeeds().stdout
    };
    assert_eq!(typed("cargo xtask build py", "py"), "python-base\n");
    assert_eq!(typed("cargo xtask vali", "vali"), "validate\n");
    assert_eq!(typed("cargo bu", "bu"), "cargos-own\n");
    // bash makes three words of a flag with its value.
    for words in ["--environment d", "--environment = d", "--environment =d"] {
        assert_eq!(typed(&format!("cargo xtask build {words}"), "d"), "dev\n", "{words}");
    }
}

#[test]
fn verbs_and_flags_complete_outside_a_clone() {
    let repo = Repo::new();
    for (words, expected) in [(&["va"][..], "validate\t"), (&["ci", "--no"], "--no-setup\t"), (&["build", ""], "")] {
        let ran = repo.xtask(&[&["complete", "--"], words].concat()).within("/").run().succeeds();
        assert!(ran.stdout.starts_with(expected) && ran.stderr.is_empty(), "{words:?}: {ran:?}");
    }
}
