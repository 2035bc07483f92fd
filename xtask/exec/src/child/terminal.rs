//! Terminals: ours, where a person may be asked, and one made for a tool that draws its progress.

use rustix::{
    process::getpgrp,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, OutputModes, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr, tcsetwinsize},
};
use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io::{self, stderr},
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    },
};

/// Is there a terminal that a child in our group may read from?
pub fn is_ours() -> bool {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    terminal.is_ok_and(|terminal| tcgetpgrp(&terminal).is_ok_and(|foreground| foreground == getpgrp()))
}

/// A pseudo-terminal of the size of the one that standard error is: what a tool draws there is passed on, and read.
pub struct Drawing(OwnedFd);

impl Drawing {
    /// Our end, and the tool's.
    pub fn new() -> io::Result<(Drawing, File)> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let path = ptsname(&ours, Vec::new())?.into_bytes();
        // It must not become ours, where we have none.
        let flags = OpenptFlags::NOCTTY.bits().cast_signed();
        let tool = OpenOptions::new().read(true).write(true).custom_flags(flags).open(OsStr::from_bytes(&path))?;
        // The real terminal puts carriage returns in, once.
        let mut mode = tcgetattr(&tool)?;
        mode.output_modes.remove(OutputModes::OPOST);
        tcsetattr(&tool, OptionalActions::Now, &mode)?;
        let drawing = Drawing(ours);
        drawing.resize();
        Ok((drawing, tool))
    }

    /// Where we read what the tool draws.
    pub fn pipe(&self) -> io::Result<File> {
        Ok(File::from(self.0.try_clone()?))
    }

    /// To the size that the real terminal has now.
    #[expect(clippy::disallowed_methods, reason = "asks for its size, and prints nothing")]
    pub fn resize(&self) {
        if let Ok(size) = tcgetwinsize(stderr()) {
            let _ = tcsetwinsize(&self.0, size);
        }
    }
}
