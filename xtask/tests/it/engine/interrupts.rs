//! Ctrl-C while the engine works.

use super::{
    copy::built,
    docker::{stderr, wait_for},
};
use std::{fs, process::Command};

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn an_interrupt_stops_validate_and_removes_its_container() {
    let copy = built();
    let slow = copy.root.join("images/python-base/tests/test_slow_on_purpose.py");
    fs::write(&slow, "import time\n\ndef test_slow():\n    time.sleep(600)\n").unwrap();
    let running = || {
        let filter = format!("label=com.docker.compose.project={}", copy.tag);
        let ps = Command::new("docker").args(["ps", "--quiet", "--filter", &filter]).output().unwrap();
        !ps.stdout.is_empty()
    };
    let output = copy.signal_when(&["validate", "python-base"], running);
    fs::remove_file(slow).unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert_eq!(copy.containers(), "");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn an_interrupt_stops_start_and_removes_its_container() {
    let copy = built();
    let path = copy.root.join("docker-compose.ci.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let never = text.replacen("test: [CMD, python, --version]", "test: [CMD, 'false']\n      retries: 1000", 1);
    assert_ne!(never, text);
    fs::write(&path, never).unwrap();
    let output = copy.signal_when(&["start", "python-base"], || !copy.containers().is_empty());
    fs::write(&path, text).unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert_eq!(copy.containers(), "");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn an_interrupt_stops_build() {
    let copy = built();
    let path = copy.root.join("images/python-base/Dockerfile");
    let text = fs::read_to_string(&path).unwrap();
    let mark = format!("still-building-{}", std::process::id());
    fs::write(&path, format!("{text}\nRUN sleep 600 && echo {mark}\n")).unwrap();
    // The step's own process, as the host sees it.
    let runs = || {
        let processes =
            fs::read_dir("/proc").unwrap().flatten().filter_map(|p| fs::read(p.path().join("cmdline")).ok());
        processes
            .filter(|line| line.starts_with(b"/bin/sh") || line.starts_with(b"/bin/bash"))
            .any(|line| String::from_utf8_lossy(&line).contains(&mark))
    };
    let output = copy.signal_when(&["build", "python-base"], runs);
    fs::write(&path, text).unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    wait_for("the build step to end", || (!runs()).then_some(()));
}
