//! The shape of every value of a graph.
//!
//! Shapes follow from the inputs' by the rules of each operator (ONNX operator specification).
//! Exporters compute some shapes inside the graph (`Shape` → `Gather` → `Concat` → `Reshape`), so
//! small constants are carried along and such chains are folded.

use std::collections::HashMap;

use crate::proto::{GraphProto, NodeProto, TensorProto};
use crate::value::Dimension;

mod arithmetic;
mod layout;
mod spatial;

pub(crate) use arithmetic::right_index;
pub(crate) use spatial::weight_index;

/// What is known about the values of a graph.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    shapes: HashMap<String, Vec<usize>>,
    /// Values of small integer tensors, row-major.
    constants: HashMap<String, Vec<i64>>,
    /// Values of small float tensors: the scales of resizings.
    scales: HashMap<String, Vec<f32>>,
}

/// Longest integer constant that is carried along; shapes and pads are far below.
const MAX_CONSTANT: usize = 64;

impl Shapes {
    /// The shape of the value `name`, none when it could not be found.
    pub fn get(&self, name: &str) -> Option<&[usize]> {
        self.shapes.get(name).map(Vec::as_slice)
    }

    pub(crate) fn constant(&self, name: &str) -> Option<&[i64]> {
        self.constants.get(name).map(Vec::as_slice)
    }

    fn set(&mut self, name: &str, shape: Vec<usize>) {
        self.shapes.insert(name.into(), shape);
    }

    fn set_constant(&mut self, name: &str, values: Vec<i64>) {
        if values.len() <= MAX_CONSTANT {
            self.constants.insert(name.into(), values);
        }
    }

    fn set_tensor(&mut self, name: &str, tensor: &TensorProto) {
        if let Ok(shape) = tensor.shape() {
            if shape.iter().product::<usize>() <= MAX_CONSTANT {
                if let Ok(values) = tensor.to_i64() {
                    self.set_constant(name, values);
                } else if let Ok(scales) = tensor.to_f32() {
                    self.scales.insert(name.into(), scales);
                }
            }
            self.set(name, shape);
        }
    }
}

/// Finds the shapes of a graph's values, with `size_of` as the size of every symbolic dimension
/// (given the input's name and the dimension's index and symbol). Values behind operators that this
/// crate does not know have no shape unless the file states one.
///
/// ```
/// # use onnx_graph::{DataType, GraphBuilder, infer_shapes};
/// # let mut graph = GraphBuilder::new("twice");
/// # graph.input("x", DataType::Float, &["batch".into(), 4.into()]);
/// # graph.node("Add", &["x", "x"], &["y"], vec![]);
/// # graph.output("y", DataType::Float, &["batch".into(), 4.into()]);
/// # let model = graph.finish().unwrap();
/// let shapes = infer_shapes(model.graph(), |_, _, _| 1);
/// assert_eq!(shapes.get("y"), Some([1, 4].as_slice()));
/// ```
pub fn infer_shapes(graph: &GraphProto, size_of: impl Fn(&str, usize, &str) -> usize) -> Shapes {
    let mut shapes = Shapes::default();
    for input in &graph.input {
        if let Some(dimensions) = input.dimensions() {
            let size = |(axis, dimension): (usize, &Dimension)| match dimension {
                Dimension::Fixed(size) => *size,
                Dimension::Symbol(symbol) => size_of(&input.name, axis, symbol),
            };
            let shape = dimensions.iter().enumerate().map(size).collect();
            shapes.set(&input.name, shape);
        }
    }
    for tensor in &graph.initializer {
        shapes.set_tensor(&tensor.name, tensor);
    }
    for node in &graph.node {
        if infer_node(node, &mut shapes).is_none() {
            use_stated_shapes(graph, node, &mut shapes);
        }
    }
    shapes
}

/// Takes the shapes that the file itself states for a node's outputs, where they are fixed.
fn use_stated_shapes(graph: &GraphProto, node: &NodeProto, shapes: &mut Shapes) {
    for name in &node.output {
        let stated = graph
            .value_info
            .iter()
            .chain(&graph.output)
            .find(|v| v.name == *name)
            .and_then(|v| v.dimensions())
            .and_then(|d| d.iter().map(Dimension::fixed).collect::<Option<Vec<_>>>());
        if let Some(shape) = stated {
            shapes.set(name, shape);
        }
    }
}

/// Sets the shapes of a node's outputs; none when an input's shape is missing, the operator is
/// unknown, or the node contradicts itself.
fn infer_node(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    if !matches!(node.domain.as_str(), "" | "ai.onnx") {
        return None;
    }
    match node.op_type.as_str() {
        "Conv" | "ConvInteger" | "QLinearConv" => spatial::convolution(node, shapes),
        "ConvTranspose" => spatial::transposed_convolution(node, shapes),
        "MaxPool" | "AveragePool" | "LpPool" => spatial::pooling(node, shapes),
        "GlobalAveragePool" | "GlobalMaxPool" => spatial::global_pooling(node, shapes),
        "Resize" | "Upsample" => spatial::resize(node, shapes),
        "DepthToSpace" | "SpaceToDepth" => spatial::depth_space(node, shapes),
        "Pad" => spatial::pad(node, shapes),
        "Gemm" => arithmetic::gemm(node, shapes),
        "MatMul" | "MatMulInteger" | "QLinearMatMul" => arithmetic::matmul(node, shapes),
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Max" | "Min" | "Sum" | "Mean" | "Equal"
        | "Less" | "Greater" | "And" | "Or" | "PRelu" | "Where" | "Mod" => {
            arithmetic::broadcast(node, shapes)
        }
        "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceSum" | "ReduceProd" | "ReduceL2"
        | "ArgMax" | "ArgMin" => arithmetic::reduce(node, shapes),
        "DynamicQuantizeLinear" => {
            layout::same_shape(node, shapes)?;
            for scalar in node.output.iter().skip(1) {
                shapes.set(scalar, Vec::new());
            }
            Some(())
        }
        "Identity" | "Cast" => layout::copy(node, shapes),
        "BatchNormalization"
        | "InstanceNormalization"
        | "LayerNormalization"
        | "LRN"
        | "Relu"
        | "Clip"
        | "LeakyRelu"
        | "Sigmoid"
        | "HardSigmoid"
        | "HardSwish"
        | "Tanh"
        | "Softmax"
        | "LogSoftmax"
        | "Softplus"
        | "Softsign"
        | "Elu"
        | "Selu"
        | "Celu"
        | "Gelu"
        | "Mish"
        | "Erf"
        | "Exp"
        | "Log"
        | "Sqrt"
        | "Neg"
        | "Abs"
        | "Floor"
        | "Ceil"
        | "Round"
        | "Reciprocal"
        | "Not"
        | "Sign"
        | "Dropout"
        | "QuantizeLinear"
        | "DequantizeLinear" => layout::same_shape(node, shapes),
        "Constant" => layout::constant(node, shapes),
        "ConstantOfShape" => layout::constant_of_shape(node, shapes),
        "Shape" => layout::shape_of(node, shapes),
        "Gather" => layout::gather(node, shapes),
        "Concat" => layout::concat(node, shapes),
        "Split" => layout::split(node, shapes),
        "Slice" => layout::slice(node, shapes),
        "Transpose" => layout::transpose(node, shapes),
        "Reshape" => layout::reshape(node, shapes),
        "Expand" => layout::expand(node, shapes),
        "Flatten" => layout::flatten(node, shapes),
        "Squeeze" => layout::squeeze(node, shapes),
        "Unsqueeze" => layout::unsqueeze(node, shapes),
        _ => None,
    }
}

/// Shape of a node's input number `index`.
fn input_shape<'a>(node: &NodeProto, shapes: &'a Shapes, index: usize) -> Option<&'a [usize]> {
    shapes.get(node.input_at(index)?)
}

/// Numbers that newer operator sets pass as input number `index` and older ones as the attribute
/// `name`.
fn input_or_attribute(
    node: &NodeProto,
    shapes: &Shapes,
    index: usize,
    name: &str,
) -> Option<Vec<i64>> {
    match node.input_at(index) {
        Some(input) => shapes.constant(input).map(<[i64]>::to_vec),
        None => node.ints(name).map(<[i64]>::to_vec),
    }
}

/// An axis counted from the front; negative ones count from the end.
fn normalized_axis(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).ok().filter(|&a| a < rank)
}

/// Shape of the single output.
fn set_output(node: &NodeProto, shapes: &mut Shapes, shape: Vec<usize>) -> Option<()> {
    shapes.set(node.output.first()?, shape);
    Some(())
}
