//! `trainer grow`

use std::path::PathBuf;

use clap::Args;
use hourglass::HourglassConfig;
use trainer::{Checkpoint, GrowSettings, grow_checkpoint};

/// Make a larger network that gives the heatmaps of a trained one, to train on from there.
#[derive(Args)]
#[command(
    after_help = "Example:\n  trainer grow --weights runs/tiny/best.safetensors --channels 256 \\\n    \
    --output mobile-start.safetensors\n  \
    trainer grow --weights runs/mobile/best.safetensors --standard --output full-start.safetensors"
)]
pub struct GrowArgs {
    /// Checkpoint to grow.
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Checkpoint to write.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Channels of the hourglasses [default: as they are].
    #[arg(long)]
    channels: Option<usize>,
    /// Ordinary convolutions instead of depthwise-separable ones.
    #[arg(long)]
    standard: bool,
    /// Number of hourglasses [default: as many as there are].
    #[arg(long)]
    stacks: Option<usize>,
    /// How unequal the copies of a channel are, 0 to 1. Equal copies would stay equal in training.
    #[arg(long, default_value_t = 0.5)]
    noise: f32,
    /// The seed of every random draw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Grows as the arguments say, and checks that the heatmaps are the same.
pub fn run(args: GrowArgs) -> anyhow::Result<()> {
    let checkpoint = Checkpoint::load(&args.weights)?;
    let from = checkpoint.info.network.clone();
    let network = HourglassConfig {
        channels: args.channels.unwrap_or(from.channels),
        stacks: args.stacks.unwrap_or(from.stacks),
        mobile: from.mobile && !args.standard,
        ..from.clone()
    };
    anyhow::ensure!(
        network.channels.is_multiple_of(4) && network.channels > 0,
        "{} channels: must be a multiple of 4",
        network.channels
    );
    let settings = GrowSettings {
        network: network.clone(),
        noise: args.noise,
        seed: args.seed,
    };
    let (grown, difference) = grow_checkpoint(&checkpoint, &settings)?;
    grown.save(&args.output)?;
    let [height, width] = grown.info.input;
    let facts = |network: &HourglassConfig| {
        let graph = network.graph();
        let macs = graph.last_stack().0.macs(height, width);
        (network.model_type(height, width), graph.parameters(), macs)
    };
    let (before, after) = (facts(&from), facts(&network));
    if args.json {
        let facts = |(name, parameters, macs): (String, usize, u64)| serde_json::json!({ "model": name, "parameters": parameters, "macs": macs });
        let report = serde_json::json!({
            "output": args.output,
            "before": facts(before),
            "after": facts(after),
            "largest_difference": difference,
        });
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        let line = |(name, parameters, macs): (String, usize, u64)| {
            let gmac = macs as f64 / 1e9;
            format!("{name}: {parameters} parameters, {gmac:.3} GMAC")
        };
        println!("{}", line(before));
        println!("{}", line(after));
        println!(
            "{}: heatmaps differ by at most {difference:.1e}",
            args.output.display()
        );
    }
    Ok(())
}
