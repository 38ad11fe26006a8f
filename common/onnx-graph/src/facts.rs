//! What a model is made of: inputs, outputs, parameters, multiplications, operators.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use crate::model::Model;
use crate::proto::{GraphProto, NodeProto, TensorProto, ValueInfoProto};
use crate::shapes::{Shapes, infer_shapes, right_index, weight_index};
use crate::value::Dimension;

/// Figures about a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GraphFacts {
    /// Version of the file format.
    pub ir_version: i64,
    /// Version of the standard operator set.
    pub opset: i64,
    /// Program that wrote the file.
    pub producer: String,
    /// What goes in (without the constants that old files list here too).
    pub inputs: Vec<ValueFacts>,
    /// What comes out.
    pub outputs: Vec<ValueFacts>,
    /// Weights, biases, and the scales and shifts of normalizations; not the running statistics of
    /// normalizations, not quantization scales, not constants of the arithmetic.
    pub parameters: u64,
    /// Multiply-adds of convolutions and matrix products for one picture.
    pub macs: u64,
    /// Nodes whose multiply-adds are missing from `macs` because a shape is not known.
    pub nodes_without_shape: Vec<String>,
    /// Number of nodes.
    pub nodes: usize,
    /// How often each operator occurs.
    pub operators: BTreeMap<String, usize>,
}

/// An input or output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueFacts {
    /// Its name.
    pub name: String,
    /// Its element type, for example `float32`; `?` when the file does not say.
    pub dtype: String,
    /// Its shape; empty when the file does not say.
    pub shape: Vec<Dimension>,
}

/// Figures about one node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeFacts {
    /// Its name, or where that is empty its operator and first output.
    pub name: String,
    /// Its operator, for example `Conv`.
    pub operator: String,
    /// Names of the values that it reads; empty where an optional one is left out.
    pub inputs: Vec<String>,
    /// Names of the values that it writes.
    pub outputs: Vec<String>,
    /// Shape of the first value that it writes, with 1 for symbolic dimensions; empty when it is
    /// not known.
    pub shape: Vec<usize>,
    /// Shape of its weights, for operators that have some.
    pub weight_shape: Vec<usize>,
    /// Weights and biases that it reads, counted as in [`GraphFacts::parameters`]. What several
    /// nodes read counts at each.
    pub parameters: u64,
    /// Multiply-adds for one picture; none when a shape is not known.
    pub macs: Option<u64>,
}

impl NodeFacts {
    /// Collects the figures of every node, in the order of the file.
    pub fn of(model: &Model) -> Vec<NodeFacts> {
        let graph = model.graph();
        let shapes = infer_shapes(graph, |_, _, _| 1);
        let constants = Constants::of(graph);
        let facts = |node: &NodeProto| {
            let weight = parameter_roles(&node.op_type).first();
            let weight = weight.and_then(|&index| shapes.get(node.input_at(index)?));
            NodeFacts {
                name: node.label(),
                operator: node.op_type.clone(),
                inputs: node.input.clone(),
                outputs: node.output.clone(),
                shape: node
                    .output
                    .first()
                    .and_then(|name| shapes.get(name))
                    .unwrap_or_default()
                    .to_vec(),
                weight_shape: weight.unwrap_or_default().to_vec(),
                parameters: constants.parameters(node).map(|(_, count)| count).sum(),
                macs: multiply_adds(node, &shapes),
            }
        };
        graph.node.iter().map(facts).collect()
    }
}

impl GraphFacts {
    /// Collects the figures. Symbolic dimensions count as 1.
    pub fn of(model: &Model) -> GraphFacts {
        let graph = model.graph();
        let shapes = infer_shapes(graph, |_, _, _| 1);
        let constants: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
        let mut operators = BTreeMap::new();
        let (mut macs, mut nodes_without_shape) = (0u64, Vec::new());
        for node in &graph.node {
            *operators.entry(node.op_type.clone()).or_insert(0) += 1;
            match multiply_adds(node, &shapes) {
                Some(count) => macs = macs.saturating_add(count),
                None => nodes_without_shape.push(node.label()),
            }
        }
        GraphFacts {
            ir_version: model.proto().ir_version,
            opset: model.opset(),
            producer: format!(
                "{} {}",
                model.proto().producer_name,
                model.proto().producer_version
            )
            .trim()
            .into(),
            inputs: graph
                .input
                .iter()
                .filter(|v| !constants.contains(v.name.as_str()))
                .map(ValueFacts::of)
                .collect(),
            outputs: graph.output.iter().map(ValueFacts::of).collect(),
            parameters: count_parameters(graph),
            macs,
            nodes_without_shape,
            nodes: graph.node.len(),
            operators,
        }
    }
}

impl ValueFacts {
    fn of(value: &ValueInfoProto) -> ValueFacts {
        ValueFacts {
            name: value.name.clone(),
            dtype: value.data_type().map_or("?", |t| t.name()).into(),
            shape: value.dimensions().unwrap_or_default(),
        }
    }
}

/// Multiply-adds of one node; 0 for operators that are neither a convolution nor a matrix product,
/// none when a shape is missing.
fn multiply_adds(node: &NodeProto, shapes: &Shapes) -> Option<u64> {
    let shape = |index: usize| shapes.get(node.input_at(index)?);
    let elements = |shape: &[usize]| {
        shape
            .iter()
            .try_fold(1u64, |n, &d| n.checked_mul(u64::try_from(d).ok()?))
    };
    let output = || elements(shapes.get(node.output.first()?)?);
    match node.op_type.as_str() {
        // Every output element is a sum over one filter.
        "Conv" | "ConvInteger" | "QLinearConv" => {
            output()?.checked_mul(elements(shape(weight_index(node))?.get(1..)?)?)
        }
        // Every input element is spread by one filter.
        "ConvTranspose" => elements(shape(0)?)?.checked_mul(elements(shape(1)?.get(1..)?)?),
        "Gemm" => {
            let inner = usize::from(node.int("transA") != Some(1));
            output()?.checked_mul(*shape(0)?.get(inner)? as u64)
        }
        "MatMul" | "MatMulInteger" | "QLinearMatMul" => {
            let inner = *shape(right_index(node))?.iter().rev().nth(1)?;
            output()?.checked_mul(inner as u64)
        }
        _ => Some(0),
    }
}

/// Elements of the constants that nodes take as weights, biases, scales or shifts, each once.
fn count_parameters(graph: &GraphProto) -> u64 {
    let constants = Constants::of(graph);
    let nodes = graph.node.iter();
    let counted: HashMap<&str, u64> = nodes.flat_map(|node| constants.parameters(node)).collect();
    counted.values().sum()
}

/// Which inputs of an operator are weights, biases, scales or shifts.
fn parameter_roles(operator: &str) -> &'static [usize] {
    match operator {
        "Conv"
        | "ConvTranspose"
        | "Gemm"
        | "BatchNormalization"
        | "InstanceNormalization"
        | "LayerNormalization" => &[1, 2],
        "ConvInteger" | "MatMul" | "MatMulInteger" | "PRelu" => &[1],
        "QLinearConv" => &[3, 8],
        "QLinearMatMul" => &[3],
        _ => &[],
    }
}

/// The constants of a graph and their sizes.
struct Constants<'a> {
    sizes: HashMap<&'a str, u64>,
    makers: HashMap<&'a str, &'a NodeProto>,
}

impl<'a> Constants<'a> {
    fn of(graph: &'a GraphProto) -> Self {
        let mut sizes: HashMap<&str, u64> = HashMap::new();
        let mut size = |name, tensor: &TensorProto| {
            if let Ok(count) = tensor.element_count() {
                sizes.insert(name, count as u64);
            }
        };
        for tensor in &graph.initializer {
            size(tensor.name.as_str(), tensor);
        }
        let mut makers: HashMap<&str, &NodeProto> = HashMap::new();
        for node in &graph.node {
            for output in &node.output {
                makers.insert(output, node);
            }
            if let (Some(tensor), Some(output)) = (node.tensor("value"), node.output.first()) {
                size(output.as_str(), tensor);
            }
        }
        Self { sizes, makers }
    }

    /// Name and number of elements of every constant that a node takes as a parameter.
    fn parameters(&self, node: &'a NodeProto) -> impl Iterator<Item = (&'a str, u64)> {
        let roles = parameter_roles(&node.op_type).iter();
        roles.filter_map(|&index| {
            let name = constant_behind(node.input_at(index)?, &self.makers, &self.sizes)?;
            Some((name, *self.sizes.get(name)?))
        })
    }
}

/// Follows a value back through operators that only restore or move it, up to a constant.
fn constant_behind<'a>(
    mut name: &'a str,
    makers: &HashMap<&'a str, &'a NodeProto>,
    sizes: &HashMap<&'a str, u64>,
) -> Option<&'a str> {
    // Nodes stand in order, so the walk ends; the bound is for graphs that lie.
    for _ in 0..16 {
        if sizes.contains_key(name) {
            return Some(name);
        }
        let node = makers.get(name)?;
        match node.op_type.as_str() {
            "DequantizeLinear" | "QuantizeLinear" | "Identity" | "Cast" | "Reshape"
            | "Transpose" | "Squeeze" | "Unsqueeze" => name = node.input_at(0)?,
            _ => return None,
        }
    }
    None
}
