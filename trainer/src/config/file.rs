//! Reading a configuration file into keys and values.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{ConfigError, ConfigFormat, Mode, nearest};

/// Keys and values of a file, table by table.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// What it is for.
    pub mode: Mode,
    /// `(table, key, value)`; keys are in kebab-case.
    entries: Vec<(Mode, String, Value)>,
}

impl ConfigFile {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read, has another ending than `.toml`, `.yaml`, `.yml` or `.json`, is
    /// not well-formed, or has a mode or table that there is not.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let format = match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("toml") => ConfigFormat::Toml,
            Some("yaml" | "yml") => ConfigFormat::Yaml,
            Some("json") => ConfigFormat::Json,
            _ => return Err(ConfigError::Ending { path: path.into() }),
        };
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.into(),
            source,
        })?;
        Self::parse(path, &text, format)
    }

    /// Reads a text, which errors call `path`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(path: &Path, text: &str, format: ConfigFormat) -> Result<Self, ConfigError> {
        let syntax = |reason: String| ConfigError::Syntax {
            path: path.into(),
            reason: reason.trim_end().to_owned(),
        };
        let root: Value = match format {
            ConfigFormat::Toml => toml::from_str(text).map_err(|e| syntax(e.to_string()))?,
            ConfigFormat::Yaml => yaml_serde::from_str(text).map_err(|e| syntax(e.to_string()))?,
            ConfigFormat::Json => serde_json::from_str(text).map_err(|e| syntax(e.to_string()))?,
        };
        let root = match root {
            Value::Object(root) => root,
            Value::Null => Map::new(),
            _ => return Err(syntax("expected keys with values at the top".into())),
        };
        let mut file = Self {
            path: path.into(),
            mode: Mode::default(),
            entries: Vec::new(),
        };
        for (key, value) in root {
            file.top(key, value)?;
        }
        Ok(file)
    }

    /// The keys of one mode's table with their values.
    pub fn table(&self, mode: Mode) -> impl Iterator<Item = (&str, &Value)> {
        let entries = self.entries.iter();
        entries.filter_map(move |(table, key, value)| {
            (*table == mode).then_some((key.as_str(), value))
        })
    }

    /// Sets a key that the file does not have.
    pub fn set_default(&mut self, mode: Mode, key: &str, value: Value) {
        if self.table(mode).all(|(other, _)| other != key) {
            self.entries.push((mode, key.to_owned(), value));
        }
    }

    /// A key as users write it, with its table.
    pub fn full_key(mode: Mode, key: &str) -> String {
        match mode {
            Mode::Train => key.to_owned(),
            mode => format!("{}.{key}", mode.name()),
        }
    }

    fn top(&mut self, key: String, value: Value) -> Result<(), ConfigError> {
        let wrong = |reason: String| ConfigError::Value {
            path: self.path.clone(),
            key: key.clone(),
            reason,
        };
        if key == "mode" {
            self.mode = serde_json::from_value(value.clone()).map_err(|_| {
                wrong(format!(
                    "{value} is no mode; expected train, test, inference or server"
                ))
            })?;
            return Ok(());
        }
        let mode = [Mode::Train, Mode::Test, Mode::Inference, Mode::Server]
            .into_iter()
            .find(|mode| mode.name() == key);
        match (mode, value) {
            (Some(mode), Value::Object(table)) => {
                for (key, value) in table {
                    self.entry(mode, &key, value)?;
                }
                Ok(())
            }
            (Some(_), _) => Err(wrong("expected a table of options".into())),
            (None, Value::Object(_)) => {
                let tables = ["train", "test", "inference", "server"];
                Err(ConfigError::UnknownKey {
                    nearest: nearest(&key, tables.into_iter()),
                    path: self.path.clone(),
                    key,
                })
            }
            (None, value) => self.entry(Mode::Train, &key, value),
        }
    }

    fn entry(&mut self, mode: Mode, key: &str, value: Value) -> Result<(), ConfigError> {
        let name = key.replace('_', "-");
        if self.table(mode).any(|(other, _)| other == name) {
            return Err(ConfigError::Value {
                path: self.path.clone(),
                key: Self::full_key(mode, key),
                reason: "stands twice in the file".into(),
            });
        }
        self.entries.push((mode, name, value));
        Ok(())
    }
}
