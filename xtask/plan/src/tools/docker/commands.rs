//! What docker and docker compose are asked: a request becomes the words of a command.

use super::labels::{FINGERPRINT_LABEL, STAGE_LABEL, STAND_IN_LABEL, label_of};
use crate::invocation::{EnvValue, Invocation, Probe, quote};
use project::{ImageName, ImageRef};
use std::path::Path;

/// docker compose with one of our files.
#[derive(Debug, Clone)]
pub struct Compose {
    pub file: String,
    pub directory: String,
    /// What flags say and the environment doesn't.
    pub env: Vec<(String, String)>,
}

impl Compose {
    fn call(&self, args: &[&str]) -> Invocation {
        let head = ["compose", "--file", &self.file, "--project-directory", &self.directory];
        self.docker(head.iter().chain(args).copied())
    }

    fn docker<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Invocation {
        let env = self.env.iter().map(|(name, value)| (name.clone(), EnvValue::Text(value.clone())));
        Invocation { env: env.collect(), ..Invocation::new("docker", args) }
    }

    /// Builds an image, with these variables for its labels.
    pub fn build(&self, image: &ImageName, labels: Vec<(String, EnvValue)>, cache: bool) -> Invocation {
        let options: &[&str] = if cache { &[] } else { &["--no-cache"] };
        let mut call = self.call(&[&["build"], options, &[image.as_str()]].concat());
        call.env.extend(labels);
        call
    }

    /// Builds the images whose names are added, in one process of buildx. That reads the compose file as well as
    /// `definition`: what differs from image to image. It runs in the root: buildx takes paths from where it runs, and looks
    /// for `.env` there.
    pub fn bake(&self, file: &str, definition: &str) -> Invocation {
        // Newer ones ask before they read what compose has always read: a secret's file outside of the clone.
        self.docker(["buildx", "bake", "--file", file, "--file", definition, "--load"])
            .env("BUILDX_BAKE_ENTITLEMENTS_FS", EnvValue::Text("0".to_owned()))
            .within(Path::new(&self.directory))
    }

    pub fn push(&self, image: &ImageName) -> Invocation {
        self.call(&["push", image.as_str()])
    }

    pub fn up(&self, image: &ImageName) -> Invocation {
        self.call(&["up", "--detach", "--force-recreate", "--no-build", "--wait", image.as_str()])
    }

    pub fn remove(&self, image: &ImageName) -> Invocation {
        self.call(&["rm", "--stop", "--force", "--volumes", image.as_str()])
    }

    pub fn logs(&self, image: &ImageName) -> Invocation {
        self.call(&["logs", "--no-color", "--no-log-prefix", "--tail", "50", image.as_str()])
    }

    pub fn port(&self, image: &ImageName, port: u16) -> Invocation {
        self.call(&["port", image.as_str(), &port.to_string()])
    }

    /// Runs a command in the service's container.
    pub fn exec(&self, image: &ImageName, command: &[&str]) -> Invocation {
        self.call(&[&["exec", image.as_str()], command].concat())
    }

    /// Runs a command in a container of its own, which is removed at the end.
    pub fn run(&self, image: &ImageName, command: &[&str]) -> Invocation {
        self.call(&[&["run", "--rm", image.as_str()], command].concat())
    }

    /// Is the service's container up?
    pub fn runs(&self, image: &ImageName) -> Probe {
        Probe { run: self.call(&["exec", "--no-TTY", image.as_str(), "true"]), prints: None }
    }

    /// Prints the ids of the service's containers, whether they are up or not.
    pub fn containers(&self, image: &ImageName) -> Invocation {
        self.call(&["ps", "--all", "--quiet", image.as_str()])
    }

    /// Prints all that the service has printed; with `follow`, also what it prints from then on.
    pub fn whole_log(&self, image: &ImageName, follow: bool) -> Invocation {
        let options: &[&str] = if follow { &["--follow"] } else { &[] };
        self.call(&[&["logs"], options, &[image.as_str()]].concat())
    }

    /// Installs what the mounted project's lock has and the image lacks into the volume of the image's service, in a
    /// container that is called `container` and trusts `bundle`.
    pub fn packages(&self, image: &ImageName, container: &str, bundle: Option<&str>) -> Invocation {
        let name = format!("--name={container}");
        let trust = bundle.map(|bundle| format!("--volume={bundle}:/etc/ssl/certs/ca-certificates.crt:ro"));
        let head = ["run", "--rm", "--no-TTY", "--no-deps", &name, "--env=PIP_INDEX_URL"];
        let tail = [image.as_str(), "project-packages"];
        self.call(&head.into_iter().chain(trust.as_deref()).chain(tail).collect::<Vec<_>>())
    }

    /// Runs a suite in a container that is called `container`, with more options for pytest. The file `inspected` holds
    /// what the engine says of the image, which a container can't see.
    pub fn suite(&self, suite: &str, container: &str, inspected: &Path, options: &[String]) -> Invocation {
        self.suite_with(suite, container, options).env("IMAGE_INSPECT", EnvValue::FromFile(inspected.to_owned()))
    }

    fn suite_with(&self, suite: &str, container: &str, options: &[String]) -> Invocation {
        let head = ["run", "--rm", "--no-TTY", "--no-deps", "--name", container];
        if options.is_empty() {
            return self.call(&[&head[..], &[suite]].concat());
        }
        // Pytest splits it as a shell would. Arguments here would stand in the place of the suite's own command.
        let words: Vec<_> = options.iter().map(|option| quote(option)).collect();
        self.call(&[&head[..], &["--env", &format!("PYTEST_ADDOPTS={}", words.join(" ")), suite]].concat())
    }

    /// Runs a helper's own command as this user, after building the helper, which is quick when nothing changed.
    pub fn helper(&self, service: &str, user: &str, container: &str, args: &[&str]) -> Invocation {
        let head = ["run", "--rm", "--build", "--no-TTY", "--no-deps", "--user", user, "--name", container, service];
        self.call(&[&head, args].concat())
    }

    pub fn version() -> Invocation {
        Invocation::new("docker", ["compose", "version", "--short"])
    }
}

pub fn remove_container(name: &str) -> Invocation {
    Invocation::new("docker", ["rm", "--force", "--volumes", name])
}

pub fn remove_images(images: &[ImageRef]) -> Invocation {
    let references = images.iter().map(ToString::to_string);
    Invocation::new("docker", ["image", "rm", "--force"].map(str::to_owned).into_iter().chain(references))
}

/// Forgets what was built longest ago, until the cache takes no more than this.
pub fn prune_cache(keep: &str) -> Invocation {
    Invocation::new("docker", ["builder", "prune", "--force", "--keep-storage", keep])
}

/// Answers only where the engine does.
pub fn engine_version() -> Invocation {
    Invocation::new("docker", ["version", "--format", "{{.Server.Version}}"])
}

/// Which image store the engine has, as far as it says so.
pub fn image_store() -> Invocation {
    Invocation::new("docker", ["info", "--format", "{{json .DriverStatus}}"])
}

pub fn pull(image: &ImageRef) -> Invocation {
    Invocation::new("docker", ["pull", &image.to_string()])
}

/// Gives an image another name.
pub fn tag(image: &ImageRef, name: &ImageRef) -> Invocation {
    Invocation::new("docker", ["tag", &image.to_string(), &name.to_string()])
}

/// Takes a name off an image.
pub fn untag(name: &ImageRef) -> Invocation {
    Invocation::new("docker", ["image", "rm", "--no-prune", &name.to_string()])
}

pub fn push(image: &ImageRef) -> Invocation {
    Invocation::new("docker", ["push", "--quiet", &image.to_string()])
}

/// Builds an image from a folder that has a Dockerfile and all that it names.
pub fn build_folder(folder: &Path, name: &ImageRef) -> Invocation {
    let args = ["build", "--quiet", "--tag", &name.to_string(), &folder.display().to_string()];
    Invocation::new("docker", args).env("BUILDX_NO_DEFAULT_ATTESTATIONS", EnvValue::Text("1".to_owned()))
}

/// An image's configuration as JSON, as its registry has it.
pub fn registry_config(image: &ImageRef) -> Invocation {
    Invocation::new("docker", ["buildx", "imagetools", "inspect", "--format", "{{json .Image}}", &image.to_string()])
}

/// Is the image in the engine?
pub fn is_present(image: &ImageRef) -> Probe {
    Probe { run: inspect_all(&[image]), prints: None }
}

/// Is the image in the engine, built at the development stage or not, as is wanted?
pub fn is_present_at(image: &ImageRef, stage: Option<&str>) -> Probe {
    Probe { run: label(image, STAGE_LABEL), prints: Some(label_of(stage).to_owned()) }
}

/// The digest that a registry gave the image; nothing for one that was only built here.
pub fn digest(image: &ImageRef) -> Invocation {
    let format = format!(
        "{{{{if and .RepoDigests (not (index .Config.Labels \"{STAND_IN_LABEL}\"))}}}}\
         {{{{index (split (index .RepoDigests 0) \"@\") 1}}}}{{{{end}}}}"
    );
    Invocation::new("docker", ["image", "inspect", "--format", &format, &image.to_string()])
}

/// The image's id.
pub fn image_id(image: &ImageRef) -> Invocation {
    Invocation::new("docker", ["image", "inspect", "--format", "{{.Id}}", &image.to_string()])
}

/// Does the engine still have this very image under its name?
pub fn is_still(image: &ImageRef, id: &str) -> Probe {
    Probe { run: image_id(image), prints: Some(id.to_owned()) }
}

/// Does the image's label say that it is made of this?
pub fn has_fingerprint(image: &ImageRef, fingerprint: &str) -> Probe {
    Probe { run: label(image, FINGERPRINT_LABEL), prints: Some(fingerprint.to_owned()) }
}

fn label(image: &ImageRef, label: &str) -> Invocation {
    let format = format!("{{{{index .Config.Labels \"{label}\"}}}}");
    Invocation::new("docker", ["image", "inspect", "--format", &format, &image.to_string()])
}

/// What the engine has of these, as one JSON list; those that it doesn't have are left out (and the exit code is 1).
pub fn inspect_all(images: &[&ImageRef]) -> Invocation {
    let references = images.iter().map(ToString::to_string);
    Invocation::new("docker", ["image", "inspect"].map(str::to_owned).into_iter().chain(references))
}

/// The images that are, or are built on, a stand-in.
pub fn list_stand_ins() -> Invocation {
    let filter = format!("label={STAND_IN_LABEL}");
    Invocation::new("docker", ["image", "ls", "--no-trunc", "--filter", &filter, "--format", "json"])
}

/// The manifest that the registry has, byte for byte.
pub fn registry_manifest(image: &ImageRef) -> Invocation {
    Invocation::new("docker", ["buildx", "imagetools", "inspect", "--raw", &image.to_string()])
}

/// The manifest's descriptor as JSON, with the digest that the registry names. (buildx 0.13 takes any format but a JSON
/// one for its own pretty print.)
pub fn registry_descriptor(image: &ImageRef) -> Invocation {
    Invocation::new("docker", ["buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", &image.to_string()])
}

pub fn login(registry: &str) -> Invocation {
    Invocation::new("docker", ["login", "--username", "AWS", "--password-stdin", registry])
}
