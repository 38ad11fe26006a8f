//! One file for each subcommand: its arguments and what it does with them.

pub mod distill;
pub mod eval;
pub mod export;
pub mod grow;
pub mod network;
pub mod plot;
pub mod prune;
pub mod summary;
pub mod train;
