//! The distribution's packages.

use super::as_root;
use plan::{Action, EnvValue, Facts, Plan, Role, Step, facts::Machine};
use project::error::{Cause, Fault};
use std::{collections::BTreeSet, path::Path};

/// Programs that are looked for, on PATH and in /usr/sbin, which Debian leaves out of a user's PATH.
pub const PROGRAMS: [&str; 9] =
    ["sudo", "docker", "dockerd", "mmdebstrap", "docker-registry", "htpasswd", "hyperfine", "chromium", "chromedriver"];
/// The docker CLI's plugins that are looked for.
pub const PLUGINS: [&str; 2] = ["docker-compose", "docker-buildx"];
/// What else is looked for: the module that lets Debian's Python make environments, and the system's bundle of
/// certificate authorities.
pub const THERE: [&str; 2] = ["ensurepip", "ca-certificates"];

/// The packages that bring what isn't there.
pub fn missing(machine: &Machine, tests: bool) -> BTreeSet<&'static str> {
    let there = |name: &str| machine.there.contains(name);
    let is_ubuntu = machine.id == "ubuntu";
    let mut packages = BTreeSet::new();
    let mut need = |is_there: bool, names: &[&'static str]| {
        if !is_there {
            packages.extend(names);
        }
    };
    need(there("docker"), &["docker-cli"]);
    need(there("dockerd") || machine.has_engine, &["docker.io", "iptables"]);
    need(there("docker-compose"), if is_ubuntu { &["docker-compose-v2"] } else { &["docker-compose"] });
    need(there("docker-buildx"), &["docker-buildx"]);
    need(there("ensurepip"), &["python3-venv"]);
    need(there("mmdebstrap"), &["mmdebstrap"]);
    need(there("ca-certificates"), &["ca-certificates"]);
    if tests {
        need(there("docker-registry"), &["docker-registry"]);
        need(there("htpasswd"), &["apache2-utils"]);
        need(there("hyperfine"), &["hyperfine"]);
        need(there("chromium") && there("chromedriver"), &["chromium", "chromium-driver"]);
    }
    // Ubuntu's docker.io has the client as well.
    if is_ubuntu && packages.remove("docker-cli") {
        packages.insert("docker.io");
    }
    packages
}

/// # Errors
/// Debian 13's packages are needed, and this machine's sources name no archive.
pub fn steps(facts: &Facts, plan: &mut Plan, tests: bool) -> Result<(), Fault> {
    let machine = &facts.machine;
    let packages = missing(machine, tests);
    if packages.is_empty() {
        return Ok(());
    }
    let from_13 = packages.iter().any(|package| package.starts_with("docker") && *package != "docker-registry");
    for (path, text) in debian_13_source(machine)?.filter(|_| from_13).into_iter().flatten() {
        let name = Path::new(path).file_name().unwrap_or_default();
        let draft = facts.shown(Path::new("target/setup").join(name));
        plan.then(Step::new(format!("draft {path}"), Action::Write { to: draft.clone(), text }));
        let install = as_root(machine, "install", &["-D", "--mode=644", &draft.display().to_string(), path]);
        plan.then(Step::new(format!("write {path}"), Action::Run(install)));
    }
    let mut apt = |title: String, args: &[&str]| {
        let run = as_root(machine, "apt-get", args);
        let run = run.env("DEBIAN_FRONTEND", EnvValue::Text("noninteractive".to_owned()));
        plan.then(Step::new(title, Action::Run(run)).role(Role::Packages));
    };
    apt("update the package lists".to_owned(), &["--quiet", "update"]);
    let names: Vec<&str> = packages.into_iter().collect();
    let install = ["--quiet", "--yes", "--no-install-recommends", "install"];
    apt(format!("install {}", names.join(", ")), &[&install[..], &names].concat());
    Ok(())
}

/// Debian 12 has no compose v2 and no buildx: Debian 13's are installed, whose dependencies it meets, and nothing else of
/// that release. The archive's address is the machine's own.
fn debian_13_source(machine: &Machine) -> Result<Option<[(&'static str, String); 2]>, Fault> {
    if machine.id != "debian" || machine.codename != "bookworm" {
        return Ok(None);
    }
    let uri = machine.archive.as_ref().ok_or_else(|| {
        Fault::new(Cause::Unavailable, "setup: no Debian archive in this machine's package sources under /etc/apt")
            .help("add the machine's usual Debian mirror to /etc/apt/sources.list.d, then try again")
    })?;
    let source = format!(
        "Types: deb\nURIs: {uri}\nSuites: trixie\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    );
    let pins = "# Only these of Debian 13: their dependencies are Debian 12's.\n\
                Package: *\nPin: release n=trixie\nPin-Priority: -1\n\n\
                Package: docker.io docker-cli docker-compose docker-buildx\nPin: release n=trixie\nPin-Priority: 990\n";
    Ok(Some([
        ("/etc/apt/sources.list.d/core-images-docker.sources", source),
        ("/etc/apt/preferences.d/core-images-docker", pins.to_owned()),
    ]))
}
