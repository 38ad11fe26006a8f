//! The command line.

mod bench;
mod cameras;
mod compare;
mod eval;
mod inspect;
mod live;
mod model_args;
mod progress;
mod run;
mod sequence;
#[cfg(feature = "serve")]
mod serve;
mod shipped;
mod values;

use clap::{Parser, Subcommand};

/// Keypoints and skeletons from photos with keypoint-heatmap ONNX models.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find the keypoints in photos, videos and camera pictures, and draw the skeletons
    Run(run::RunArgs),
    /// Show what is in a model file: card, shapes, parameters, multiplications
    Inspect(inspect::InspectArgs),
    /// List the cameras with their formats, sizes and rates
    Cameras(cameras::CamerasArgs),
    /// Measure how long preprocessing, inference and decoding take
    Bench(bench::BenchArgs),
    /// Measure how many keypoints a model gets right on annotated photos
    Eval(eval::EvalArgs),
    /// Compare a pose with a reference: score, what to change, angles of the joints
    Compare(compare::CompareArgs),
    /// Answer photos with poses over HTTP
    #[cfg(feature = "serve")]
    Serve(serve::ServeArgs),
}

impl Cli {
    /// Does what the command line says.
    pub fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Run(args) => args.execute(),
            Command::Inspect(args) => args.execute(),
            Command::Bench(args) => args.execute(),
            Command::Cameras(args) => args.execute(),
            Command::Eval(args) => args.execute(),
            Command::Compare(args) => args.execute(),
            #[cfg(feature = "serve")]
            Command::Serve(args) => args.execute(),
        }
    }
}
