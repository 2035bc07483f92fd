//! The aws CLI, and what it can log in to: ECR, whose hosts have many forms.

use crate::invocation::Invocation;
use project::{Project, vars::Vars};

/// Where AWS's services are, by how a region's name begins; first match.
const DOMAINS: [(&str, &str); 7] = [
    ("cn-", "amazonaws.com.cn"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("eusc-", "amazonaws.eu"),
    ("", "amazonaws.com"),
];
/// Where dual-stack endpoints are.
const DUAL_STACK: [&str; 2] = ["on.aws", "on.amazonwebservices.com.cn"];
/// Of ECR Public, whose only region for passwords is us-east-1.
const PUBLIC: [&str; 2] = ["public.ecr.aws", "ecr-public.aws.com"];

/// A registry of AWS's, as its host names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ecr<'a> {
    Private {
        /// Not known behind a VPC endpoint.
        account: Option<&'a str>,
        region: &'a str,
    },
    Public,
}

impl<'a> Ecr<'a> {
    /// The registry with this host; none for anybody else's, which must never get a password from AWS.
    pub fn of(host: &'a str) -> Option<Ecr<'a>> {
        if PUBLIC.contains(&host) {
            return Some(Ecr::Public);
        }
        let below = |domain: &str| host.strip_suffix(domain)?.strip_suffix('.');
        if let Some(name) = DUAL_STACK.iter().find_map(|domain| below(domain)) {
            return match name.split('.').collect::<Vec<_>>()[..] {
                [account, "dkr-ecr" | "dkr-ecr-fips", region] => private(account, region),
                _ => None,
            };
        }
        let name = DOMAINS.iter().find_map(|(_, domain)| below(domain))?;
        match name.split('.').collect::<Vec<_>>()[..] {
            [account, "dkr", "ecr" | "ecr-fips", region] => private(account, region),
            [endpoint, "dkr", "ecr", region, "vpce"] if endpoint.starts_with("vpce-") => {
                Some(Ecr::Private { account: None, region })
            }
            _ => None,
        }
    }

    /// Prints a password for the registry, good for twelve hours.
    pub fn get_login_password(self, program: &str) -> Invocation {
        let (service, region) = match self {
            Ecr::Private { region, .. } => ("ecr", region),
            Ecr::Public => ("ecr-public", "us-east-1"),
        };
        Invocation::new(program, [service, "get-login-password", "--region", region])
    }

    /// Prints a JSON list of the registry's repositories: each one's name, and whether its tags can be moved.
    pub fn describe_repositories(self, program: &str) -> Option<Invocation> {
        let Ecr::Private { account, region } = self else { return None };
        let query = "repositories[].[repositoryName,imageTagMutability]";
        let args = ["ecr", "describe-repositories", "--region", region, "--query", query, "--output", "json"];
        let account = account.map(|account| ["--registry-id", account]);
        Some(Invocation::new(program, args.into_iter().chain(account.into_iter().flatten())))
    }
}

fn private<'a>(account: &'a str, region: &'a str) -> Option<Ecr<'a>> {
    let is_account = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit());
    is_account.then_some(Ecr::Private { account: Some(account), region })
}

/// The variables that name the right host, where the compose files can't: they put every region under amazonaws.com, for
/// they can't choose a domain by it, and China's is under amazonaws.com.cn. REGISTRY, as if a flag had given it, reaches
/// compose as well; one that the user gave stays.
pub fn vars_of_region(project: &Project) -> Option<Vars> {
    let is_given = project.vars.get("REGISTRY").is_some_and(|registry| !registry.is_empty());
    let registry =
        project.family().find_map(|image| host_of_region(&image.reference.registry)).filter(|_| !is_given)?;
    let mut vars = project.vars.clone();
    vars.flags.insert("REGISTRY".to_owned(), registry);
    Some(vars)
}

/// The host that one of ECR's under amazonaws.com was meant to be, where its region is elsewhere.
fn host_of_region(host: &str) -> Option<String> {
    let name = host.strip_suffix(".amazonaws.com")?;
    let Some(Ecr::Private { account: Some(_), region }) = Ecr::of(host) else { return None };
    let (_, domain) = DOMAINS.iter().find(|(prefix, _)| region.starts_with(prefix))?;
    (*domain != "amazonaws.com").then(|| format!("{name}.{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_host_has_its_region() {
        for (host, account, region) in [
            ("690763002009.dkr.ecr.eu-west-1.amazonaws.com", Some("690763002009"), "eu-west-1"),
            ("111122223333.dkr.ecr-fips.us-east-1.amazonaws.com", Some("111122223333"), "us-east-1"),
            ("111122223333.dkr.ecr.us-gov-west-1.amazonaws.com", Some("111122223333"), "us-gov-west-1"),
            ("111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn", Some("111122223333"), "cn-north-1"),
            ("111122223333.dkr-ecr.eu-west-1.on.aws", Some("111122223333"), "eu-west-1"),
            ("111122223333.dkr-ecr-fips.us-east-2.on.aws", Some("111122223333"), "us-east-2"),
            ("111122223333.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", Some("111122223333"), "cn-north-1"),
            ("vpce-0a-b.dkr.ecr.eu-west-1.vpce.amazonaws.com", None, "eu-west-1"),
            ("vpce-0a-b.dkr.ecr.cn-north-1.vpce.amazonaws.com.cn", None, "cn-north-1"),
            ("111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov", Some("111122223333"), "us-iso-east-1"),
            ("111122223333.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", Some("111122223333"), "us-isob-east-1"),
            ("111122223333.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", Some("111122223333"), "us-isof-south-1"),
            ("111122223333.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", Some("111122223333"), "eu-isoe-west-1"),
            ("111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu", Some("111122223333"), "eusc-de-east-1"),
        ] {
            assert_eq!(Ecr::of(host), Some(Ecr::Private { account, region }), "{host}");
        }
        assert_eq!(Ecr::of("public.ecr.aws"), Some(Ecr::Public));
        let public = Ecr::Public.get_login_password("aws").to_string();
        assert_eq!(public, "aws ecr-public get-login-password --region us-east-1");
    }

    #[test]
    fn nobody_else_s_host_is_ecr() {
        for host in [
            "",
            "localhost:5000",
            "ghcr.io",
            "a.b.c.d.example.com",
            "1.dkr.ecr.eu-west-1.amazonaws.com.example.com",
            "1.dkr.ecr.eu-west-1.example.com",
            "1.dkr.ecr.eu-west-1.notamazonaws.com",
            "1.dkr.ecr.eu-west-1.amazonaws.com:5000",
            "acme.dkr.ecr.eu-west-1.amazonaws.com",
            "1.dkr.s3.eu-west-1.amazonaws.com",
            "1.x.dkr.ecr.eu-west-1.amazonaws.com",
            "evil.public.ecr.aws",
            "bucket.s3.amazonaws.com",
        ] {
            assert_eq!(Ecr::of(host), None, "{host}");
        }
    }

    #[test]
    fn a_region_elsewhere_moves_the_host() {
        for (host, expected) in [
            ("1.dkr.ecr.cn-north-1.amazonaws.com", Some("1.dkr.ecr.cn-north-1.amazonaws.com.cn")),
            ("1.dkr.ecr.us-iso-east-1.amazonaws.com", Some("1.dkr.ecr.us-iso-east-1.c2s.ic.gov")),
            ("1.dkr.ecr.us-isob-east-1.amazonaws.com", Some("1.dkr.ecr.us-isob-east-1.sc2s.sgov.gov")),
            ("1.dkr.ecr.us-gov-west-1.amazonaws.com", None),
            ("1.dkr.ecr.cn-north-1.amazonaws.com.cn", None),
            ("vpce-1.dkr.ecr.cn-north-1.vpce.amazonaws.com", None),
            ("localhost:5000", None),
        ] {
            assert_eq!(host_of_region(host).as_deref(), expected, "{host}");
        }
    }
}
