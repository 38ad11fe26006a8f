//! One file for each subcommand: its arguments and what it does with them.

pub mod eval;
pub mod export;
pub mod plot;
pub mod train;
pub mod view;
