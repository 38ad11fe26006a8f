//! Configuration files in TOML, YAML or JSON: everything that the command line can say.
//!
//! A key is the long name of an option (`learning-rate`, or with underscores); lists are options
//! that may be given several times. Keys at the top and in the table `train` are those of
//! `trainer train`; the tables `test`, `inference` and `server` belong to the other values of
//! `mode`. The options themselves are clap's, so that nothing has to be said twice: a value in a
//! file is read by the same parser, with the same default, as on the command line.

mod effect;
mod file;
mod layer;

use std::path::PathBuf;

use clap::{ArgMatches, Args, ValueEnum};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use effect::{Setting, in_effect, print_config};
pub use file::ConfigFile;
pub use layer::{LayerError, layer, parse_given, parse_some, with_switch_values, without_off};

/// What a configuration file is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Train.
    #[default]
    Train,
    /// Measure the trained network on annotated people.
    Test,
    /// Find poses in photos with the trained network.
    Inference,
    /// Serve the trained network over HTTP.
    Server,
}

impl Mode {
    /// The name in files and of the table that holds this mode's options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
            Self::Inference => "inference",
            Self::Server => "server",
        }
    }
}

/// Form of a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConfigFormat {
    /// TOML 1.0.
    Toml,
    /// YAML 1.2.
    Yaml,
    /// JSON.
    Json,
}

/// The options of every command that reads configuration files.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigOptions {
    /// Take options from a file (.toml, .yaml or .json): keys are the long names of options.
    /// The command line goes before the file; `--mobile=false` turns a switch off that the file
    /// turns on.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the options in effect as a configuration file (toml, yaml or json) and end.
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, default_missing_value = "toml")]
    pub print_config: Option<ConfigFormat>,
}

impl ConfigOptions {
    /// The options among parsed arguments.
    pub fn of(matches: &ArgMatches) -> Self {
        Self {
            config: matches.get_one("config").cloned(),
            print_config: matches.get_one("print_config").copied(),
        }
    }
}

/// A configuration file that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its name says no known format.
    #[error("{}: a configuration file's name ends in .toml, .yaml, .yml or .json", path.display())]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// It is not TOML, YAML or JSON.
    #[error("{}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// A key that is no option.
    #[error("{}: unknown key `{key}`{}", path.display(), hint(nearest))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
    /// A value that the option does not take.
    #[error("{}: `{key}`: {reason}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

fn hint(nearest: &Option<String>) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => String::new(),
    }
}

/// The candidate that looks most like `word`, if one is near enough to be a slip.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let alike = |candidate: &&str| strsim::jaro_winkler(word, candidate);
    candidates
        .max_by(|a, b| alike(a).total_cmp(&alike(b)))
        .filter(|candidate| alike(candidate) > 0.7)
        .map(str::to_owned)
}
