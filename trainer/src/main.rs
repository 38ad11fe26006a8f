//! The command line: parses arguments and calls the library.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod command;

/// Trains, evaluates and exports stacked hourglass networks for human pose estimation.
#[derive(Parser)]
#[command(name = "trainer", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Convert(command::convert::ConvertArgs),
    Train(Box<command::train::TrainArgs>),
    Eval(command::eval::EvalArgs),
    Export(command::export::ExportArgs),
    Plot(command::plot::PlotArgs),
    Synth(command::synth::SynthArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Convert(args) => command::convert::run(args),
        Command::Train(args) => command::train::run(*args),
        Command::Eval(args) => command::eval::run(args),
        Command::Export(args) => command::export::run(args),
        Command::Plot(args) => command::plot::run(args),
        Command::Synth(args) => command::synth::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
