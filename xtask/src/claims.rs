//! One run at a time works on an image of a clone.

use project::{
    ImageName,
    error::{Cause, Fault},
};
use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Write as _},
    path::Path,
};

/// Held as long as this lives; the kernel lets go of it however the process ends.
#[must_use]
#[derive(Default)]
pub struct Claims(#[expect(dead_code, reason = "held, not read")] Vec<File>);

/// Claims the images for `verb`.
///
/// # Errors
/// Another run holds one of them: which, and since when.
pub fn claim(root: &Path, verb: &str, images: &[ImageName]) -> Result<Claims, Fault> {
    if images.is_empty() {
        return Ok(Claims::default());
    }
    let folder = root.join("target/claims");
    fs::create_dir_all(&folder).map_err(|e| Fault::io("making the folder", &folder, &e))?;
    // Everybody claims in the same order, so that two runs can't each hold what the other one wants.
    let mut names: Vec<&str> = images.iter().map(ImageName::as_str).collect();
    names.sort_unstable();
    names.dedup();
    Ok(Claims(names.into_iter().map(|name| one(&folder.join(name), verb, name)).collect::<Result<_, _>>()?))
}

fn one(path: &Path, verb: &str, name: &str) -> Result<File, Fault> {
    let open = File::options().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = open.map_err(|e| Fault::io("opening", path, &e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who holds it is a courtesy: without a name it is "another run".
            let _ = file.read_to_string(&mut holder);
            let holder = Some(holder.trim()).filter(|holder| !holder.is_empty()).unwrap_or("another run");
            return Err(Fault::new(Cause::Busy, format!("{verb} {name}: {holder} works on it"))
                .help("wait until it has ended, then try again"));
        }
        Err(TryLockError::Error(e)) => return Err(Fault::io("locking", path, &e)),
    }
    let holder = format!("cargo xtask {verb} (process {})\n", std::process::id());
    let written = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
    written.map_err(|e| Fault::io("writing", path, &e))?;
    Ok(file)
}
