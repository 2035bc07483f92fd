//! What a Dockerfile says of images: its stages, and where they come from.

/// A `FROM`, `COPY --from` or `RUN --mount=from=` that is not one of the file's own stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub line: usize,
    /// As it is written: an image, or `${ARGUMENT}`.
    pub image: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dockerfile {
    pub stages: Vec<String>,
    pub sources: Vec<Source>,
    /// The lines of each `COPY` and `ADD` without `--chmod`: files get the modes that the builder's umask gave them.
    pub modeless: Vec<usize>,
}

impl Source {
    /// The build argument that names the image, where one does.
    pub fn argument(&self) -> Option<&str> {
        let name = self.image.strip_prefix('$')?;
        Some(name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name))
    }
}

impl Dockerfile {
    pub fn parse(text: &str) -> Dockerfile {
        let mut parsed = Dockerfile::default();
        for (line, instruction) in instructions(text) {
            let (keyword, rest) = instruction.split_once([' ', '\t']).unwrap_or((&instruction, ""));
            let keyword = keyword.to_ascii_uppercase();
            if !matches!(keyword.as_str(), "FROM" | "COPY" | "ADD" | "RUN") {
                continue;
            }
            let words: Vec<&str> = rest.split_ascii_whitespace().collect();
            // An image's files and a here-document's have the same modes everywhere.
            let sets_mode = |word: &&str| ["--chmod=", "--from=", "<<"].iter().any(|start| word.starts_with(start));
            if matches!(keyword.as_str(), "COPY" | "ADD") && !words.iter().any(sets_mode) {
                parsed.modeless.push(line);
            }
            let named: Vec<&str> = match keyword.as_str() {
                "FROM" => words.iter().copied().filter(|word| !word.starts_with("--")).take(1).collect(),
                "COPY" | "ADD" => words.iter().filter_map(|word| word.strip_prefix("--from=")).collect(),
                _ => words
                    .iter()
                    .filter_map(|word| word.strip_prefix("--mount="))
                    .flat_map(|mount| mount.split(','))
                    .filter_map(|option| option.strip_prefix("from="))
                    .collect(),
            };
            for image in named {
                let is_stage = parsed.stages.iter().any(|stage| stage == image);
                if !is_stage && image != "scratch" && image.parse::<usize>().is_err() {
                    parsed.sources.push(Source { line, image: image.to_owned() });
                }
            }
            if keyword == "FROM"
                && let Some(at) = words.iter().position(|word| word.eq_ignore_ascii_case("as"))
                && let Some(stage) = words.get(at + 1)
            {
                parsed.stages.push((*stage).to_owned());
            }
        }
        parsed
    }
}

/// Instructions with the line they begin at: continuation lines joined, comments and here-documents left out.
fn instructions(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    let mut here: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        if let Some(end) = &here {
            if line.trim_start_matches('\t') == end {
                here = None;
            }
            continue;
        }
        let body = line.trim();
        if body.is_empty() || body.starts_with('#') {
            continue;
        }
        let (part, continues) = body.strip_suffix('\\').map_or((body, false), |part| (part, true));
        match found.last_mut() {
            Some((_, instruction)) if open => {
                instruction.push(' ');
                instruction.push_str(part);
            }
            _ => found.push((index + 1, part.to_owned())),
        }
        open = continues;
        if !continues {
            here = here_document(part);
        }
    }
    found
}

/// The word that ends the here-document which a line begins; bash's `<<<` and a shift (`1 << 3`) begin none.
fn here_document(line: &str) -> Option<String> {
    line.find('<')?; // most lines: a search for two characters costs far more
    line.match_indices("<<").find_map(|(at, _)| {
        let after = &line[at + 2..];
        let mark = after.strip_prefix('-').unwrap_or(after).trim_start_matches(['"', '\'']);
        let word: String = mark.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let begins = !line[..at].ends_with('<') && word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        begins.then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_here_document() {
        let text = "FROM a AS one\nRUN cat <<< \"hello\" && echo $((1 << 3))\nFROM one AS two\nRUN <<-'END' cat\nFROM no AS no\n\tEND\nFROM two AS three\n";
        assert_eq!(Dockerfile::parse(text).stages, ["one", "two", "three"]);
    }

    #[test]
    fn stages_and_sources() {
        let text = "ARG A=x\nFROM --platform=linux/amd64 ${A} AS tools\n# FROM no\nRUN --mount=type=bind,from=$B,target=/x \\\n  \
                    # why\n  --mount=from=tools,target=/y true <<EOF\nFROM inside\nEOF\nFROM debian as last\nCOPY --from=tools /a /b\nCOPY --from=0 /a /b\n";
        let parsed = Dockerfile::parse(text);
        assert_eq!(parsed.stages, ["tools", "last"]);
        let sources: Vec<_> = parsed.sources.iter().map(|s| (s.line, s.image.as_str(), s.argument())).collect();
        assert_eq!(sources, [(2, "${A}", Some("A")), (4, "$B", Some("B")), (9, "debian", None)]);
    }

    #[test]
    fn copies_whose_modes_depend_on_the_umask() {
        let text = "FROM a\nCOPY x /\nCOPY --chmod=0644 x /\nCOPY --from=b --chown=1 x /\nadd --chown=1 x \\\n  y /\n\
                    COPY <<EOF /x\nCOPY inside /\nEOF\nRUN COPY x /\n";
        assert_eq!(Dockerfile::parse(text).modeless, [2, 5]);
    }
}
