//! Where an argument's value is in the text of a compose file, so that nothing else is touched: comments, anchors and
//! quotes stay as they are.

use super::super::Side;
use project::{Base, Image, ImageRef};
use std::ops::Range;

/// The bytes of the one value that gives an image this base: in the image's own service, else in what it shares with
/// others through an anchor. None where it isn't written out, such as in a variable's default.
pub fn place(side: &Side, image: &Image, base: &Base) -> Option<Range<usize>> {
    let service = side.keys.line(&["services", image.name.as_str()])?;
    let anywhere = 1..side.lines.len() + 1;
    [side.block(service), anywhere].into_iter().flatten().find_map(|number| {
        let (offset, line) = side.lines[number - 1];
        value(line, &base.argument, &base.reference).map(|found| offset + found.start..offset + found.end)
    })
}

/// Where a line gives the argument (or additional context) this value: `NAME: value` or `NAME=value`, also among others
/// in braces.
fn value(line: &str, argument: &str, reference: &ImageRef) -> Option<Range<usize>> {
    let code = line.find(" #").map_or(line, |comment| &line[..comment]);
    if code.trim_start().starts_with('#') {
        return None;
    }
    code.match_indices(argument).find_map(|(at, _)| {
        let is_whole = code[..at].chars().next_back().is_none_or(|c| " \t{,'\"".contains(c));
        let rest = code[at + argument.len()..].trim_start_matches(['\'', '"']).trim_start();
        let mut rest = rest.strip_prefix(": ").or_else(|| rest.strip_prefix('='))?.trim_start();
        if rest.starts_with('&') {
            rest = rest.split_once(' ')?.1.trim_start();
        }
        let rest = rest.trim_start_matches(['\'', '"']);
        // As an additional context is written.
        let rest = rest.strip_prefix("docker-image://").unwrap_or(rest);
        let value = rest.split([' ', '\t', ',', '}', ']', '\'', '"']).next()?;
        let start = code.len() - rest.len();
        (is_whole && value.parse() == Ok(reference.clone())).then(|| start..start + value.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_whatever_is_around_it() {
        let reference: ImageRef = "debian:13".parse().unwrap();
        for (line, start) in [
            ("  BASE_IMAGE: debian:13", Some(14)),
            ("  BASE_IMAGE:   debian:13  # not debian:12", Some(16)),
            ("  'BASE_IMAGE': \"debian:13\"", Some(17)),
            ("  BASE_IMAGE: &debian debian:13", Some(22)),
            ("  - BASE_IMAGE=debian:13", Some(15)),
            ("  - 'BASE_IMAGE=debian:13'", Some(16)),
            ("  args: {A: b, BASE_IMAGE: debian:13, C: d}", Some(27)),
            ("  args: {MY_BASE_IMAGE: debian:13, BASE_IMAGE: debian:13}", Some(47)),
            ("  BASE_IMAGE: docker-image://debian:13", Some(29)),
            ("  BASE_IMAGE: debian:13-slim", None),
            ("  BASE_IMAGE: x/debian:13", None),
            ("  BASE_IMAGE: *debian", None),
            ("  BASE_IMAGE: ${X:-debian:13}", None),
            ("  # BASE_IMAGE: debian:13", None),
            ("  A: b # BASE_IMAGE: debian:13", None),
            ("  BASE_IMAGE:", None),
        ] {
            let found = value(line, "BASE_IMAGE", &reference);
            assert_eq!(found, start.map(|start| start..start + "debian:13".len()), "{line}");
        }
    }
}
