//! `completions`: scripts that ask this program, so that a new image completes without a new script.

use crate::flags::{Cli, Shell};
use clap::{Arg, Command, CommandFactory as _, builder::PossibleValue};
use plan::quote;
use project::{Image, Project};
use std::collections::BTreeSet;

/// A word, and what it means.
type Offer = (String, String);

/// What stands before the cursor.
struct Typed<'a> {
    /// The word that `word` may be a value of.
    flag: Option<&'a str>,
    /// `flag` and `word` are joined by `=`.
    joined: bool,
    /// The part that is to be completed.
    word: &'a str,
    /// What belongs to the same word of the shell's, before it.
    head: String,
}

impl<'a> Typed<'a> {
    fn of(before: &'a [String], typed: &'a str) -> Typed<'a> {
        let joined = |flag, word, head| Typed { flag: Some(flag), joined: true, word, head };
        match (before, typed.split_once('=')) {
            // bash makes `--flag`, `=` and `value` of it.
            ([.., flag], Some(("", word))) if flag.starts_with("--") => joined(flag, word, String::new()),
            ([.., flag, equals], None) if equals == "=" => joined(flag, typed, String::new()),
            (_, Some((flag, word))) if flag.starts_with("--") => joined(flag, word, format!("{flag}=")),
            _ => {
                let flag = before.last().map(String::as_str);
                Typed { flag, joined: false, word: typed, head: String::new() }
            }
        }
    }
}

/// What can stand where the last of `words` is being typed, one a line, each with what it means after a tab. Without a
/// project (outside a clone, or where its compose file is broken) there are verbs and flags all the same.
pub fn answer(project: Option<&Project>, words: &[String]) -> String {
    let (typed, before) = words.split_last().map_or(("", &[][..]), |(typed, before)| (typed.as_str(), before));
    let typed = Typed::of(before, typed);
    let mut root = Cli::command();
    root.build(); // gives the verbs the global flags
    let command = before.iter().fold(&root, |command, word| command.find_subcommand(word).unwrap_or(command));
    let flag = typed.flag.and_then(|word| flag(command, word)).filter(|flag| flag.get_action().takes_values());
    let offers: Vec<Offer> = match flag {
        Some(flag) if typed.joined || !flag.is_require_equals_set() => values(project, flag),
        _ if typed.word.starts_with('-') => command.get_arguments().filter_map(long).collect(),
        _ => {
            let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(verb);
            verbs.chain(command.get_positionals().flat_map(|positional| values(project, positional))).collect()
        }
    };
    let offers = offers.iter().filter(|(word, _)| word.starts_with(typed.word));
    // A word that needs no explanation stands alone, and not before a tab.
    offers.map(|(word, about)| format!("{}{word}\t{about}", typed.head).trim_end().to_owned() + "\n").collect()
}

fn help<T: ToString>(text: Option<T>) -> String {
    text.map(|text| text.to_string()).unwrap_or_default()
}

fn flag<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.strip_prefix('-')?;
    command.get_arguments().find(|arg| match name.strip_prefix('-') {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some_and(|short| name == short.to_string()),
    })
}

fn long(flag: &Arg) -> Option<Offer> {
    Some((format!("--{}", flag.get_long()?), help(flag.get_help())))
}

fn verb(command: &Command) -> Offer {
    (command.get_name().to_owned(), help(command.get_about()))
}

fn values(project: Option<&Project>, arg: &Arg) -> Vec<Offer> {
    let plain = |word: &str| (word.to_owned(), String::new());
    match arg.get_id().as_str() {
        "image" | "images" => images(project),
        "target_build_stage" => stages(project).into_iter().map(plain).collect(),
        "platform" => ["linux/amd64", "linux/arm64"].map(plain).into(),
        _ => {
            let value = |value: &PossibleValue| (value.get_name().to_owned(), help(value.get_help()));
            let possible = arg.get_possible_values().iter().map(value).collect::<Vec<_>>();
            // `dev|ci`: the help lists them, and so does this.
            let names = arg.get_value_names().unwrap_or_default().iter();
            let listed =
                names.filter(|names| possible.is_empty() && names.contains('|')).flat_map(|names| names.split('|'));
            let listed: Vec<Offer> = listed.map(plain).collect();
            possible.into_iter().chain(listed).collect()
        }
    }
}

fn images(project: Option<&Project>) -> Vec<Offer> {
    let image = |image: &Image| (image.name.to_string(), help(image.about.as_ref().map(|about| &about.description)));
    project.into_iter().flat_map(Project::family).map(image).collect()
}

/// The stages that every image has, and what the compose file names besides.
fn stages(project: Option<&Project>) -> BTreeSet<&str> {
    let named = project.into_iter().flat_map(Project::family).filter_map(|image| image.stage.as_deref());
    named.chain(["development", "production"]).collect()
}

/// The script for a shell that asks the program `binary`.
pub fn script(shell: Shell, binary: &str) -> String {
    let script = match shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
    };
    script.trim_start().replace("@BINARY@", &quote(binary))
}

// What is typed is `cargo xtask …`: those two words are taken off, and cargo's own completion keeps the rest.

const BASH: &str = r#"
_cargo_before_xtask="$(complete -p cargo 2>/dev/null | sed -n 's/.*-F \([^ ]*\).*/\1/p')"
[ "$_cargo_before_xtask" = _cargo_xtask ] && _cargo_before_xtask=
_cargo_xtask() {
    if [ "${COMP_WORDS[1]}" = xtask ] && [ "$COMP_CWORD" -gt 1 ]; then
        local IFS=$'\n'
        COMPREPLY=($(@BINARY@ complete -- "${COMP_WORDS[@]:2:COMP_CWORD-1}" 2>/dev/null | cut -f 1))
    elif [ -n "$_cargo_before_xtask" ]; then
        "$_cargo_before_xtask" "$@"
    fi
}
complete -o bashdefault -o default -F _cargo_xtask cargo
"#;

const ZSH: &str = r#"
_cargo_xtask() {
    if [[ ${words[2]} == xtask && CURRENT -gt 2 ]]; then
        local -a offers
        offers=(${(f)"$(@BINARY@ complete -- "${(@)words[3,CURRENT]}" 2>/dev/null)"})
        offers=("${(@)offers/$'\t'/:}")
        _describe 'cargo xtask' offers || _files
    else
        (( $+functions[_cargo] )) || autoload -Uz _cargo
        _cargo "$@"
    fi
}
compdef _cargo_xtask cargo
"#;

const FISH: &str = r"
function __cargo_xtask_complete
    @BINARY@ complete -- (commandline --current-process --tokenize --cut-at-cursor)[3..] (commandline --current-token) 2>/dev/null
end
complete --command cargo --condition '__fish_seen_subcommand_from xtask' --arguments '(__cargo_xtask_complete)'
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use project::{Environment, vars::Vars};

    fn project() -> Project {
        testing::family().facts.project(Environment::Dev, Vars::default()).unwrap()
    }

    fn offered(project: Option<&Project>, words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let lines = answer(project, &words);
        lines.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn verbs_images_flags_and_their_values() {
        let project = project();
        let words = |words: &[&str]| offered(Some(&project), words);
        assert_eq!(words(&["va"]), ["validate"]);
        assert_eq!(words(&["build", "kube"]), ["kubeflow-a", "kubeflow-b"]);
        assert_eq!(words(&["--json", "build", "python-base", "--with"]), ["--with-dependents"]);
        assert_eq!(words(&["build", "--image-"]), ["--image-tag"], "a flag of every verb");
        assert_eq!(words(&["graph", "--format", ""]), ["text", "mermaid", "dot", "json"]);
        assert_eq!(words(&["completions", ""]), ["bash", "zsh", "fish"]);
        assert_eq!(words(&["build", "--image-tag", ""]), [""; 0], "any value");
        assert_eq!(words(&["build", "-j", "py"]), [""; 0]);
        assert_eq!(words(&["lock", "--update", "py"]), ["python-base"], "its values follow a =");
        let about = answer(Some(&project), &["build".to_owned(), "kubeflow-a".to_owned()]);
        assert_eq!(about, "kubeflow-a\tThe kubeflow-a image\n");
    }

    #[test]
    fn values_of_the_variables() {
        let project = project();
        for (typed, expected) in [
            (&["build", "--environment", ""][..], &["dev", "ci"][..]),
            (&["build", "--environment", "c"], &["ci"]),
            (&["build", "--environment=d"], &["--environment=dev"]),
            // As bash splits it.
            (&["build", "--environment", "="], &["dev", "ci"]),
            (&["build", "--environment", "=", "c"], &["ci"]),
            (&["graph", "--format=m"], &["--format=mermaid"]),
            (&["build", "--use-docker-cache", ""], &["true", "false"]),
            (&["build", "--target-build-stage", "p"], &["production"]),
            (&["build", "--platform", ""], &["linux/amd64", "linux/arm64"]),
            (&["build", "--image-tag=py"], &[]),
        ] {
            assert_eq!(offered(Some(&project), typed), expected, "{typed:?}");
        }
    }

    #[test]
    fn without_a_project_verbs_and_flags_complete() {
        assert_eq!(offered(None, &["va"]), ["validate"]);
        assert_eq!(offered(None, &["build", "--with"]), ["--with-dependents"]);
        assert_eq!(offered(None, &["build", "--environment", ""]), ["dev", "ci"]);
        assert_eq!(offered(None, &["build", ""]), [""; 0]);
        assert!(offered(None, &[]).contains(&"lock".to_owned()));
    }

    #[test]
    fn scripts_call_the_program_wherever_it_is() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell, "/home/it's mine/xtask");
            assert!(script.contains(r"'/home/it'\''s mine/xtask' complete -- "), "{script}");
        }
    }
}
