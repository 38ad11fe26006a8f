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
    Train(Box<command::train::TrainArgs>),
    Distill(Box<command::distill::DistillArgs>),
    Eval(command::eval::EvalArgs),
    Export(command::export::ExportArgs),
    Grow(command::grow::GrowArgs),
    Plot(command::plot::PlotArgs),
    Prune(Box<command::prune::PruneArgs>),
    Summary(command::summary::SummaryArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Train(args) => command::train::run(*args),
        Command::Distill(args) => command::distill::run(*args),
        Command::Eval(args) => command::eval::run(args),
        Command::Export(args) => command::export::run(args),
        Command::Grow(args) => command::grow::run(args),
        Command::Plot(args) => command::plot::run(args),
        Command::Prune(args) => command::prune::run(*args),
        Command::Summary(args) => command::summary::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
