//! docker and docker compose.

use crate::invocation::{EnvValue, Invocation, Probe, quote};
use project::{ImageName, ImageRef};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, path::Path};

/// The label of a `development` stage, which everything built on one inherits.
pub const STAGE_LABEL: &str = "core-images.stage";
/// The stage that has it.
const DEVELOPMENT: &str = "development";
/// The label of a stand-in for an external image, which everything built on one inherits.
pub const STAND_IN_LABEL: &str = "core-images.stand-in";
/// Begins the label with a vendor's index that wheels came from, and everything built on those inherits.
pub const INDEX_LABEL: &str = "core-images.index.";
/// The fingerprint of what an image was made of; empty, or none, where plain compose built it.
pub const FINGERPRINT_LABEL: &str = "core-images.fingerprint";
/// What an image was built on: the digest that a registry gave it, else its id (OCI's image specification, annotations).
const BASE_DIGEST_LABEL: &str = "org.opencontainers.image.base.digest";
/// What it was called then.
const BASE_NAME_LABEL: &str = "org.opencontainers.image.base.name";
/// The commit that an image was built from (OCI's image specification, annotations); empty where git said nothing.
pub const REVISION_LABEL: &str = "org.opencontainers.image.revision";
/// Takes an index's place where it can't be reached.
pub const STAND_IN: &str = "stand-in";

/// What is, or is built on, a stand-in, by an image's labels: for which external images, or vendors' indexes.
pub fn stand_ins(labels: &BTreeMap<String, String>) -> Vec<&str> {
    let image = labels.get(STAND_IN_LABEL).filter(|image| !image.is_empty()).map(String::as_str);
    let indexes = labels.iter().filter(|(_, value)| *value == STAND_IN);
    image.into_iter().chain(indexes.filter_map(|(label, _)| label.strip_prefix(INDEX_LABEL))).collect()
}

/// An image, as the engine has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspected {
    pub id: String,
    pub tags: Vec<String>,
    /// RFC 3339; empty where the image doesn't say.
    pub created: String,
    /// In bytes.
    pub size: u64,
    pub labels: BTreeMap<String, String>,
    /// The digests that registries know it by.
    pub digests: Vec<String>,
    /// The digests of its layers, the base's first.
    pub layers: Vec<String>,
    /// How it is run, and for what: as text, without what is empty.
    pub config: String,
}

impl Inspected {
    /// Reads what `docker image inspect` prints; nothing where that is not a list of images. An image without a
    /// configuration is not one: its labels say what it may be used for.
    pub fn list(json: &str) -> Option<Vec<Inspected>> {
        let images: Vec<Image> = serde_json::from_str(json).ok()?;
        images.iter().all(|image| image.config.is_object()).then(|| images.into_iter().map(Inspected::from).collect())
    }

    /// The fingerprint of what it was made of, where it is known.
    pub fn fingerprint(&self) -> Option<&str> {
        self.labels.get(FINGERPRINT_LABEL).map(String::as_str).filter(|fingerprint| !fingerprint.is_empty())
    }

    /// The stage that its label names; none for production.
    pub fn stage(&self) -> Option<&str> {
        self.labels.get(STAGE_LABEL).map(String::as_str).filter(|stage| !stage.is_empty())
    }

    /// Was it built at the stage, of which only development has a label?
    pub fn is_at(&self, stage: Option<&str>) -> bool {
        self.stage() == stage.filter(|stage| *stage == DEVELOPMENT)
    }

    /// Its configuration and its layers, as one hash. Whoever has the same image has the same content, in whichever image
    /// store: an id is that of the configuration in one, and of a manifest or an index in the other.
    pub fn content(&self) -> String {
        format!("sha256:{}", identity::hash(format!("{} {:?}", self.config, self.layers).as_bytes()))
    }

    /// The digest that a registry gave it. Several registries may have it: the same one, whatever the order. (The containerd
    /// image store names a digest of its own for what no registry has, such as a stand-in.)
    pub fn digest(&self) -> Option<&str> {
        self.digests.iter().min().filter(|_| stand_ins(&self.labels).is_empty()).map(String::as_str)
    }

    /// Was it built on this very image, which is called `name`? By its labels; by its layers, where it has none, since
    /// plain compose built it, or where they speak of another image, its base's own base, say.
    pub fn is_built_on(&self, base: &Inspected, name: &ImageRef) -> bool {
        let of_base = self.labels.get(BASE_NAME_LABEL).is_some_and(|label| *label == name.to_string());
        match self.labels.get(BASE_DIGEST_LABEL).filter(|digest| of_base && !digest.is_empty()) {
            Some(digest) => *digest == base.id || base.digests.contains(digest),
            None => self.layers.starts_with(&base.layers),
        }
    }
}

/// What we read of `docker image inspect`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    id: String,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
    #[serde(default)]
    created: String,
    #[serde(default)]
    size: u64,
    config: Value,
    #[serde(default)]
    architecture: String,
    #[serde(rename = "RootFS", default)]
    root_fs: RootFs,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    layers: Option<Vec<String>>,
}

impl From<Image> for Inspected {
    fn from(image: Image) -> Inspected {
        let digests = image.repo_digests.unwrap_or_default().into_iter();
        let Config { labels } = Config::deserialize(&image.config).unwrap_or_default();
        Inspected {
            id: image.id,
            tags: image.repo_tags.unwrap_or_default(),
            created: image.created,
            size: image.size,
            labels: labels.unwrap_or_default(),
            digests: digests.filter_map(|reference| Some(reference.split_once('@')?.1.to_owned())).collect(),
            layers: image.root_fs.layers.unwrap_or_default(),
            config: format!("{} {}", image.architecture, without_empty(image.config)),
        }
    }
}

/// A configuration without what says nothing: engines differ in which of it they print.
fn without_empty(value: Value) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(keys) => keys.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(keys) => {
            let keys = keys.into_iter().map(|(key, value)| (key, without_empty(value)));
            Value::Object(keys.filter(|(_, value)| !is_empty(value)).collect())
        }
        other => other,
    }
}

/// `major.minor` of a version such as `v2.26.1-4`.
pub fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim().trim_start_matches('v').split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

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
        let call = Invocation::new("docker", head.iter().chain(args).copied());
        let env = self.env.iter().map(|(name, value)| (name.clone(), EnvValue::Text(value.clone())));
        Invocation { env: env.collect(), ..call }
    }

    /// Builds an image, with these variables for its labels.
    pub fn build(&self, image: &ImageName, labels: Vec<(String, EnvValue)>, cache: bool) -> Invocation {
        let options: &[&str] = if cache { &[] } else { &["--no-cache"] };
        let mut call = self.call(&[&["build"], options, &[image.as_str()]].concat());
        call.env.extend(labels);
        call
    }

    /// Builds the images whose names are added, in one process of buildx. That reads the compose file as well as
    /// `definition`: what is another for each image. It runs in the root: buildx takes paths from where it runs, and looks
    /// for `.env` there.
    pub fn bake(&self, file: &str, definition: &str) -> Invocation {
        let call = Invocation::new("docker", ["buildx", "bake", "--file", file, "--file", definition, "--load"]);
        let env = self.env.iter().map(|(name, value)| (name.clone(), EnvValue::Text(value.clone())));
        // Newer ones ask before they read what compose has always read: a secret's file outside of the clone.
        Invocation { env: env.collect(), ..call }
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
    let format = format!("{{{{index .Config.Labels \"{STAGE_LABEL}\"}}}}");
    let run = Invocation::new("docker", ["image", "inspect", "--format", &format, &image.to_string()]);
    // Only development stages bear the label.
    Probe { run, prints: Some(stage.filter(|stage| *stage == DEVELOPMENT).unwrap_or_default().to_owned()) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_docker_says_of_images() {
        let list = |json: &str| Inspected::list(json).map(|images| images.into_iter().next());
        let image = r#"{"Id": "sha256:1", "RepoTags": ["a:1"], "Created": "2026", "Size": 7, "Config": {"Labels": {"l": "x"}}}"#;
        let found = list(&format!("[{image}]")).unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.created.as_str(), found.size), ("sha256:1", "2026", 7));
        assert_eq!((found.tags, found.labels), (vec!["a:1".to_owned()], [("l".to_owned(), "x".to_owned())].into()));
        let found = list(r#"[{"Id": "sha256:1", "RepoTags": null, "Config": {"Labels": null}}]"#).unwrap().unwrap();
        assert!(found.tags.is_empty() && found.labels.is_empty() && found.created.is_empty());
        assert!(list("[]").unwrap().is_none());
        let image =
            r#"[{"Id": "1", "RepoDigests": ["r:5/a@sha256:2"], "RootFS": {"Layers": ["x", "y"]}, "Config": {}}]"#;
        let found = list(image).unwrap().unwrap();
        assert_eq!((found.digests, found.layers), (vec!["sha256:2".to_owned()], vec!["x".to_owned(), "y".to_owned()]));
        for none in
            ["", "{}", r#"[{"Id": "sha256:1"}]"#, r#"[{"Id": "sha256:1", "Config": null}]"#, r#"[{"Config": {}}]"#]
        {
            assert!(list(none).is_none(), "{none}");
        }
    }

    #[test]
    fn an_images_content_is_the_same_in_both_stores() {
        let content = |image: serde_json::Value| Inspected::list(&json!([image]).to_string()).unwrap()[0].content();
        let layers = json!({"Layers": ["x"]});
        let classic = json!({"Id": "sha256:1", "RootFS": layers, "Architecture": "amd64", "Config": {
            "Hostname": "", "Tty": false, "Cmd": ["a"], "Env": null, "Labels": {"b": "", "c": "d"},
        }});
        let containerd = json!({"Id": "sha256:2", "RootFS": layers, "Architecture": "amd64", "Created": "x",
            "RepoDigests": ["a@sha256:2"], "Config": {"Labels": {"c": "d", "b": ""}, "Cmd": ["a"]}});
        assert_eq!(content(classic.clone()), content(containerd));
        for (key, value) in [
            ("RootFS", json!({"Layers": ["y"]})),
            ("Architecture", "arm64".into()),
            ("Config", json!({"Cmd": ["b"], "Labels": {"c": "d"}})),
        ] {
            let mut other = classic.clone();
            other[key] = value;
            assert_ne!(content(other), content(classic.clone()), "{key}");
        }
    }

    #[test]
    fn only_a_registry_gives_a_digest() {
        let image = |labels: &str| {
            let json = format!(r#"[{{"Id": "1", "RepoDigests": ["a@sha256:2"], "Config": {{"Labels": {labels}}}}}]"#);
            Inspected::list(&json).unwrap().remove(0)
        };
        assert_eq!(image("{}").digest(), Some("sha256:2"));
        // The containerd image store gives it one.
        assert_eq!(image(&json!({STAND_IN_LABEL: "a"}).to_string()).digest(), None);
    }

    #[test]
    fn versions() {
        assert_eq!(major_minor("2.26.1-4"), Some((2, 26)));
        assert_eq!(major_minor("v2.9.0\n"), Some((2, 9)));
        assert_eq!(major_minor("1.29.2"), Some((1, 29)));
        assert_eq!(major_minor("dev"), None);
    }

    #[test]
    fn what_an_image_was_built_on() {
        let image = |id: &str, (name, digest): (&str, &str), layers: &[&str]| {
            let image = json!([{
                "Id": id, "RepoDigests": [format!("r/x@pushed-{id}")], "RootFS": {"Layers": layers},
                "Config": {"Labels": {BASE_NAME_LABEL: name, BASE_DIGEST_LABEL: digest}},
            }]);
            Inspected::list(&image.to_string()).unwrap().remove(0)
        };
        let base = image("1", ("debian:13", "9"), &["x", "y"]);
        for (labels, layers, expected) in [
            (("r/base:1", "1"), &["x", "y", "z"][..], true),
            (("r/base:1", "pushed-1"), &["x", "y", "z"], true),
            // A base that was built again with the same layers may have other variables.
            (("r/base:1", "0"), &["x", "y", "z"], false),
            (("", ""), &["x", "y", "z"], true),
            (("", ""), &["x", "y"], true),
            (("", ""), &["x", "z"], false),
            // Inherited, for the service gives no labels.
            (("debian:13", "9"), &["x", "y", "z"], true),
            (("debian:13", "9"), &["x", "z"], false),
        ] {
            let found = image("2", labels, layers).is_built_on(&base, &"r/base:1".parse().unwrap());
            assert_eq!(found, expected, "{labels:?} {layers:?}");
        }
    }
}
