//! The vendors' own package indexes, which not every machine reaches.

use super::{python::python, shell};
use crate::common::trust::trusting;
use plan::{Action, Facts, Invocation, Plan, Probe, Step, tools::docker::STAND_IN};
use project::Project;
use std::collections::BTreeMap;

/// A vendor's index that can't be reached is noted in `.env`, which plain docker compose reads as well; the images then
/// say that they are built on a stand-in.
pub fn steps(project: &Project, facts: &Facts, both: &[Project], plan: &mut Plan) {
    let file = facts.argument(".env");
    for (name, url) in indexes(both) {
        // The environment wins over `.env`: who names an index there, means it.
        if url == STAND_IN || project.vars.process.get(&name).is_some_and(|url| !url.is_empty()) {
            continue;
        }
        let reached = Probe { run: reaches(project, facts, &url), prints: None };
        let note = format!("# {url} was out of reach; without the next line, setup asks again.");
        let note = format!("printf '%s\\n' '' '{note}' {name}={STAND_IN} >>{file}");
        let note = Action::Unless(reached, shell(note));
        plan.then(Step::new(format!("have a stand-in for {name}, unless {url} can be reached"), note));
    }
}

/// The vendors' indexes of these files: the variable, and the URL that it has.
pub fn indexes<'a>(projects: impl IntoIterator<Item = &'a Project>) -> BTreeMap<String, String> {
    projects.into_iter().flat_map(|project| &project.images).flat_map(|image| image.indexes.iter().cloned()).collect()
}

/// Succeeds where a vendor's index, or any other URL, can be reached.
pub fn reaches(project: &Project, facts: &Facts, url: &str) -> Invocation {
    // Tried again, since what is noted stays, but no longer than we say; an answer is an answer, whatever it says of the
    // page. (requests is Poetry's.)
    let script = "import sys, requests, urllib3; session = requests.Session(); \
                  again = urllib3.Retry(2, backoff_factor=1, status_forcelist=range(500, 600), respect_retry_after_header=False); \
                  [session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=again)) for scheme in list(session.adapters)]; \
                  session.head(sys.argv[1], timeout=10)";
    trusting(project, facts, "REQUESTS_CA_BUNDLE", Invocation::new(&python(facts), ["-c", script, url]))
}
