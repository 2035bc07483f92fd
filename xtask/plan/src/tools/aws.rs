//! The aws CLI.

use crate::invocation::Invocation;

/// Prints a password for the registry, good for twelve hours.
pub fn get_login_password(program: &str, region: &str) -> Invocation {
    Invocation::new(program, ["ecr", "get-login-password", "--region", region])
}

/// The region in an ECR registry's name: `<account>.dkr.ecr.<region>.amazonaws.com`, also `dkr.ecr-fips` and `.com.cn`.
pub fn region_of(registry: &str) -> Option<&str> {
    let mut labels = registry.split('.');
    let (_account, dkr, ecr, region) = (labels.next()?, labels.next()?, labels.next()?, labels.next()?);
    (dkr == "dkr" && ecr.starts_with("ecr") && labels.next() == Some("amazonaws")).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region() {
        assert_eq!(region_of("690763002009.dkr.ecr.eu-west-1.amazonaws.com"), Some("eu-west-1"));
        assert_eq!(region_of("1.dkr.ecr-fips.us-east-1.amazonaws.com"), Some("us-east-1"));
        assert_eq!(region_of("localhost:5000"), None);
        assert_eq!(region_of("a.b.c.d.example.com"), None);
    }
}
