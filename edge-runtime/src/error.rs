//! What can go wrong between a photo and a pose.

use std::path::PathBuf;

use onnx_graph::OnnxError;
use pose::{HeatmapError, KeypointSetError, WarpError};

/// An input that cannot be used, an output that cannot be written, or a model that cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The model file cannot be read or is broken.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The file is an ONNX model, but not one whose outputs are keypoint heatmaps.
    #[error("{model} is no keypoint-heatmap model: {reason}")]
    NotHeatmapModel {
        /// File or name of the model.
        model: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// The model has no card, and nobody said what the card would.
    #[error("{model} has no model card that says {what}; {advice}")]
    MissingFact {
        /// File or name of the model.
        model: String,
        /// The missing fact.
        what: String,
        /// How to state it.
        advice: String,
    },
    /// The inference engine cannot load or run the model.
    #[error("{model}: the inference engine failed while {stage}: {cause}")]
    Engine {
        /// File or name of the model.
        model: String,
        /// What it was doing.
        stage: &'static str,
        /// What it said.
        cause: String,
    },
    /// A photo cannot be decoded or is too large.
    #[error("{path}: {reason}", path = path.display())]
    Photo {
        /// The photo.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A folder holds no photos.
    #[error("no photo in the folder {path}; looked for files ending in {endings}", path = path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// The endings that count.
        endings: String,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A file or folder cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A video, stream or camera that gives no frames, or no more.
    #[error("{name}: {reason}")]
    Source {
        /// The file, address or camera.
        name: String,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// An address that cannot be listened at.
    #[error("cannot listen at {address}: {source}")]
    Serve {
        /// The address.
        address: std::net::SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A classes, match-point or skeleton file is wrong.
    #[error(transparent)]
    Keypoints(#[from] KeypointSetError),
    /// A choice that makes no sense; the caller's fault rather than a file's.
    #[error("{0}")]
    Usage(String),
    /// A picture's bytes do not fit its size.
    #[error(transparent)]
    Warp(#[from] WarpError),
    /// Heatmaps of another size than stated.
    #[error(transparent)]
    Heatmaps(#[from] HeatmapError),
    /// An annotated data set cannot be read.
    #[error("{0}")]
    Dataset(String),
    /// There is no screen to open a window on, or this program was built without windows.
    #[error("cannot open a window: {0}")]
    Window(String),
    /// Something that results go to has failed.
    #[error("{sink}: {reason}")]
    Sink {
        /// The file, the address or the program.
        sink: String,
        /// What went wrong.
        reason: String,
    },
    /// A network that is evaluated failed.
    #[error("the network failed: {0}")]
    Predictor(String),
}

/// An error with its causes in one line, for people. Some errors repeat their cause in their own
/// words; it is said once.
pub fn error_line(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| cause.source()) {
        let cause = cause.to_string();
        if !line.ends_with(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_said_once() {
        let address = ([127, 0, 0, 1], 80).into();
        let source = std::io::Error::other("taken");
        let error = anyhow::Error::from(RuntimeError::Serve { address, source });
        let error = error.context("server");
        let line = error_line(error.as_ref());
        assert_eq!(line, "server: cannot listen at 127.0.0.1:80: taken");
    }
}
