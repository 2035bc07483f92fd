//! Images that promise all packages of others: a notebook, whose models are trained or served by another image.

use super::{Finding, Member, PYTHON};
use crate::{ImageName, PackageName};
use std::collections::{BTreeMap, BTreeSet};

/// How many packages a finding names.
const NAMED: usize = 3;

type Versions<'a> = BTreeMap<&'a PackageName, BTreeSet<&'a str>>;

/// What a member has with its bases. One with a Python of its own can't import what its base has.
fn whole<'a>(member: &'a Member<'a>, members: &BTreeMap<&ImageName, &'a Member<'a>>) -> Versions<'a> {
    let mut whole = member.versions();
    let mut at = member;
    while !at.exceptions.contains_key(PYTHON) {
        let Some(base) = at.base.as_ref().and_then(|base| members.get(base)) else { break };
        for (package, versions) in base.versions() {
            whole.entry(package).or_insert(versions);
        }
        at = base;
    }
    whole
}

/// Every image has, at the same versions, what the images have that its `includes` names.
pub(super) fn unmet<'a>(member: &'a Member<'a>, members: &BTreeMap<&ImageName, &'a Member<'a>>) -> Vec<Finding> {
    let place = format!("{}:{}", member.file("pyproject.toml"), member.pyproject.line_of("includes"));
    let here = whole(member, members);
    let included = |name: &String| {
        let Some(other) = members.values().find(|other| other.image.name.as_str() == name) else {
            let what = format!("includes names {name}, which is no image with a pyproject.toml and a poetry.lock");
            return Some(Finding::new(&place, what));
        };
        let (mut lacking, mut differing) = (Vec::new(), Vec::new());
        for (package, there) in other.versions() {
            let list = |versions: &BTreeSet<&str>| versions.iter().copied().collect::<Vec<_>>().join(", ");
            match here.get(package) {
                None => lacking.push(package.to_string()),
                Some(here) if *here != there => {
                    differing.push(format!("{package} {} here, {} there", list(here), list(&there)));
                }
                Some(_) => {}
            }
        }
        let mut why = Vec::new();
        if !lacking.is_empty() {
            why.push(format!("lacks {}: add to dependencies those that {name} asks for itself", some(&lacking)));
        }
        if !differing.is_empty() {
            why.push(format!("has other versions: {}", some(&differing)));
        }
        let lock = format!("then cargo xtask lock {name} {}", member.image.name);
        (!why.is_empty()).then(|| {
            let what = format!("it promises all packages of {name} (includes), but {}; {lock}", why.join("; and "));
            Finding::new(&place, what)
        })
    };
    member.includes.iter().filter_map(included).collect()
}

fn some(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let named = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}
