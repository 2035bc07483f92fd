//! What the images' labels say of the source: the variables that `build` exports, by git.

use plan::{EnvValue, Facts, Invocation, Plan, facts::Git};
use project::Project;

const SOURCE: &str = "OCI_SOURCE";
pub const REVISION: &str = "OCI_REVISION";
pub const CREATED: &str = "OCI_CREATED";

/// Exports to the builds where their source is, and says so where git says nothing; in a dry run also the clone's own
/// commit. The user's own values win.
pub fn plan(project: &Project, facts: &Facts) -> Plan {
    let is_given = |name: &str| project.vars.get(name).is_some();
    let mut plan = Plan::default();
    let exports = match &facts.git {
        Git::NotAsked => questions(),
        Git::Silent(why) => return silent(plan, why, facts, !is_given(REVISION)),
        Git::Clone { remotes, .. } => {
            let source = source_of(remotes);
            if source.is_none() && !is_given(SOURCE) {
                plan.note("no remote of this clone is a web address: the images won't say where their source is");
            }
            vec![(SOURCE, EnvValue::Text(source.unwrap_or_default()))]
        }
    };
    let exports = exports.into_iter().filter(|(name, _)| !is_given(name));
    plan.exports = exports.map(|(name, value)| (name.to_owned(), value)).collect();
    plan
}

/// The same as commands, for a dry run, which asks nobody.
fn questions() -> Vec<(&'static str, EnvValue)> {
    let source = concat!(
        r#"git remote get-url "$(git remote | grep -x origin || git remote | head -n 1)" | sed -En '"#,
        r"s#^(https?://)([^/]*@)?#\1#p; t; ",
        r"s#^(git\+)?(ssh|git)://([^/]*@)?([^/:]*)(:[0-9]+)?/#https://\4/#p; t; ",
        r"/:\/\//d; s#^([^/]*@)?([^/:@]*):/*#https://\2/#p'",
    );
    let git = |args: &[&str]| EnvValue::Printed(Box::new(Invocation::new("git", args.iter().copied())));
    vec![
        (SOURCE, EnvValue::Printed(Box::new(Invocation::new("sh", ["-c", source])))),
        (REVISION, git(&["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"])),
        // The commit's time: an image that is built twice of one commit is one image.
        (CREATED, git(&["log", "--max-count=1", "--format=%cI"])),
    ]
}

fn silent(mut plan: Plan, why: &str, facts: &Facts, is_missed: bool) -> Plan {
    if is_missed {
        let why = why.trim_start_matches("fatal: ");
        plan.note(format!("the images won't say which commit they were built from, nor where their source is: {why}"));
        if let Some(folder) = dubious(why) {
            let folder = if folder.is_empty() { facts.root.display().to_string() } else { folder.to_owned() };
            plan.note(format!(
                "to let git read a clone of another user: git config --global --add safe.directory {folder}"
            ));
        }
    }
    plan
}

/// The folder whose owner git calls dubious, by git's own words.
fn dubious(why: &str) -> Option<&str> {
    let (_, rest) = why.split_once("dubious ownership")?;
    Some(rest.split('\'').nth(1).unwrap_or_default())
}

/// The web address of the remote that the images come from: `origin`, else the first.
fn source_of(remotes: &[(String, String)]) -> Option<String> {
    let origin = remotes.iter().find(|(name, _)| name == "origin");
    web_address(&origin.or(remotes.first())?.1)
}

/// A remote's URL as a web address, without the credentials that it may hold; none for a folder.
fn web_address(url: &str) -> Option<String> {
    let without_user = |text: &str| -> String {
        let (authority, path) = text.split_once('/').unwrap_or((text, ""));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        format!("{host}/{path}")
    };
    if let Some((scheme, rest)) = url.split_once("://") {
        return match scheme {
            "https" | "http" => Some(format!("{scheme}://{}", without_user(rest))),
            "ssh" | "git" | "git+ssh" => {
                let address = without_user(rest);
                let (host, path) = address.split_once('/')?;
                let host = host.split(':').next().unwrap_or_default();
                Some(format!("https://{host}/{path}"))
            }
            _ => None,
        };
    }
    // As scp has it: git@host:path, whoever the user is.
    let (host, path) = url.split_once(':').filter(|(host, _)| !host.contains('/'))?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    Some(format!("https://{host}/{}", path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use plan::facts::History;

    const URLS: [(&str, Option<&str>); 15] = [
        ("https://github.com/a/b.git", Some("https://github.com/a/b.git")),
        ("https://x-token:ghp_1@github.com/a/b", Some("https://github.com/a/b")),
        ("https://token@github.com/a/b", Some("https://github.com/a/b")),
        ("https://me:p@ss@host:8443/a/b", Some("https://host:8443/a/b")),
        ("http://host/a", Some("http://host/a")),
        ("git@github.com:a/b.git", Some("https://github.com/a/b.git")),
        ("org-123@github.com:a/b.git", Some("https://github.com/a/b.git")),
        ("github.com:a/b.git", Some("https://github.com/a/b.git")),
        ("git@host:/srv/b.git", Some("https://host/srv/b.git")),
        ("ssh://git@host/a/b", Some("https://host/a/b")),
        ("ssh://git@host:2222/a/b", Some("https://host/a/b")),
        ("git://host/a/b", Some("https://host/a/b")),
        ("/srv/git/b.git", None),
        ("../b", None),
        ("file:///srv/git/b.git", None),
    ];

    #[test]
    fn remotes_as_web_addresses() {
        for (url, expected) in URLS {
            assert_eq!(web_address(url).as_deref(), expected, "{url}");
        }
        let remotes = |names: &[&str]| -> Vec<(String, String)> {
            names.iter().map(|name| ((*name).to_owned(), format!("https://{name}/x"))).collect()
        };
        assert_eq!(source_of(&remotes(&["fork", "origin"])).as_deref(), Some("https://origin/x"));
        assert_eq!(source_of(&remotes(&["upstream"])).as_deref(), Some("https://upstream/x"));
        assert_eq!(source_of(&[]), None);
    }

    /// What a dry run shows must give the same as a run.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "asks a shell")]
    fn the_commands_give_the_same() {
        let EnvValue::Printed(question) = &questions()[0].1 else { panic!() };
        let sed = question.args[1].split_once("| sed").unwrap().1;
        for (url, expected) in URLS {
            let script = format!("printf '%s\\n' '{url}' | sed{sed}");
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), expected.unwrap_or_default(), "{url}");
        }
    }

    fn build(git: Git, process: &[(&str, &str)]) -> Plan {
        let mut family = testing::family().with(|facts| facts.git = git);
        family.process = process.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        family.plan(&["build", "python-base"]).unwrap()
    }

    #[test]
    fn a_clone_is_named_by_the_labels() {
        let remotes = vec![("upstream".to_owned(), "org-1@github.com:a/b.git".to_owned())];
        let git = Git::Clone { remotes, history: History::default() };
        let texts = |plan: &Plan| -> Vec<String> {
            let of_commit = plan.exports.iter().filter(|(name, _)| name.starts_with("OCI_"));
            of_commit.map(|(name, value)| format!("{name}={value}")).collect()
        };
        let plan = build(git.clone(), &[]);
        assert_eq!((texts(&plan), plan.notes.len()), (vec!["OCI_SOURCE=https://github.com/a/b.git".to_owned()], 0));
        assert_eq!(texts(&build(git, &[("OCI_SOURCE", "https://own")])), [""; 0]);
    }

    #[test]
    fn a_git_that_says_nothing_is_reported() {
        let dubious = "fatal: detected dubious ownership in repository at '/clone'";
        let notes = |why: &str, process: &[(&str, &str)]| -> Vec<String> {
            let plan = build(Git::Silent(why.to_owned()), process);
            assert!(plan.exports.iter().all(|(name, _)| !name.starts_with("OCI_")), "{:?}", plan.exports);
            plan.notes.into_iter().map(|note| note.text).collect()
        };
        let said = notes(dubious, &[]);
        assert!(
            said[0].contains("which commit")
                && said[0].ends_with(": detected dubious ownership in repository at '/clone'")
        );
        assert!(said[1].ends_with("git config --global --add safe.directory /clone"), "{said:?}");
        assert_eq!(notes("fatal: not a git repository", &[]).len(), 1);
        assert_eq!(notes(dubious, &[("OCI_REVISION", "1")]), [""; 0]);
    }
}
