//! The labels by which an image says what it is.

use std::collections::BTreeMap;

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
pub(super) const BASE_DIGEST_LABEL: &str = "org.opencontainers.image.base.digest";
/// What it was called then.
pub(super) const BASE_NAME_LABEL: &str = "org.opencontainers.image.base.name";
/// The commit that an image was built from (OCI's image specification, annotations); empty where git said nothing.
pub const REVISION_LABEL: &str = "org.opencontainers.image.revision";
/// Takes an index's place where it can't be reached.
pub const STAND_IN: &str = "stand-in";

/// What the label of an image of this stage says.
pub(super) fn label_of(stage: Option<&str>) -> &str {
    stage.filter(|stage| *stage == DEVELOPMENT).unwrap_or_default()
}

/// What is, or is built on, a stand-in, by an image's labels: for which external images, or vendors' indexes.
pub fn stand_ins(labels: &BTreeMap<String, String>) -> Vec<&str> {
    let image = labels.get(STAND_IN_LABEL).filter(|image| !image.is_empty()).map(String::as_str);
    let indexes = labels.iter().filter(|(_, value)| *value == STAND_IN);
    image.into_iter().chain(indexes.filter_map(|(label, _)| label.strip_prefix(INDEX_LABEL))).collect()
}
