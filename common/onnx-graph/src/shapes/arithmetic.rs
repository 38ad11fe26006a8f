//! Matrix products, element-wise operators, reductions.

use super::{Shapes, input_or_attribute, input_shape, normalized_axis, set_output};
use crate::proto::NodeProto;

pub(super) fn gemm(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let &[a0, a1] = input_shape(node, shapes, 0)? else {
        return None;
    };
    let &[b0, b1] = input_shape(node, shapes, 1)? else {
        return None;
    };
    let rows = if node.int("transA") == Some(1) {
        a1
    } else {
        a0
    };
    let columns = if node.int("transB") == Some(1) {
        b0
    } else {
        b1
    };
    set_output(node, shapes, vec![rows, columns])
}

/// Position of the second matrix among the inputs.
pub(crate) fn right_index(node: &NodeProto) -> usize {
    if node.op_type == "QLinearMatMul" {
        3
    } else {
        1
    }
}

pub(super) fn matmul(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let left = input_shape(node, shapes, 0)?;
    let right = input_shape(node, shapes, right_index(node))?;
    let (&[.., rows, _], &[.., _, columns]) = (left, right) else {
        return None;
    };
    let mut output = broadcast_shapes(&left[..left.len() - 2], &right[..right.len() - 2])?;
    output.extend([rows, columns]);
    set_output(node, shapes, output)
}

pub(super) fn broadcast(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let mut output = Vec::new();
    for index in 0..node.input.len() {
        output = broadcast_shapes(&output, input_shape(node, shapes, index)?)?;
    }
    if let [left, right] = node.input.as_slice()
        && let (Some(left), Some(right)) = (shapes.constant(left), shapes.constant(right))
        && let Some(folded) = fold(&node.op_type, left, right)
    {
        shapes.set_constant(node.output.first()?, folded);
    }
    set_output(node, shapes, output)
}

/// Integer arithmetic on shapes; one side may be a single number.
fn fold(operator: &str, left: &[i64], right: &[i64]) -> Option<Vec<i64>> {
    let count = left.len().max(right.len());
    if [left.len(), right.len()]
        .iter()
        .any(|&n| n != count && n != 1)
    {
        return None;
    }
    (0..count)
        .map(|i| {
            let (a, b) = (left[i % left.len()], right[i % right.len()]);
            match operator {
                "Add" => a.checked_add(b),
                "Sub" => a.checked_sub(b),
                "Mul" => a.checked_mul(b),
                "Div" => a.checked_div(b),
                _ => None,
            }
        })
        .collect()
}

/// ONNX's (numpy's) broadcasting: aligned at the last axis, a 1 stretches.
pub(super) fn broadcast_shapes(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let from_end = |shape: &[usize], i: usize| {
        (i + shape.len())
            .checked_sub(rank)
            .map_or(1, |index| shape[index])
    };
    (0..rank)
        .map(|i| match (from_end(a, i), from_end(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

pub(super) fn reduce(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?;
    let rank = input.len();
    let axes = if node.op_type.starts_with("Arg") {
        vec![node.int("axis").unwrap_or(0)]
    } else {
        input_or_attribute(node, shapes, 1, "axes").unwrap_or_else(|| (0..rank as i64).collect())
    };
    let axes: Option<Vec<usize>> = axes.iter().map(|&a| normalized_axis(a, rank)).collect();
    let axes = axes?;
    let keep = node.int("keepdims").unwrap_or(1) == 1;
    let output = (0..rank)
        .filter(|axis| keep || !axes.contains(axis))
        .map(|axis| if axes.contains(&axis) { 1 } else { input[axis] })
        .collect();
    set_output(node, shapes, output)
}
