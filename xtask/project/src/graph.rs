//! Order: bases before the images built on them.

use crate::{Image, ImageName, Project, error::Fault};
use std::collections::HashMap;

/// How far the search has come with a node that it has met.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// What comes before it is being looked at.
    Open,
    Done,
}

/// Topological order: the nodes `wanted` and all that must come before them, each once, what comes first first;
/// otherwise in the order of `wanted`. `before` gives the nodes that must come before a node.
///
/// # Errors
/// A cycle: its nodes, each before the next, the last before the first.
fn sorted<I>(wanted: impl IntoIterator<Item = usize>, before: impl Fn(usize) -> I) -> Result<Vec<usize>, Vec<usize>>
where
    I: Iterator<Item = usize>,
{
    let mut order = Vec::new();
    // Only of what is met: a family of thousands is often asked for a few of its images.
    let mut states: HashMap<usize, State> = HashMap::new();
    for start in wanted {
        if states.contains_key(&start) {
            continue;
        }
        // Depth first, on a stack of our own: a generated family may be deeper than the thread's stack.
        states.insert(start, State::Open);
        let mut path = vec![(start, before(start))];
        while let Some((node, rest)) = path.last_mut() {
            let Some(next) = rest.next() else {
                states.insert(*node, State::Done);
                order.push(*node);
                path.pop();
                continue;
            };
            match states.get(&next) {
                Some(State::Done) => {}
                Some(State::Open) => {
                    return Err(path.iter().map(|(node, _)| *node).skip_while(|node| *node != next).collect());
                }
                None => {
                    states.insert(next, State::Open);
                    path.push((next, before(next)));
                }
            }
        }
    }
    Ok(order)
}

impl Project {
    /// `wanted` and all they are built from, bases first, otherwise in the order of the compose file.
    ///
    /// # Errors
    /// A cycle, with its path.
    pub fn with_bases(&self, wanted: &[ImageName]) -> Result<Vec<&Image>, Fault> {
        let wanted = wanted.iter().map(|name| self.position(name)).collect::<Result<Vec<_>, _>>()?;
        let order = self.positions_with_bases(wanted)?;
        Ok(order.into_iter().map(|position| &self.images[position]).collect())
    }

    /// `wanted` and everything that is built on them, bases first.
    pub fn with_dependents(&self, wanted: &[ImageName]) -> Result<Vec<ImageName>, Fault> {
        let mut chosen = vec![false; self.images.len()];
        for name in wanted {
            chosen[self.position(name)?] = true;
        }
        let mut order = self.positions_with_bases(0..self.images.len())?;
        order.retain(|position| {
            chosen[*position] |= self.base_positions(*position).any(|base| chosen[base]);
            chosen[*position]
        });
        Ok(order.into_iter().map(|position| self.images[position].name.clone()).collect())
    }

    /// All images, each after the one that `coupled_to` names for it: what versions are kept to comes before what keeps
    /// to them, whether or not it is a base. Otherwise bases first, then the order of the compose file.
    ///
    /// # Errors
    /// A cycle, with its path.
    pub fn coupling_order<'a>(
        &'a self,
        coupled_to: impl Fn(&Image) -> Option<&'a Image>,
    ) -> Result<Vec<&'a Image>, Fault> {
        let bases_first = self.positions_with_bases(0..self.images.len())?;
        let before = |position: usize| {
            coupled_to(&self.images[position]).and_then(|image| self.position(&image.name).ok()).into_iter()
        };
        let order = sorted(bases_first, before).map_err(|cycle| {
            Fault::project(format!("coupled-to goes round in a circle: {}", self.path_of(&cycle)))
                .help("change [tool.core-images] coupled-to in one of their pyproject.toml")
        })?;
        Ok(order.into_iter().map(|position| &self.images[position]).collect())
    }

    fn positions_with_bases(&self, wanted: impl IntoIterator<Item = usize>) -> Result<Vec<usize>, Fault> {
        sorted(wanted, |position| self.base_positions(position)).map_err(|cycle| {
            Fault::project(format!("{}: base images go round in a circle: {}", self.file(), self.path_of(&cycle)))
                .help("change one of these images' build arguments so that the circle opens")
        })
    }

    fn base_positions(&self, position: usize) -> impl Iterator<Item = usize> {
        self.images[position].family_bases().filter_map(|base| self.position(base).ok())
    }

    /// A cycle as people read it: `a → b → a`.
    fn path_of(&self, cycle: &[usize]) -> String {
        let names = cycle.iter().chain(cycle.first()).map(|position| self.images[*position].name.as_str());
        names.collect::<Vec<_>>().join(" → ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Origin,
        testing::{names, project},
    };

    #[test]
    fn what_comes_first_is_first_and_each_node_comes_once() {
        // 0 needs 1 and 2, both need 3; 4 is not asked for.
        let before = [vec![1, 2], vec![3], vec![3], vec![], vec![3]];
        assert_eq!(sorted([0], |node| before[node].iter().copied()), Ok(vec![3, 1, 2, 0]));
        assert_eq!(sorted([2, 0, 2], |node| before[node].iter().copied()), Ok(vec![3, 2, 1, 0]));
    }

    #[test]
    fn a_cycle_is_told_without_the_way_to_it() {
        let before = [vec![1], vec![2], vec![1]];
        assert_eq!(sorted([0], |node| before[node].iter().copied()), Err(vec![1, 2]));
        assert_eq!(sorted([0], |_| std::iter::once(0)), Err(vec![0]));
    }

    #[test]
    fn bases_come_first_and_other_tags_are_no_edges() {
        let p = project(&[("c", &["r.io/b:1", "debian:12"]), ("b", &["r.io/a:1"]), ("a", &[]), ("d", &["r.io/a:2"])]);
        assert_eq!(names(&p, &["c"]), ["a", "b", "c"]);
        assert_eq!(names(&p, &["d"]), ["d"]);
        assert_eq!(p.images[3].bases[0].origin, Origin::Pinned("a".parse().unwrap()));
        assert_eq!(p.images[0].bases[0].origin, Origin::External);
        let dependents = p.with_dependents(&["b".parse().unwrap()]).unwrap();
        assert_eq!(dependents.iter().map(ImageName::as_str).collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn a_cycle_is_named() {
        let p = project(&[("a", &["r.io/b:1"]), ("b", &["r.io/c:1"]), ("c", &["r.io/b:1"])]);
        let error = p.with_bases(&["a".parse().unwrap()]).unwrap_err();
        assert!(error.what.contains("b → c → b"), "{error}");
    }
}
