//! What images are made of: their Dockerfiles and build contexts.

use identity::Sources;
use project::{ImageName, Project, error::Fault};
use std::{collections::BTreeMap, thread};

/// Reads the folders of these images, on all cores.
pub fn read(project: &Project, names: &[ImageName]) -> BTreeMap<ImageName, Result<Sources, Fault>> {
    let read = |name: &ImageName| {
        let sources = project.image(name).and_then(|image| Sources::read(&project.root, image));
        (name.clone(), sources)
    };
    let share = names.len().div_ceil(thread::available_parallelism().map_or(1, usize::from)).max(1);
    thread::scope(|scope| {
        let parts: Vec<_> =
            names.chunks(share).map(|part| scope.spawn(move || part.iter().map(read).collect::<Vec<_>>())).collect();
        parts.into_iter().filter_map(|part| part.join().ok()).flatten().collect()
    })
}
