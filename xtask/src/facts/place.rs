//! Where we are: the repository's root, the variables, the programs.

use plan::tools;
use project::{error::Fault, find_root, read_vars, vars::Vars};
use std::{
    collections::BTreeMap,
    env,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};
use verbs::flags::Globals;

/// The machine's own bundle of certificate authorities, on Debian and Ubuntu.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The clone, and the place in it that the user stands in.
#[derive(Debug, Clone)]
pub struct Place {
    pub root: PathBuf,
    /// From the current folder to the root, so that echoed lines can be pasted.
    pub root_from_here: PathBuf,
    here: PathBuf,
    process: BTreeMap<String, String>,
}

impl Place {
    /// # Errors
    /// The current folder is not in a clone of the repository.
    pub fn find() -> Result<Place, Fault> {
        let here = env::current_dir().map_err(|e| Fault::io("finding the current folder", Path::new("."), &e))?;
        let root = find_root(&here)?;
        let below = here.strip_prefix(&root).map_or(0, |path| path.components().count());
        let root_from_here = if below == 0 { PathBuf::from(".") } else { std::iter::repeat_n("..", below).collect() };
        let process = env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Ok(Place { root, root_from_here, here, process: process.collect() })
    }

    /// The variables: flags, the environment, `.env`.
    ///
    /// # Errors
    /// `.env` can't be read.
    pub fn vars(&self, globals: &Globals) -> Result<Vars, Fault> {
        let mut flags = globals.variables.flags(&self.process);
        flags.extend(self.other_ca_bundle().map(|path| ("CA_BUNDLE".to_owned(), path)));
        read_vars(&self.root, &self.here, flags, self.process.clone())
    }

    /// The values of the environment and of `.env`, which may hold credentials.
    pub fn values(&self) -> impl Iterator<Item = String> {
        let dotenv = std::fs::read_to_string(self.root.join(".env")).unwrap_or_default();
        let lines = dotenv.lines().map(str::to_owned).collect::<Vec<_>>();
        self.process.values().cloned().chain(lines)
    }

    /// How each program that is there is called: `setup`'s own where it has one, else whatever the PATH has.
    pub fn programs<'a>(&self, names: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
        let own = |name: &str| Path::new(tools::FOLDER).join("bin").join(name);
        let found = names.chain(["docker", "poetry", "aws"]).filter_map(|name| {
            if self.root.join(own(name)).exists() {
                let shown = match self.root_from_here == Path::new(".") {
                    true => own(name),
                    false => self.root_from_here.join(own(name)),
                };
                return Some((name.to_owned(), shown.display().to_string()));
            }
            which::which(name).ok().map(|_| (name.to_owned(), name.to_owned()))
        });
        found.collect()
    }

    /// User and group that own the project which compose mounts; a relative path is seen from the compose file.
    pub fn workspace_owner(&self, vars: &Vars) -> Option<(u32, u32)> {
        let path = vars.get("WORKSPACE").filter(|path| !path.is_empty()).unwrap_or(".");
        let about = std::fs::metadata(self.root.join(path)).ok()?;
        Some((about.uid(), about.gid()))
    }

    /// The bundle that tools are to trust: theirs are of no use behind a proxy that inspects TLS.
    pub fn ca_bundle(vars: &Vars) -> Option<String> {
        let given = |name: &str| vars.get(name).filter(|path| !path.is_empty());
        let bundle = ["CA_BUNDLE", "SSL_CERT_FILE"].into_iter().find_map(given).unwrap_or(CA_BUNDLE);
        Path::new(bundle).exists().then(|| bundle.to_owned())
    }

    /// The machine's bundle where the compose files' own rule (`CA_BUNDLE`, `SSL_CERT_FILE`, Debian's path) leads
    /// nowhere: on Fedora, on a Mac, or where only other tools know of it.
    fn other_ca_bundle(&self) -> Option<String> {
        let given = |name: &&str| self.process.get(*name).filter(|path| !path.is_empty()).cloned();
        if ["CA_BUNDLE", "SSL_CERT_FILE"].iter().find_map(given).is_some() || Path::new(CA_BUNDLE).exists() {
            return None;
        }
        let others = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"].iter().filter_map(given);
        let places = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"].map(str::to_owned);
        others.chain(places).find(|path| Path::new(path).exists())
    }
}
