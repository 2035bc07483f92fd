//! What all of the engine's tests share.

use std::{
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here takes, so that a hang fails.
pub const LIMIT: Duration = Duration::from_secs(300);
/// Where images are named that a test builds and nobody pushes.
pub const REGISTRY: &str = "localhost:5000";
/// As a cluster with the strictest policy runs a pod.
pub const RESTRICTED: [&str; 6] =
    ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only", "--tmpfs=/tmp"];

/// The repository itself.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What docker prints, where it succeeds.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Builds an image of the repository for production, at a tag of the test's own.
pub fn build(image: &str, tag: &str) {
    let mut build = Command::new(env!("CARGO_BIN_EXE_xtask"));
    for name in ["BASE_IMAGE_TAG", "TARGET_BUILD_STAGE", "USE_DOCKER_CACHE", "PLATFORM"] {
        build.env_remove(name);
    }
    build.args(["build", image]).current_dir(root());
    let output = build.env("ENVIRONMENT", "ci").env("IMAGE_TAG", tag).env("REGISTRY", REGISTRY).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// Runs a shell script when this process has ended, however it has: what is shared is never dropped. (The end closes the
/// pipe that the shell reads.)
pub fn when_we_end(script: &str) {
    let script = format!("cat >/dev/null; {script}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Not in our group: a Ctrl-C ends the tests first.
    shell.process_group(0);
    std::mem::forget(shell.spawn().unwrap());
}

/// Looks until there is something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
