//! `trainer plot`

use std::path::PathBuf;

use clap::Args;
use pose::Size;
use trainer::{draw_graph, plot};

use super::network::NetworkArgs;
use super::summary::summary;

/// Draw the loss and PCK curves of one or several trainings, or the picture of a network.
#[derive(Args)]
#[command(
    after_help = "Example:\n  trainer plot --log runs/a/log.csv --log runs/b/log.csv --output curve.svg\n  \
    trainer plot --graph net.svg runs/a/best.safetensors\n  \
    trainer plot --graph tiny.svg --tiny --mobile --input 192x192"
)]
pub struct PlotArgs {
    /// A training's log.csv; may be given several times.
    #[arg(
        long,
        required_unless_present = "graph",
        requires = "output",
        value_name = "FILE"
    )]
    log: Vec<PathBuf>,
    /// SVG file to write the curves to.
    #[arg(long, short, value_name = "FILE", requires = "log")]
    output: Option<PathBuf>,
    /// SVG file to write the picture of a network to: of MODEL, or of the one that the options
    /// name.
    #[arg(long, value_name = "FILE", conflicts_with = "log")]
    graph: Option<PathBuf>,
    /// Checkpoint or ONNX file to draw.
    #[arg(requires = "graph")]
    model: Option<PathBuf>,
    #[command(flatten)]
    network: NetworkArgs,
    /// Number of heatmaps of a network that the options name.
    #[arg(long, default_value_t = 16)]
    keypoints: usize,
    /// Picture, WIDTHxHEIGHT, multiples of 32 [default: the checkpoint's, or 256x256].
    #[arg(long, value_parser = super::train::parse_size)]
    input: Option<Size>,
}

/// Draws as the arguments say.
pub fn run(args: PlotArgs) -> anyhow::Result<()> {
    if let Some(output) = &args.output {
        plot(&args.log, output)?;
        println!("{}", output.display());
    }
    if let Some(graph) = &args.graph {
        let summary = summary(
            args.model.as_deref(),
            &args.network,
            args.keypoints,
            args.input,
        )?;
        draw_graph(&summary, graph)?;
        println!("{}", graph.display());
    }
    Ok(())
}
