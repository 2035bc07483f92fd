//! Changes files: each in one go, so that nothing is ever half-written.

use plan::Action;
use project::error::{Cause, Fault};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process,
};
use xshell::Shell;

/// # Errors
/// What can't be read or written, and why.
pub fn change(action: &Action) -> Result<(), Fault> {
    match action {
        Action::Stage { from, to } => stage(from, to),
        Action::Replace(files) => replace(files),
        Action::Write { to, text } => write(to, text),
        Action::Remove(path) => remove(path),
        Action::OpenFolder(folder) => {
            make_empty(folder)?;
            let mode = fs::Permissions::from_mode(0o777);
            fs::set_permissions(folder, mode).map_err(|error| Fault::io("opening to every user", folder, &error))
        }
        Action::Run(_)
        | Action::Unless(..)
        | Action::Either(..)
        | Action::OnlyIf(..)
        | Action::All(..)
        | Action::Pipe(..)
        | Action::Compute(_) => Err(Fault::new(Cause::Internal, format!("`{action}` changes no file"))),
    }
}

/// Writes a file in one go, and makes the folder it is in: a full disk leaves the old one whole.
pub fn write(to: &Path, text: &str) -> Result<(), Fault> {
    // A link stays one: what it leads to is replaced.
    let to = &fs::canonicalize(to).unwrap_or_else(|_| to.to_owned());
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", process::id()));
    let beside = to.with_file_name(name);
    let written = shell()?.write_file(&beside, text);
    let written = written.map_err(|error| Fault::new(Cause::Io, format!("writing {}: {error}", to.display())));
    let written = written.and_then(|()| put(&beside, to));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// All or none: where one can't be put in its place, those before it are put back.
fn replace(files: &[(PathBuf, PathBuf)]) -> Result<(), Fault> {
    let old: Vec<Option<Vec<u8>>> = files.iter().map(|(_, to)| fs::read(to).ok()).collect();
    for (at, (from, to)) in files.iter().enumerate() {
        if let Err(fault) = put(from, to) {
            for ((_, to), old) in files.iter().zip(&old).take(at) {
                // What can't be put back either is not worse than the fault that is reported.
                let _ = old.as_ref().map_or_else(|| fs::remove_file(to), |old| fs::write(to, old));
            }
            return Err(fault);
        }
    }
    Ok(())
}

fn stage(from: &[PathBuf], to: &Path) -> Result<(), Fault> {
    make_empty(to)?;
    let shell = shell()?;
    from.iter().try_for_each(|path| copy(&shell, path, &to.join(path.file_name().unwrap_or_default())))
}

fn copy(shell: &Shell, from: &Path, to: &Path) -> Result<(), Fault> {
    if !from.is_dir() {
        return shell.copy_file(from, to).map_err(|error| failed(&error));
    }
    shell.create_dir(to).map_err(|error| failed(&error))?;
    for path in shell.read_dir(from).map_err(|error| failed(&error))? {
        copy(shell, &path, &to.join(path.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

fn make_empty(folder: &Path) -> Result<(), Fault> {
    remove(folder)?;
    shell()?.create_dir(folder).map(|_| ()).map_err(|error| failed(&error))
}

fn remove(path: &Path) -> Result<(), Fault> {
    shell()?.remove_path(path).map_err(|error| failed(&error))
}

/// Puts a file in the place of another, which stays as readable as it was, whatever the umask of who made it.
fn put(from: &Path, to: &Path) -> Result<(), Fault> {
    let kept = fs::metadata(to).map_or(Ok(()), |old| fs::set_permissions(from, old.permissions()));
    let put = kept.and_then(|()| fs::rename(from, to));
    put.map_err(|error| Fault::io(&format!("putting {} in the place of", from.display()), to, &error))
}

fn shell() -> Result<Shell, Fault> {
    Shell::new().map_err(|error| failed(&error))
}

/// xshell says what was attempted on which path.
fn failed(error: &xshell::Error) -> Fault {
    Fault::new(Cause::Io, error.to_string())
}
