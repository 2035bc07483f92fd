//! Which images a verb is about.

use clap::Args;
use project::{ImageName, Project, error::Fault};

/// Which images.
#[derive(Debug, Args)]
pub struct Images {
    /// Names, or globs such as 'kubeflow-*'
    #[arg(value_name = "IMAGE", required_unless_present_any = ["all", "changed_since"])]
    pub images: Vec<String>,
    /// Every image of the family
    #[arg(long, conflicts_with = "images")]
    pub all: bool,
    #[command(flatten)]
    pub since: Since,
}

/// Which of the images.
#[derive(Debug, Args)]
pub struct Since {
    /// Of these, or of all, only what is made of other inputs than in this commit
    #[arg(long, value_name = "REF")]
    pub changed_since: Option<String>,
}

impl Images {
    /// The images that are meant, in the order of the compose file.
    ///
    /// # Errors
    /// A name that isn't one of the family's.
    pub fn of(&self, project: &Project) -> Result<Vec<ImageName>, Fault> {
        let all = self.all || self.since.changed_since.is_some() && self.images.is_empty();
        let mut chosen = project.select(&self.images, all)?;
        chosen.retain(|name| project.is_meant(name));
        Ok(chosen)
    }
}
