//! Dockerfiles, and what the compose files say of them.

use super::{finding, finding_in_line};
use plan::tools::docker::{INDEX_LABEL, STAGE_LABEL};
use project::{Image, Project, family::Finding, files::Files};

pub fn findings(dev: &Project, ci: &Project, files: &Files) -> Vec<Finding> {
    let in_ci_only = ci.images.iter().filter(|image| dev.find(&image.name).is_none());
    let of_dev = dev.images.iter().flat_map(|image| of_image(dev, image, ci.find(&image.name), files));
    of_dev.chain(in_ci_only.flat_map(|image| of_image(ci, image, None, files))).collect()
}

/// `other` is the same image in the other compose file.
fn of_image(project: &Project, image: &Image, other: Option<&Image>, files: &Files) -> Vec<Finding> {
    let path = &image.dockerfile;
    let parsed = match project.dockerfile(image, files) {
        Ok(parsed) => parsed,
        Err(fault) => return vec![finding(path, fault.what)],
    };
    let mut findings = Vec::new();
    let other = other.filter(|other| other.dockerfile == *path && other.stage != image.stage);
    let missing = std::iter::once(image).chain(other).filter_map(|image| image.check_stage(&parsed).err());
    findings.extend(missing.map(|fault| finding(path, fault.what)));
    for source in &parsed.sources {
        if !image.bases.iter().any(|base| base.is_meant_by(source)) {
            let what = format!(
                "{} is neither a build argument *_IMAGE nor an additional context of {} in the compose files",
                source.image, image.name
            );
            findings.push(finding_in_line(path, source.line, what));
        }
    }
    for line in &parsed.modeless {
        let what = "copies files with the modes that the builder's umask gave them: add --chmod=0644, or 0755 for \
                    programs and folders";
        findings.push(finding_in_line(path, *line, what));
    }
    for base in &image.bases {
        if !parsed.sources.iter().any(|source| base.is_meant_by(source)) {
            let what = format!("{} of the compose files is used in no FROM, COPY --from or RUN --mount", base.argument);
            findings.push(finding(path, what));
        }
    }
    if !image.helper {
        let text = files.text(path).ok().flatten().unwrap_or_default();
        findings.extend(labels(image, text, &parsed.stages));
    }
    findings
}

/// The labels that deploy goes by.
fn labels(image: &Image, text: &str, stages: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (argument, _) in &image.indexes {
        let name = argument.trim_end_matches("_INDEX").to_lowercase().replace('_', "-");
        let label = format!("{INDEX_LABEL}{name}=${{{argument}}}");
        if !text.contains(&label) {
            let what = format!("{argument} of the compose files has no LABEL {label}, which deploy goes by");
            findings.push(finding(&image.dockerfile, what));
        }
    }
    let has_development = stages.iter().any(|stage| stage == "development");
    if has_development && !text.contains(&format!("{STAGE_LABEL}=development")) {
        let what = format!("the development stage has no LABEL {STAGE_LABEL}=development, which deploy goes by");
        findings.push(finding(&image.dockerfile, what));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CI, DEV, Rules};

    const FILE: &str = "images/fastapi-serve/Dockerfile";

    #[test]
    fn a_dockerfile_takes_the_images_that_the_compose_files_name() {
        for (line, image) in [
            ("FROM debian:trixie AS last", "debian:trixie"),
            ("FROM $PORT AS last", "$PORT"),
            ("COPY --from=r.io/uv:1 /uv /uv", "r.io/uv:1"),
            ("RUN --mount=type=bind,from=alpine,target=/x true", "alpine"),
        ] {
            let rules = Rules::kept();
            let text = rules.read(FILE) + line + "\n";
            let rules = rules.file(FILE, &text);
            let what = format!(
                "{image} is neither a build argument *_IMAGE nor an additional context of fastapi-serve in the compose files"
            );
            assert_eq!(rules.findings(), [format!("{}: {what}", rules.line(FILE, line))]);
        }
        let helper = "images/build-tools/Dockerfile";
        let rules = Rules::kept().edit(helper, "${DEBIAN_IMAGE}\n", "${DEBIAN_IMAGE}\nFROM alpine\n");
        let what =
            "alpine is neither a build argument *_IMAGE nor an additional context of build-tools in the compose files";
        assert_eq!(rules.findings(), [format!("{helper}:3: {what}")]);
        let rules = Rules::kept().edit(FILE, "FROM ${TOOLS_IMAGE} AS tools\n", "");
        let what = "TOOLS_IMAGE of the compose files is used in no FROM, COPY --from or RUN --mount";
        assert_eq!(rules.findings(), [format!("{FILE}: {what}")]);
    }

    #[test]
    fn files_have_the_modes_that_the_dockerfile_says() {
        let rules = Rules::kept().edit(FILE, "FROM production AS", "COPY a /opt/\nFROM production AS");
        let what = "copies files with the modes that the builder's umask gave them: add --chmod=0644, or 0755 for \
                    programs and folders";
        assert_eq!(rules.findings(), [format!("{}: {what}", rules.line(FILE, "COPY a"))]);
    }

    #[test]
    fn the_stages_of_both_environments_are_there() {
        let missing =
            |stage: &str, stages: &str| format!("{FILE}: {FILE} has no stage '{stage}'; its stages are: {stages}");
        let rules = Rules::kept().edit(FILE, "AS development\n", "AS dev\n");
        assert_eq!(rules.findings(), [missing("development", "tools, production, dev")]);
        let rules = Rules::kept().edit(
            FILE,
            "${BASE_IMAGE} AS production\nFROM production",
            "${BASE_IMAGE} AS prod\nFROM prod",
        );
        assert_eq!(rules.findings(), [missing("production", "tools, prod, development")]);
    }

    #[test]
    fn what_deploy_goes_by_is_labelled() {
        let rules = Rules::kept().edit(FILE, "LABEL core-images.stage=development\n", "");
        let what = "the development stage has no LABEL core-images.stage=development, which deploy goes by";
        assert_eq!(rules.findings(), [format!("{FILE}: {what}")]);
        let mut rules = Rules::kept();
        for (file, stage) in [(DEV, "development"), (CI, "production")] {
            let args = format!("context: ./images/fastapi-serve\n      target: {stage}\n      args:\n");
            rules = rules.edit(file, &args, &format!("{args}        ACME_WHEELS_INDEX: https://acme.example\n"));
        }
        let label = "LABEL core-images.index.acme-wheels=${ACME_WHEELS_INDEX}";
        let what = format!("ACME_WHEELS_INDEX of the compose files has no {label}, which deploy goes by");
        assert_eq!(rules.findings(), [format!("{FILE}: {what}")]);
        let rules = rules.edit(FILE, "LABEL core-images.stage", &format!("{label}\nLABEL core-images.stage"));
        assert_eq!(rules.findings(), [""; 0]);
    }

    #[test]
    fn a_missing_dockerfile_is_one_fault() {
        let found = Rules::kept().without(FILE).findings();
        assert_eq!(found, [format!("{FILE}: reading the Dockerfile of fastapi-serve: /r/{FILE}: no such file")]);
    }
}
