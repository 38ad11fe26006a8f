//! `trainer summary`

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use onnx_graph::Model;
use pose::Size;
use trainer::{Checkpoint, FamilyOptions, Summary, summarize, summarize_onnx};

/// List the layers of a network with shapes, parameters, multiply-adds and receptive fields.
#[derive(Args)]
#[command(
    after_help = "Example:\n  trainer summary runs/tiny/best.safetensors\n  \
    trainer summary tiny.onnx --json\n  \
    trainer summary --stacks 4 --mobile --width 64 128 --input 192x192"
)]
pub struct SummaryArgs {
    /// Checkpoint or ONNX file; without, the network that the options name.
    file: Option<PathBuf>,
    #[command(flatten)]
    network: FamilyOptions,
    /// Number of heatmaps of a network that the options name.
    #[arg(long, default_value_t = 16)]
    keypoints: usize,
    /// Picture, WIDTHxHEIGHT, multiples of 32 [default: the checkpoint's, or 256x256].
    #[arg(long, value_parser = trainer::parse_size)]
    input: Option<Size>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints as the arguments say.
pub fn run(args: SummaryArgs) -> anyhow::Result<()> {
    let summary = summary(
        args.file.as_deref(),
        &args.network,
        args.keypoints,
        args.input,
    )?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        print!("{summary}");
    }
    Ok(())
}

/// The summary of a file, or of the network that the options name.
///
/// # Errors
/// A file that cannot be read, or a picture size that is no multiple of 32.
pub fn summary(
    file: Option<&Path>,
    network: &FamilyOptions,
    keypoints: usize,
    input: Option<Size>,
) -> anyhow::Result<Summary> {
    if let Some(file) = file.filter(|file| file.extension().is_some_and(|e| e == "onnx")) {
        let model = Model::load(file)?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        return Ok(summarize_onnx(&stem, &model));
    }
    let (network, own) = match file {
        Some(file) => {
            let info = Checkpoint::load(file)
                .with_context(|| "expected a checkpoint, or an ONNX file ending in .onnx")?
                .info;
            let [height, width] = info.input;
            (info.network, Size { width, height })
        }
        None => {
            let own = Size {
                width: 256,
                height: 256,
            };
            let network = network.config(keypoints);
            network.check()?;
            (network, own)
        }
    };
    let Size { width, height } = input.unwrap_or(own);
    anyhow::ensure!(
        width > 0 && height > 0 && width % 32 == 0 && height % 32 == 0,
        "input size {width}x{height}: both sides must be multiples of 32"
    );
    Ok(summarize(&network, (height, width)))
}
