//! A folder to use the programs in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::program::Program;

/// A folder of its own for one test, removed at the end.
#[derive(Debug)]
pub struct Desk {
    folder: TempDir,
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The command line, for messages.
    pub command: String,
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub printed: String,
    /// Standard error.
    pub said: String,
}

impl Desk {
    /// An empty folder.
    ///
    /// # Panics
    /// When there is no room for temporary files.
    pub fn new() -> Desk {
        match tempfile::tempdir() {
            Ok(folder) => Desk { folder },
            Err(error) => panic!("temporary folder: {error}"),
        }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    ///
    /// # Panics
    /// When that fails.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, content));
        if let Err(error) = written {
            panic!("{}: {error}", path.display());
        }
    }

    /// A command that runs the program in this folder.
    pub fn command(&self, program: Program, arguments: &[&str]) -> Command {
        let mut command = program.command();
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    /// Runs the program in the folder.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self, program: Program, arguments: &[&str]) -> Finished {
        let mut command = self.command(program, arguments);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match command.output() {
            Ok(output) => Finished {
                command: arguments.join(" "),
                code: output.status.code(),
                printed: text(output.stdout),
                said: text(output.stderr),
            },
            Err(error) => panic!("{command:?}: {error}"),
        }
    }

    /// Runs the program, which must succeed.
    ///
    /// # Panics
    /// When it does not.
    pub fn ok(&self, program: Program, arguments: &[&str]) -> Finished {
        let finished = self.run(program, arguments);
        assert_eq!(finished.code, Some(0), "{finished:#?}");
        finished
    }

    /// Runs the program, which must end with `code`, say in one line what is wrong, with all of
    /// `words` in it, and leave the folder as it was.
    ///
    /// # Panics
    /// When anything of that is otherwise.
    pub fn fails(&self, program: Program, code: i32, arguments: &[&str], words: &[&str]) {
        let before = self.files();
        let finished = self.run(program, arguments);
        assert_eq!(finished.code, Some(code), "{finished:#?}");
        for word in words {
            assert!(finished.said.contains(word), "no `{word}` in {finished:#?}");
        }
        for sign in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
            assert!(!finished.said.contains(sign), "{finished:#?}");
        }
        // Messages about wrong usage have hints in further lines.
        let lines = finished.said.trim_end().lines().count();
        assert!(code == 2 || lines == 1, "{lines} lines in {finished:#?}");
        let first = finished.said.lines().next().unwrap_or_default();
        assert!(first.starts_with("error: "), "{finished:#?}");
        assert_eq!(self.files(), before, "{finished:#?} changed files");
    }

    /// Every file of the folder with its content's length and a checksum of it (FNV-1a).
    fn files(&self) -> BTreeMap<PathBuf, (usize, u64)> {
        fn visit(folder: &Path, files: &mut BTreeMap<PathBuf, (usize, u64)>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    visit(&path, files);
                    continue;
                }
                let content = fs::read(&path).unwrap_or_default();
                let mix =
                    |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
                let hash = content.iter().fold(0xcbf2_9ce4_8422_2325, mix);
                files.insert(path, (content.len(), hash));
            }
        }
        let mut files = BTreeMap::new();
        visit(self.folder.path(), &mut files);
        files
    }
}

impl Default for Desk {
    fn default() -> Desk {
        Desk::new()
    }
}
