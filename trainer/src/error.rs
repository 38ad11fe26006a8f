//! What can go wrong while training.

use std::path::PathBuf;
use thiserror::Error;

/// Errors of this library. Each message says what was found where, and what to do.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A photo that cannot be read or decoded.
    #[error("photo {}: {source}; replace or remove it", path.display())]
    Photo {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: image::ImageError,
    },
    /// A photo that cannot be cropped.
    #[error("photo {}: {source}", path.display())]
    Warp {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pose::WarpError,
    },
    /// A data set that cannot be read.
    #[error(transparent)]
    Dataset(#[from] dataset::DatasetError),
    /// A data specification that says nothing understandable.
    #[error("data set `{spec}`: {reason}")]
    DataSpec {
        /// What was given.
        spec: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No person to train or validate on.
    #[error("{what}: no person with labelled keypoints in {sources}; check the paths and splits")]
    NoPeople {
        /// Training or validation.
        what: &'static str,
        /// The data sets that were read.
        sources: String,
    },
    /// A file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A checkpoint that does not hold what it should.
    #[error("checkpoint {}: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting outside its range.
    #[error("{0}")]
    Setting(String),
    /// The loss or its gradient is not a number any more.
    #[error(
        "the loss or its gradient is {loss} in step {step} (samples {samples}); lower --learning-rate or look at these photos"
    )]
    Diverged {
        /// The loss.
        loss: f32,
        /// Optimizer steps so far.
        step: u64,
        /// The people in the batch.
        samples: String,
    },
    /// A model that cannot be run or measured.
    #[error(transparent)]
    Runtime(#[from] edge_runtime::RuntimeError),
    /// An ONNX file that cannot be made or read.
    #[error(transparent)]
    Onnx(#[from] onnx_graph::OnnxError),
    /// The exported file does not give what the network gives.
    #[error("{}: {reason}", path.display())]
    Export {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// A backend that this program was built without.
    #[error(
        "device `{name}` is not in this build; it has: {available} (cargo features name the others)"
    )]
    Device {
        /// What was asked for.
        name: String,
        /// What there is.
        available: String,
    },
}
