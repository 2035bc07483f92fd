//! `completions`: scripts that ask this binary, so that a new image completes without a new script.

use crate::{
    error::Fault,
    flags::Shell,
    project::{Environment, Project, find_root, vars::Vars},
};
use anyhow::{Context as _, Result};
use clap_complete::{CompletionCandidate, env::Shells};
use std::{env, io::Write as _};

/// The names of the images, for the shell that asks; a broken compose file completes nothing.
pub fn candidates() -> Vec<CompletionCandidate> {
    let project = || {
        let root = find_root(&env::current_dir().ok()?).ok()?;
        Project::load(&root, Environment::Dev, Vars::default()).ok()
    };
    let describe = |project: &Project| -> Vec<CompletionCandidate> {
        let about = |image: &crate::project::Image| image.about.as_ref().map(|about| about.description.clone().into());
        project.family().map(|image| CompletionCandidate::new(image.name.as_str()).help(about(image))).collect()
    };
    project().as_ref().map(describe).unwrap_or_default()
}

pub fn run(shell: Shell) -> Result<()> {
    let (name, wrapper) = match shell {
        Shell::Bash => ("bash", BASH),
        Shell::Zsh => ("zsh", ZSH),
        Shell::Fish => ("fish", FISH),
    };
    let binary = env::current_exe().context("finding this program's own path")?;
    let binary = binary.to_str().ok_or_else(|| Fault::usage(format!("{} is no UTF-8 path", binary.display())))?;
    let shells = Shells::builtins();
    let completer = shells.completer(name).ok_or_else(|| Fault::usage(format!("no completions for {name}")))?;
    let mut script = Vec::new();
    completer.write_registration("COMPLETE", "xtask", "xtask", binary, &mut script).context("writing the script")?;
    script.extend(wrapper.replace("@BINARY@", binary).as_bytes());
    std::io::stdout().write_all(&script).context("writing the script to standard output")
}

/// What is typed is `cargo xtask …`: the word `cargo` is taken off, and cargo's own completion keeps the rest.
const BASH: &str = r#"
_cargo_before_xtask="$(complete -p cargo 2>/dev/null | sed -n 's/.*-F \([^ ]*\).*/\1/p')"
[ "$_cargo_before_xtask" = _cargo_xtask ] && _cargo_before_xtask=
_cargo_xtask() {
    if [ "${COMP_WORDS[1]}" = xtask ] && [ "$COMP_CWORD" -gt 1 ]; then
        COMP_WORDS=("${COMP_WORDS[@]:1}")
        COMP_CWORD=$((COMP_CWORD - 1))
        _clap_complete_xtask xtask "$2" "$3"
    elif [ -n "$_cargo_before_xtask" ]; then
        "$_cargo_before_xtask" "$@"
    fi
}
complete -o nospace -o bashdefault -o default -F _cargo_xtask cargo
"#;

const ZSH: &str = r#"
_cargo_xtask() {
    if [[ ${words[2]} == xtask && CURRENT -gt 2 ]]; then
        shift words
        (( CURRENT-- ))
        _clap_dynamic_completer_xtask
    else
        (( $+functions[_cargo] )) || autoload -Uz _cargo
        _cargo "$@"
    fi
}
compdef _cargo_xtask cargo
"#;

const FISH: &str = r#"
complete --command cargo --condition '__fish_seen_subcommand_from xtask' --arguments '(COMPLETE=fish "@BINARY@" -- (commandline --current-process --tokenize --cut-at-cursor)[2..] (commandline --current-token))'
"#;
