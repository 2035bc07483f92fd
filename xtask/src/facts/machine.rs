//! What distinguishes this machine, for `setup`: read off the file system and the environment, without a process.

use plan::facts::Machine;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};
use verbs::setup::{PLUGINS, PROGRAMS, THERE};

/// Where the docker CLI looks for its plugins, besides the user's own folder.
const PLUGIN_FOLDERS: [&str; 4] = [
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
];
/// The system's bundle of certificate authorities, on Debian and Ubuntu.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

pub fn read() -> Machine {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let fields: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k, v.trim_matches('"'))).collect();
    let field = |name: &str| fields.get(name).map_or(String::new(), |value| (*value).to_owned());
    let codename = field("VERSION_CODENAME");
    let user = nix::unistd::geteuid();
    Machine {
        id: field("ID"),
        is_root: user.is_root(),
        user: nix::unistd::User::from_uid(user).ok().flatten().map_or(String::new(), |user| user.name),
        has_systemd: Path::new("/run/systemd/system").exists(),
        has_engine: has_engine(),
        there: there(),
        archive: archive(&codename),
        codename,
    }
}

/// What is there of what `setup` looks for.
fn there() -> BTreeSet<String> {
    let programs = PROGRAMS.into_iter().filter(|name| {
        // Debian leaves root's programs out of a user's PATH.
        which::which(name).is_ok() || Path::new("/usr/sbin").join(name).exists()
    });
    let plugins = PLUGINS.into_iter().filter(|name| has_plugin(name));
    let [ensurepip, authorities] = THERE;
    let ensurepip = has_ensurepip().then_some(ensurepip);
    let authorities = Path::new(CA_BUNDLE).exists().then_some(authorities);
    programs.chain(plugins).chain(ensurepip).chain(authorities).map(str::to_owned).collect()
}

/// The engine may be in another machine or container.
fn has_engine() -> bool {
    env::var_os("DOCKER_HOST").is_some_and(|host| !host.is_empty()) || Path::new("/var/run/docker.sock").exists()
}

fn has_plugin(name: &str) -> bool {
    let own = env::var_os("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".docker")));
    let own = own.into_iter().map(|folder| folder.join("cli-plugins"));
    PLUGIN_FOLDERS.into_iter().map(PathBuf::from).chain(own).any(|folder| folder.join(name).exists())
}

/// Can the system's Python make environments? Debian packs that apart.
fn has_ensurepip() -> bool {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .any(|entry| entry.path().join("ensurepip/__init__.py").exists())
}

/// Where this machine gets Debian's main suite from, in either form of apt's sources.
fn archive(codename: &str) -> Option<String> {
    let folder = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = folder.chain([PathBuf::from("/etc/apt/sources.list")]).collect();
    files.sort();
    files.iter().filter_map(|file| Some((file, fs::read_to_string(file).ok()?))).find_map(|(file, text)| {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => deb822_uri(&text, codename),
            _ => one_line_uri(&text, codename),
        }
    })
}

fn deb822_uri(text: &str, codename: &str) -> Option<String> {
    text.split("\n\n").find_map(|stanza| {
        let field = |name: &str| {
            let line = stanza.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")))?;
            line.split_once(':').map(|(_, value)| value.trim().to_owned())
        };
        let suites = field("suites")?;
        suites
            .split_whitespace()
            .any(|suite| suite == codename)
            .then(|| field("uris"))??
            .split_whitespace()
            .next()
            .map(str::to_owned)
    })
}

fn one_line_uri(text: &str, codename: &str) -> Option<String> {
    text.lines().filter_map(|line| line.trim().strip_prefix("deb ")).find_map(|line| {
        let line = line.trim_start();
        let line = if line.starts_with('[') { line.split_once(']')?.1 } else { line };
        let mut words = line.split_whitespace();
        let (uri, suite) = (words.next()?, words.next()?);
        (suite == codename).then(|| uri.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_in_both_forms() {
        let deb822 = "Types: deb\nURIs: http://other.example/security\nSuites: bookworm-security\n\n\
                      Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n";
        assert_eq!(deb822_uri(deb822, "bookworm").as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(deb822_uri(deb822, "trixie"), None);
        let one_line =
            "# deb http://no.example bookworm main\ndeb [arch=amd64] http://mirror.example/debian bookworm main\n";
        assert_eq!(one_line_uri(one_line, "bookworm").as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(one_line_uri(one_line, "bullseye"), None);
    }
}
