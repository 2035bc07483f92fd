//! An image whose base was built again: how `list`, `build`, `validate` and `deploy` report it.

use crate::support::{Image, REGISTRY, Reply, Repo, effects, push, registry_takes, suite_reports};

#[test]
fn an_image_whose_base_was_built_again_is_outdated() {
    let image = |name, base| Image { name, base, port: None, suite: true, pyproject: false };
    let family = [image("base", None), image("child", Some("base")), image("grandchild", Some("child"))];
    for (on, outdated) in [("sha256:1", false), ("sha256:0", true)] {
        let repo = Repo::with(&family);
        repo.engine_has("base", "sha256:1", &[]);
        let label = |key: &str| format!("org.opencontainers.image.base.{key}");
        let (name, digest) = (label("name"), label("digest"));
        let on_base = [(name.as_str(), &*format!("{REGISTRY}/base:latest")), (&digest, on)];
        repo.engine_has("child", "sha256:2", &on_base);
        // An image built on an outdated one is outdated as well.
        let on_child = [(name.as_str(), &*format!("{REGISTRY}/child:latest")), (&digest, "sha256:2")];
        repo.engine_has("grandchild", "sha256:3", &on_child);

        let list = repo.run(&["list", "--json"]).succeeds();
        let rows: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
        let base = if outdated { "base".into() } else { serde_json::Value::Null };
        let said = |row: usize| &rows[row]["local"]["outdated"];
        assert_eq!([said(0), said(1), said(2)], [&serde_json::Value::Null, &base, &base]);
        let list = repo.run(&["list"]).succeeds().stdout;
        assert_eq!(list.matches("outdated: base was built again").count(), if outdated { 2 } else { 0 }, "{list}");

        // Also where a build failed, or the image that was built is built on an outdated one.
        repo.on("docker compose * build child", Reply::fails(1, "no"));
        for build in [&["base"][..], &["base", "child"], &["grandchild"]] {
            let built = repo.run(&[&["build", "--environment", "ci"], build].concat());
            for note in
                ["outdated now: ", "to build these as well: ENVIRONMENT=ci cargo xtask build child grandchild\n"]
            {
                assert_eq!(built.stderr.contains(note), outdated, "{build:?}: {}", built.stderr);
            }
            let of_child = built.stderr.contains("outdated now: child, grandchild\n");
            assert_eq!(of_child, outdated && build[0] == "base", "{}", built.stderr);
        }

        suite_reports(&repo, "child", 0, 0);
        let validated = repo.run(&["validate", "child", "--environment", "ci"]).succeeds();
        let note = "child: outdated, since base was built again: `ENVIRONMENT=ci cargo xtask build child`";
        assert_eq!(validated.stderr.contains(note), outdated, "{}", validated.stderr);

        repo.forget();
        registry_takes(&repo, "child", "sha256:2");
        if outdated {
            let refused =
                repo.run(&["deploy", "child"]).fails(77, &["nothing was pushed: child: outdated, since base"]);
            assert!(
                refused.help().contains("cargo xtask build child && ") && refused.help().contains("--force-outdated"),
                "{}",
                refused.stderr
            );
            let above = repo.run(&["deploy", "grandchild"]).fails(77, &["grandchild: outdated, since base"]);
            assert!(above.help().contains("cargo xtask build child grandchild &&"), "{}", above.stderr);
            assert_eq!(effects(&repo), [""; 0]);
            repo.run(&["deploy", "child", "--force-outdated"]).succeeds();
        } else {
            repo.run(&["deploy", "child"]).succeeds();
        }
        assert_eq!(effects(&repo), [push("child")]);
    }
}
