//! The command line: parses arguments and calls the library.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

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
    Eval(command::eval::EvalArgs),
    Export(command::export::ExportArgs),
    Plot(command::plot::PlotArgs),
    Run(command::run::RunArgs),
    Synth(command::synth::SynthArgs),
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
        Command::Eval(args) => command::eval::run(args).map(done),
        Command::Export(args) => command::export::run(args).map(done),
        Command::Plot(args) => command::plot::run(args).map(done),
        Command::Run(args) => command::run::run(args),
        Command::Synth(args) => command::synth::run(args).map(done),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
