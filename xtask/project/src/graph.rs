//! Order: bases before what stands on them.

use super::{Image, ImageName, Origin, Project};
use crate::error::Fault;

/// How far the way through the graph has come with an image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Not,
    /// Its bases are being looked at.
    Begun,
    Whole,
}

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
        let mut seen = vec![Seen::Not; self.images.len()];
        for name in wanted {
            self.visit(self.position(name)?, &mut seen, &mut order)?;
        }
        Ok(order)
    }

    /// Depth first, on a stack of our own: a generated family may be deeper than the thread's stack.
    fn visit<'a>(&'a self, start: usize, seen: &mut [Seen], order: &mut Vec<&'a Image>) -> Result<(), Fault> {
        if seen[start] == Seen::Whole {
            return Ok(());
        }
        seen[start] = Seen::Begun;
        let mut path = vec![(start, self.images[start].family_bases())];
        while let Some((image, bases)) = path.last_mut() {
            let Some(base) = bases.next() else {
                seen[*image] = Seen::Whole;
                order.push(&self.images[*image]);
                path.pop();
                continue;
            };
            let base = self.position(base)?;
            match seen[base] {
                Seen::Whole => {}
                Seen::Begun => {
                    let images = path.iter().map(|(image, _)| *image).skip_while(|image| *image != base);
                    let cycle: Vec<&str> = images.map(|image| self.images[image].name.as_str()).collect();
                    return Err(Fault::project(format!(
                        "{}: base images go round in a circle: {} → {}",
                        self.file(),
                        cycle.join(" → "),
                        self.images[base].name
                    ))
                    .help("change one of these images' build arguments so that the circle opens"));
                }
                Seen::Not => {
                    seen[base] = Seen::Begun;
                    path.push((base, self.images[base].family_bases()));
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
