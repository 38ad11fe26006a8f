//! What can go wrong: files that are missing or not what they should be.

use std::path::{Path, PathBuf};

/// An error of this crate; every message names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of the body is missing.
    #[error(
        "{dir}: found none of {wanted}; expected MakeHuman's data folder, which holds it \
         (https://github.com/makehumancommunity/makehuman, folder makehuman/data)"
    )]
    Missing {
        /// The folder given.
        dir: PathBuf,
        /// The places looked at.
        wanted: String,
    },
    /// A line of a text file is not what its format says.
    #[error("{path}:{line}: expected {expected}, found `{found}`")]
    Text {
        /// The file.
        path: PathBuf,
        /// Line number from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A file is well formed but its content does not fit the rest.
    #[error("{path}: {what}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What does not fit, and what to do.
        what: String,
    },
    /// A picture could not be encoded.
    #[error("{path}: cannot encode the picture: {source}")]
    Picture {
        /// The file.
        path: PathBuf,
        /// The encoder's reason.
        source: image::ImageError,
    },
    /// The annotations could not be written.
    #[error(transparent)]
    Dataset(#[from] dataset::DatasetError),
    /// An animation could not be encoded.
    #[error("{path}: cannot encode the animation: {source}")]
    Animation {
        /// The file.
        path: PathBuf,
        /// The encoder's reason.
        source: gif::EncodingError,
    },
    /// Options that do not go together.
    #[error("{0}")]
    Options(&'static str),
}

impl SynthError {
    pub(crate) fn text(path: &Path, line: usize, expected: &'static str, found: &str) -> Self {
        SynthError::Text {
            path: path.into(),
            line,
            expected,
            found: found.chars().take(60).collect(),
        }
    }

    pub(crate) fn content(path: &Path, what: impl Into<String>) -> Self {
        SynthError::Content {
            path: path.into(),
            what: what.into(),
        }
    }
}

pub(crate) fn read_text(path: &Path) -> Result<String, SynthError> {
    std::fs::read_to_string(path).map_err(|source| SynthError::Io {
        path: path.into(),
        source,
    })
}
