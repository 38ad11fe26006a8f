//! The built programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::project;

/// A program of this project, found where cargo puts it.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    name: &'static str,
}

impl Program {
    /// Finds keypoints in photos.
    pub const EDGE_RUNTIME: Program = Program {
        name: "edge-runtime",
    };
    /// Trains, evaluates, exports.
    pub const TRAINER: Program = Program { name: "trainer" };

    /// A command that runs the program.
    ///
    /// `cargo test --workspace` has built it already. A test of this package alone does not build
    /// other packages' programs, so one that is missing, or older than its sources, is built now.
    ///
    /// # Panics
    /// When it cannot be built.
    pub fn command(self) -> Command {
        static BUILT: OnceLock<()> = OnceLock::new();
        BUILT.get_or_init(|| {
            let programs = [Program::EDGE_RUNTIME, Program::TRAINER];
            if let Some(reason) = programs.iter().find_map(|p| p.why_build()) {
                build(&programs, &reason);
            }
        });
        Command::new(self.path())
    }

    fn path(self) -> PathBuf {
        let name = format!("{}{}", self.name, std::env::consts::EXE_SUFFIX);
        profile_folder().join(name)
    }

    /// Why the program that is there, if any, will not do.
    fn why_build(self) -> Option<String> {
        let path = self.path();
        let Some(built) = modified(&path) else {
            return Some(format!("{} is missing", path.display()));
        };
        // cargo lists beside a program the files that it was made of.
        let list = std::fs::read_to_string(path.with_extension("d")).unwrap_or_default();
        let (_, sources) = list.trim_end().split_once(": ")?;
        // Spaces inside of paths have a backslash before them.
        let sources = sources.replace("\\ ", "\0");
        sources
            .split(' ')
            .map(|source| PathBuf::from(source.replace('\0', " ")))
            .find(|source| modified(source).is_none_or(|time| time > built))
            .map(|source| format!("{} is newer than {}", source.display(), path.display()))
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}

/// `target/release`, or whatever this test was built into: `PROFILE/deps/TEST-HASH`.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    test.ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

fn build(programs: &[Program], reason: &str) {
    let folder = profile_folder();
    eprintln!("building the programs: {reason}");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--locked", "--profile", profile])
        .current_dir(project());
    if let Some(target) = folder.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    // The whole workspace, as `cargo test` builds it: one package alone would have other features.
    cargo.args(["--workspace", "--bins"]);
    let status = cargo.status();
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "{cargo:?}: {status:?}"
    );
    for program in programs {
        let path = program.path();
        assert!(path.is_file(), "{cargo:?} did not make {}", path.display());
    }
}
