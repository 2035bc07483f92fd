//! Where the repository is, which of its compose files counts, and the variables that a run sees.

use crate::{
    dotenv,
    env_files::{EnvFiles, env_files},
    error::Fault,
    vars::Vars,
};
use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// Which compose file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Dev,
    Ci,
}

impl Environment {
    pub fn file(self) -> &'static str {
        match self {
            Environment::Dev => "docker-compose.dev.yaml",
            Environment::Ci => "docker-compose.ci.yaml",
        }
    }

    pub fn other(self) -> Environment {
        match self {
            Environment::Dev => Environment::Ci,
            Environment::Ci => Environment::Dev,
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Environment::Dev => "dev",
            Environment::Ci => "ci",
        })
    }
}

/// The root: the nearest folder, from `start` upwards, that holds a compose file of ours.
pub fn find_root(start: &Path) -> Result<PathBuf, Fault> {
    let is_root =
        |dir: &&Path| dir.join(Environment::Dev.file()).is_file() || dir.join(Environment::Ci.file()).is_file();
    start.ancestors().find(is_root).map(Path::to_owned).ok_or_else(|| {
        Fault::usage(format!(
            "looking for {} in {} and the folders above it: none there",
            Environment::Dev.file(),
            start.display()
        ))
        .help("cd into a clone of the repository, then try again")
    })
}

/// Reads the variables' layers: flags, the environment, and the files that compose reads, too. `here` is the current
/// folder.
///
/// # Errors
/// A file can't be read, or has a line that compose refuses.
pub fn read_vars(
    root: &Path,
    here: &Path,
    flags: BTreeMap<String, String>,
    process: BTreeMap<String, String>,
) -> Result<Vars, Fault> {
    let mut dotenv = BTreeMap::new();
    match env_files(root, here, &process)? {
        EnvFiles::Default(path) => match read_file(&path) {
            Ok(bytes) => dotenv.extend(variables_of(&path, &bytes, &process)?),
            // Compose ignores a folder of that name.
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {}
            Err(e) => return Err(Fault::io("reading", &path, &e)),
        },
        EnvFiles::Named(paths) => {
            for path in paths {
                let bytes = read_file(&path).map_err(|e| {
                    Fault::usage(format!("COMPOSE_ENV_FILES: reading {}: {e}", path.display()))
                        .help("correct COMPOSE_ENV_FILES, or unset it")
                })?;
                // What is above, in an earlier file, too, may be used further down.
                let above = dotenv.clone().into_iter().chain(process.clone()).collect();
                dotenv.extend(variables_of(&path, &bytes, &above)?);
            }
        }
    }
    Ok(Vars { flags, process, dotenv })
}

/// Reads a file that compose reads, too: only one that gives both the same. A pipe would give it to the first reader, and
/// keep the second waiting.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let about = fs::metadata(path)?;
    match about.is_file() || about.is_dir() {
        true => fs::read(path),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    }
}

/// The variables of an env file. Compose doesn't mind the encoding of comments.
fn variables_of(
    path: &Path,
    bytes: &[u8],
    above: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Fault> {
    dotenv::parse(&String::from_utf8_lossy(bytes), above).map_err(|(line, why)| {
        Fault::project(format!("reading {}:{line}: {why}", path.display()))
            .help("correct the line: docker compose refuses it, too")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dotenv_is_read_in_any_encoding_and_a_folder_of_that_name_is_passed_over() {
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        let read = || read_vars(folder.path(), folder.path(), BTreeMap::new(), BTreeMap::new()).map(|vars| vars.dotenv);
        assert_eq!(read().unwrap(), BTreeMap::new());
        let path = folder.path().join(".env");
        fs::create_dir(&path).unwrap();
        assert_eq!(read().unwrap(), BTreeMap::new());
        fs::remove_dir(&path).unwrap();
        fs::write(&path, b"# caf\xe9\nA=1\n").unwrap();
        assert_eq!(read().unwrap(), [("A".to_owned(), "1".to_owned())].into());
        fs::write(&path, b"A=1\n\xe9=2\n").unwrap();
        assert!(read().unwrap_err().to_string().contains(".env:2: unexpected character"));
    }

    #[test]
    fn what_only_one_reader_could_read_is_refused() {
        // Neither a file nor a folder, and there on every machine.
        let named = BTreeMap::from([("COMPOSE_ENV_FILES".to_owned(), "/dev/null".to_owned())]);
        let fault = read_vars(Path::new("/r"), Path::new("/r"), BTreeMap::new(), named).unwrap_err();
        assert!(fault.what.contains("/dev/null: it is not a regular file"), "{fault}");
    }
}
