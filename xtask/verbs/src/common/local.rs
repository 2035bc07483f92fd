//! What the engine has of the family, and whether that is what a build would make now.

use crate::common::identity::Fingerprints;
use plan::{
    Invocation,
    facts::Engine,
    tools::docker::{self, Inspected},
};
use project::{Image, ImageName, ImageRef, Project, error::Fault};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// An image as the engine has it.
#[derive(Debug, Clone)]
pub struct Local {
    pub id: String,
    /// In bytes.
    pub size: u64,
    /// As the engine has it: RFC 3339.
    pub created: String,
    /// The stage that its label names; none for production.
    pub stage: Option<String>,
    pub stand_in: bool,
    /// The image by which it is outdated, itself or one below it, and why.
    pub outdated: Option<(ImageName, String)>,
}

impl Local {
    /// As docker shortens it.
    pub fn short_id(&self) -> &str {
        let id = self.id.trim_start_matches("sha256:");
        id.get(..12).unwrap_or(id)
    }

    /// `production`, where no label names another.
    pub fn stage(&self) -> &str {
        self.stage.as_deref().unwrap_or("production")
    }

    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "size": self.size,
            "created": self.created,
            "stage": self.stage,
            "stand_in": self.stand_in,
            "outdated": self.outdated.as_ref().map(|(name, _)| name.as_str()),
        })
    }

    /// What a reader must know of it.
    pub fn marks(&self) -> Vec<String> {
        let outdated = self.outdated.as_ref().map(|(_, why)| format!("outdated: {why}"));
        let stand_in = self.stand_in.then(|| "on a stand-in".to_owned());
        // The shorter one first: a narrow table cuts the end.
        stand_in.into_iter().chain(outdated).collect()
    }

    /// How long ago it was made; what the engine says where that is no time.
    pub fn age(&self, now: SystemTime) -> String {
        time_of(&self.created).map_or_else(|| self.created.clone(), |then| age(then, now))
    }
}

/// What the engine has of an image; nothing where it doesn't answer or has no such image.
pub fn local(engine: &Engine, project: &Project, known: &Fingerprints, image: &Image) -> Option<Local> {
    let found = engine.find(&image.reference)?;
    Some(Local {
        id: found.id.clone(),
        size: found.size,
        created: found.created.clone(),
        stage: found.labels.get(docker::STAGE_LABEL).cloned(),
        stand_in: !docker::stand_ins(&found.labels).is_empty(),
        outdated: outdated(engine, project, known, image).map(|outdated| (outdated.since.clone(), outdated.why())),
    })
}

/// Why an image that the engine has is not what a build would make now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outdated<'a> {
    /// The lowest image by which it is: itself, or one that it is built on.
    pub since: &'a ImageName,
    change: Change,
    /// What has to be built, in this order, the image itself last.
    pub rebuild: Vec<&'a ImageName>,
}

/// What happened to that image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// It was built from other inputs than today's.
    Inputs,
    /// What stands on it was built on another build of it.
    Build,
}

impl Outdated<'_> {
    /// As a sentence goes on after `since`.
    pub fn why(&self) -> String {
        match self.change {
            Change::Inputs => format!("what {} is made of has changed", self.since),
            Change::Build => format!("{} was built again", self.since),
        }
    }
}

/// What outdates an image, if anything; what the engine doesn't have does not. Where the image says what it was made of,
/// that is compared with today's, `known`; else it is held against the base that the engine has.
pub fn outdated<'a>(
    engine: &Engine,
    project: &'a Project,
    known: &Fingerprints,
    image: &'a Image,
) -> Option<Outdated<'a>> {
    let line = std::iter::successors(Some(image), |image| project.base(image));
    // A circle of bases is for others to report.
    let line: Vec<&Image> = line.take(project.images.len()).collect();
    let mut base: Option<(&Image, Option<Outdated>)> = None;
    for image in line.into_iter().rev() {
        let outdated = by_base(engine, known, image, base);
        base = Some((image, outdated));
    }
    base.and_then(|(_, outdated)| outdated)
}

/// As `outdated`, by what is known of the base: the image, and what outdates it.
fn by_base<'a>(
    engine: &Engine,
    known: &Fingerprints,
    image: &'a Image,
    base: Option<(&'a Image, Option<Outdated<'a>>)>,
) -> Option<Outdated<'a>> {
    let found = engine.find(&image.reference)?;
    let (base, below) = base.map_or((None, None), |(base, below)| (Some(base), below));
    let base = base.and_then(|base| Some((base, engine.find(&base.reference)?)));
    let has_these_inputs = has_inputs(found, known, image);
    let on_another = base.filter(|(base, in_engine)| match has_these_inputs {
        // The same inputs, and yet another build: what it takes from the network may differ.
        Some(true) => has_inputs(in_engine, known, base) == Some(true) && !found.layers.starts_with(&in_engine.layers),
        Some(false) => !found.layers.starts_with(&in_engine.layers),
        None if found.fingerprint().is_some() => {
            found.stage() == in_engine.stage() && !found.layers.starts_with(&in_engine.layers)
        }
        None => !found.is_built_on(in_engine, &base.reference),
    });
    let own = |since: &'a ImageName, change| Outdated { since, change, rebuild: vec![&image.name] };
    match (below, on_another) {
        // It is what it would be, whatever has become of its base meanwhile.
        (Some(_), None) if has_these_inputs == Some(true) => None,
        (Some(mut below), _) => {
            below.rebuild.push(&image.name);
            Some(below)
        }
        (None, Some((base, _))) => Some(own(&base.name, Change::Build)),
        (None, None) => (has_these_inputs == Some(false)).then(|| own(&image.name, Change::Inputs)),
    }
}

/// Was it made of today's inputs? Nothing where it doesn't say, or was built at another stage than is asked for, whose
/// inputs aren't known.
fn has_inputs(found: &Inspected, known: &Fingerprints, image: &Image) -> Option<bool> {
    let (label, today) = (found.fingerprint()?, known.get(&image.name)?);
    found.is_at(image.stage.as_deref()).then(|| label == today.hash.to_string())
}

/// Does the engine have just what a build would make now?
pub fn is_current(engine: &Engine, project: &Project, known: &Fingerprints, image: &Image) -> bool {
    let found = engine.find(&image.reference);
    found.is_some_and(|found| has_inputs(found, known, image) == Some(true))
        && outdated(engine, project, known, image).is_none()
}

/// The command that brings these up to date.
pub fn rebuild<'a>(outdated: impl IntoIterator<Item = &'a Outdated<'a>>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in outdated.into_iter().flat_map(|outdated| &outdated.rebuild) {
        if !names.contains(&name.as_str()) {
            names.push(name.as_str());
        }
    }
    format!("cargo xtask build {}", names.join(" "))
}

/// What to ask the engine about a family that may go round in a circle, which is for `check` to report.
pub fn question(project: &Project, names: &[ImageName]) -> Invocation {
    let itself = || names.iter().filter_map(|name| project.find(name)).map(|image| image.reference.clone()).collect();
    let references = with_bases(project, names).unwrap_or_else(|_| itself());
    docker::inspect_all(&references.iter().collect::<Vec<_>>())
}

/// These images and all that they are built from, by which they are outdated; what to ask the engine about.
///
/// # Errors
/// Bases that go round in a circle.
pub fn with_bases(project: &Project, names: &[ImageName]) -> Result<Vec<ImageRef>, Fault> {
    let images = project.with_bases(names)?.into_iter().filter(|image| !image.helper);
    let mut references: Vec<ImageRef> = images.map(|image| image.reference.clone()).collect();
    references.extend(identity::used(project, names)?);
    Ok(references)
}

/// `163 MB`, `5.5 GB`.
pub fn size(bytes: u64) -> String {
    let megabytes = bytes.div_ceil(1_000_000);
    if megabytes < 1000 {
        format!("{megabytes} MB")
    } else {
        format!("{}.{} GB", megabytes / 1000, megabytes % 1000 / 100)
    }
}

/// A time of the form `2026-11-22T17:25:04…`.
fn time_of(text: &str) -> Option<SystemTime> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Days since 1970-01-01 in the proleptic Gregorian calendar, years counted from March: Howard Hinnant's days_from_civil.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day
            - 719_469;
    let seconds = days * 86_400 + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// How long ago a time was, in its largest unit.
pub fn age(then: SystemTime, now: SystemTime) -> String {
    let (count, unit) = match now.duration_since(then).unwrap_or_default().as_secs() {
        age @ ..60 => (age, "s"),
        age @ ..3600 => (age / 60, "min"),
        age @ ..86_400 => (age / 3600, "h"),
        age => (age / 86_400, "d"),
    };
    format!("{count} {unit}")
}

/// `2026-11-22 17:25 UTC`.
pub fn date(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    // The way back, civil_from_days, for times after 1970.
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let (hour, minute) = (seconds % 86_400 / 3600, seconds % 3600 / 60);
    format!("{:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC", era * 400 + year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes() {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        // 2026-11-22T17:25:04Z, as date(1) counts it.
        let created = time_of("2026-11-22T17:25:04.123456789Z").unwrap();
        for (now, expected) in
            [(1_795_368_304, "0 s"), (1_795_368_363, "59 s"), (1_795_371_904, "1 h"), (1_795_541_104, "2 d")]
        {
            assert_eq!(age(created, at(now)), expected);
        }
        assert_eq!(age(time_of("2024-02-29T00:00:00Z").unwrap(), at(1_709_164_860)), "1 min");
        assert_eq!(time_of("soon"), None);
        assert_eq!((size(162_600_000), size(5_540_000_000)), ("163 MB".to_owned(), "5.5 GB".to_owned()));
    }

    #[test]
    fn dates_are_the_way_back() {
        for text in ["1970-01-01T00:00:00", "2024-02-29T23:59:00", "2026-11-22T17:25:00", "2100-03-01T06:00:00"] {
            let expected = format!("{} {} UTC", &text[..10], &text[11..16]);
            assert_eq!(date(time_of(text).unwrap()), expected);
        }
    }
}
