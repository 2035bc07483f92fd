//! Builds several images in one process of BuildKit's, and reports each as soon as it has ended.

use crate::{
    Run,
    action::{Failure, Tool},
    child::{self, Child, Place},
    interrupt,
    output::Sink,
    printed::{self, View},
    schedule::Ended,
};
use plan::{Invocation, Outcome, Step, Style, tools::diagnose};
use project::error::{Cause, Fault};
use std::{collections::HashMap, time::Instant};

/// Builds the images of these steps, which have the same command for it, and reports each end to `ended`. Where one fails,
/// BuildKit stops all others: of those nothing is reported.
pub fn run(run: &Run, steps: &[(usize, &Step)], ended: &mut dyn FnMut(usize, Ended)) {
    let names: Vec<&str> = steps.iter().filter_map(|(_, step)| Some(step.image.as_ref()?.as_str())).collect();
    let ui = &run.settings.ui;
    let mut sinks: Vec<Option<Sink>> = steps.iter().map(|(index, step)| Some(run.sink(step, *index))).collect();
    let (begun, mut whose) = (Instant::now(), Whose::default());
    // What is nobody's is worth a look where all fails.
    let own = if run.keeps() { Sink::of_live(ui, "build", usize::MAX) } else { Sink::of_notes(ui) };
    let mut on_line = |line: &str| match whose.of(line, &names) {
        Some(Of { image, is_last }) => {
            if let Some(sink) = &sinks[image] {
                sink.say(Style::Plain, line);
            }
            if is_last {
                sinks[image].take().into_iter().for_each(Sink::close);
                ended(steps[image].0, Ended { outcome: Outcome::Done, time: begun.elapsed() });
            }
        }
        // Empty lines stand between BuildKit's steps.
        None if line.is_empty() => {}
        None => own.say(Style::Plain, line),
    };
    let result = build(run, steps, &names, &own, &mut on_line);
    if let Err(Failed { image, .. }) = &result
        && !interrupt::interrupted()
    {
        let at = image.as_ref().and_then(|image| names.iter().position(|name| name == image));
        at.and_then(|at| sinks[at].as_ref()).unwrap_or(&own).show_end();
    }
    sinks.into_iter().flatten().for_each(Sink::close);
    let outcome_of = |name: &str| match &result {
        Ok(()) => Some(Outcome::Done),
        Err(_) if interrupt::interrupted() => {
            Some(Outcome::Failed(Fault::new(Cause::Interrupted, format!("build {name}: interrupted"))))
        }
        Err(Failed { image, fault }) => (image.as_deref() == Some(name)).then(|| Outcome::Failed(fault.clone())),
    };
    for ((index, step), name) in steps.iter().zip(&names) {
        let Some(outcome) = outcome_of(name) else { continue };
        if let Outcome::Failed(fault) = &outcome
            && fault.cause != Cause::Interrupted
        {
            ui.annotate(&step.title, &fault.what);
        }
        ended(*index, Ended { outcome, time: begun.elapsed() });
    }
}

struct Failed {
    /// Whose build it was, where BuildKit says so.
    image: Option<String>,
    fault: Fault,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Failed {
        Failed { image: None, fault }
    }
}

fn build(
    run: &Run,
    steps: &[(usize, &Step)],
    names: &[&str],
    own: &Sink,
    on_line: &mut dyn FnMut(&str),
) -> Result<(), Failed> {
    let Some((_, Step { together: Some(command), .. })) = steps.first() else { return Ok(()) };
    let args = command.args.iter().cloned().chain(names.iter().map(|name| (*name).to_owned()));
    let command = Invocation { args: args.collect(), ..command.clone() };
    own.echo(&command);
    let process = child::command(&command, &run.exports)?;
    let (mut child, pipe) = Child::piped(process, &command, Place::Group)?;
    let (code, tail) = printed::follow(&mut child, &command, Some(pipe), None, View::Lines(on_line))?;
    let image = diagnose::failed_build(&tail, names);
    let of_image = steps.iter().zip(names).find(|(_, name)| Some(**name) == image).map(|((_, step), _)| *step);
    let (_, first) = steps[0];
    let tool = Tool { run, step: first, sink: own };
    let named = |failure: Failure| failure.fault(of_image.unwrap_or(first));
    let judged = tool.judged(&command, code, &tail).map_err(named);
    judged.map(|_| ()).map_err(|fault| Failed { image: image.map(str::to_owned), fault })
}

/// Whose line it is: `#12 [python-base 2/5] RUN …` begins a step of python-base's, and `#12 0.3 …` is a line of it.
#[derive(Default)]
struct Whose {
    /// By the number of BuildKit's step: which of the images, and whether it is that one's last.
    steps: HashMap<String, (usize, bool)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Of {
    image: usize,
    /// With this line, the image is in the engine.
    is_last: bool,
}

impl Whose {
    fn of(&mut self, line: &str, images: &[&str]) -> Option<Of> {
        let (number, rest) = line.strip_prefix('#')?.split_once(' ')?;
        if let Some(title) = rest.strip_prefix('[') {
            let name = title.split([' ', ']']).next()?;
            let image = images.iter().position(|image| *image == name)?;
            let exports = title.strip_prefix(name).is_some_and(|rest| rest.starts_with("] exporting"));
            self.steps.insert(number.to_owned(), (image, exports));
        }
        let (image, exports) = *self.steps.get(number)?;
        Some(Of { image, is_last: exports && rest.starts_with("DONE") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_of_the_image_whose_step_it_is() {
        let mut whose = Whose::default();
        for (line, expected) in [
            ("#1 [internal] load local bake definitions", None),
            ("#1 DONE 0.0s", None),
            ("#2 [a-b internal] load build definition", Some((1, false))),
            ("#3 [a base 1/2] RUN x", Some((0, false))),
            ("#2 DONE 0.0s", Some((1, false))),
            ("#3 0.1 [a-b] says a RUN", Some((0, false))),
            ("#4 [a] exporting to image", Some((0, false))),
            ("#4 writing image sha256:1 done", Some((0, false))),
            ("#4 DONE 0.1s", Some((0, true))),
            ("", None),
            (" > [a base 1/2] RUN x:", None),
            ("ERROR: failed to solve", None),
        ] {
            let of = whose.of(line, &["a", "a-b"]);
            assert_eq!(of.map(|of| (of.image, of.is_last)), expected, "{line}");
        }
    }
}
