//! The images that a person means.

use crate::{
    ImageName, Project, compose,
    error::{Cause, Fault},
};

impl Project {
    /// The images that `patterns` (names, or globs with `*` and `?`) mean, in the order of the compose file.
    pub fn select(&self, patterns: &[String], all: bool) -> Result<Vec<ImageName>, Fault> {
        let mut wanted = vec![false; self.images.len()];
        for pattern in patterns {
            if !pattern.contains(['*', '?']) {
                let name = pattern
                    .parse()
                    .map_err(|why: String| Fault::usage(why).help("`cargo xtask list` shows the images"))?;
                wanted[self.position(&name)?] = true;
                continue;
            }
            let before = wanted.iter().filter(|w| **w).count();
            for (image, wanted) in self.images.iter().zip(&mut wanted).filter(|(image, _)| !image.helper) {
                *wanted |= glob_matches(pattern, image.name.as_str());
            }
            if wanted.iter().filter(|w| **w).count() == before
                && !self.family().any(|i| glob_matches(pattern, i.name.as_str()))
            {
                return Err(self.unknown(pattern));
            }
        }
        let chosen = self.images.iter().zip(wanted).filter(|(image, wanted)| *wanted || (all && !image.helper));
        let chosen: Vec<ImageName> = chosen.map(|(image, _)| image.name.clone()).collect();
        if chosen.is_empty() {
            return Err(Fault::usage("no image named").help("name images, a glob such as 'kubeflow-*', or --all"));
        }
        Ok(chosen)
    }

    pub(crate) fn unknown(&self, name: &str) -> Fault {
        let names: Vec<&str> = self.family().map(|image| image.name.as_str()).collect();
        let other = self.environment.other().file();
        if compose::line_of(&self.other_file, &["services", name]).is_some() {
            return Fault::new(Cause::Project, format!("image {name} stands in {other}, but not in {}", self.file()))
                .help(format!("add the service to {} as well, then run `cargo xtask check`", self.file()));
        }
        let near =
            names.iter().map(|known| (strsim::jaro_winkler(name, known), *known)).max_by(|a, b| a.0.total_cmp(&b.0));
        let hint =
            near.filter(|(score, _)| *score > 0.8).map_or(String::new(), |(_, near)| format!("did you mean {near}? "));
        Fault::usage(format!("no image {name} in {}", self.file()))
            .help(format!("{hint}the images are: {}", names.join(", ")))
    }
}

fn glob_matches(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => (0..=name.len()).any(|i| name.is_char_boundary(i) && glob_matches(&pattern[1..], &name[i..])),
        Some(c) => name
            .chars()
            .next()
            .is_some_and(|n| (c == '?' || c == n) && glob_matches(&pattern[c.len_utf8()..], &name[n.len_utf8()..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{names, project};

    #[test]
    fn selection() {
        let p = project(&[("kubeflow-a", &[]), ("python-base", &[]), ("kubeflow-b", &[])]);
        assert_eq!(names(&p, &["kubeflow-*"]), ["kubeflow-a", "kubeflow-b"]);
        assert_eq!(names(&p, &["python-base", "kubeflow-?"]), ["kubeflow-a", "python-base", "kubeflow-b"]);
        let typo = p.select(&["pyton-base".to_owned()], false).unwrap_err();
        assert!(typo.help.unwrap().starts_with("did you mean python-base?"));
        assert_eq!(p.select(&["../x".to_owned()], false).unwrap_err().cause, Cause::Usage);
        assert_eq!(p.select(&["z*".to_owned()], false).unwrap_err().cause, Cause::Usage);
        assert_eq!(p.select(&[], false).unwrap_err().cause, Cause::Usage);
        assert_eq!(p.select(&[], true).unwrap().len(), 3);
    }
}
