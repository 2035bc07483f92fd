//! The make variables that have a form to keep to.

use crate::{ImageRef, error::Fault, reference, vars::Vars};

/// Says what is wrong with a value.
type Form<'a> = &'a dyn Fn(&str) -> Result<(), String>;

/// # Errors
/// The first variable whose value has not its form.
pub(crate) fn check_vars(vars: &Vars) -> Result<(), Fault> {
    let account = |id: &str| match id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(()),
        false => Err(format!("'{id}' is not an AWS account id: 12 digits")),
    };
    let region = |name: &str| {
        let parts: Vec<&str> = name.split('-').collect();
        let (number, words) = parts.split_last().unwrap_or((&"", &[]));
        let letters = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
        match words.len() >= 2 && words.iter().all(letters) && number.len() == 1 && number.parse::<u8>().is_ok() {
            true => Ok(()),
            false => Err(format!("'{name}' is not an AWS region: for example us-east-1")),
        }
    };
    let platform = |text: &str| {
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        match matches!(parts.len(), 2 | 3) && parts.iter().all(word) {
            true => Ok(()),
            false => Err(format!("'{text}' is not a platform: for example linux/amd64")),
        }
    };
    let port = |text: &str| match text.parse::<u16>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("'{text}' is not a port: 0 to 65535")),
    };
    let repositories = |text: &str| match format!("{text}/x:y").parse::<ImageRef>() {
        Ok(image) if !image.registry.is_empty() => Ok(()),
        _ => Err(format!("'{text}' is not a place in a registry: for example ghcr.io/acme/cache")),
    };
    let checks: [(&str, Form); 8] = [
        ("IMAGE_TAG", &reference::check_tag),
        ("BASE_IMAGE_TAG", &reference::check_tag),
        ("REGISTRY", &reference::check_registry),
        ("AWS_ACCOUNT_ID", &account),
        ("AWS_REGION", &region),
        ("PLATFORM", &platform),
        ("PORT", &port),
        ("CACHE_REGISTRY", &repositories),
    ];
    for (name, check) in checks {
        // The compose files take an empty variable for an unset one.
        if let Some(value) = vars.get(name).filter(|value| !value.is_empty()) {
            check(value).map_err(|why| {
                let help = match name {
                    "CACHE_REGISTRY" => "set it to another, or unset it".to_owned(),
                    _ => format!("give another with --{}, or unset it", name.to_lowercase().replace('_', "-")),
                };
                Fault::usage(format!("{name} (from the {}): {why}", vars.origin(name))).help(help)
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;

    #[test]
    fn variables_with_a_form() {
        for (name, bad, good) in [
            ("IMAGE_TAG", "a b", "v1.2"),
            ("AWS_ACCOUNT_ID", "123", "690763002009"),
            ("AWS_REGION", "useast1", "us-gov-west-1"),
            ("REGISTRY", "https://x", "localhost:5000"),
            ("PLATFORM", "amd64", "linux/arm64/v8"),
            ("PORT", "70000", "0"),
        ] {
            let vars = |value: &str| Vars { process: [(name.to_owned(), value.to_owned())].into(), ..Vars::default() };
            let fault = check_vars(&vars(bad)).unwrap_err();
            assert!(fault.cause == Cause::Usage && fault.what.starts_with(name) && fault.what.contains(bad), "{fault}");
            assert_eq!(check_vars(&vars(good)), Ok(()));
            assert_eq!(check_vars(&vars("")), Ok(()));
        }
    }
}
