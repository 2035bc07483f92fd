//! A copy of the repository, with a registry and an AWS of its own, whose two images are built once for all tests.

use super::docker::{free_port, wait_for, when_we_end};
use serde_json::Value;
use std::{
    env, fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
};
use xshell::{Shell, cmd};

/// The account that moto answers for.
pub const ACCOUNT: &str = "123456789012";

/// What a tag gets for a test that must not touch the others' images.
pub const MOVED: &str = "-moved";

/// A copy of the repository, whose images have a tag of their own in a registry of their own.
pub struct Copy {
    pub root: PathBuf,
    pub registry: Registry,
    pub moto: Server,
    pub docker_config: PathBuf,
    pub tag: String,
}

/// A process that ends with the test.
pub struct Server {
    pub child: Child,
    pub port: u16,
}

pub struct Registry {
    pub server: Server,
    pub data: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn serve(command: &mut Command, port: u16) -> Server {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let server = Server { child, port };
    wait_for("a server to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
    server
}

/// Debian's registry with a user list: ECR's stand-in.
pub fn registry(folder: &Path, password: &str) -> Registry {
    let sh = Shell::new().unwrap();
    let users = cmd!(sh, "htpasswd -Bbn AWS {password}").quiet().read().unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("users"), users).unwrap();
    let (port, data) = (free_port(), folder.join("data"));
    let config = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n\
         auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
        data.display(),
        folder.join("users").display()
    );
    fs::write(folder.join("config.yml"), config).unwrap();
    let server = serve(Command::new("docker-registry").arg("serve").arg(folder.join("config.yml")), port);
    Registry { server, data }
}

impl Registry {
    pub fn name(&self) -> String {
        format!("localhost:{}", self.server.port)
    }

    /// The digest that a tag leads to, from the registry's own disk.
    pub fn digest(&self, image: &str, tag: &str) -> Option<String> {
        let link = format!("docker/registry/v2/repositories/{image}/_manifests/tags/{tag}/current/link");
        fs::read_to_string(self.data.join(link)).ok()
    }
}

impl Copy {
    pub fn new() -> Copy {
        let folder = env::temp_dir().join(format!("core-images-engine-test-{}", std::process::id()));
        let root = folder.join("repo");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let sh = Shell::new().unwrap();
        sh.change_dir(source);
        // What is tracked, and what is new and not ignored: what a commit would hold.
        let files = cmd!(sh, "git ls-files --cached --others --exclude-standard images docker-compose.dev.yaml docker-compose.ci.yaml README.md .github xtask/tests xtask/tools").quiet().read().unwrap();
        // And what setup found out about this machine.
        for file in files.lines().chain([".env"]).filter(|file| source.join(file).is_file()) {
            let to = root.join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(source.join(file), to).unwrap();
        }
        fs::create_dir_all(root.join("target")).unwrap();
        std::os::unix::fs::symlink(source.join("target/tools"), root.join("target/tools")).unwrap();
        let registry = registry(&folder.join("registry"), &format!("{ACCOUNT}-auth-token"));
        let port = free_port();
        let mut moto = Command::new(source.join("target/tools/bin/moto_server"));
        let moto = serve(moto.args(["--host", "127.0.0.1", "--port", &port.to_string()]), port);
        let docker_config = folder.join("docker");
        fs::create_dir_all(&docker_config).unwrap();
        let tag = format!("engine-test-{}", std::process::id());
        let copy = Copy { root, registry, moto, docker_config, tag };
        let [base, child] = ["python-base", "fastapi-serve"].map(|image| copy.reference(image));
        when_we_end(&format!(
            "kill {} {}; docker rm --force $(docker ps --all --quiet --filter label=com.docker.compose.project={}); \
             docker image rm --force {base} {child} {base}{MOVED} {child}{MOVED}; rm -rf {}",
            copy.registry.server.child.id(),
            copy.moto.child.id(),
            copy.tag,
            folder.display(),
        ));
        copy
    }

    /// `cargo xtask` in the copy, in the CI environment, with credentials that only moto takes.
    pub fn xtask(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        for name in ["BASE_IMAGE_TAG", "TARGET_BUILD_STAGE", "USE_DOCKER_CACHE", "PORT", "WORKSPACE", "GITHUB_ACTIONS"]
        {
            command.env_remove(name);
        }
        command
            .args(args)
            .current_dir(&self.root)
            .env("ENVIRONMENT", "ci")
            .env("IMAGE_TAG", &self.tag)
            .env("REGISTRY", self.registry.name())
            .env("DOCKER_CONFIG", &self.docker_config)
            .env("COMPOSE_PROJECT_NAME", &self.tag)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.moto.port))
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.xtask(args).output().unwrap()
    }

    pub fn succeeds(&self, args: &[&str]) -> Output {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    pub fn reference(&self, image: &str) -> String {
        format!("{}/{image}:{}", self.registry.name(), self.tag)
    }

    pub fn inspect(&self, image: &str) -> Option<Value> {
        let output = Command::new("docker").args(["image", "inspect", &self.reference(image)]).output().unwrap();
        serde_json::from_slice::<Vec<Value>>(&output.stdout).ok()?.into_iter().next()
    }

    /// The containers of this copy, running or not.
    pub fn containers(&self) -> String {
        // A suite's container has the project's label, as every container of compose does.
        let filter = format!("label=com.docker.compose.project={}", self.tag);
        let output = Command::new("docker").args(["ps", "--all", "--quiet", "--filter", &filter]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn signal_when(&self, args: &[&str], ready: impl Fn() -> bool) -> Output {
        let child = self.xtask(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for("the work to begin", || ready().then_some(()));
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        child.wait_with_output().unwrap()
    }
}

/// The copy that the tests share, with both images built from scratch: no cached layer, no base.
pub fn built() -> &'static Copy {
    static COPY: OnceLock<Copy> = OnceLock::new();
    COPY.get_or_init(|| {
        let copy = Copy::new();
        assert!(copy.inspect("python-base").is_none() && copy.inspect("fastapi-serve").is_none());
        let output = copy.xtask(&["build", "fastapi-serve"]).env("USE_DOCKER_CACHE", "false").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        copy
    })
}

/// Puts a file's text back at the end.
pub struct Restored(pub PathBuf, pub String);

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = fs::write(&self.0, &self.1);
    }
}

/// The files that a lock run may change, to be put back whatever a test does.
pub struct Saved(pub Vec<(PathBuf, Vec<u8>)>);

impl Saved {
    pub fn of(copy: &Copy) -> Saved {
        let folders = fs::read_dir(copy.root.join("images")).unwrap().map(|entry| entry.unwrap().path());
        let files = folders.flat_map(|folder| ["pyproject.toml", "poetry.lock"].map(|file| folder.join(file)));
        let files = files.filter(|file| file.exists());
        Saved(files.map(|file| (file.clone(), fs::read(&file).unwrap())).collect())
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        for (file, content) in &self.0 {
            let _ = fs::write(file, content);
        }
    }
}
