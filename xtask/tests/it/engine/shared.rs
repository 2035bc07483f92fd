//! A registry between machines: what one built, another one fetches. (The other one is played by an engine that has
//! forgotten its images.)

use super::{
    copy::serve,
    docker::{docker, free_port, stderr},
    stubs::Stubs,
};
use std::{fs, process::Command};

#[test]
#[ignore = "needs the docker engine and a registry: cargo xtask setup --tests"]
fn what_one_machine_built_another_one_fetches() {
    let mut stubs = Stubs::new();
    let (port, folder) = (free_port(), stubs.root.join("registry"));
    let data = folder.join("data");
    fs::create_dir_all(&folder).unwrap();
    let config = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
        data.display()
    );
    fs::write(folder.join("config.yml"), config).unwrap();
    let server = serve(Command::new("docker-registry").arg("serve").arg(folder.join("config.yml")), port);
    stubs.cache = Some(format!("localhost:{port}/cache"));
    let tags = |image: &str, begins: &str| {
        let tags = data.join(format!("docker/registry/v2/repositories/cache/{image}/_manifests/tags"));
        let names = fs::read_dir(tags).into_iter().flatten().map(|tag| tag.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(begins)).count()
    };

    // Built without a place to keep it, then with one: it is kept all the same.
    let place = stubs.cache.take();
    assert!(stubs.run(&["build", "base"]).status.success());
    stubs.cache = place;
    let succeeds = |args: &[&str]| {
        let output = stubs.run(args);
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let said = succeeds(&["build", "--all"]);
    assert!(said.contains("✓ keep base") && !said.contains("build base"), "{said}");
    let all = ["base", "left", "right", "leaf"];
    assert_eq!(all.map(|image| tags(image, "fp-")), [1; 4]);
    // The build cache, where the engine's image store lets it: of what was built with a place to keep it.
    let store = docker(&["info", "--format", "{{json .DriverStatus}}"]);
    let kept = usize::from(store.contains("io.containerd.snapshotter"));
    assert_eq!(all.map(|image| tags(image, "buildcache")), [0, kept, kept, kept]);
    let ids = all.map(|image| stubs.id(image));

    stubs.forget(&all);
    let said = succeeds(&["build", "leaf"]);
    assert!(said.contains("docker pull") && !said.contains("bake") && !said.contains("compose"), "{said}");
    assert_eq!((stubs.id("leaf"), stubs.id("left"), stubs.id("base")), (ids[3].clone(), None, None));
    // Nothing is left under the names that it is kept by.
    let listed = Command::new("docker").args(["image", "ls", "--format", "{{.Repository}}"]).output().unwrap();
    assert!(!String::from_utf8(listed.stdout).unwrap().contains(&format!("localhost:{port}")));

    // A change is built on what was fetched.
    stubs.write("images/left/left", "changed");
    let said = succeeds(&["build", "left"]);
    assert!(said.contains("$ docker pull") && said.contains("✓ build left") && said.contains("✓ keep left"), "{said}");
    assert_eq!(stubs.id("base"), ids[0]);
    assert_eq!(tags("left", "fp-"), 2);

    // What is kept under a name that is not its own is not taken.
    let hash = |image: &str| String::from_utf8(stubs.run(&["fingerprint", image]).stdout).unwrap().trim().to_owned();
    let name = |image: &str| format!("localhost:{port}/cache/{image}:fp-{}", hash(image));
    stubs.write("images/left/left", "changed again");
    docker(&["tag", &stubs.reference("base"), &name("left")]);
    docker(&["push", "--quiet", &name("left")]);
    docker(&["image", "rm", &name("left")]);
    let output = stubs.run(&["build", "left"]);
    assert_eq!(output.status.code(), Some(77), "{}", stderr(&output));
    assert!(stderr(&output).contains("has another fingerprint than its name says"), "{}", stderr(&output));
    assert_ne!(stubs.id("left"), stubs.id("base"));
    let listed = Command::new("docker").args(["image", "ls", "--format", "{{.Repository}}"]).output().unwrap();
    assert!(!String::from_utf8(listed.stdout).unwrap().contains(&format!("localhost:{port}")));

    // Gone, it is no hindrance.
    drop(server);
    stubs.forget(&["left", "base"]);
    let said = succeeds(&["build", "left"]);
    assert!(said.contains("so it is passed over") && said.contains("✓ build left"), "{said}");
}
