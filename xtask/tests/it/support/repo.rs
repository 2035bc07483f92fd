//! A repository with a small family, in a temporary folder.

use super::Reply;
use std::{
    cell::{Cell, RefCell},
    fmt::Write as _,
    fs,
    path::PathBuf,
};
use xshell::{Shell, TempDir};

/// What the executor asks before any work; in no particular order, so left out of `calls`.
pub const PREFLIGHT: [&str; 2] = ["docker compose version --short", "docker version --format {{.Server.Version}}"];

pub const COMPOSE_FILES: [&str; 2] = ["docker-compose.dev.yaml", "docker-compose.ci.yaml"];

pub const REGISTRY: &str = "690763002009.dkr.ecr.us-east-1.amazonaws.com";

/// An image of a generated family.
#[derive(Clone, Copy)]
pub struct Image {
    pub name: &'static str,
    /// Another image's name; none for one that is built on Debian.
    pub base: Option<&'static str>,
    pub port: Option<u16>,
    pub suite: bool,
    pub pyproject: bool,
}

pub const PYTHON_BASE: Image = Image { name: "python-base", base: None, port: None, suite: true, pyproject: true };

pub const FASTAPI_SERVE: Image =
    Image { name: "fastapi-serve", base: Some("python-base"), port: Some(8000), suite: true, pyproject: true };

pub const KUBEFLOW_A: Image =
    Image { name: "kubeflow-a", base: Some("python-base"), port: None, suite: true, pyproject: true };

/// Neither a suite nor a pyproject.toml, and no other image under it.
pub const KUBEFLOW_B: Image = Image { name: "kubeflow-b", base: None, port: None, suite: false, pyproject: false };

pub const FAMILY: [Image; 4] = [KUBEFLOW_A, PYTHON_BASE, FASTAPI_SERVE, KUBEFLOW_B];

const NO_IMAGE: &str = "Error response from daemon: No such image";

/// What the engine has of the images that are named, which `engine_has` writes down.
const INSPECT: &str = r#"shift 2
found=
code=0
for reference; do
    if [ -e "$home/images/$reference" ]; then
        IFS= read -r image <"$home/images/$reference"
        found="$found${found:+,}$image"
    else
        echo 'Error response from daemon: No such image' >&2
        code=1
    fi
done
printf '[%s]\n' "$found"
exit $code"#;

/// A lock as poetry writes it.
pub const OLD_LOCK: &str = "[[package]]\nname = \"requests\"\nversion = \"1\"\ngroups = [\"main\"]\n\n\
     [metadata]\nlock-version = \"2.1\"\npython-versions = \"*\"\n\
     content-hash = \"51165f1b7009e6a31c54c611219ad7d047b4e6bb11573d59fa656fc68b8c7da7\"\n";

/// What the fake poetry makes, from the file `target/new.lock`.
pub fn new_lock() -> String {
    OLD_LOCK.replace("version = \"1\"", "version = \"2\"")
}

/// The compose file of a family; `stage` is what it builds by default.
pub fn compose(images: &[Image], stage: &str) -> String {
    let registry = "${REGISTRY:-${AWS_ACCOUNT_ID:-690763002009}.dkr.ecr.${AWS_REGION:-us-east-1}.amazonaws.com}";
    let mut text = "name: core-images\nx-image: &image\n  platform: ${PLATFORM:-linux/amd64}\n\
         services:\n  debian:\n    profiles: [external]\n    image: debian:trixie-slim\n\n  build-tools:\n    profiles: [tools]\n    image: core-images/build-tools:latest\n    \
         build:\n      context: ./images/build-tools\n      args:\n        DEBIAN_IMAGE: debian:trixie-slim\n"
        .to_owned();
    for Image { name, base, port, suite, .. } in images {
        let base = match base {
            Some(base) => format!("BASE_IMAGE: {registry}/{base}:${{BASE_IMAGE_TAG:-${{IMAGE_TAG:-latest}}}}"),
            None => "BASE_IMAGE: debian:trixie-slim".to_owned(),
        };
        let _ = write!(
            text,
            "\n  {name}:\n    <<: *image\n    x-core-images: {{description: The {name} image, hardware: cpu}}\n    \
             image: {registry}/{name}:${{IMAGE_TAG:-latest}}\n    build:\n      context: ./images/{name}\n      \
             target: ${{TARGET_BUILD_STAGE:-{stage}}}\n      args:\n        {base}\n        \
             TOOLS_IMAGE: core-images/build-tools:latest\n"
        );
        if let Some(port) = port {
            let _ = writeln!(text, "    ports: [\"127.0.0.1:${{PORT:-{port}}}:{port}\"]");
        }
        if *suite {
            let _ = write!(text, "\n  {name}-tests:\n    profiles: [tests]\n    image: {registry}/{name}:latest\n");
        }
    }
    text
}

/// A repository, fake tools, and what became of them.
pub struct Repo {
    pub root: PathBuf,
    /// The folder of the fakes: the whole PATH.
    pub bin: PathBuf,
    pub(super) fakes: PathBuf,
    pub(super) rules: RefCell<Vec<String>>,
    pub(super) runs: Cell<usize>,
    _folder: TempDir,
}

impl Repo {
    /// The family above, with fakes of every tool that answer as on a machine where all is well and nothing built yet.
    pub fn new() -> Repo {
        Repo::with(&FAMILY)
    }

    pub fn with(images: &[Image]) -> Repo {
        let folder = Shell::new().unwrap().create_temp_dir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let (root, fakes) = (top.join("repo"), top.join("fakes"));
        let bin = fakes.join("bin");
        fs::create_dir_all(&bin).unwrap();
        let repo = Repo { root, bin, fakes, rules: RefCell::default(), runs: Cell::new(0), _folder: folder };
        for (file, stage) in COMPOSE_FILES.into_iter().zip(["development", "production"]) {
            repo.write(file, &compose(images, stage));
        }
        repo.write("images/build-tools/Dockerfile", "ARG DEBIAN_IMAGE\nFROM ${DEBIAN_IMAGE}\n");
        for image in images {
            let stages = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS production\nFROM production AS development\n\
                          LABEL core-images.stage=development\n";
            repo.write(&format!("images/{}/Dockerfile", image.name), stages);
            if image.pyproject {
                let text = format!("[project]\nname = \"{}\"\nrequires-python = \">=3.13,<3.14\"\n", image.name);
                repo.write(&format!("images/{}/pyproject.toml", image.name), &text);
                repo.write(&format!("images/{}/poetry.lock", image.name), OLD_LOCK);
            }
        }
        repo.write("target/new.lock", &new_lock());
        for tool in ["docker", "poetry", "aws", "python3.13"] {
            repo.install(tool);
        }
        repo.on("docker version *", Reply::prints("26.1.5"));
        repo.on("docker compose version --short", Reply::prints("2.26.1"));
        repo.on("docker image inspect *", Reply::does(INSPECT));
        repo.on("docker image inspect --format *", Reply::fails(1, NO_IMAGE));
        repo
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub fn has(&self, path: &str) -> bool {
        self.root.join(path).symlink_metadata().is_ok()
    }

    /// Replaces text that must be there.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from:?}");
        self.write(path, &text.replace(from, to));
    }

    /// Every file below `path` with what is in it, to see whether anything changed.
    pub fn snapshot(&self, path: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.root.join(path)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push((path.clone(), fs::read(path).unwrap_or_default())),
                }
            }
        }
        files.sort();
        files
    }
}
