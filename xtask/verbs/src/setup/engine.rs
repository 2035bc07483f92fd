//! The engine, started and waited for, and this user's way to it.

use super::{as_root, shell};
use plan::{Action, Facts, Invocation, Plan, Probe, Step, facts::Machine, tools::docker};

/// Does the engine answer this user?
pub fn answers() -> Probe {
    Probe { run: docker::engine_version(), prints: None }
}

pub fn steps(facts: &Facts, plan: &mut Plan) {
    let runs = "docker version 2>&1 | grep --quiet --extended-regexp '^Server|permission denied'";
    let probe = Probe { run: shell(runs.to_owned()), prints: None };
    let log = facts.argument("target/setup/dockerd.log");
    let start = if facts.machine.has_systemd {
        as_root(&facts.machine, "systemctl", &["start", "docker"])
    } else {
        // No init system: the engine goes on after us, in a session of its own.
        let dockerd = as_root(&facts.machine, "setsid", &["dockerd"]);
        let folder = facts.argument("target/setup");
        shell(format!("mkdir -p {folder} && {dockerd} >{log} 2>&1 </dev/null &"))
    };
    plan.then(Step::new("start the docker engine", Action::Unless(probe.clone(), start)));
    let wait = format!(
        "for i in $(seq 60); do {runs} && exit 0; sleep 1; done; \
         echo 'the docker engine does not answer after 60 s' >&2; tail -n 20 {log} >&2; exit 69"
    );
    plan.then(Step::new("wait for the docker engine", Action::Unless(probe, shell(wait))));
}

/// Lets this user use the engine: a group takes effect at the next login, the socket's owner at once.
pub fn admit(machine: &Machine) -> Option<Invocation> {
    let user = &machine.user;
    let script = format!("usermod --append --groups docker {user} && chown {user} /var/run/docker.sock");
    (!machine.is_root && !user.is_empty()).then(|| as_root(machine, "sh", &["-c", &script]))
}
