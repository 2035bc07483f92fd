//! Credentials that must not be printed: those in URLs, which tools print when they can't reach them.

/// What takes a secret's place.
const HIDDEN: &str = "***";
/// A shorter text would be found in others that have nothing to do with it.
const SHORTEST: usize = 4;
/// So would a word such as `test` or `password`, unless it is as long as this. (In a URL it is hidden all the same.)
const LONG_WORD: usize = 9;
/// A user's name is no secret, but tokens are given in its place: nobody's name is so long.
const TOKEN: usize = 20;

/// Credentials in these texts, which may be URLs or hold some: values of variables, a configuration file.
pub fn secrets_of(values: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    let mut secrets: Vec<String> = values
        .into_iter()
        .flat_map(|text| {
            userinfos(text.as_ref()).flat_map(|(scheme, userinfo)| parts(scheme, userinfo)).collect::<Vec<_>>()
        })
        .filter(|secret| is_recognisable(secret))
        .collect();
    // The longest first: a part must not be hidden before the whole is found.
    secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    secrets.dedup();
    secrets
}

/// Can it be hidden wherever it is found?
fn is_recognisable(secret: &str) -> bool {
    let is_word = secret.bytes().all(|byte| byte.is_ascii_lowercase());
    secret.chars().count() >= if is_word { LONG_WORD } else { SHORTEST }
}

#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    pub fn add(&mut self, secrets: &[String]) {
        self.0.extend(secrets.iter().filter(|secret| !secret.is_empty()).cloned());
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        self.0.dedup();
    }

    /// The text without these, and without the credentials in any web address, known or not.
    pub fn redacted(&self, text: &str) -> String {
        let text = self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN));
        let unknown: Vec<&str> = userinfos(&text)
            .filter(|(scheme, userinfo)| is_secret(scheme, userinfo) && *userinfo != HIDDEN)
            .map(|(_, userinfo)| userinfo)
            .collect();
        unknown
            .into_iter()
            .fold(text.clone(), |text, userinfo| text.replace(&format!("://{userinfo}@"), &format!("://{HIDDEN}@")))
    }
}

/// The scheme, and what is between `://` and `@`, of each URL in a text.
fn userinfos(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices("://").filter_map(|(at, _)| {
        let before = text[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && !"+.-".contains(c)).next();
        let scheme = before.filter(|scheme| !scheme.is_empty())?;
        let authority = text[at + 3..].split(|c: char| c.is_whitespace() || "/?#\"'`<>".contains(c)).next()?;
        let (userinfo, _host) = authority.rsplit_once('@')?;
        (!userinfo.is_empty()).then_some((scheme, userinfo))
    })
}

/// `ssh://git@…` names a user; in a web address, a user without a password is a token.
fn is_secret(scheme: &str, userinfo: &str) -> bool {
    userinfo.contains(':') || scheme.to_lowercase().ends_with("http") || scheme.to_lowercase().ends_with("https")
}

/// The words that must not be printed of a URL's userinfo: the whole, and what in it is secret, each as it is written and
/// decoded.
fn parts(scheme: &str, userinfo: &str) -> Vec<String> {
    if !is_secret(scheme, userinfo) {
        return Vec::new();
    }
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let mut parts = vec![userinfo];
    if ["", "x-oauth-basic"].contains(&password) || user.len() >= TOKEN {
        parts.push(user);
    }
    if password != "x-oauth-basic" {
        parts.push(password);
    }
    parts.into_iter().flat_map(|part| [part.to_owned(), decoded(part)]).collect()
}

/// Percent-decoded; what isn't encoded well stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_urls() {
        for (value, expected) in [
            ("https://TOKEN@host/simple", &["TOKEN"][..]),
            ("https://user:pass%40word@host", &["user:pass%40word", "user:pass@word", "pass%40word", "pass@word"]),
            ("https://aws:s3cr3t@host/", &["aws:s3cr3t", "s3cr3t"]),
            ("https://ghp_token:x-oauth-basic@host", &["ghp_token:x-oauth-basic", "ghp_token"]),
            ("https://ghp_token:@host", &["ghp_token:", "ghp_token"]),
            ("index-url = https://one1@a/\nextra = http://two2@b/", &["one1", "two2"]),
            ("git+HTTPS://TOKEN@host/r.git", &["TOKEN"]),
            ("ssh://git@github.com/a", &[]),
            ("postgres://me:word@db", &["me:word"]),
            ("https://user:password@host", &["user:password"]),
            ("https://abcdefghi@host", &["abcdefghi"]),
            ("https://host/a@b", &[]),
            ("https://host?user:pass@", &[]),
            ("https://p@ss:w@rd@host", &["p@ss:w@rd", "w@rd"]),
            // Too short to be looked for in every text; in a URL it is hidden all the same.
            ("https://a:b@host", &[]),
            ("://@", &[]),
        ] {
            assert_eq!(secrets_of([value]), expected, "{value}");
        }
    }

    #[test]
    fn nothing_of_a_credential_is_shown() {
        let mut secrets = Secrets::default();
        secrets.add(&secrets_of(["https://user:pass%40word@host/simple", "https://TOKEN@other/"]));
        for (text, expected) in [
            ("GET https://user:pass%40word@host/simple: 401", "GET https://***@host/simple: 401"),
            ("login of user with pass@word failed", "login of user with *** failed"),
            ("https://TOKEN@other/ and TOKEN", "https://***@other/ and ***"),
            ("https://unknown@third/ https://a:b@c", "https://***@third/ https://***@c"),
            ("ssh://git@github.com/a", "ssh://git@github.com/a"),
            ("two@words and a://b", "two@words and a://b"),
        ] {
            assert_eq!(secrets.redacted(text), expected);
        }
    }
}
