//! A snapshot of some of the repository's files, so that what is computed from them is a pure function.

use crate::{
    error::{Cause, Fault},
    parallel,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Files below the root, each read once. Paths are relative to the root.
#[derive(Debug, Clone, Default)]
pub struct Files {
    entries: BTreeMap<PathBuf, Entry>,
    /// Folders that were read with all that is in them: whatever is not in `entries` does not exist.
    trees: BTreeSet<PathBuf>,
}

/// What a path led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    File(File),
    Folder,
    Missing,
    /// Why it can't be read, or is not text.
    Unreadable(String),
}

/// A text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub text: String,
    pub read_only: bool,
    /// Only its owner, or the owner's group, may read it.
    pub private: bool,
    pub modified: SystemTime,
}

/// Which files to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub files: Vec<PathBuf>,
    /// Folders with all that is in them, less what begins with a dot and is not a known file of an image: those are
    /// what a run that was cut off has left.
    pub trees: Vec<PathBuf>,
}

impl Wanted {
    pub fn files<P: Into<PathBuf>>(files: impl IntoIterator<Item = P>) -> Wanted {
        Wanted { files: files.into_iter().map(Into::into).collect(), trees: Vec::new() }
    }

    pub fn extend(&mut self, other: Wanted) {
        self.files.extend(other.files);
        self.trees.extend(other.trees);
    }
}

impl Files {
    /// Reads what is wanted. A file that is missing or can't be read is an entry, not an error: the verb says what
    /// that means for it.
    pub fn read(root: &Path, wanted: &Wanted) -> Files {
        let mut files = Files::default();
        let mut paths: BTreeSet<PathBuf> = wanted.files.iter().cloned().collect();
        for tree in &wanted.trees {
            files.list(root, tree, &mut paths);
            files.trees.insert(tree.clone());
        }
        let paths: Vec<PathBuf> = paths.into_iter().collect();
        let entries = parallel::map(&paths, |path| entry(&root.join(path)));
        for (path, entry) in paths.iter().zip(&entries) {
            // Whose folder is missing, too, is another mistake.
            if let (Entry::Missing, Some(folder)) = (entry, path.parent()) {
                let is_there = root.join(folder).is_dir();
                files.entries.insert(folder.to_owned(), if is_there { Entry::Folder } else { Entry::Missing });
            }
        }
        files.entries.extend(paths.into_iter().zip(entries));
        files
    }

    /// A snapshot made by hand, for tests; every other path is missing.
    pub fn of<P: Into<PathBuf>, T: Into<String>>(texts: impl IntoIterator<Item = (P, T)>) -> Files {
        let mut files = Files { trees: BTreeSet::from([PathBuf::new()]), ..Files::default() };
        for (path, text) in texts {
            files.insert(path, text);
        }
        files
    }

    /// Adds a file, and the folders it is in.
    pub fn insert(&mut self, path: impl Into<PathBuf>, text: impl Into<String>) {
        let path = path.into();
        for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
            self.entries.insert(folder.to_owned(), Entry::Folder);
        }
        let file = File { text: text.into(), read_only: false, private: false, modified: SystemTime::UNIX_EPOCH };
        self.set(path, Entry::File(file));
    }

    /// Says what a path leads to.
    pub fn set(&mut self, path: impl Into<PathBuf>, entry: Entry) {
        self.entries.insert(path.into(), entry);
    }

    /// What the path leads to.
    ///
    /// # Errors
    /// It was not read: a fault of the verb, which did not say that it needs it.
    pub fn entry(&self, path: &Path) -> Result<&Entry, Fault> {
        if let Some(entry) = self.entries.get(path) {
            return Ok(entry);
        }
        if path.ancestors().skip(1).any(|folder| self.trees.contains(folder)) {
            return Ok(&Entry::Missing);
        }
        Err(Fault::new(Cause::Internal, format!("{} was not read before planning", path.display()))
            .help("this is a fault of the xtask itself: please report it"))
    }

    /// Does a file or folder exist at the path?
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.entry(path.as_ref()).is_ok_and(|entry| *entry != Entry::Missing)
    }

    /// The text of a file; nothing where it doesn't exist.
    ///
    /// # Errors
    /// It can't be read, or is not text.
    pub fn text(&self, path: impl AsRef<Path>) -> Result<Option<&str>, Fault> {
        Ok(self.file(path)?.map(|file| file.text.as_str()))
    }

    /// As `text`, with what else is known of the file.
    pub fn file(&self, path: impl AsRef<Path>) -> Result<Option<&File>, Fault> {
        let path = path.as_ref();
        let unreadable = |why: &str| Fault::project(format!("reading {}: {why}", path.display()));
        match self.entry(path)? {
            Entry::File(file) => Ok(Some(file)),
            Entry::Missing => Ok(None),
            Entry::Folder => Err(unreadable("it is a folder")),
            Entry::Unreadable(why) => Err(unreadable(why)),
        }
    }

    /// All that is below a folder which was read as a tree, in the order of the paths.
    pub fn below<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = (&'a Path, &'a Entry)> {
        let from = self.entries.range(folder.to_owned()..);
        let within = from.take_while(move |(path, _)| path.starts_with(folder));
        within.filter(move |(path, _)| *path != folder).map(|(path, entry)| (path.as_path(), entry))
    }

    fn list(&mut self, root: &Path, folder: &Path, paths: &mut BTreeSet<PathBuf>) {
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            let entries = match fs::read_dir(root.join(&folder)) {
                Ok(entries) => entries.flatten(),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    self.entries.insert(folder, Entry::Missing);
                    continue;
                }
                Err(e) => {
                    self.entries.insert(folder, Entry::Unreadable(e.to_string()));
                    continue;
                }
            };
            for found in entries {
                let path = folder.join(found.file_name());
                let is_folder = found.file_type().is_ok_and(|kind| kind.is_dir());
                if !is_folder {
                    paths.insert(path);
                } else if !found.file_name().as_encoded_bytes().starts_with(b".") {
                    open.push(path);
                }
            }
            self.entries.insert(folder, Entry::Folder);
        }
    }
}

fn entry(path: &Path) -> Entry {
    let unreadable = |e: io::Error| Entry::Unreadable(e.to_string());
    let about = match fs::metadata(path) {
        Ok(about) => about,
        // A component that is a file is as good as missing.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Entry::Missing,
        Err(e) => return unreadable(e),
    };
    if about.is_dir() {
        return Entry::Folder;
    }
    if !about.is_file() {
        // A pipe would be waited for.
        return Entry::Unreadable("it is not a regular file".to_owned());
    }
    match fs::read_to_string(path) {
        Ok(text) => Entry::File(File {
            text,
            read_only: about.permissions().readonly(),
            private: about.permissions().mode() & 0o004 == 0,
            modified: about.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        }),
        Err(e) => unreadable(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_files_and_trees_and_tells_missing_from_unread() {
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(root.join("a/.lock")).unwrap();
        for (path, text) in [("a/one", "1"), ("a/b/two", "2"), ("a/.lock/left", "3"), ("c", "4")] {
            fs::write(root.join(path), text).unwrap();
        }
        fs::write(root.join("a/binary"), [0xff, 0xfe]).unwrap();
        let wanted = Wanted { files: vec!["c".into(), "d".into()], trees: vec!["a".into()] };
        let files = Files::read(root, &wanted);
        assert_eq!(files.text("a/b/two").unwrap(), Some("2"));
        assert_eq!(files.text("c").unwrap(), Some("4"));
        assert_eq!(files.text("d").unwrap(), None);
        assert_eq!(files.text("a/none").unwrap(), None);
        assert!(!files.has("a/.lock/left") && files.has("a/b"));
        assert!(files.text("a/binary").unwrap_err().what.starts_with("reading a/binary: "));
        assert!(files.text("a/b").unwrap_err().what.contains("it is a folder"));
        assert_eq!(files.text("e").unwrap_err().cause, Cause::Internal);
        let below: Vec<&Path> = files.below(Path::new("a")).map(|(path, _)| path).collect();
        assert_eq!(below, ["a/b", "a/b/two", "a/binary", "a/one"].map(Path::new));
    }
}
