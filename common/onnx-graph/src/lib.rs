//! Reads, edits and writes ONNX files, and the model card inside them.
//!
//! - [`Model`]: a whole file: load, save, metadata, content hash.
//! - [`GraphBuilder`]: writes a graph node by node.
//! - [`ModelCard`]: what a keypoint-heatmap model is and how to use it, stored in the file.
//! - [`ModelProto`], [`GraphProto`], [`NodeProto`], [`TensorProto`] and the rest: the messages
//!   themselves, with constructors and accessors for attributes, tensors and values.
//! - [`AtomicFile`], [`write_atomically`]: files that nobody ever sees half of.
//! - [`check_order`], [`sort_nodes`]: ONNX's rule of topological order.
//! - [`infer_shapes`], [`GraphFacts`], [`NodeFacts`]: the shape of every value; parameters, multiplications and
//!   operators of a model.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod atomic_file;
mod attribute;
mod builder;
mod card;
mod data_type;
mod error;
mod facts;
mod model;
mod order;
mod proto;
mod shapes;
mod tensor;
mod value;

pub use atomic_file::{AtomicFile, write_atomically};
pub use builder::GraphBuilder;
pub use card::{
    Architecture, CARD_KEY, CARD_VERSION, CardAxis, CardBone, CardDecoding, CardFlipPair,
    CardInput, CardMetric, CardOutput, CardQuantization, CardTraining, ColorOrder, InputType,
    ModelCard, TensorLayout,
};
pub use data_type::DataType;
pub use error::OnnxError;
pub use facts::{GraphFacts, NodeFacts, ValueFacts};
pub use model::{Model, read_model_file};
pub use order::{check_order, sort_nodes};
pub use proto::{
    AttributeProto, AttributeType, DimensionProto, DimensionValue, ElementTypeProto, FunctionProto,
    GraphProto, MapTypeProto, ModelProto, NodeProto, OperatorSetIdProto, SparseTensorProto,
    StringStringEntryProto, TensorAnnotation, TensorProto, TensorSegment, TensorShapeProto,
    TensorTypeProto, TypeProto, TypeValue, ValueInfoProto,
};
pub use shapes::{Shapes, infer_shapes};
pub use value::Dimension;
