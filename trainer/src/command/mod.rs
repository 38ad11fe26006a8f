//! One file for each subcommand: its arguments and what it does with them.

pub mod config;
pub mod convert;
pub mod distill;
pub mod eval;
pub mod export;
pub mod grow;
pub mod plot;
mod progress;
pub mod prune;
pub mod run;
pub mod summary;
pub mod synth;
pub mod train;
pub mod view;
