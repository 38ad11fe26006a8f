//! Writing a graph node by node.

use crate::data_type::DataType;
use crate::error::OnnxError;
use crate::model::Model;
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    ValueInfoProto,
};
use crate::value::Dimension;

/// Operator set that the built graphs import: the oldest with per-channel quantization.
const OPSET: i64 = 13;
/// File format that goes with opset 13; every runtime of the last years reads it.
const IR_VERSION: i64 = 8;

/// Builds a [`Model`] in the order in which the network computes.
///
/// Values are named by the caller; [`finish`](Self::finish) finds names that nothing makes.
///
/// ```
/// use onnx_graph::{AttributeProto, DataType, GraphBuilder};
///
/// let mut graph = GraphBuilder::new("blur");
/// graph.input("image", DataType::Float, &[1.into(), 1.into(), 8.into(), 8.into()]);
/// graph.f32("weight", &[1, 1, 3, 3], &[1.0 / 9.0; 9]);
/// graph.node(
///     "Conv",
///     &["image", "weight"],
///     &["blurred"],
///     vec![AttributeProto::ints("pads", &[1, 1, 1, 1])],
/// );
/// graph.output("blurred", DataType::Float, &[1.into(), 1.into(), 8.into(), 8.into()]);
/// let model = graph.finish().unwrap();
/// assert_eq!(model.opset(), 13);
/// ```
#[derive(Clone, Debug)]
pub struct GraphBuilder {
    graph: GraphProto,
    opset: i64,
}

impl GraphBuilder {
    /// An empty graph called `name` that uses operator set 13.
    pub fn new(name: impl Into<String>) -> GraphBuilder {
        GraphBuilder {
            graph: GraphProto {
                name: name.into(),
                ..GraphProto::default()
            },
            opset: OPSET,
        }
    }

    /// Imports another version of the standard operator set.
    pub fn opset(&mut self, version: i64) -> &mut GraphBuilder {
        self.opset = version;
        self
    }

    /// Adds an input.
    pub fn input(&mut self, name: &str, data_type: DataType, shape: &[Dimension]) {
        let value = ValueInfoProto::tensor(name, data_type, shape);
        self.graph.input.push(value);
    }

    /// Adds an output that a node makes.
    pub fn output(&mut self, name: &str, data_type: DataType, shape: &[Dimension]) {
        let value = ValueInfoProto::tensor(name, data_type, shape);
        self.graph.output.push(value);
    }

    /// Adds a constant.
    pub fn initializer(&mut self, tensor: TensorProto) {
        self.graph.initializer.push(tensor);
    }

    /// Adds a float constant.
    pub fn f32(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        self.initializer(TensorProto::from_f32(name, dims, values));
    }

    /// Adds an int64 constant.
    pub fn i64(&mut self, name: &str, dims: &[usize], values: &[i64]) {
        self.initializer(TensorProto::from_i64(name, dims, values));
    }

    /// Adds an int32 constant.
    pub fn i32(&mut self, name: &str, dims: &[usize], values: &[i32]) {
        self.initializer(TensorProto::from_i32(name, dims, values));
    }

    /// Adds a uint8 constant.
    pub fn u8(&mut self, name: &str, dims: &[usize], values: &[u8]) {
        self.initializer(TensorProto::from_u8(name, dims, values));
    }

    /// Adds an int8 constant.
    pub fn i8(&mut self, name: &str, dims: &[usize], values: &[i8]) {
        self.initializer(TensorProto::from_i8(name, dims, values));
    }

    /// Adds an operator. The node is called after its first output; an empty input name leaves an
    /// optional input out.
    pub fn node(
        &mut self,
        op_type: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) {
        self.graph.node.push(NodeProto {
            name: outputs.first().copied().unwrap_or_default().into(),
            op_type: op_type.into(),
            input: inputs.iter().map(|&n| n.into()).collect(),
            output: outputs.iter().map(|&n| n.into()).collect(),
            attribute: attributes,
            ..NodeProto::default()
        });
    }

    /// The model.
    ///
    /// # Errors
    /// A value that nothing makes, or that is made twice; a constant whose numbers do not fit its
    /// shape.
    pub fn finish(self) -> Result<Model, OnnxError> {
        for tensor in &self.graph.initializer {
            let expected = tensor.element_count()? * tensor.element_type()?.size();
            if tensor.raw_data.len() != expected {
                return Err(OnnxError::Tensor {
                    name: tensor.name.clone(),
                    reason: format!(
                        "shape {:?} needs {expected} bytes, {} were given",
                        tensor.dims,
                        tensor.raw_data.len()
                    ),
                });
            }
        }
        Model::from_proto(ModelProto {
            ir_version: IR_VERSION,
            producer_name: "onnx-graph".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: self.opset,
            }],
            ..ModelProto::default()
        })
    }
}
