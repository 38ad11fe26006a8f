//! `edge-runtime`: keypoints and skeletons from photos, and what there is to know about models.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cli;

use std::io;
use std::process::ExitCode;

use edge_runtime::{RuntimeError, error_line};

fn main() -> ExitCode {
    // clap itself ends with code 2 on wrong usage, and 0 on --help.
    let read = cli::Cli::read().map_err(anyhow::Error::from);
    let Err(error) = read.and_then(cli::Cli::execute) else {
        return ExitCode::SUCCESS;
    };
    let broken_pipe = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref().is_some_and(broken_pipe) {
        // Whoever read our output has had enough of it.
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {}", error_line(error.as_ref()));
    match error.downcast_ref() {
        Some(RuntimeError::Usage(_)) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}
