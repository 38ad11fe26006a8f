//! `trainer export`

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use onnx_graph::CardMetric;
use trainer::{Checkpoint, ExportNotes, export, verify};

/// Write a checkpoint as an ONNX file with a model card inside.
#[derive(Args)]
#[command(
    after_help = "Example:\n  trainer export --weights runs/tiny/best.safetensors --output tiny.onnx"
)]
pub struct ExportArgs {
    /// Checkpoint to export.
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// ONNX file to write.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Name of the model [default: the output file's name].
    #[arg(long)]
    name: Option<String>,
    /// For the card: which people were trained on, which were held out.
    #[arg(long, default_value = "")]
    split: String,
    /// For the card: terms of the training data.
    #[arg(long, default_value = "")]
    license_note: String,
    /// For the card: a measured figure, as JSON with the fields name, value, dataset, date and
    /// command. May be given several times.
    #[arg(long, value_name = "JSON", value_parser = parse_metric)]
    metric: Vec<CardMetric>,
}

fn parse_metric(text: &str) -> Result<CardMetric, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Exports as the arguments say, and checks the file by running it.
pub fn run(args: ExportArgs) -> anyhow::Result<()> {
    let checkpoint = Checkpoint::load(&args.weights)?;
    let stem = args.output.file_stem().unwrap_or_default();
    let notes = ExportNotes {
        name: args
            .name
            .unwrap_or_else(|| stem.to_string_lossy().into_owned()),
        split: args.split,
        license_note: args.license_note,
        metrics: args.metric,
    };
    let model = export(&checkpoint, &notes)?;
    model
        .save(&args.output)
        .with_context(|| format!("cannot write {}", args.output.display()))?;
    let difference = verify(&args.output, &checkpoint)?;
    println!(
        "{}: {} bytes; heatmaps differ from the network's by at most {difference:.1e}",
        args.output.display(),
        model.to_bytes().len()
    );
    Ok(())
}
