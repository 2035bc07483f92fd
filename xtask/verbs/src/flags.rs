//! Every flag; the doc comments are the help.

mod globals;
mod images;

pub use globals::{Globals, Variables};
pub use images::{Images, Since};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Locks, builds, validates and publishes the core-images family.
///
/// The compose files say what there is; every command is checked, ordered and echoed, and runs docker compose, poetry or
/// the aws CLI underneath.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", version, max_term_width = 110)]
#[command(after_help = "\
Examples:
  cargo xtask setup                              everything that is needed, on a fresh Debian or Ubuntu
  cargo xtask build python-base                  build one image, and the bases that are missing
  cargo xtask validate 'kubeflow-*'              run the suites of several
  cargo xtask build --all --dry-run              show the commands, run none
  ENVIRONMENT=ci IMAGE_TAG=1.4.0 cargo xtask deploy fastapi-serve

Exit codes:
  0 done · 2 usage · 65 the repository's files are wrong · 69 a tool, the engine or a registry is missing
  70 a fault of the xtask itself · 74 a file can't be read or written
  75 another run works on the image, or built it again · 77 not allowed · 130 interrupted · else the suite's or the tool's own")]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Resolve an image's Python dependencies and write its poetry.lock
    Lock(Lock),
    /// Build images, after the bases that are missing
    Build(Build),
    /// Log docker in to the registry, with a password from the aws CLI
    Login(Login),
    /// Push images that were built for production and validated, and print the digests that the registry confirms
    #[command(alias = "push")]
    Deploy(Deploy),
    /// Start an image, wait until it is healthy, and print its address and how to get a shell
    Start(Start),
    /// Stop and remove what start started
    Stop(Stop),
    /// Show what a started image has printed
    #[command(after_help = "\
Examples:
  cargo xtask logs fastapi-serve                 all that it has printed
  cargo xtask logs fastapi-serve --follow        and what it prints from now on; Ctrl-C ends it
  cargo xtask logs fastapi-serve | grep ERROR")]
    Logs(Logs),
    /// Open a shell in a started image; where it isn't started, in a container of its own
    #[command(after_help = "\
Examples:
  cargo xtask shell fastapi-serve                bash, where the project in hand is mounted
  cargo xtask shell fastapi-serve -- pip list    another command
  WORKSPACE=../shop cargo xtask shell fastapi-serve")]
    Shell(OpenShell),
    /// Run the images' suites, in containers of the images exactly as built
    #[command(alias = "test")]
    Validate(Validate),
    /// Bring a fresh Debian or Ubuntu machine to the point where everything here works
    Setup(Setup),
    /// Show what is there and what is missing, each with the command that helps
    Doctor(Doctor),
    /// Show the images: bases, hardware, lock, suite, and what the engine has of them
    List(List),
    /// Print why an image is not what it was in a commit: which file, which argument, which package
    Explain(Explain),
    /// Print what an image holds, for the projects on it: as constraints for pip and uv, or as a group for poetry
    Pins(Pins),
    /// Print what images are made of, as one hash each
    Fingerprint(Fingerprint),
    /// Print what is built on what
    Graph(Graph),
    /// Print the images in waves, as JSON, for a CI that works on many machines
    Matrix(Matrix),
    /// Write a page to look at: the graph, what the engine has, and every package's version in every image
    Report(Report),
    /// Hold the repository against its own rules: the two compose files, Dockerfiles, README
    Check(Check),
    /// Run every check and test, build and validate the family: what CI runs
    Ci(Ci),
    /// Write a base's pins into a pyproject.toml, as lock does before it resolves
    #[command(hide = true)]
    Couple(Couple),
    /// Print a completion script for `cargo xtask`
    ///
    /// For example in ~/.bashrc: source <(cargo xtask completions bash)
    Completions { shell: Shell },
    /// Print what can stand for the last of these words: what a completion script asks
    #[command(hide = true)]
    Complete { words: Vec<String> },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Command {
    /// Which of the images it is about.
    pub fn since(&self) -> Option<&Since> {
        match self {
            Command::List(verb) => Some(&verb.since),
            command => command.images().map(|images| &images.since),
        }
    }

    /// Which images it is about.
    pub fn images(&self) -> Option<&Images> {
        match self {
            Command::Build(verb) => Some(&verb.images),
            Command::Deploy(verb) => Some(&verb.images),
            Command::Fingerprint(verb) => Some(&verb.images),
            Command::Lock(verb) => Some(&verb.images),
            Command::Matrix(verb) => Some(&verb.images),
            Command::Stop(verb) => Some(&verb.images),
            Command::Validate(verb) => Some(&verb.images),
            _ => None,
        }
    }
}

#[derive(Debug, Args)]
pub struct Lock {
    #[command(flatten)]
    pub images: Images,
    /// Change nothing; fail where a lock is not fresh for its pyproject.toml
    #[arg(long, conflicts_with_all = ["update", "with_dependents"])]
    pub check: bool,
    /// Lock what is coupled to them as well, so that a change flows through the family
    #[arg(long)]
    pub with_dependents: bool,
    /// Take the newest versions that fit, of everything or of --update=PACKAGE,…
    #[arg(long, value_name = "PACKAGE", num_args = 0.., require_equals = true, value_delimiter = ',')]
    pub update: Option<Vec<String>>,
    /// Print what changed as Markdown, for a pull request
    #[arg(long, conflicts_with_all = ["check", "json"])]
    pub markdown: bool,
}

#[derive(Debug, Args)]
pub struct Couple {
    /// The base's poetry.lock
    pub base: PathBuf,
    /// The pyproject.toml to write the pins into
    pub pyproject: PathBuf,
}

#[derive(Debug, Args)]
pub struct Build {
    #[command(flatten)]
    pub images: Images,
    /// Build what is built on them as well
    #[arg(long)]
    pub with_dependents: bool,
}

#[derive(Debug, Args)]
pub struct Login {}

#[derive(Debug, Args)]
pub struct Doctor {}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub since: Since,
}

#[derive(Debug, Args)]
pub struct Deploy {
    #[command(flatten)]
    pub images: Images,
    /// Push even what was built at the development stage, or on it
    #[arg(long)]
    pub force_development: bool,
    /// Push even what doesn't say which commit it was built from
    #[arg(long)]
    pub force_no_revision: bool,
    /// Push even what was built on another build of its base than the engine has
    #[arg(long)]
    pub force_outdated: bool,
    /// Push even what the suite, as it is now, hasn't passed for
    #[arg(long)]
    pub force_unvalidated: bool,
}

#[derive(Debug, Args)]
pub struct Start {
    pub image: String,
}

#[derive(Debug, Args)]
pub struct Logs {
    pub image: String,
    /// Go on with what it prints from now on
    #[arg(long, short)]
    pub follow: bool,
}

#[derive(Debug, Args)]
pub struct OpenShell {
    pub image: String,
    /// Run this in the place of bash
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Stop {
    #[command(flatten)]
    pub images: Images,
}

#[derive(Debug, Args)]
pub struct Validate {
    #[command(flatten)]
    pub images: Images,
    /// Validate what is built on them as well
    #[arg(long)]
    pub with_dependents: bool,
    /// Run also the suites that have passed for the images as they are
    #[arg(long)]
    pub rerun: bool,
    /// pytest's options, such as `-k NAME`: what is then run is no whole suite, and not recorded
    #[arg(last = true, value_name = "OPTION")]
    pub pytest: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Setup {
    /// Also what the tests of the xtask need: a registry, an AWS server, a benchmark tool
    #[arg(long)]
    pub tests: bool,
}

#[derive(Debug, Args)]
pub struct Explain {
    pub image: String,
    /// A commit, branch or tag
    #[arg(value_name = "REF", default_value = "HEAD")]
    pub reference: String,
}

#[derive(Debug, Args)]
pub struct Pins {
    pub image: String,
    /// As an optional group of a pyproject.toml, by which poetry resolves
    #[arg(long, conflicts_with = "json")]
    pub poetry: bool,
}

#[derive(Debug, Args)]
pub struct Fingerprint {
    #[command(flatten)]
    pub images: Images,
    /// List all that goes in: the definition, the bases, every file
    #[arg(long)]
    pub explain: bool,
}

#[derive(Debug, Args)]
pub struct Matrix {
    #[command(flatten)]
    pub images: Images,
    /// Fail where there are more waves than this: a workflow has a job for each
    #[arg(long, value_name = "N")]
    pub at_most: Option<usize>,
}

#[derive(Debug, Args)]
pub struct Graph {
    /// How; --json is short for json
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    pub format: GraphFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// An indented tree
    Text,
    /// What GitHub draws in Markdown
    Mermaid,
    /// For Graphviz
    Dot,
    Json,
}

#[derive(Debug, Args)]
pub struct Report {
    /// The file to write [default: target/report.html]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Write the generated parts of README.md again instead of comparing them
    #[arg(long)]
    pub write: bool,
}

#[derive(Debug, Args)]
pub struct Ci {
    /// Leave out setup: all is there
    #[arg(long)]
    pub no_setup: bool,
    /// Prune the engine's build cache to 40 GB at the end, as is done where the variable CI is `true`
    #[arg(long)]
    pub prune_cache: bool,
    /// Leave out what builds the whole family: other machines do, by `matrix`
    #[arg(long)]
    pub without_family: bool,
}
