//! What the end-to-end tests share: the built programs ([`Program`]), folders to use them in
//! ([`Desk`]), and where the project's files are.
//!
//! The tests see the programs as a user does: command line in; text, files and exit code out.

#![forbid(unsafe_code)]

mod desk;
mod program;
mod screen;
mod small_training;

use std::path::{Path, PathBuf};

pub use desk::{Desk, Finished};
pub use program::Program;
pub use screen::Screen;
pub use small_training::{PICTURES, TRAIN, course, desk_of_people, losses, people, train};

/// The root of the project.
pub fn project() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Sends a signal by its name, `TERM` for example; whether that worked.
#[cfg(unix)]
pub fn signal(child: &std::process::Child, name: &str) -> bool {
    let kill = std::process::Command::new("kill")
        .arg(format!("-{name}"))
        .arg(child.id().to_string())
        .status();
    kill.is_ok_and(|status| status.success())
}

/// The folder with the data sets of photos (`lsp`, `mpii` …), from the environment variable
/// `HOURGLASS_DATA`; without it says on standard error that `test` is skipped.
///
/// # Panics
/// When the variable names no folder: a test that was asked for must not pass unseen.
pub fn photos(test: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("HOURGLASS_DATA").map(PathBuf::from) else {
        eprintln!("{test}: skipped, HOURGLASS_DATA does not name the folder of the photos");
        return None;
    };
    assert!(folder.is_dir(), "HOURGLASS_DATA: no folder {folder:?}");
    Some(folder)
}
