//! What is known of an image, and of what it is built from.

use crate::{
    ImageName, ImageRef,
    compose::About,
    dockerfile::{Dockerfile, Source},
    error::Fault,
};
use std::{collections::BTreeMap, path::PathBuf};

/// One image of the family, or a helper that the family is built with.
#[derive(Debug, Clone)]
pub struct Image {
    pub name: ImageName,
    pub reference: ImageRef,
    /// The Dockerfile's stage that is built.
    pub stage: Option<String>,
    /// Below the root.
    pub folder: PathBuf,
    pub dockerfile: PathBuf,
    pub bases: Vec<Base>,
    /// Where it gets what only a vendor's own index has: the build argument `*_INDEX`, and its value.
    pub indexes: Vec<(String, String)>,
    pub about: Option<About>,
    /// Never published, and left out of `--all`.
    pub helper: bool,
    /// The service that runs its tests.
    pub suite: Option<String>,
    /// How compose runs that, whatever the stage and the hardware; empty where there is none.
    pub suite_definition: String,
    pub ports: Vec<u16>,
    /// How compose builds it: each value by the path of its keys, such as `args.BASE_IMAGE`.
    pub definition: BTreeMap<String, String>,
    /// The labels and arguments that depend on which run builds it, as compose's templates: each by the path of its keys.
    pub templates: BTreeMap<String, String>,
}

/// An image that an image is built from.
#[derive(Debug, Clone)]
pub struct Base {
    /// The build argument or the additional context that names it.
    pub argument: String,
    pub named_by: NamedBy,
    pub reference: ImageRef,
    pub origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// A build argument: `FROM ${NAME}`.
    Argument,
    /// One of `additional_contexts`: `FROM name`.
    Context,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A service of this file, at the tag that is being built.
    Family(ImageName),
    /// A service of this file at another tag: used as it is.
    Pinned(ImageName),
    /// Somebody else's image.
    External,
}

impl Image {
    /// The images of the family that this one is built from, at the very tag that is being built.
    pub fn family_bases(&self) -> impl Iterator<Item = &ImageName> {
        self.bases.iter().filter_map(|base| match &base.origin {
            Origin::Family(name) => Some(name),
            Origin::Pinned(_) | Origin::External => None,
        })
    }

    /// Does its Dockerfile have the stage that is to be built?
    ///
    /// # Errors
    /// It doesn't.
    pub fn check_stage(&self, dockerfile: &Dockerfile) -> Result<(), Fault> {
        match &self.stage {
            Some(stage) if !dockerfile.stages.contains(stage) => Err(Fault::usage(format!(
                "{} has no stage '{stage}'; its stages are: {}",
                self.dockerfile.display(),
                dockerfile.stages.join(", ")
            ))
            .help("set TARGET_BUILD_STAGE (or --target-build-stage) to one of them")),
            _ => Ok(()),
        }
    }
}

impl Base {
    /// Is this what the Dockerfile means there?
    pub fn is_meant_by(&self, source: &Source) -> bool {
        match self.named_by {
            NamedBy::Argument => source.argument() == Some(self.argument.as_str()),
            NamedBy::Context => source.image == self.argument,
        }
    }
}
