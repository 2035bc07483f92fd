//! What the engine has of the family, and whether it is built on what the engine has.

use plan::{facts::Engine, tools::docker};
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
    /// The image below it that was built again since.
    pub outdated: Option<ImageName>,
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
            "outdated": self.outdated.as_ref().map(ImageName::as_str),
        })
    }

    /// What a reader must know of it.
    pub fn marks(&self) -> Vec<String> {
        let outdated = self.outdated.as_ref().map(|base| format!("outdated: {base} was built again"));
        let stand_in = self.stand_in.then(|| "on a stand-in".to_owned());
        outdated.into_iter().chain(stand_in).collect()
    }

    /// How long ago it was made; what the engine says where that is no time.
    pub fn age(&self, now: SystemTime) -> String {
        time_of(&self.created).map_or_else(|| self.created.clone(), |then| age(then, now))
    }
}

/// What the engine has of an image; nothing where it doesn't answer or has no such image.
pub fn local(engine: &Engine, project: &Project, image: &Image) -> Option<Local> {
    let found = engine.find(&image.reference)?;
    Some(Local {
        id: found.id.clone(),
        size: found.size,
        created: found.created.clone(),
        stage: found.labels.get(docker::STAGE_LABEL).cloned(),
        stand_in: !docker::stand_ins(&found.labels).is_empty(),
        outdated: outdated(engine, project, image).map(|outdated| outdated.base.clone()),
    })
}

/// Why an image is outdated: it, or an image that it is built on, was built on another build of its base than the engine
/// has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outdated<'a> {
    /// The lowest such base.
    pub base: &'a ImageName,
    /// What has to be built, in this order, the image itself last.
    pub rebuild: Vec<&'a ImageName>,
}

/// What outdates an image, if anything; what the engine doesn't have does not.
pub fn outdated<'a>(engine: &Engine, project: &'a Project, image: &'a Image) -> Option<Outdated<'a>> {
    let line = std::iter::successors(Some(image), |image| project.base(image));
    // A circle of bases is for others to report.
    let line: Vec<&Image> = line.take(project.images.len()).collect();
    let find = |image: &Image| engine.find(&image.reference);
    let broken = line.windows(2).rposition(|link| match (find(link[0]), find(link[1])) {
        (Some(image), Some(base)) => !image.is_built_on(base, &link[1].reference),
        _ => false,
    })?;
    let above = line[..=broken].iter().rev();
    Some(Outdated { base: &line[broken + 1].name, rebuild: above.map(|image| &image.name).collect() })
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

/// These images and those below them, by which they are outdated; what to ask the engine about.
///
/// # Errors
/// Bases that go round in a circle.
pub fn with_bases(project: &Project, names: &[ImageName]) -> Result<Vec<ImageRef>, Fault> {
    let images = project.with_bases(names)?.into_iter().filter(|image| !image.helper);
    Ok(images.map(|image| image.reference.clone()).collect())
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
