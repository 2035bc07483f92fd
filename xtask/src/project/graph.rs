//! Order: bases before what stands on them.

use super::{Image, ImageName, Origin, Project};
use crate::error::Fault;
use std::collections::BTreeMap;

impl Image {
    /// The images of the family that this one is built from, at the very tag that is being built.
    pub fn family_bases(&self) -> impl Iterator<Item = &ImageName> {
        self.bases.iter().filter_map(|base| match &base.origin {
            Origin::Family(name) => Some(name),
            Origin::Pinned(_) | Origin::External => None,
        })
    }
}

impl Project {
    /// `wanted` and all they are built from, bases first, otherwise in the order of the compose file.
    ///
    /// # Errors
    /// A cycle, with its path.
    pub fn with_bases(&self, wanted: &[ImageName]) -> Result<Vec<&Image>, Fault> {
        let mut order = Vec::new();
        let mut state = BTreeMap::new();
        for name in wanted {
            self.visit(name, &mut state, &mut order)?;
        }
        Ok(order)
    }

    /// Depth first, on a stack of our own: a generated family may be deeper than the thread's stack.
    fn visit<'a>(
        &'a self,
        start: &ImageName,
        done: &mut BTreeMap<&'a ImageName, bool>,
        order: &mut Vec<&'a Image>,
    ) -> Result<(), Fault> {
        let image = self.image(start)?;
        if done.contains_key(&image.name) {
            return Ok(());
        }
        done.insert(&image.name, false);
        let mut path = vec![(image, image.family_bases())];
        while let Some((image, bases)) = path.last_mut() {
            let Some(base) = bases.next() else {
                done.insert(&image.name, true);
                order.push(image);
                path.pop();
                continue;
            };
            let base = self.image(base)?;
            match done.get(&base.name) {
                Some(true) => {}
                Some(false) => {
                    let names = path.iter().map(|(image, _)| image.name.as_str());
                    let cycle: Vec<&str> = names.skip_while(|name| *name != base.name.as_str()).collect();
                    return Err(Fault::project(format!(
                        "{}: base images go round in a circle: {} → {}",
                        self.file(),
                        cycle.join(" → "),
                        base.name
                    ))
                    .help("change one of these images' build arguments so that the circle opens"));
                }
                None => {
                    done.insert(&base.name, false);
                    path.push((base, base.family_bases()));
                }
            }
        }
        Ok(())
    }

    /// `wanted` and everything that stands on them, bases first.
    pub fn with_dependents(&self, wanted: &[ImageName]) -> Result<Vec<ImageName>, Fault> {
        let all: Vec<ImageName> = self.images.iter().map(|image| image.name.clone()).collect();
        let mut chosen: Vec<ImageName> = Vec::new();
        for image in self.with_bases(&all)? {
            if wanted.contains(&image.name) || image.family_bases().any(|base| chosen.contains(base)) {
                chosen.push(image.name.clone());
            }
        }
        Ok(chosen)
    }
}
