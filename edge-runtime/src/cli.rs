//! The command line.

mod bench;
mod cameras;
mod compare;
mod config;
mod eval;
mod follow_args;
mod inspect;
mod live;
mod model_args;
mod progress;
mod run;
#[cfg(feature = "serve")]
mod serve;
mod shipped;
mod values;

use clap::{CommandFactory, Parser, Subcommand};
use edge_runtime::RuntimeError;

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
    /// Reads the command line, and the configuration file that it names. Ends the program on wrong
    /// usage, and after `--help`.
    ///
    /// # Errors
    /// A configuration file that cannot be used.
    pub fn read() -> Result<Cli, RuntimeError> {
        let line = config::with_file(&Cli::command(), std::env::args_os().collect())?;
        Ok(Cli::parse_from(line))
    }

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
