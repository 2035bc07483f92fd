//! On a real terminal, what differs from a pipe and what must not.

use crate::support::{FASTAPI_SERVE, Image, PYTHON_BASE, Reply, Repo, dev};
use std::collections::BTreeSet;

fn coloured(text: &str) -> bool {
    text.contains("\x1b[")
}

#[test]
fn messages_have_colour_on_a_terminal_only() {
    let repo = Repo::new();
    let seen = |line: &str| repo.terminal(line).run().succeeds().stdout;
    let echoed = format!("{}\x1b[0m\n", dev("build build-tools"));
    let build = "cargo xtask build python-base --verbose";
    // Standard error is what counts, wherever standard output goes.
    for line in [build, &format!("{build} >log"), &format!("{build} | cat"), &format!("NO_COLOR= {build}")] {
        let text = seen(line);
        assert!(text.contains(&echoed) && text.contains("\x1b[2m$ IMAGE_FINGERPRINT="), "{line}: {text:?}");
    }
    for line in [&format!("{build} 2>&1 | cat"), &format!("NO_COLOR=1 {build}"), &format!("TERM=dumb {build}")] {
        let text = seen(line);
        assert!(text.contains(&dev("build build-tools")) && !coloured(&text), "{line}: {text:?}");
    }
}

#[test]
fn an_error_and_its_help_have_colour_on_a_terminal_only() {
    let repo = Repo::new();
    let build = "cargo xtask build nothing";
    let seen = repo.terminal(build).run();
    assert_eq!(seen.code, 2, "{}", seen.stdout);
    assert!(seen.stdout.starts_with("\x1b[31merror:\x1b[0m no image nothing"), "{:?}", seen.stdout);
    assert!(seen.stdout.contains("\n\x1b[32m help:\x1b[0m "), "{:?}", seen.stdout);
    repo.run(&["build", "nothing"]).fails(2, &["no image nothing"]);
}

#[test]
fn the_list_fits_the_terminal_and_is_whole_in_a_pipe() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:0123456789abcdef", &[("core-images.stage", "development")]);
    let seen = |columns: u16, line: &str| {
        let line = format!("stty columns {columns}; {line}");
        repo.terminal(&format!("TERM=dumb; {line}")).run().succeeds().stdout
    };
    let widest = |text: &str| text.lines().map(|line| line.chars().count()).max();
    let narrow = seen(80, "cargo xtask list");
    assert!(widest(&narrow) <= Some(80), "{narrow}");
    assert!(narrow.contains("\nfastapi-serve  python-base:latest  ") && narrow.contains(" 75 MB "), "{narrow}");
    assert!(narrow.contains("`cargo xtask list | less -S` shows all."), "{narrow}");
    let piped = seen(80, "cargo xtask list | cat");
    assert_eq!(piped, seen(400, "cargo xtask list"));
    assert!(piped.contains("The fastapi-serve image\n") && widest(&piped) > Some(80), "{piped}");
}

/// Side by side, each line behind its image's name, in one of several colours.
#[test]
fn images_side_by_side_have_colours_to_tell_them_apart() {
    let repo = Repo::with(&[PYTHON_BASE, FASTAPI_SERVE, Image { name: "other", ..PYTHON_BASE }]);
    repo.on("docker compose * build *", Reply::prints("working"));
    let seen = repo.terminal("cargo xtask build --all --jobs 2 --verbose").run().succeeds().stdout;
    let names: BTreeSet<&str> = seen.lines().filter_map(|line| line.strip_suffix("\x1b[0m │ working")).collect();
    let colours: BTreeSet<&str> = names.iter().map(|name| name.split_once('m').unwrap().0).collect();
    assert_eq!((names.len(), colours.len()), (4, 4), "{seen:?}");
}

/// Somebody looks at a terminal, but not at that of a CI runner, a pipe or an editor.
#[test]
fn images_side_by_side_have_a_line_each_and_the_log_of_what_fails() {
    let repo = Repo::with(&[PYTHON_BASE, FASTAPI_SERVE, Image { name: "other", ..PYTHON_BASE }]);
    repo.on("docker compose * build *", Reply::prints("working"));
    repo.on("docker compose * build other", Reply::fails(3, "it broke"));
    // Long enough to be drawn: others wait for the first, and the line of the second ends with what it printed last.
    for image in ["build-tools", "fastapi-serve"] {
        let works = Reply::does("echo working; command -p sleep 0.3; exit 0");
        repo.on(&format!("docker compose * build {image}"), works);
    }
    let build = "cargo xtask build --all --jobs 2";
    let seen = repo.terminal(build).run();
    assert_eq!(seen.code, 3, "{}", seen.stdout);
    for drawn in ["waits for build-tools", " s  working\n"] {
        assert!(seen.stdout.contains(drawn), "no {drawn:?}: {:?}", seen.stdout);
    }
    assert!(!seen.stdout.contains(" │ working\n"), "{:?}", seen.stdout);
    assert_eq!(seen.stdout.matches(" │ it broke\n").count(), 1, "{:?}", seen.stdout);
    for line in [&format!("CI=true {build}"), &format!("TERM=dumb {build}"), &format!("{build} 2>&1 | cat")] {
        let seen = repo.terminal(line).run().stdout;
        assert!(seen.contains(" │ working\n") && !seen.contains("waits for"), "{line}: {seen:?}");
    }
}

/// What a tool prints on a terminal is its own: nothing is put before it, and its data doesn't mix with ours.
#[test]
fn a_tool_has_the_terminal_for_itself() {
    let repo = Repo::new();
    let script = "[ -t 1 ] && [ -t 2 ] && echo draws || echo prints; exit 0";
    repo.on("docker compose * build python-base", Reply::does(script));
    let seen = repo.terminal("cargo xtask build python-base --verbose >log").run().succeeds().stdout;
    assert!(seen.contains("\ndraws\n"), "{seen:?}");
    assert_eq!(repo.read("log"), "");
    let seen = repo.terminal("cargo xtask build python-base --verbose 2>&1 | cat").run().succeeds().stdout;
    assert!(seen.contains("prints\n"), "{seen:?}");
}

#[test]
fn ctrl_c_reaches_a_build_once_and_ends_the_run() {
    let repo = Repo::new();
    repo.on("docker compose * build python-base", Reply::blocks());
    // The shell of a terminal waits in another process group; this one makes way.
    let mut running = repo.terminal("exec cargo xtask build fastapi-serve").start();
    repo.wait_until_blocked();
    running.types("\x03");
    let seen = running.finish();
    assert_eq!(seen.code, 130, "{}", seen.stdout);
    assert!(seen.stdout.contains("\ninterrupted; ") && !seen.stdout.contains("error:"), "{:?}", seen.stdout);
    let build = dev("build python-base");
    assert_eq!((repo.signals(), repo.wound_down()), (vec![build.clone()], vec![build.clone()]));
    assert_eq!(repo.calls().last().unwrap(), &build);
}

/// The tool draws on a terminal, and we read its last words all the same.
#[test]
fn a_build_fails_alike_on_a_terminal_and_in_a_pipe() {
    let gone = "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?";
    let run = "------\n > [2/2] RUN x:\n0.2 W: Temporary failure resolving 'a'\n0.3 E: no package\n------\nfailed to solve: no";
    for (code, words, expected) in [(1, gone, 69), (17, run, 17), (17, "401 Unauthorized", 17)] {
        let repo = Repo::new();
        repo.on("docker compose * build python-base", Reply::fails(code, words));
        let line = "NO_COLOR=1 cargo xtask build python-base --jobs 1";
        let end = |text: &str| text[text.find("error: ").unwrap()..].to_owned();
        let (on, off) = (repo.terminal(line).run(), repo.run(&["build", "python-base", "--jobs", "1"]));
        assert_eq!((on.code, off.code), (expected, expected), "{}", on.stdout);
        assert_eq!(end(&on.stdout), end(&off.stderr));
    }
}

/// A question has no line's end, and whoever asks it must be in the foreground to read the answer.
#[test]
fn login_lets_aws_ask_for_an_mfa_code() {
    let repo = Repo::new();
    let asks = "printf 'Enter MFA code: ' >&2; read -r code </dev/tty || exit 255; echo \"password-for-$code\"; exit 0";
    repo.on("aws *", Reply::does(asks));
    let mut running = repo.terminal("exec cargo xtask login").start();
    running.wait_until_it_shows("Enter MFA code: ");
    running.types("123456\r");
    running.finish().succeeds();
    let docker = repo.all_calls().pop().unwrap();
    assert_eq!((docker.program.as_str(), docker.stdin.as_str()), ("docker", "password-for-123456\n"));
}

#[test]
fn a_login_that_nobody_can_answer_fails_at_once_and_says_so() {
    let repo = Repo::new();
    let asks = "printf 'Enter MFA code: ' >&2; read -r code </dev/tty || exit 255; exit 0";
    repo.on("aws *", Reply::does(asks));
    // In the background of a terminal, and without one.
    for line in ["set -m; cargo xtask login & wait $!", "setsid --wait cargo xtask login </dev/null"] {
        let seen = repo.terminal(line).run();
        assert_eq!(seen.code, 77, "{}", seen.stdout);
        assert!(seen.stdout.contains("there is no terminal to ask on"), "{}", seen.stdout);
    }
}

/// What a tool prints must not set a title or the clipboard; its colours may stay.
#[test]
fn a_tool_cannot_steer_the_terminal() {
    let repo = Repo::new();
    repo.on("docker compose * build *", Reply::prints("\x1b[31mred\x1b]0;owned\x07\x1b]52;c;AA==\x07 text"));
    for jobs in ["1", "2"] {
        let seen =
            repo.terminal(&format!("cargo xtask build python-base --verbose --jobs {jobs}")).run().succeeds().stdout;
        assert!(seen.contains("\x1b[31mred text") && !seen.contains("\x1b]"), "{seen:?}");
    }
}
