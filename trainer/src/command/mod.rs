//! One file for each subcommand: its arguments and what it does with them.

pub mod config;
pub mod eval;
pub mod export;
pub mod plot;
pub mod run;
pub mod synth;
pub mod train;
