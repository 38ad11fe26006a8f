//! `trainer distill`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::train::{self, TrainArgs};

/// Train a small network on the heatmaps of a larger one beside the labels.
///
/// The same as `trainer train --distill FILE`; takes all its options.
#[derive(Args)]
#[command(
    after_help = "Example:\n  trainer distill --from full.safetensors --tiny --mobile --input 192x192 \\\n    \
    --data 'lspet:data/lspet' --validate 'lsp:data/lsp?split=train#0/10' --output runs/small"
)]
pub struct DistillArgs {
    /// The larger network: a checkpoint or an ONNX file.
    #[arg(long, value_name = "FILE", conflicts_with = "distill")]
    from: PathBuf,
    #[command(flatten)]
    train: TrainArgs,
}

/// Trains as the arguments say.
pub fn run(args: DistillArgs, record: Option<String>) -> anyhow::Result<ExitCode> {
    let mut train = args.train;
    train.options.course.distill = Some(args.from);
    train::run(train, record)
}
