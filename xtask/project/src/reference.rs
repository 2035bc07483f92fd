//! Names: of an image of the family, and of any image in any registry.

use std::{borrow::Borrow, fmt, str::FromStr};

/// The name of an image: its folder under `images/`, its compose service and its repository at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName(String);

impl ImageName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A map of names can be asked by text.
impl Borrow<str> for ImageName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for ImageName {
    type Err = String;

    /// The path component of the distribution specification's repository names, so that a name is not a path.
    fn from_str(name: &str) -> Result<ImageName, String> {
        if is_name(name) {
            Ok(ImageName(name.to_owned()))
        } else {
            Err(format!("'{name}' is not an image name: lower-case letters, digits and inner '-', '_', '.' only"))
        }
    }
}

/// In bytes, as all rules below: a debug build is what people run, and it is slow with `char`s.
fn is_name(name: &str) -> bool {
    let alphanumeric = |byte: Option<&u8>| matches!(byte, Some(b'a'..=b'z' | b'0'..=b'9'));
    let bytes = name.as_bytes();
    alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
        && !bytes.windows(2).any(|pair| pair == b"..")
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A reference `[registry/]repository[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    /// Host and port; empty where none is written.
    pub registry: String,
    pub repository: String,
    pub tag: String,
    pub digest: Option<String>,
}

impl ImageRef {
    /// The last component of the repository: what an image of the family is called by.
    pub fn name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// Are both versions of one image?
    pub fn is_version_of(&self, other: &ImageRef) -> bool {
        (&self.registry, &self.repository) == (&other.registry, &other.repository)
    }

    /// Is the registry on this machine? What is built on a stand-in may go nowhere else.
    pub fn is_loopback(&self) -> bool {
        let host = self.registry.rsplit_once(':').map_or(self.registry.as_str(), |(host, _)| host);
        host == "localhost" || host == "[::1]" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for ImageRef {
    type Err = String;

    fn from_str(text: &str) -> Result<ImageRef, String> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (name, "latest"),
        };
        // Docker's rule: the first component is a registry where it could be a host.
        let (registry, repository) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            _ => ("", name),
        };
        if !repository.split('/').all(is_name) {
            return Err(format!("'{text}' is not an image reference: '{repository}' is not a repository"));
        }
        check_tag(tag).map_err(|why| format!("'{text}' is not an image reference: {why}"))?;
        if !registry.is_empty() {
            check_registry(registry).map_err(|why| format!("'{text}' is not an image reference: {why}"))?;
        }
        Ok(ImageRef { registry: registry.to_owned(), repository: repository.to_owned(), tag: tag.to_owned(), digest })
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.registry.is_empty() {
            write!(f, "{}/", self.registry)?;
        }
        write!(f, "{}:{}", self.repository, self.tag)?;
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

/// A tag as the distribution specification has it.
pub fn check_tag(tag: &str) -> Result<(), String> {
    let bytes = tag.as_bytes();
    let word = |byte: &u8| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-');
    if matches!(bytes.len(), 1..=128) && !matches!(bytes[0], b'.' | b'-') && bytes.iter().all(word) {
        Ok(())
    } else {
        Err(format!("'{tag}' is not a tag: up to 128 letters, digits, '_', '.', '-', not '.' or '-' first"))
    }
}

/// `host`, `host:port`, and a path below it.
pub fn check_registry(registry: &str) -> Result<(), String> {
    let (host, path) = registry.split_once('/').unwrap_or((registry, ""));
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let name_ok = name == "[::1]"
        || (!name.is_empty()
            && name.split('.').all(|label| {
                !matches!(label.as_bytes(), [] | [b'-', ..] | [.., b'-'])
                    && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-'))
            }));
    let port_ok = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let path_ok = path.is_empty() || path.split('/').all(is_name);
    // Without a dot, a port or 'localhost' docker would take it for a part of the repository.
    let is_host = name == "localhost" || name.contains(['.', ':']) || port.is_some();
    if name_ok && port_ok && path_ok && is_host {
        Ok(())
    } else {
        Err(format!("'{registry}' is not a registry: a host such as registry.example.com or localhost:5000"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["python-base", "a", "x1.y_z"] {
            assert_eq!(good.parse::<ImageName>().unwrap().as_str(), good);
        }
        for bad in ["../x", "", "-a", "a-", "A", "a/b", "a..b", "a b", "ä"] {
            assert!(bad.parse::<ImageName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn references() {
        for (text, registry, repository, tag) in [
            ("debian:trixie-slim", "", "debian", "trixie-slim"),
            ("nvidia/cuda", "", "nvidia/cuda", "latest"),
            ("localhost:5000/a/b:1", "localhost:5000", "a/b", "1"),
            (
                "690763002009.dkr.ecr.us-east-1.amazonaws.com/x:1",
                "690763002009.dkr.ecr.us-east-1.amazonaws.com",
                "x",
                "1",
            ),
        ] {
            let parsed: ImageRef = text.parse().unwrap();
            assert_eq!(
                (parsed.registry.as_str(), parsed.repository.as_str(), parsed.tag.as_str()),
                (registry, repository, tag)
            );
        }
        for bad in ["a:b c", "", "a:", "a/../b", "reg.io:99999/a", "a:-x"] {
            assert!(bad.parse::<ImageRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn loopback() {
        let is = |text: &str| format!("{text}/x:1").parse::<ImageRef>().unwrap().is_loopback();
        assert!(is("localhost:5000") && is("127.0.0.1:5000") && is("127.9.9.9:1"));
        assert!(!is("128.0.0.1:5000") && !is("localhost.example.com") && !is("10.0.0.1"));
    }

    #[test]
    fn registries() {
        for good in ["localhost", "localhost:5000", "127.0.0.1:5000", "r.example.com/team", "r:5000"] {
            assert_eq!(check_registry(good), Ok(()), "{good}");
        }
        for bad in ["", "https://x.com", "x", "x.com:0", "x.com:a", "x y.com", ".com", "x.com/A"] {
            assert!(check_registry(bad).is_err(), "{bad}");
        }
    }
}
