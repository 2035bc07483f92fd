//! The flags that every verb takes, and the make world's variables.

use clap::Args;
use std::collections::BTreeMap;

#[derive(Debug, Args)]
pub struct Globals {
    /// Print the commands that would be run, one a line; run none
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Print JSON on standard output (list, graph, doctor, explain, fingerprint, pins, lock, deploy, and every --dry-run)
    #[arg(long, global = true)]
    pub json: bool,
    /// Show all that the tools print, also where several images are worked on at a terminal
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// Print results and errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// How many images to work on at a time [default: the cores; builds that are ready share a process]
    #[arg(long, short, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    #[command(flatten)]
    pub variables: Variables,
}

/// The make world's variables, each also read from the environment and from `.env`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Variables (also in the environment or in .env; the flag wins)")]
pub struct Variables {
    /// Which compose file: docker-compose.<env>.yaml [default: dev]
    #[arg(long, global = true, env = "ENVIRONMENT", hide_env_values = true, value_name = "dev|ci")]
    pub environment: Option<String>,
    /// The tag to build, start, validate or push [default: latest]
    #[arg(long, global = true, env = "IMAGE_TAG", hide_env_values = true, value_name = "TAG")]
    pub image_tag: Option<String>,
    /// The bases' tag [default: IMAGE_TAG]
    #[arg(long, global = true, env = "BASE_IMAGE_TAG", hide_env_values = true, value_name = "TAG")]
    pub base_image_tag: Option<String>,
    /// The Dockerfiles' stage [default: development in dev, production in ci]
    #[arg(long, global = true, env = "TARGET_BUILD_STAGE", hide_env_values = true, value_name = "STAGE")]
    pub target_build_stage: Option<String>,
    /// The account whose registry is used [default: 690763002009]
    #[arg(long, global = true, env = "AWS_ACCOUNT_ID", hide_env_values = true, value_name = "ID")]
    pub aws_account_id: Option<String>,
    /// Its region [default: us-east-1]
    #[arg(long, global = true, env = "AWS_REGION", hide_env_values = true, value_name = "REGION")]
    pub aws_region: Option<String>,
    /// Another registry than the account's
    #[arg(long, global = true, env = "REGISTRY", hide_env_values = true, value_name = "HOST[:PORT]")]
    pub registry: Option<String>,
    /// What to build for [default: linux/amd64]
    #[arg(long, global = true, env = "PLATFORM", hide_env_values = true, value_name = "OS/ARCH")]
    pub platform: Option<String>,
    /// Reuse layers that were built before; `false` builds from scratch [default: true]
    #[arg(long, global = true, env = "USE_DOCKER_CACHE", hide_env_values = true, value_name = "true|false")]
    pub use_docker_cache: Option<String>,
    /// The port on this machine that start publishes [default: the image's own in dev, any free one in ci]
    #[arg(long, global = true, env = "PORT", hide_env_values = true, value_name = "PORT")]
    pub port: Option<String>,
}

impl Variables {
    /// Those that the compose files use and that a flag gave: what `process`, the environment, doesn't say already.
    pub fn flags(&self, process: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let given = [
            ("IMAGE_TAG", &self.image_tag),
            ("BASE_IMAGE_TAG", &self.base_image_tag),
            ("TARGET_BUILD_STAGE", &self.target_build_stage),
            ("AWS_ACCOUNT_ID", &self.aws_account_id),
            ("AWS_REGION", &self.aws_region),
            ("REGISTRY", &self.registry),
            ("PLATFORM", &self.platform),
            ("PORT", &self.port),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        given.filter(|(name, value)| process.get(name) != Some(value)).collect()
    }
}
