//! What the source must keep to.

use std::{fs, path::Path};

#[test]
fn one_module_spawns_and_one_knows_yaml() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("project/src")];
    let mut allowed = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
                let place = format!("{}:{}: {line}", path.display(), number + 1);
                let spawns = (line.contains("process::") && line.contains("Command"))
                    || ["xshell", "Command::new(", ".process_group(", ".output()"]
                        .iter()
                        .any(|word| line.contains(word))
                    || (line.contains(".spawn(") && !line.contains("scope.spawn(") && !line.contains("thread::"));
                let mut only = |found: bool, file: &str| {
                    assert!(!found || path == root.join(file), "{place}");
                    allowed.extend(found.then(|| file.to_owned()));
                };
                only(spawns, "src/exec.rs");
                let signals = ["killpg", "ctrlc", "Signal::"].iter().any(|word| line.contains(word));
                only(signals, "src/interrupt.rs");
                only(line.contains("serde_yaml"), "project/src/compose.rs");
            }
        }
    }
    allowed.sort();
    allowed.dedup();
    assert_eq!(allowed, ["project/src/compose.rs", "src/exec.rs", "src/interrupt.rs"]);
}
