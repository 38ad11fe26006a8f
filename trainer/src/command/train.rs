//! `trainer train`

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use trainer::config::ConfigOptions;
use trainer::{StopRequest, TrainEnd, TrainOptions, train};

/// Train a network on annotated people.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  trainer train --tiny --mobile --input 192x192 \\\n    \
    --data 'lspet:data/lspet' --data 'lsp:data/lsp?split=train#!0/10*2' \\\n    \
    --validate 'lsp:data/lsp?split=train#0/10' --epochs 40 --output runs/tiny\n  \
    trainer train --print-config > tiny.toml\n  \
    trainer train --config tiny.toml --epochs 80 --output runs/longer"
)]
pub struct TrainArgs {
    #[command(flatten)]
    pub(super) options: TrainOptions,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    _config: ConfigOptions,
}

/// Trains as the arguments say, of which `record` is kept beside the checkpoints. Ctrl-C and
/// SIGTERM end it after the step in progress, with the exit code 128 + signal.
pub fn run(args: TrainArgs, record: Option<String>) -> anyhow::Result<ExitCode> {
    let mut settings = args.options.settings()?;
    settings.record = record;
    settings.stop = StopRequest::on_signals().context("cannot watch for signals")?;
    let outcome = train(&settings)?;
    let code = match outcome.end {
        TrainEnd::Complete | TrainEnd::Patience => ExitCode::SUCCESS,
        TrainEnd::Stopped(signal) => ExitCode::from(128 + signal as u8),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
        return Ok(code);
    }
    match outcome.best_path {
        Some(path) => println!(
            "best validation PCK@0.2 {:.2} in {}",
            outcome.best,
            path.display()
        ),
        None => println!("no validation yet"),
    }
    Ok(code)
}
