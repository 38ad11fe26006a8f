//! A whole model: reading, writing, metadata, content hash.

use std::fs;
use std::path::Path;

use prost::Message;
use sha2::{Digest, Sha256};

use crate::atomic_file::write_atomically;
use crate::error::OnnxError;
use crate::order::check_order;
use crate::proto::{GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto};

/// Protobuf's own limit; an ONNX file beyond it must keep its tensors in other files.
const MAX_FILE_BYTES: u64 = i32::MAX as u64;

/// An ONNX model whose graph is there and in order.
///
/// ```
/// use onnx_graph::{DataType, GraphBuilder, Model};
///
/// let mut graph = GraphBuilder::new("twice");
/// graph.input("x", DataType::Float, &["batch".into(), 4.into()]);
/// graph.node("Add", &["x", "x"], &["y"], vec![]);
/// graph.output("y", DataType::Float, &["batch".into(), 4.into()]);
/// let model = graph.finish().unwrap();
/// assert_eq!(Model::from_bytes(&model.to_bytes()).unwrap(), model);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    proto: ModelProto,
}

impl Model {
    /// Wraps a message after checking that it has a graph whose nodes stand in order.
    ///
    /// # Errors
    /// A missing graph or one that breaks ONNX's rules, see [`check_order`].
    pub fn from_proto(proto: ModelProto) -> Result<Model, OnnxError> {
        let graph = proto
            .graph
            .as_ref()
            .ok_or_else(|| OnnxError::NotOnnx("there is no graph in it".into()))?;
        if graph.node.is_empty() && graph.output.is_empty() {
            return Err(OnnxError::NotOnnx("its graph is empty".into()));
        }
        check_order(graph)?;
        Ok(Model { proto })
    }

    /// Reads a model from the bytes of an ONNX file.
    ///
    /// # Errors
    /// Bytes that are no ONNX model, or one that breaks ONNX's rules.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model, OnnxError> {
        if bytes.is_empty() {
            return Err(OnnxError::NotOnnx("the file is empty".into()));
        }
        let proto = ModelProto::decode(bytes).map_err(|e| OnnxError::NotOnnx(e.to_string()))?;
        Model::from_proto(proto)
    }

    /// Reads an ONNX file.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes), and a file that cannot be read; each names the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Model, OnnxError> {
        let path = path.as_ref();
        Model::from_bytes(&read_model_file(path)?).map_err(|e| e.in_file(path))
    }

    /// The bytes of the ONNX file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.proto.encode_to_vec()
    }

    /// Writes an ONNX file; readers see the old file or the new one, never half of it.
    ///
    /// # Errors
    /// What the operating system says, with the path.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), OnnxError> {
        let path = path.as_ref();
        write_atomically(path, &self.to_bytes()).map_err(|source| OnnxError::Write {
            path: path.into(),
            source,
        })
    }

    /// The message.
    pub fn proto(&self) -> &ModelProto {
        &self.proto
    }

    /// The message, to be taken apart; [`from_proto`](Self::from_proto) is the way back.
    pub fn into_proto(self) -> ModelProto {
        self.proto
    }

    /// The graph.
    pub fn graph(&self) -> &GraphProto {
        static EMPTY: GraphProto = empty_graph();
        // `from_proto` let only messages with a graph in, and nothing takes it away again.
        self.proto.graph.as_ref().unwrap_or(&EMPTY)
    }

    /// Version of the standard operator set, 0 when the file imports none.
    pub fn opset(&self) -> i64 {
        self.proto
            .opset_import
            .iter()
            .filter(|set| set.domain.is_empty() || set.domain == "ai.onnx")
            .map(|set| set.version)
            .max()
            .unwrap_or(0)
    }

    /// The text stored under `key`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let entry = self.proto.metadata_props.iter().find(|e| e.key == key)?;
        Some(&entry.value)
    }

    /// Stores a text under `key` in place of the one that was there.
    pub fn set_metadata(&mut self, key: &str, value: impl Into<String>) {
        self.proto.metadata_props.retain(|e| e.key != key);
        self.proto.metadata_props.push(StringStringEntryProto {
            key: key.into(),
            value: value.into(),
        });
    }

    /// SHA-256, as 64 hexadecimal digits, over what the network computes: operator sets, nodes,
    /// constants, inputs and outputs; not over metadata, free texts or the writer's name. Two files
    /// with the same hash give the same results.
    pub fn content_hash(&self) -> String {
        let graph = self.graph();
        let mut hash = Sha256::new();
        let mut add = |bytes: Vec<u8>| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for set in &self.proto.opset_import {
            add(set.encode_to_vec());
        }
        for node in &graph.node {
            let bare = NodeProto {
                doc_string: String::new(),
                metadata_props: Vec::new(),
                ..node.clone()
            };
            add(bare.encode_to_vec());
        }
        for tensor in &graph.initializer {
            let bare = TensorProto {
                doc_string: String::new(),
                metadata_props: Vec::new(),
                ..tensor.clone()
            };
            add(bare.encode_to_vec());
        }
        for value in graph.input.iter().chain(&graph.output) {
            add(value.encode_to_vec());
        }
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// Reads the bytes of a model file with errors that name it.
///
/// # Errors
/// A missing file, a folder, or more than the 2 GiB that an ONNX file can have.
pub fn read_model_file(path: &Path) -> Result<Vec<u8>, OnnxError> {
    let read_error = |source| OnnxError::Read {
        path: path.into(),
        source,
    };
    let size = fs::metadata(path).map_err(read_error)?.len();
    if size > MAX_FILE_BYTES {
        let reason = format!("{size} bytes; an ONNX file has at most {MAX_FILE_BYTES}");
        return Err(OnnxError::NotOnnx(reason).in_file(path));
    }
    fs::read(path).map_err(read_error)
}

const fn empty_graph() -> GraphProto {
    GraphProto {
        node: Vec::new(),
        name: String::new(),
        initializer: Vec::new(),
        doc_string: String::new(),
        input: Vec::new(),
        output: Vec::new(),
        value_info: Vec::new(),
        quantization_annotation: Vec::new(),
        sparse_initializer: Vec::new(),
        metadata_props: Vec::new(),
    }
}
