//! The graph as a picture: where each box lies, and the SVG of it. Sizes are in CSS pixels.

use super::html::escape;
use crate::common::graph::Graph;
use std::fmt::Write as _;

const HEIGHT: i32 = 42;
/// From the top of a box to the top of the next one below it.
const PITCH: i32 = 56;
/// Between two columns: room for a curve.
const GAP: i32 = 48;
/// How far a level of the tree is moved in, and where the line down from a box begins.
const INDENT: i32 = 28;
const STEM: i32 = 14;
const MARGIN: i32 = 10;
/// How far above a box a line goes to it that comes from further away: between two rows nothing is in its way.
const LANE: i32 = 7;
/// How far a box may be below the first that is built on it: in a family of hundreds the middle is out of sight.
const REACH: i32 = 3 * PITCH;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub x: i32,
    pub y: i32,
    pub width: i32,
}

impl Frame {
    fn right(self) -> i32 {
        self.x + self.width
    }

    fn middle(self) -> i32 {
        self.y + HEIGHT / 2
    }
}

/// Boxes in the order of the graph's nodes, lines in that of its edges.
pub struct Picture {
    pub frames: Vec<Frame>,
    pub lines: Vec<String>,
    pub width: i32,
    pub height: i32,
}

impl Picture {
    fn new(frames: Vec<Frame>, lines: Vec<String>, right: i32) -> Picture {
        let bottom = frames.iter().map(|frame| frame.y + HEIGHT).max().unwrap_or(0);
        Picture { frames, lines, width: right + MARGIN, height: bottom + MARGIN }
    }
}

/// A box is as wide as its text: the font is a monospaced one, of which a character is 0.6 em.
fn width(graph: &Graph, node: usize) -> i32 {
    let node = &graph.nodes[node];
    let letters = node.label.chars().count().max(node.hardware.chars().count());
    i32::try_from(letters).unwrap_or(i32::MAX / 16).saturating_mul(8) + 2 * 12
}

fn signed(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The nodes by their foundations, each with its depth: each subtree is in one piece.
fn rows(graph: &Graph) -> Vec<usize> {
    let below = |graph: &Graph, node: usize, _| {
        let next = graph.nodes[node].dependents.iter().copied();
        let next: Vec<usize> = next.filter(|next| graph.foundation(*next) == Some(node)).collect();
        next.into_iter()
    };
    graph.walk(below).into_iter().map(|(node, _)| node).collect()
}

/// A column for each depth, from left to right; bases beside the middle of what is built on them.
pub fn columns(graph: &Graph) -> Picture {
    let depths = graph.nodes.iter().map(|node| node.depth + 1).max().unwrap_or(0);
    let mut widths = vec![0; depths];
    for (index, node) in graph.nodes.iter().enumerate() {
        widths[node.depth] = widths[node.depth].max(width(graph, index));
    }
    let left = |depth: usize| MARGIN + widths[..depth].iter().map(|width| width + GAP).sum::<i32>();
    let order = rows(graph);
    // Where the first and the last box lie that are built on a box; other boxes get the next free row.
    let mut spans: Vec<Option<(i32, i32)>> = vec![None; graph.nodes.len()];
    let mut free = MARGIN;
    let leaf = |node: usize| !graph.nodes[node].dependents.iter().any(|next| graph.foundation(*next) == Some(node));
    for node in order.iter().copied().filter(|node| leaf(*node)) {
        spans[node] = Some((free, free));
        free += PITCH;
    }
    let mut tops = vec![MARGIN; graph.nodes.len()];
    for node in order.into_iter().rev() {
        let (first, last) = spans[node].unwrap_or((MARGIN, MARGIN));
        // On the grid, so that between two rows a line passes everywhere.
        tops[node] = first + ((last - first) / PITCH / 2 * PITCH).min(REACH);
        if let Some(base) = graph.foundation(node) {
            let (from, to) = spans[base].unwrap_or((tops[node], tops[node]));
            spans[base] = Some((from.min(tops[node]), to.max(tops[node])));
        }
    }
    let frame = |(index, y): (usize, i32)| {
        let depth = graph.nodes[index].depth;
        Frame { x: left(depth), y, width: widths[depth] }
    };
    let frames: Vec<Frame> = tops.into_iter().enumerate().map(frame).collect();
    let lines = graph.edges.iter().map(|(from, to)| curve(frames[*from], frames[*to])).collect();
    let right = left(depths) - GAP;
    Picture::new(frames, lines, right)
}

/// From the right of a base to the left of what is built on it, with the head of an arrow.
fn curve(from: Frame, to: Frame) -> String {
    let (x1, y1, x2, y2) = (from.right(), from.middle(), to.x, to.middle());
    let bend = |x: i32, y: i32, to: i32| format!("C{0} {y} {0} {to} {1} {to}", x + GAP / 2, x + GAP);
    let way = match x2 - x1 == GAP {
        true => bend(x1, y1, y2),
        false => {
            let lane = to.y - LANE;
            format!("{}H{}{}", bend(x1, y1, lane), x2 - GAP, bend(x2 - GAP, lane, y2))
        }
    };
    format!("M{x1} {y1}{way}m-7 -4l7 4l-7 4")
}

/// A row for each image, moved in by its depth: as narrow as a phone.
pub fn tree(graph: &Graph) -> Picture {
    let mut frames = vec![Frame { x: 0, y: 0, width: 0 }; graph.nodes.len()];
    for (row, node) in rows(graph).into_iter().enumerate() {
        let x = MARGIN + signed(graph.nodes[node].depth) * INDENT;
        frames[node] = Frame { x, y: MARGIN + signed(row) * PITCH, width: width(graph, node) };
    }
    let widest = frames.iter().map(|frame| frame.right()).max().unwrap_or(0);
    let mut right = widest;
    let lines = graph.edges.iter().map(|&(from, to)| {
        let (base, image) = (frames[from], frames[to]);
        if graph.foundation(to) == Some(from) {
            let (stem, top) = (base.x + STEM, base.y + HEIGHT);
            return format!("M{stem} {top}V{}H{}m-7 -4l7 4l-7 4", image.middle(), image.x);
        }
        // Round the outside: between two boxes' rows there may be others.
        right = widest + INDENT - MARGIN;
        format!("M{} {}H{right}V{}H{}m7 -4l-7 4l7 4", base.right(), base.middle() + 6, image.middle(), image.right())
    });
    let lines = lines.collect();
    Picture::new(frames, lines, right)
}

/// The picture, its boxes linked to `#image-<name>`.
pub fn svg(graph: &Graph, picture: &Picture, class: &str) -> String {
    let Picture { width, height, .. } = picture;
    let mut out = format!(
        "<svg class=\"{class}\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         style=\"min-width: {}px\" role=\"group\" aria-label=\"The images: arrows lead from a base to what is built on it\">\n",
        // Scales down to 80 %, then scrolls.
        width / 5 * 4
    );
    for line in &picture.lines {
        let _ = writeln!(out, "<path class=\"edge\" d=\"{line}\"/>");
    }
    for (node, frame) in graph.nodes.iter().zip(&picture.frames) {
        let (label, hardware) = (escape(&node.label), escape(&node.hardware));
        let Frame { x, y, width } = frame;
        let second = if node.external { "external" } else { &hardware };
        let inside = format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{HEIGHT}\" rx=\"{}\"/>\
             <text x=\"{}\" y=\"{}\">{label}</text><text class=\"second\" x=\"{}\" y=\"{}\">{second}</text>",
            if node.external { HEIGHT / 2 } else { 6 },
            x + 12,
            y + 18,
            x + 12,
            y + 33,
        );
        let _ = match node.external {
            true => writeln!(out, "<g class=\"box external\">{inside}</g>"),
            false => writeln!(out, "<a class=\"box\" href=\"#image-{label}\">{inside}</a>"),
        };
    }
    out + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::graph::tests::graph_of;

    /// A family of `size`, made with a small generator of numbers: most are built on one image, some on two, some on Debian.
    fn family(size: usize, seed: usize) -> Graph {
        let mut state = seed;
        let mut below = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let images: Vec<(String, Vec<String>)> = (0..size)
            .map(|i| {
                let mut base = || if i == 0 { "debian:12".to_owned() } else { format!("r.io/image-{}:1", below(i)) };
                let bases = if i % 7 == 3 { vec![base(), base()] } else { vec![base()] };
                (format!("image-{i}"), if i % 31 == 30 { vec!["ubuntu:24.04".to_owned()] } else { bases })
            })
            .collect();
        let bases: Vec<Vec<&str>> =
            images.iter().map(|(_, bases)| bases.iter().map(String::as_str).collect()).collect();
        let images: Vec<(&str, &[&str], &str)> =
            images.iter().zip(&bases).map(|((name, _), bases)| (name.as_str(), bases.as_slice(), "cpu")).collect();
        graph_of(&images)
    }

    fn families() -> impl Iterator<Item = Graph> {
        [(1, 1), (2, 2), (12, 3), (40, 4), (40, 5), (200, 6), (200, 7)]
            .into_iter()
            .map(|(size, seed)| family(size, seed))
    }

    #[test]
    fn boxes_do_not_overlap_and_lie_inside() {
        for graph in families() {
            for picture in [columns(&graph), tree(&graph)] {
                for (i, a) in picture.frames.iter().enumerate() {
                    assert!(a.x >= 0 && a.y >= 0 && a.right() <= picture.width && a.y + HEIGHT <= picture.height);
                    for b in &picture.frames[i + 1..] {
                        let apart = a.right() < b.x || b.right() < a.x || a.y + HEIGHT < b.y || b.y + HEIGHT < a.y;
                        assert!(apart, "{a:?} and {b:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn edges_lead_from_a_base_to_its_dependent() {
        for graph in families() {
            let picture = columns(&graph);
            assert_eq!(picture.lines.len(), graph.edges.len());
            for (&(from, to), line) in graph.edges.iter().zip(&picture.lines) {
                let (base, image) = (picture.frames[from], picture.frames[to]);
                assert!(base.right() + GAP <= image.x, "{base:?} is not left of {image:?}");
                assert!(line.starts_with(&format!("M{} {}C", base.right(), base.middle())), "{line}");
                assert!(line.contains(&format!(" {} {}m-7", image.x, image.middle())), "{line}");
                // Between columns there are no boxes, and none is in the lane.
                let lane = image.y - LANE;
                assert!(!picture.frames.iter().any(|frame| (frame.y..=frame.y + HEIGHT).contains(&lane)), "{line}");
            }
        }
    }

    #[test]
    fn the_tree_s_lines_cross_no_box() {
        for graph in families() {
            let picture = tree(&graph);
            let widest = picture.frames.iter().map(|frame| frame.right()).max().unwrap();
            for (&(from, to), line) in graph.edges.iter().zip(&picture.lines) {
                let (base, image) = (picture.frames[from], picture.frames[to]);
                let own = graph.foundation(to) == Some(from);
                let x = if own { base.x + STEM } else { picture.width - MARGIN };
                assert!(line.contains(&format!("V{}H{}", image.middle(), if own { image.x } else { image.right() })));
                assert!(own || x > widest);
                let rows = (base.y + HEIGHT).min(image.middle())..(base.y + HEIGHT).max(image.middle());
                let crossed = picture.frames.iter().find(|f| {
                    **f != image && **f != base && rows.contains(&f.middle()) && (f.x..=f.right()).contains(&x)
                });
                assert_eq!(crossed, None, "{line}");
            }
        }
    }
}
