//! What git says of the clone.

use exec::Executor;
use plan::{Invocation, facts::Git};

pub fn read(exec: &Executor) -> Git {
    let git = |args: &[&str]| match exec.capture(&Invocation::new("git", args.iter().copied())) {
        Ok(output) if output.success() => Ok(output.stdout),
        Ok(output) => Err(output.stderr.lines().next().unwrap_or("git failed").to_owned()),
        Err(fault) => Err(fault.what),
    };
    // Without --exclude a tag would take the commit's place.
    let revision = git(&["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]);
    let (revision, time) = match (revision, git(&["log", "--max-count=1", "--format=%cI"])) {
        (Ok(revision), Ok(time)) => (revision, time),
        (Err(why), _) | (_, Err(why)) => return Git::Silent(why),
    };
    let remotes = git(&["config", "--get-regexp", r"^remote\..*\.url$"]).unwrap_or_default();
    let remotes = remotes.lines().filter_map(|line| {
        let (key, url) = line.split_once(' ')?;
        let name = key.strip_prefix("remote.")?.strip_suffix(".url")?;
        Some((name.to_owned(), url.to_owned()))
    });
    Git::Clone { revision, time, remotes: remotes.collect() }
}
