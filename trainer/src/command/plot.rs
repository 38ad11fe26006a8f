//! `trainer plot`

use std::path::PathBuf;

use clap::Args;
use pose::Size;
use trainer::{Axis, PlotOptions, parse_size, plot};

/// Draw the accuracy, loss and learning-rate curves of one or several trainings.
#[derive(Args)]
#[command(after_help = "Examples:
  trainer plot --log runs/a runs/b --output curves.png
  trainer plot --log runs/a logs/000/val.txt --x epochs --smooth 0.6 --output curves.svg")]
pub struct PlotArgs {
    /// A training's folder, its log.csv, val.txt or TensorBoard event file, or a log of the
    /// earlier projects (val.txt, log.txt, Keras' CSV); several make a comparison.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    log: Vec<PathBuf>,
    /// Name of a training in the legend, in the order of --log [default: its folder's name].
    #[arg(long, num_args = 1.., value_name = "NAME")]
    label: Vec<String>,
    /// SVG or PNG file to write.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
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
    plot(&args.log, &args.output, &options)?;
    println!("{}", args.output.display());
    Ok(())
}
