//! `edge-runtime run --config FILE`: options from a TOML file, behind those of the command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, Command};
use edge_runtime::RuntimeError;

/// The command that takes a file.
const COMMAND: &str = "run";
/// The key of what has no option's name on the command line, and clap's name for it.
const INPUTS: (&str, &str) = ("inputs", "photos");

/// The command line with the options of the file that it names: each key of the file as the option
/// of this name, unless the command line has it or one that it conflicts with.
///
/// # Errors
/// A file that cannot be read, is no TOML, or has a key that is no option.
pub fn with_file(command: &Command, line: Vec<OsString>) -> Result<Vec<OsString>, RuntimeError> {
    // Only a look: what is wrong is said when the whole line is read.
    let lenient = command.clone().ignore_errors(true);
    let Ok(matches) = lenient.try_get_matches_from(&line) else {
        return Ok(line);
    };
    let Some((COMMAND, given)) = matches.subcommand() else {
        return Ok(line);
    };
    let Some(path) = given.try_get_one::<PathBuf>("config").ok().flatten() else {
        return Ok(line);
    };
    let Some(run) = command.find_subcommand(COMMAND) else {
        return Ok(line);
    };
    let is_given = |arg: &Arg| {
        let id = arg.get_id().as_str();
        let known = given.ids().any(|other| other.as_str() == id);
        known && given.value_source(id) == Some(ValueSource::CommandLine)
    };
    let mut options = Vec::new();
    let mut inputs = Vec::new();
    for (key, value) in read(path)? {
        let name = key.replace('_', "-");
        let is_it = |arg: &&Arg| {
            if name == INPUTS.0 {
                arg.get_id().as_str() == INPUTS.1
            } else {
                arg.get_long() == Some(&name) && name != "config" && name != "help"
            }
        };
        let Some(arg) = run.get_arguments().find(is_it) else {
            return Err(wrong(
                path,
                &format!("`{key}` is no option of `edge-runtime run`"),
            ));
        };
        // Conflicts are stated on one side only.
        let excludes = |a: &Arg, b: &Arg| run.get_arg_conflicts_with(a).contains(&b);
        let conflicts = |other: &Arg| excludes(arg, other) || excludes(other, arg);
        let mut all = run.get_arguments();
        if is_given(arg) || all.any(|other| is_given(other) && conflicts(other)) {
            continue;
        }
        let values = words(&value).ok_or_else(|| {
            wrong(
                path,
                &format!("`{key}`: expected a text, a number, true, false or a list of such"),
            )
        })?;
        for value in values {
            match value {
                _ if name == INPUTS.0 => inputs.extend(value),
                Some(value) => options.push(format!("--{name}={value}")),
                None => options.push(format!("--{name}")),
            }
        }
    }
    let at = line
        .iter()
        .position(|word| word == COMMAND)
        .map_or(line.len(), |at| at + 1);
    let (before, after) = line.split_at(at);
    let added = options.into_iter().chain(inputs).map(OsString::from);
    Ok(before
        .iter()
        .cloned()
        .chain(added)
        .chain(after.iter().cloned())
        .collect())
}

fn read(path: &Path) -> Result<toml::Table, RuntimeError> {
    let text = std::fs::read_to_string(path).map_err(|source| RuntimeError::Read {
        path: path.into(),
        source,
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map(|span| 1 + text[..span.start].matches('\n').count());
        let place = line
            .map(|line| format!("line {line}: "))
            .unwrap_or_default();
        wrong(path, &format!("{place}{}", error.message()))
    })
}

fn wrong(path: &Path, reason: &str) -> RuntimeError {
    RuntimeError::Usage(format!("{}: {reason}", path.display()))
}

/// The values of a key as words on the command line; a switch that is on is one without a value.
fn words(value: &toml::Value) -> Option<Vec<Option<String>>> {
    Some(match value {
        toml::Value::Boolean(true) => vec![None],
        toml::Value::Boolean(false) => Vec::new(),
        toml::Value::Array(list) => {
            let inside = list.iter().map(|value| match value {
                toml::Value::Array(_) | toml::Value::Boolean(_) => None,
                value => words(value),
            });
            inside.collect::<Option<Vec<_>>>()?.concat()
        }
        toml::Value::String(text) => vec![Some(text.clone())],
        toml::Value::Integer(number) => vec![Some(number.to_string())],
        toml::Value::Float(number) => vec![Some(number.to_string())],
        toml::Value::Datetime(_) | toml::Value::Table(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn line_with(file: &str, words: &[&str]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, file).unwrap();
        let mut line: Vec<OsString> = vec!["edge-runtime".into(), "run".into()];
        line.extend(words.iter().map(OsString::from));
        line.extend(["--config".into(), path.clone().into_os_string()]);
        let line = with_file(&super::super::Cli::command(), line).map_err(|e| e.to_string())?;
        let end = line.len() - 2;
        let words = line[2..end]
            .iter()
            .map(|word| word.to_str().unwrap().to_owned());
        Ok(words.collect())
    }

    #[test]
    fn keys_become_options_unless_the_command_line_has_them() {
        let file = "
            inputs = ['clip.gif']
            window = true
            repeat = false
            max_fps = 12.5
            every = 2
            out = ['a.avi', 'b.gif']
            udp = '127.0.0.1:9'
        ";
        assert_eq!(
            line_with(file, &[]).unwrap(),
            [
                "--every=2",
                "--max-fps=12.5",
                "--out=a.avi",
                "--out=b.gif",
                "--udp=127.0.0.1:9",
                "--window",
                "clip.gif"
            ]
        );
        // A window and none exclude each other.
        let line = line_with(
            file,
            &["other.gif", "--headless", "--every", "3", "-o", "c.avi"],
        );
        let expected = ["--max-fps=12.5", "--udp=127.0.0.1:9", "other.gif"];
        assert_eq!(line.unwrap()[..3], expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let error = line_with("windw = true", &[]).unwrap_err();
        assert!(
            error.contains("run.toml") && error.contains("`windw`"),
            "{error}"
        );
        let error = line_with("window = true\nout = [", &[]).unwrap_err();
        assert!(error.contains("line 2"), "{error}");
        let error = line_with("size = { width = 4 }", &[]).unwrap_err();
        assert!(error.contains("`size`: expected"), "{error}");
    }
}
