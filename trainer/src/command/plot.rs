//! `trainer plot`

use std::path::PathBuf;

use clap::Args;
use pose::Size;
use trainer::{Axis, FamilyOptions, PlotOptions, draw_graph, parse_size, plot};

use super::summary::summary;

/// Draw the accuracy, loss and learning-rate curves of one or several trainings, or the
/// picture of a network.
#[derive(Args)]
#[command(after_help = "Examples:
  trainer plot --log runs/a runs/b --output curves.png
  trainer plot --log runs/a logs/000/val.txt --x epochs --smooth 0.6 --output curves.svg
  trainer plot --graph net.svg runs/a/best.safetensors
  trainer plot --graph tiny.svg --tiny --mobile --input 192x192")]
pub struct PlotArgs {
    /// A training's folder, its log.csv, val.txt or TensorBoard event file, or a log of the
    /// earlier projects (val.txt, log.txt, Keras' CSV); several make a comparison.
    #[arg(
        long,
        required_unless_present = "graph",
        requires = "output",
        num_args = 1..,
        value_name = "PATH"
    )]
    log: Vec<PathBuf>,
    /// Name of a training in the legend, in the order of --log [default: its folder's name].
    #[arg(long, num_args = 1.., value_name = "NAME")]
    label: Vec<String>,
    /// SVG or PNG file to write the curves to.
    #[arg(long, short, value_name = "FILE", requires = "log")]
    output: Option<PathBuf>,
    /// Weight of the past in a moving average of accuracy and loss, 0 to below 1.
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0)]
    smooth: f64,
    /// Horizontal axis [default: the first of these that all trainings know].
    #[arg(long = "x", value_name = "AXIS")]
    axis: Option<Axis>,
    /// Size of the picture in pixels [default: 480 a panel, by 420].
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    size: Option<Size>,
    /// Title of the picture.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// SVG file to write the picture of a network to: of MODEL, or of the one that the options
    /// name.
    #[arg(long, value_name = "FILE", conflicts_with = "log")]
    graph: Option<PathBuf>,
    /// Checkpoint or ONNX file to draw.
    #[arg(requires = "graph")]
    model: Option<PathBuf>,
    #[command(flatten)]
    network: FamilyOptions,
    /// Number of heatmaps of a network that the options name.
    #[arg(long, default_value_t = 16)]
    keypoints: usize,
    /// Picture, WIDTHxHEIGHT, multiples of 32 [default: the checkpoint's, or 256x256].
    #[arg(long, value_parser = parse_size)]
    input: Option<Size>,
}

/// Draws as the arguments say.
pub fn run(args: PlotArgs) -> anyhow::Result<()> {
    let options = PlotOptions {
        labels: args.label,
        smoothing: args.smooth,
        axis: args.axis,
        size: args.size,
        title: args.title,
    };
    if let Some(output) = &args.output {
        plot(&args.log, output, &options)?;
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
