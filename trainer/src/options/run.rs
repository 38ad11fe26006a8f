//! What comes out of a training, and when it stops.

use std::path::PathBuf;

use clap::Args;

/// What comes out of a training, and when it stops.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Checkpoints and logs")]
pub struct RunOptions {
    /// Folder for checkpoints and logs.
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// Continue the training in the output folder.
    #[arg(long)]
    pub resume: bool,
    /// Steps between two validations [default: an epoch].
    #[arg(long, value_name = "STEPS")]
    pub validate_every: Option<u64>,
    /// End after so many validations without a better PCK.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub patience: Option<u64>,
    /// Keep the checkpoints of the last so many validations, named like
    /// step-000123-pck-61.2.safetensors, beside the best and the last.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub keep: usize,
    /// Steps after which to end early; the learning rate falls as if the training went on.
    #[arg(long, value_name = "STEPS")]
    pub stop_after: Option<u64>,
    /// Write no TensorBoard event files.
    #[arg(long)]
    pub no_tensorboard: bool,
    /// Plain lines on a terminal too, in place of the dashboard.
    #[arg(long)]
    pub plain: bool,
}
