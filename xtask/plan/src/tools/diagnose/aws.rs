//! Words of the aws CLI.

use super::{Ended, Why, last_line, line_with, registry, says};
use crate::quote;
use project::error::Cause;

const NO_CREDENTIALS: [&str; 3] = ["unable to locate credentials", "nocredentials", "partial credentials"];

const REFUSED: [&str; 5] =
    ["expiredtoken", "accessdenied", "invalidclienttokenid", "unrecognizedclient", "signaturedoesnotmatch"];

const UNREACHABLE: [&str; 3] = ["could not connect to the endpoint", "connect timeout", "connection was closed"];

/// A login by SSO that has expired, or never was.
const SSO: [&str; 4] =
    ["error loading sso token", "sso session associated with this profile", "unauthorizedssotoken", "sso token"];

/// The last line of what asks a person, where there is nobody to ask.
const NOBODY: [&str; 4] = ["enter mfa code", "eof when reading a line", "eoferror", "input/output error"];

pub fn why(ended: &Ended) -> Option<Why> {
    let tail = ended.tail;
    let said = |phrases: &[&str]| line_with(tail, phrases);
    let aws = quote(&ended.run.program);
    let of_profile = ended.profile.map(|profile| format!(" --profile {}", quote(profile))).unwrap_or_default();
    let refused = |line: &str, help: String| Some(Why::new(Cause::Refused, line, help));
    if says(tail, &NO_CREDENTIALS) {
        return refused(
            "the aws CLI finds no credentials",
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` tests them"
                .to_owned(),
        );
    }
    if let Some(line) = said(&["could not be found"]).filter(|line| line.contains("profile")) {
        return refused(line, format!("check AWS_PROFILE: `{aws} configure list-profiles` shows what there is"));
    }
    if let Some(line) = said(&SSO) {
        return refused(line, format!("log in: `{aws} sso login{of_profile}`"));
    }
    if let Some(line) = said(&["custom-process", "credential_process"]) {
        let help = format!(
            "correct the profile's credential_process: `{aws} configure get credential_process{of_profile}` shows it"
        );
        return refused(line, help);
    }
    if let Some(line) = said(&REFUSED) {
        return refused(line, "renew the AWS credentials; `aws sts get-caller-identity` tests them".to_owned());
    }
    if says(last_line(tail), &NOBODY) {
        return refused(
            "it asks for a code or a password, and there is no terminal to ask on",
            "run it in a terminal, or give it credentials that ask for nothing".to_owned(),
        );
    }
    if let Some(line) = said(&registry::UNKNOWN_CA) {
        let help = "set AWS_CA_BUNDLE to a file that holds the certificate authority";
        return Some(Why::new(Cause::Unavailable, line, help));
    }
    said(&UNREACHABLE).map(|line| Why::new(Cause::Unavailable, line, "check AWS_REGION and the network"))
}
