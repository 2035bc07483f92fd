//! What docker answers: images, and versions.

use super::labels::{BASE_DIGEST_LABEL, BASE_NAME_LABEL, FINGERPRINT_LABEL, STAGE_LABEL, label_of, stand_ins};
use project::ImageRef;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

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
        self.stage().unwrap_or_default() == label_of(stage)
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

#[cfg(test)]
mod tests {
    use super::{super::labels::STAND_IN_LABEL, *};
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

    #[test]
    fn versions() {
        assert_eq!(major_minor("2.26.1-4"), Some((2, 26)));
        assert_eq!(major_minor("v2.9.0\n"), Some((2, 9)));
        assert_eq!(major_minor("1.29.2"), Some((1, 29)));
        assert_eq!(major_minor("dev"), None);
    }
}
