//! The options in effect, and how they are written down.

use std::any::TypeId;
use std::fmt::Write;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Number, Value};

use super::layer::{is_switch, options};
use super::{ConfigFormat, Mode};

/// An option with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Heading that the option stands under in the help.
    pub heading: Option<String>,
    /// Long name of the option.
    pub key: String,
    /// First sentence of its help.
    pub help: String,
    /// Its value, if it has one.
    pub value: Option<Value>,
}

/// Every option of `command` with its value in `matches`, in the help's order.
pub fn in_effect(command: &Command, matches: &ArgMatches) -> Vec<Setting> {
    options(command)
        .map(|option| Setting {
            heading: option.get_help_heading().map(str::to_owned),
            key: option.get_long().unwrap_or_default().to_owned(),
            help: first_sentence(option),
            value: value(option, matches),
        })
        .collect()
}

fn first_sentence(option: &Arg) -> String {
    let help = option.get_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    let end = help.find(". ").unwrap_or(help.len());
    help[..end].trim_end_matches('.').replace('\n', " ")
}

fn value(option: &Arg, matches: &ArgMatches) -> Option<Value> {
    let raw = matches.get_raw(option.get_id().as_str())?;
    let mut values = raw.map(|word| typed(option, &word.to_string_lossy()));
    if matches!(option.get_action(), ArgAction::Append) {
        return Some(Value::Array(values.collect()));
    }
    values.next()
}

/// The word as the type that the option has.
fn typed(option: &Arg, word: &str) -> Value {
    let kind = option.get_value_parser().type_id();
    let is = |types: &[TypeId]| types.iter().any(|id| kind == *id);
    let whole = [
        TypeId::of::<usize>(),
        TypeId::of::<u64>(),
        TypeId::of::<u32>(),
        TypeId::of::<u16>(),
        TypeId::of::<u8>(),
        TypeId::of::<i64>(),
        TypeId::of::<i32>(),
    ];
    let text = || Value::String(word.to_owned());
    if is_switch(option) {
        return word.parse().map_or_else(|_| text(), Value::Bool);
    }
    if is(&whole) {
        return word.parse::<i64>().map_or_else(|_| text(), Value::from);
    }
    if is(&[TypeId::of::<f32>(), TypeId::of::<f64>()]) {
        let number = word.parse().ok().and_then(Number::from_f64);
        return number.map_or_else(text, Value::Number);
    }
    text()
}

/// The options as a configuration file of a mode; those without a value are comments where the
/// format has them.
pub fn print_config(mode: Mode, settings: &[Setting], format: ConfigFormat) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match format {
        ConfigFormat::Json => json(&mut text, mode, settings),
        ConfigFormat::Toml => commented(&mut text, mode, settings, " = "),
        ConfigFormat::Yaml => commented(&mut text, mode, settings, ": "),
    };
    text
}

/// TOML and YAML both take JSON's texts, numbers and one-line lists.
fn commented(text: &mut String, mode: Mode, settings: &[Setting], is: &str) -> std::fmt::Result {
    writeln!(text, "mode{is}\"{}\"", mode.name())?;
    let mut heading = None;
    for setting in settings {
        if heading != setting.heading.as_ref() {
            heading = setting.heading.as_ref();
            writeln!(text, "\n### {}", heading.map_or("", String::as_str))?;
        }
        writeln!(text, "# {}", setting.help)?;
        match &setting.value {
            Some(value) => writeln!(text, "{}{is}{value}", setting.key)?,
            None => writeln!(text, "# {}{is}", setting.key)?,
        }
    }
    Ok(())
}

fn json(text: &mut String, mode: Mode, settings: &[Setting]) -> std::fmt::Result {
    write!(text, "{{\n  \"mode\": \"{}\"", mode.name())?;
    for setting in settings {
        if let Some(value) = &setting.value {
            write!(text, ",\n  \"{}\": {value}", setting.key)?;
        }
    }
    writeln!(text, "\n}}")
}
