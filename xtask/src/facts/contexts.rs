//! What images and their suites are made of: Dockerfiles, build contexts, tests.

use identity::{Hash, Sources};
use project::{Image, ImageName, Project, error::Fault};
use std::{collections::BTreeMap, thread};

type ByName<T> = BTreeMap<ImageName, Result<T, Fault>>;

/// Reads the folders of these images.
pub fn read(project: &Project, names: &[ImageName]) -> ByName<Sources> {
    each(project, names, |image| Sources::read(&project.root, image))
}

/// Reads the suites of these images.
pub fn suites(project: &Project, names: &[ImageName]) -> ByName<Hash> {
    each(project, names, |image| identity::suite(project, image))
}

/// On all cores.
fn each<T: Send>(
    project: &Project,
    names: &[ImageName],
    read: impl Fn(&Image) -> Result<T, Fault> + Sync,
) -> ByName<T> {
    let read = |name: &ImageName| (name.clone(), project.image(name).and_then(&read));
    let share = names.len().div_ceil(thread::available_parallelism().map_or(1, usize::from)).max(1);
    thread::scope(|scope| {
        let parts: Vec<_> =
            names.chunks(share).map(|part| scope.spawn(move || part.iter().map(read).collect::<Vec<_>>())).collect();
        parts.into_iter().filter_map(|part| part.join().ok()).flatten().collect()
    })
}
