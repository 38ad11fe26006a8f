//! `--config` and `--print-config` of the commands that have them.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};
use trainer::config::{
    ConfigError, ConfigFile, ConfigFormat, ConfigOptions, LayerError, Mode, in_effect, layer,
    parse_given, parse_some, print_config, with_switch_values, without_off,
};

/// Exit code for wrong usage.
const USAGE: u8 = 2;

/// Parses the command line of `root` with a configuration file beneath it where one is named.
///
/// Ends the program on wrong usage. The error is an exit code: after `--print-config`, or for a
/// file that is wrong, which has been said.
pub fn parse(root: Command) -> Result<ArgMatches, ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let name = arguments.get(1).map(|name| name.to_string_lossy());
    let command = name.and_then(|name| root.find_subcommand(&*name));
    let reads_config =
        |command: &&Command| command.get_arguments().any(|arg| arg.get_id() == "config");
    let Some(command) = command.filter(reads_config) else {
        return Ok(root.get_matches());
    };
    let (name, command) = (command.get_name().to_owned(), command.clone());
    let whole = root.clone().mut_subcommand(&name, with_switch_values);
    match words(&command, &arguments[2..]) {
        Ok(Words::Parse(words)) => {
            let start = arguments[..2].iter().cloned();
            Ok(whole.get_matches_from(start.chain(words)))
        }
        Ok(Words::Print(text)) => {
            print!("{text}");
            Err(ExitCode::SUCCESS)
        }
        // The whole command knows its usage and has its help.
        Err(LayerError::Usage(error)) => Ok(match error.kind() {
            ErrorKind::DisplayHelp => root.get_matches(),
            _ => whole.get_matches(),
        }),
        Err(LayerError::Config(error)) => Err(refuse(&error)),
    }
}

/// Says what is wrong with a configuration file; the exit code.
pub fn refuse(error: &ConfigError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(match error {
        ConfigError::Read { .. } => 1,
        _ => USAGE,
    })
}

/// What to do with a command's arguments.
enum Words {
    /// These say everything.
    Parse(Vec<OsString>),
    /// Print this and end.
    Print(String),
}

fn words(command: &Command, arguments: &[OsString]) -> Result<Words, LayerError> {
    let command = with_switch_values(command.clone());
    let given = parse_given(&command, arguments)?;
    let options = ConfigOptions::of(&given);
    let words = match &options.config {
        Some(path) => layer(&command, &ConfigFile::read(path)?, Mode::Train, arguments)?,
        None => without_off(&command, arguments),
    };
    let Some(format) = options.print_config else {
        return Ok(Words::Parse(words));
    };
    let settings = in_effect(&command, &parse_some(&command, &words)?);
    Ok(Words::Print(print_config(Mode::Train, &settings, format)))
}

/// The options in effect of the subcommand that was given, as a TOML file.
pub fn record(root: &Command, matches: &ArgMatches) -> Option<String> {
    let (name, matches) = matches.subcommand()?;
    Some(record_of(root.find_subcommand(name)?, matches))
}

/// The options in effect of a command, as a TOML file that makes the same training again.
pub fn record_of(command: &Command, matches: &ArgMatches) -> String {
    let mut settings = in_effect(command, matches);
    if settings.iter().any(|setting| setting.key == "from") {
        // `trainer distill --from` is `trainer train --distill`.
        settings.retain(|setting| setting.key != "distill");
        if let Some(setting) = settings.iter_mut().find(|setting| setting.key == "from") {
            setting.key = "distill".into();
        }
    }
    settings.retain(|setting| !["resume", "json"].contains(&&*setting.key));
    print_config(Mode::Train, &settings, ConfigFormat::Toml)
}
