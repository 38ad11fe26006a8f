//! The command line: parses arguments and calls the library.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use edge_runtime::error_line;

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
    Distill(Box<command::distill::DistillArgs>),
    Eval(command::eval::EvalArgs),
    Export(command::export::ExportArgs),
    Grow(command::grow::GrowArgs),
    Plot(command::plot::PlotArgs),
    Prune(Box<command::prune::PruneArgs>),
    Run(command::run::RunArgs),
    Summary(command::summary::SummaryArgs),
    Synth(command::synth::SynthArgs),
    View(command::view::ViewArgs),
}

fn main() -> ExitCode {
    let matches = match command::config::parse(Cli::command()) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let record = command::config::record(&Cli::command(), &matches);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let done = |()| ExitCode::SUCCESS;
    let result = match cli.command {
        Command::Train(args) => command::train::run(*args, record),
        Command::Convert(args) => command::convert::run(args).map(done),
        Command::Distill(args) => command::distill::run(*args, record),
        Command::Eval(args) => command::eval::run(args).map(done),
        Command::Export(args) => command::export::run(args).map(done),
        Command::Grow(args) => command::grow::run(args).map(done),
        Command::Plot(args) => command::plot::run(args).map(done),
        Command::Prune(args) => command::prune::run(*args),
        Command::Run(args) => command::run::run(args),
        Command::Summary(args) => command::summary::run(args).map(done),
        Command::Synth(args) => command::synth::run(args).map(done),
        Command::View(args) => command::view::run(args).map(done),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {}", error_line(error.as_ref()));
        match error.downcast_ref() {
            Some(edge_runtime::RuntimeError::Usage(_)) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    })
}
