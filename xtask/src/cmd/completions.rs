//! `completions`: scripts that ask this binary, so that a new image completes without a new script.

use super::Context;
use crate::flags::{Cli, Shell};
use anyhow::{Context as _, Result};
use clap::{Arg, Command, CommandFactory as _, builder::PossibleValue};
use project::{Environment, Image, Project, error::Fault, vars::Vars};
use std::env;

/// Prints what can stand where the last of `words` is being typed, each with what it means.
pub fn answer(context: &Context, words: &[String]) -> Result<()> {
    let (typed, before) = words.split_last().context("the words that were typed are wanted")?;
    let mut root = Cli::command();
    root.build(); // gives the verbs the global flags
    let command = before.iter().fold(&root, |command, word| command.find_subcommand(word).unwrap_or(command));
    let flag = before.last().and_then(|word| flag(command, word));
    let offers: Vec<Offer> = match flag.filter(|flag| flag.get_action().takes_values()) {
        Some(flag) if !flag.is_require_equals_set() => values(context, flag),
        _ if typed.starts_with('-') => command.get_arguments().filter_map(long).collect(),
        _ => {
            let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(verb);
            verbs.chain(command.get_positionals().flat_map(|positional| values(context, positional))).collect()
        }
    };
    let offers = offers.iter().filter(|(word, _)| word.starts_with(typed));
    // A word that needs no explaining stands alone, and not before a tab.
    let lines = offers.map(|(word, about)| format!("{word}\t{about}").trim_end().to_owned() + "\n");
    data!("{}", lines.collect::<String>());
    Ok(())
}

/// A word, and what it means.
type Offer = (String, String);

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

fn values(context: &Context, arg: &Arg) -> Vec<Offer> {
    let value = |value: &PossibleValue| (value.get_name().to_owned(), help(value.get_help()));
    match arg.get_id().as_str() {
        "image" | "images" => images(context),
        _ => arg.get_possible_values().iter().map(value).collect(),
    }
}

/// The names of the images; a broken compose file completes nothing.
fn images(context: &Context) -> Vec<Offer> {
    let project = Project::load(&context.root, Environment::Dev, Vars::default());
    let image = |image: &Image| (image.name.to_string(), help(image.about.as_ref().map(|about| &about.description)));
    project.iter().flat_map(Project::family).map(image).collect()
}

pub fn run(shell: Shell) -> Result<()> {
    let script = match shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
    };
    let binary = env::current_exe().context("finding this program's own path")?;
    let binary = binary.to_str().ok_or_else(|| Fault::usage(format!("{} is no UTF-8 path", binary.display())))?;
    data!("{}", script.trim_start().replace("@BINARY@", binary));
    Ok(())
}

// What is typed is `cargo xtask …`: those two words are taken off, and cargo's own completion keeps the rest.

const BASH: &str = r#"
_cargo_before_xtask="$(complete -p cargo 2>/dev/null | sed -n 's/.*-F \([^ ]*\).*/\1/p')"
[ "$_cargo_before_xtask" = _cargo_xtask ] && _cargo_before_xtask=
_cargo_xtask() {
    if [ "${COMP_WORDS[1]}" = xtask ] && [ "$COMP_CWORD" -gt 1 ]; then
        local IFS=$'\n'
        COMPREPLY=($("@BINARY@" complete -- "${COMP_WORDS[@]:2:COMP_CWORD-1}" 2>/dev/null | cut -f 1))
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
        offers=(${(f)"$("@BINARY@" complete -- "${(@)words[3,CURRENT]}" 2>/dev/null)"})
        offers=("${(@)offers/$'\t'/:}")
        _describe 'cargo xtask' offers || _files
    else
        (( $+functions[_cargo] )) || autoload -Uz _cargo
        _cargo "$@"
    fi
}
compdef _cargo_xtask cargo
"#;

const FISH: &str = r#"
complete --command cargo --condition '__fish_seen_subcommand_from xtask' --arguments '("@BINARY@" complete -- (commandline --current-process --tokenize --cut-at-cursor)[3..] (commandline --current-token) 2>/dev/null)'
"#;
