//! One file for each subcommand: its arguments and what it does with them.

pub mod convert;
pub mod eval;
pub mod export;
pub mod plot;
mod progress;
pub mod synth;
pub mod train;
