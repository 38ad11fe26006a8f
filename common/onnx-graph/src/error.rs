//! What can go wrong with an ONNX file.

use std::path::PathBuf;

/// An ONNX file, graph, tensor or model card is not as it must be.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// An error in the contents of a file.
    #[error("{path}: {source}", path = path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// The error.
        source: Box<OnnxError>,
    },
    /// The bytes are no ONNX model: another kind of file, or one that was cut off.
    #[error("not a whole ONNX model ({0}); expected a file that an ONNX exporter wrote")]
    NotOnnx(String),
    /// The graph breaks a rule of ONNX.
    #[error("invalid graph: {0}")]
    Graph(String),
    /// A constant's numbers do not fit its type or shape, or are not in the file.
    #[error("tensor `{name}`: {reason}")]
    Tensor {
        /// The constant.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model card cannot be read, or contradicts itself.
    #[error("model card: {0}")]
    Card(String),
}

impl OnnxError {
    /// The same error with the file that it was found in.
    pub fn in_file(self, path: impl Into<PathBuf>) -> OnnxError {
        OnnxError::InFile {
            path: path.into(),
            source: Box::new(self),
        }
    }
}
