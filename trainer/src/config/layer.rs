//! The command line over a configuration file.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::Value;
use thiserror::Error;

use super::{ConfigError, ConfigFile, Mode, nearest};

/// Why arguments and file do not make a whole.
#[derive(Debug, Error)]
pub enum LayerError {
    /// The command line is wrong, or something is missing in both.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Options that are about configuration files and cannot stand in one.
const OUTSIDE: [&str; 4] = ["config", "print-config", "help", "version"];

/// Whether an option is there or not, and has no other value.
pub(super) fn is_switch(option: &Arg) -> bool {
    option.get_value_parser().type_id() == std::any::TypeId::of::<bool>()
}

/// The options of `command` that a file may hold.
pub(super) fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|arg| arg.get_long().is_some_and(|long| !OUTSIDE.contains(&long)))
}

/// The command with switches that also take `=true` and `=false`.
pub fn with_switch_values(command: Command) -> Command {
    command.mut_args(|arg| match arg.get_action() {
        ArgAction::SetTrue if arg.get_long().is_some() => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .value_parser(value_parser!(bool))
            .default_missing_value("true")
            .default_value("false"),
        _ => arg,
    })
}

/// The words of a command line for `command` that say what the file's table of `mode` and
/// `arguments` (without the program's name) say together; what stands in `arguments` goes before
/// the file.
///
/// # Errors
/// Wrong arguments, or a wrong file. Options that must be there and are in neither are no error
/// here: parsing the words finds them.
pub fn layer(
    command: &Command,
    file: &ConfigFile,
    mode: Mode,
    arguments: &[OsString],
) -> Result<Vec<OsString>, LayerError> {
    let command = with_switch_values(command.clone());
    let given = parse_given(&command, arguments)?;
    let present_words = without_off(&command, arguments);
    let present = parse_given(&command, &present_words)?;
    let mut all = Vec::new();
    for (key, value) in file.table(mode) {
        let wrong = |reason: String| ConfigError::Value {
            path: file.path.clone(),
            key: ConfigFile::full_key(mode, key),
            reason,
        };
        let option = options(&command).find(|arg| arg.get_long() == Some(key));
        let option = option.ok_or_else(|| ConfigError::UnknownKey {
            path: file.path.clone(),
            key: ConfigFile::full_key(mode, key),
            nearest: nearest(key, options(&command).filter_map(Arg::get_long)),
        })?;
        let words = words(option, value).map_err(wrong)?;
        if let Err(error) = parse_some(&command, &words)
            // What it needs beside it may stand elsewhere.
            && error.kind() != ErrorKind::MissingRequiredArgument
        {
            return Err(wrong(reason(&error)).into());
        }
        let line = [&given, &present];
        if !overridden(&command, option, line) {
            all.extend(words);
        }
    }
    all.extend(present_words);
    Ok(all)
}

/// The arguments without switches that are said to be off, which is as if they were not there:
/// they must not exclude others.
pub fn without_off(command: &Command, arguments: &[OsString]) -> Vec<OsString> {
    let off = |word: &OsString| {
        let name = word.to_str().and_then(|word| word.strip_prefix("--"));
        let name = name.and_then(|word| word.strip_suffix("=false"));
        name.is_some_and(|name| {
            options(command).any(|arg| is_switch(arg) && arg.get_long() == Some(name))
        })
    };
    let words = arguments.iter().filter(|word| !off(word));
    words.cloned().collect()
}

/// What can be understood of arguments, however incomplete or wrong.
///
/// # Errors
/// Only a request for help or the version.
pub fn parse_given(command: &Command, arguments: &[OsString]) -> Result<ArgMatches, clap::Error> {
    parse_some(&command.clone().ignore_errors(true), arguments)
}

/// Parses arguments of which any may be missing.
///
/// # Errors
/// Wrong arguments.
pub fn parse_some(command: &Command, arguments: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let name = OsString::from(command.get_bin_name().unwrap_or(command.get_name()));
    let words = std::iter::once(name).chain(arguments.iter().cloned());
    let lenient = command.clone().mut_args(|arg| arg.required(false));
    lenient.try_get_matches_from(words)
}

/// Whether the command line, all of it and without what is off, says the option, or one that
/// excludes it.
fn overridden(command: &Command, option: &Arg, [given, present]: [&ArgMatches; 2]) -> bool {
    let on_line = |matches: &ArgMatches, arg: &Arg| {
        matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    let excludes = |one: &Arg, other: &Arg| {
        let conflicts = command.get_arg_conflicts_with(one);
        conflicts.iter().any(|arg| arg.get_id() == other.get_id())
    };
    on_line(given, option)
        || command
            .get_arguments()
            .filter(|arg| on_line(present, arg))
            .any(|arg| excludes(arg, option) || excludes(option, arg))
}

/// A file's value as words of a command line.
fn words(option: &Arg, value: &Value) -> Result<Vec<OsString>, String> {
    let long = option.get_long().unwrap_or_default();
    let scalar = |value: &Value| match value {
        Value::String(text) => Ok(format!("--{long}={text}").into()),
        Value::Number(number) => Ok(format!("--{long}={number}").into()),
        Value::Bool(yes) => Ok(format!("--{long}={yes}").into()),
        _ => Err(format!("expected one value, found {value}")),
    };
    let several = matches!(option.get_action(), ArgAction::Append);
    let together = option
        .get_num_args()
        .is_some_and(|count| count.min_values() > 1);
    match (option.get_action(), value) {
        // JSON and YAML can say that there is no value.
        (_, Value::Null) => Ok(Vec::new()),
        (_, Value::Bool(false)) if is_switch(option) => Ok(Vec::new()),
        (_, Value::Bool(true)) if is_switch(option) => Ok(vec![scalar(value)?]),
        _ if is_switch(option) => Err(format!("expected true or false, found {value}")),
        // Values that belong together, as `--width N M`.
        (_, Value::Array(values)) if together => {
            let words = values.iter().map(|value| match value {
                Value::String(text) => Ok(text.clone().into()),
                Value::Number(number) => Ok(number.to_string().into()),
                _ => Err(format!("expected values, found {value}")),
            });
            std::iter::once(Ok(format!("--{long}").into()))
                .chain(words)
                .collect()
        }
        (_, Value::Array(values)) if several => values.iter().map(scalar).collect(),
        (_, value) => Ok(vec![scalar(value)?]),
    }
}

/// What clap found wrong with one value, without its advice about the command line.
fn reason(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let source = std::error::Error::source(error).map(ToString::to_string);
    match (context(ContextKind::InvalidValue), source) {
        (Some(value), Some(source)) => format!("`{value}`: {source}"),
        (Some(value), None) => match context(ContextKind::ValidValue) {
            Some(valid) => format!("`{value}` is none of {valid}"),
            None => format!("`{value}` is no value for it"),
        },
        _ => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigFormat, in_effect};
    use std::path::Path;

    /// A command with an option of every kind.
    fn command() -> Command {
        Command::new("test")
            .arg(
                Arg::new("flag")
                    .long("flag")
                    .action(ArgAction::SetTrue)
                    .conflicts_with("free"),
            )
            .arg(Arg::new("free").long("free"))
            .arg(
                Arg::new("rate")
                    .long("rate")
                    .value_parser(value_parser!(f32))
                    .default_value("0.5"),
            )
            .arg(
                Arg::new("many")
                    .long("many")
                    .action(ArgAction::Append)
                    .required(true),
            )
            .arg(
                Arg::new("pair")
                    .long("pair")
                    .num_args(2)
                    .action(ArgAction::Append)
                    .value_parser(value_parser!(usize)),
            )
            .arg(
                Arg::new("single")
                    .long("single")
                    .value_parser(value_parser!(u64))
                    .conflicts_with("pair"),
            )
            .arg(
                Arg::new("needy")
                    .long("needy")
                    .value_parser(value_parser!(u64))
                    .requires("single"),
            )
    }

    fn effect(file: &str, line: &[&str]) -> Result<Vec<(String, Value)>, LayerError> {
        let file = ConfigFile::parse(Path::new("f.toml"), file, ConfigFormat::Toml)?;
        let line: Vec<OsString> = line.iter().map(Into::into).collect();
        let words = layer(&command(), &file, Mode::Train, &line)?;
        let command = with_switch_values(command());
        let settings = in_effect(&command, &parse_some(&command, &words)?);
        let settings = settings.into_iter();
        Ok(settings.filter_map(|s| Some((s.key, s.value?))).collect())
    }

    fn shown(file: &str, line: &[&str]) -> String {
        let effect = effect(file, line).unwrap();
        let words = effect.iter().map(|(key, value)| format!("{key}={value}"));
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_kind_of_option_comes_from_the_file_or_the_line() {
        let file = "flag = true\nrate = 1e-3\nmany = ['a=1', '-b']\npair = [3, 4]";
        assert_eq!(
            shown(file, &[]),
            r#"flag=true rate=0.001 many=["a=1","-b"] pair=[3,4]"#
        );
        assert_eq!(
            shown(file, &["--flag=false", "--many", "c", "--pair", "5", "6"]),
            r#"flag=false rate=0.001 many=["c"] pair=[5,6]"#
        );
        assert_eq!(shown("", &["--flag"]), "flag=true rate=0.5");
        // A switch that is off excludes nothing.
        assert_eq!(
            shown("flag = false\nfree = 'a'", &[]),
            "flag=false free=\"a\" rate=0.5"
        );
        assert_eq!(
            shown("free = 'a'", &["--flag=false"]),
            "flag=false free=\"a\" rate=0.5"
        );
        assert_eq!(shown("free = 'a'", &["--flag"]), "flag=true rate=0.5");
        // What an option needs may stand elsewhere.
        assert_eq!(
            shown("needy = 1\nsingle = 2", &[]),
            "flag=false rate=0.5 single=2 needy=1"
        );
        assert_eq!(
            shown("single = 2", &["--needy", "1"]),
            "flag=false rate=0.5 single=2 needy=1"
        );
        // An option that excludes the file's, whichever of them says so.
        assert_eq!(
            shown("pair = [3, 4]", &["--single", "7"]),
            "flag=false rate=0.5 single=7"
        );
        assert_eq!(
            shown("single = 7", &["--pair", "3", "4"]),
            "flag=false rate=0.5 pair=[3,4]"
        );
    }

    #[test]
    fn wrong_values_name_the_key() {
        let message = |file: &str| effect(file, &[]).unwrap_err().to_string();
        for (file, words) in [
            ("rate = 'fast'", "`rate`: `fast`: invalid float literal"),
            ("flag = 1", "`flag`: expected true or false, found 1"),
            ("rate = [1.0]", "`rate`: expected one value"),
            ("single = -1", "`single`"),
            ("rat = 1.0", "did you mean `rate`?"),
            ("pair = [1]", "`pair`"),
        ] {
            let message = message(file);
            assert!(message.starts_with("f.toml: "), "{message}");
            assert!(message.contains(words), "{message}");
        }
    }
}
