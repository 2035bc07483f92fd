//! All cores for what is done alike with each of many things.

use std::{num::NonZero, panic, thread};

/// Fewer things than this are done before a thread has begun.
const MANY: usize = 256;

/// What `work` makes of each item, in the items' order.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if items.len() < MANY {
        return items.iter().map(work).collect();
    }
    let share = items.len().div_ceil(thread::available_parallelism().map_or(1, NonZero::get));
    let done = |part: &[T]| part.iter().map(&work).collect::<Vec<R>>();
    thread::scope(|scope| {
        let parts: Vec<_> = items.chunks(share).map(|part| scope.spawn(|| done(part))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_else(|cause| panic::resume_unwind(cause))).collect()
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn keeps_the_order() {
        for count in [0, 1, super::MANY, 1001] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(super::map(&items, |item| item + 1), (1..=count).collect::<Vec<_>>());
        }
    }
}
