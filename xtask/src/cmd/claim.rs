//! One run at a time works on an image.

use super::Context;
use anyhow::{Context as _, Result};
use project::{
    ImageName,
    error::{Cause, Fault},
};
use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Write as _},
};

/// Held as long as this lives; the kernel lets go of it however the process ends.
#[must_use]
pub struct Claims(#[expect(dead_code, reason = "held, not read")] Vec<File>);

impl Context {
    /// Claims the images for `verb`.
    ///
    /// # Errors
    /// Another run holds one of them: which, and since when.
    pub fn claim<'a>(&self, verb: &str, images: impl IntoIterator<Item = &'a ImageName>) -> Result<Claims> {
        let folder = self.root.join("target/claims");
        fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
        // Everybody claims in the same order, so that two runs can't each hold what the other one wants.
        let mut names: Vec<&str> = images.into_iter().map(ImageName::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let files = names.into_iter().map(|name| {
            let path = folder.join(name);
            let mut file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .with_context(|| format!("opening {}", path.display()))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    let _ = file.read_to_string(&mut holder);
                    return Err(Fault::new(Cause::Busy, format!("{verb} {name}: {} works on it", holder.trim()))
                        .help("wait until it has ended, then try again")
                        .into());
                }
                Err(TryLockError::Error(e)) => return Err(e).with_context(|| format!("locking {}", path.display())),
            }
            let holder = format!("cargo xtask {verb} (process {})\n", std::process::id());
            let written = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
            written.with_context(|| format!("writing {}", path.display()))?;
            Ok(file)
        });
        Ok(Claims(files.collect::<Result<_>>()?))
    }
}
