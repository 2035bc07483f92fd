//! A family of small images, built within a second: `base`, `left` and `right` on it, `leaf` on `left`.

use super::docker::when_we_end;
use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

pub struct Stubs {
    pub root: PathBuf,
    /// Of all images, and the registry that they are named by.
    pub tag: String,
    pub registry: String,
    /// CACHE_REGISTRY.
    pub cache: Option<String>,
}

const IMAGES: [(&str, Option<&str>); 4] =
    [("base", None), ("left", Some("base")), ("right", Some("base")), ("leaf", Some("left"))];

impl Stubs {
    pub fn new() -> Stubs {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let tag = format!("stubs-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = env::temp_dir().join(format!("core-images-{tag}"));
        let stubs = Stubs { root, registry: "localhost:9".to_owned(), cache: None, tag };
        let write = |path: String, text: &str| {
            let path = stubs.root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let service = |(name, base): (&str, Option<&str>)| {
            let argument =
                base.map(|base| format!("      args: {{BASE_IMAGE: \"${{REGISTRY}}/{base}:${{IMAGE_TAG}}\"}}\n"));
            format!(
                "  {name}:\n    image: ${{REGISTRY}}/{name}:${{IMAGE_TAG}}\n    build:\n      context: ./images/{name}\n{}      \
                 labels:\n        core-images.fingerprint: ${{IMAGE_FINGERPRINT:-}}\n        \
                 org.opencontainers.image.base.name: ${{OCI_BASE_NAME:-}}\n        note: ${{NOTE:-}}\n",
                argument.unwrap_or_default()
            )
        };
        let compose = format!("name: stubs\nservices:\n{}", IMAGES.map(service).concat());
        for (name, base) in IMAGES {
            let from = if base.is_some() { "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}" } else { "FROM scratch" };
            write(format!("images/{name}/Dockerfile"), &format!("{from}\nCOPY --chmod=644 {name} /\n"));
            write(format!("images/{name}/{name}"), &stubs.tag);
        }
        for environment in ["dev", "ci"] {
            write(format!("docker-compose.{environment}.yaml"), &compose);
        }
        let images = IMAGES.map(|(name, _)| stubs.reference(name)).join(" ");
        when_we_end(&format!("docker image rm --force {images}; rm -rf {}", stubs.root.display()));
        stubs
    }

    pub fn reference(&self, image: &str) -> String {
        format!("{}/{image}:{}", self.registry, self.tag)
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.root.join(path), text).unwrap();
    }

    pub fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(args)
            .current_dir(&self.root)
            .env("REGISTRY", &self.registry)
            .env("IMAGE_TAG", &self.tag)
            .env("CACHE_REGISTRY", self.cache.as_deref().unwrap_or_default())
            .env_remove("GITHUB_ACTIONS")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    pub fn id(&self, image: &str) -> Option<String> {
        let args = ["image", "inspect", "--format", "{{.Id}}", &self.reference(image)];
        let output = Command::new("docker").args(args).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    pub fn forget(&self, images: &[&str]) {
        let references = images.iter().map(|image| self.reference(image));
        let args = ["image", "rm", "--force"].map(str::to_owned).into_iter().chain(references);
        assert!(Command::new("docker").args(args).stdout(Stdio::null()).status().unwrap().success());
    }
}
