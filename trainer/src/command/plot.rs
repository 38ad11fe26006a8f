//! `trainer plot`

use std::path::PathBuf;

use clap::Args;
use trainer::plot;

/// Draw the loss and PCK curves of one or several trainings.
#[derive(Args)]
#[command(
    after_help = "Example:\n  trainer plot --log runs/a/log.csv --log runs/b/log.csv --output curve.svg"
)]
pub struct PlotArgs {
    /// A training's log.csv; may be given several times.
    #[arg(long, required = true, value_name = "FILE")]
    log: Vec<PathBuf>,
    /// SVG file to write.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

/// Draws as the arguments say.
pub fn run(args: PlotArgs) -> anyhow::Result<()> {
    plot(&args.log, &args.output)?;
    println!("{}", args.output.display());
    Ok(())
}
