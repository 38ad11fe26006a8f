//! Operators that move, cut and join values, and those that compute with shapes.

use super::arithmetic::broadcast_shapes;
use super::{Shapes, input_or_attribute, input_shape, normalized_axis, set_output};
use crate::proto::NodeProto;

pub(super) fn same_shape(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let shape = input_shape(node, shapes, 0)?.to_vec();
    set_output(node, shapes, shape)
}

/// Same shape and, where they are known, same numbers.
pub(super) fn copy(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    carry_constant(node, shapes);
    same_shape(node, shapes)
}

fn carry_constant(node: &NodeProto, shapes: &mut Shapes) {
    if let (Some(input), Some(output)) = (node.input_at(0), node.output.first()) {
        if let Some(values) = shapes.constant(input).map(<[i64]>::to_vec) {
            shapes.set_constant(output, values);
        }
        if let Some(scales) = shapes.scales.get(input).cloned() {
            shapes.scales.insert(output.clone(), scales);
        }
    }
}

pub(super) fn constant(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let output = node.output.first()?;
    if let Some(tensor) = node.tensor("value") {
        shapes.set_tensor(output, tensor);
    } else if let Some(value) = node.int("value_int") {
        shapes.set(output, Vec::new());
        shapes.set_constant(output, vec![value]);
    } else if let Some(values) = node.ints("value_ints") {
        shapes.set(output, vec![values.len()]);
        shapes.set_constant(output, values.to_vec());
    } else if node.float("value_float").is_some() {
        shapes.set(output, Vec::new());
    } else {
        let values = node.floats("value_floats")?;
        shapes.set(output, vec![values.len()]);
        shapes.scales.insert(output.clone(), values.to_vec());
    }
    shapes.get(output).map(|_| ())
}

pub(super) fn constant_of_shape(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let shape = sizes(shapes.constant(node.input_at(0)?)?)?;
    set_output(node, shapes, shape)
}

pub(super) fn shape_of(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?;
    let rank = input.len() as i64;
    let bound = |value: i64| (if value < 0 { value + rank } else { value }).clamp(0, rank) as usize;
    let start = bound(node.int("start").unwrap_or(0));
    let end = bound(node.int("end").unwrap_or(rank));
    let values: Vec<i64> = input
        .get(start..end.max(start))?
        .iter()
        .map(|&d| d as i64)
        .collect();
    let count = values.len();
    shapes.set_constant(node.output.first()?, values);
    set_output(node, shapes, vec![count])
}

pub(super) fn gather(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let data = input_shape(node, shapes, 0)?;
    let indices = input_shape(node, shapes, 1)?;
    let axis = normalized_axis(node.int("axis").unwrap_or(0), data.len())?;
    let output = [&data[..axis], indices, &data[axis + 1..]].concat();
    if let (1, Some(values), Some(indices)) = (
        data.len(),
        shapes.constant(node.input_at(0)?),
        shapes.constant(node.input_at(1)?),
    ) {
        let picked: Option<Vec<i64>> = indices
            .iter()
            .map(|&i| Some(values[normalized_axis(i, values.len())?]))
            .collect();
        if let Some(picked) = picked {
            shapes.set_constant(node.output.first()?, picked);
        }
    }
    set_output(node, shapes, output)
}

pub(super) fn concat(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let mut output = input_shape(node, shapes, 0)?.to_vec();
    let axis = normalized_axis(node.int("axis")?, output.len())?;
    output[axis] = 0;
    for index in 0..node.input.len() {
        let part = input_shape(node, shapes, index)?.get(axis)?;
        output[axis] = output[axis].checked_add(*part)?;
    }
    let parts: Option<Vec<&[i64]>> = node.input.iter().map(|n| shapes.constant(n)).collect();
    if let (1, Some(parts)) = (output.len(), parts) {
        let joined = parts.concat();
        shapes.set_constant(node.output.first()?, joined);
    }
    set_output(node, shapes, output)
}

pub(super) fn split(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?.to_vec();
    let axis = normalized_axis(node.int("axis").unwrap_or(0), input.len())?;
    let count = node.output.len();
    let parts = match input_or_attribute(node, shapes, 1, "split") {
        Some(parts) if !parts.is_empty() => sizes(&parts)?,
        // Equal parts, the last one smaller when they do not come out even.
        _ => {
            let part = input[axis].div_ceil(count.max(1));
            (0..count)
                .map(|i| part.min(input[axis].saturating_sub(i * part)))
                .collect()
        }
    };
    for (name, part) in node.output.iter().zip(parts) {
        let mut shape = input.clone();
        shape[axis] = part;
        shapes.set(name, shape);
    }
    Some(())
}

pub(super) fn slice(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?.to_vec();
    let starts = input_or_attribute(node, shapes, 1, "starts")?;
    let ends = input_or_attribute(node, shapes, 2, "ends")?;
    let axes = input_or_attribute(node, shapes, 3, "axes")
        .unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = match node.input_at(4) {
        Some(name) => shapes.constant(name)?.to_vec(),
        None => vec![1; starts.len()],
    };
    let mut output = input.clone();
    let mut constant = (input.len() == 1)
        .then(|| shapes.constant(node.input_at(0)?).map(<[i64]>::to_vec))
        .flatten();
    for (i, &axis) in axes.iter().enumerate() {
        let axis = normalized_axis(axis, input.len())?;
        let picked = picked_indices(input[axis], *starts.get(i)?, *ends.get(i)?, *steps.get(i)?)?;
        output[axis] = picked.len();
        constant = constant.and_then(|values| picked.map(|j| values.get(j).copied()).collect());
    }
    if let Some(values) = constant {
        shapes.set_constant(node.output.first()?, values);
    }
    set_output(node, shapes, output)
}

/// The indices that `start:end:step` picks from an axis, by numpy's rules.
fn picked_indices(
    size: usize,
    start: i64,
    end: i64,
    step: i64,
) -> Option<impl ExactSizeIterator<Item = usize>> {
    let size = i64::try_from(size).ok()?;
    let from_front = |v: i64| if v < 0 { v.saturating_add(size) } else { v };
    let (first, distance) = if step > 0 {
        let first = from_front(start).clamp(0, size);
        (first, from_front(end).clamp(0, size) - first)
    } else {
        let first = from_front(start).clamp(0, (size - 1).max(0));
        (first, first - from_front(end).clamp(-1, size - 1))
    };
    // An empty axis has nothing to pick; a step of 0 is invalid.
    let distance = if size == 0 { 0 } else { distance.max(0) };
    let stride = Some(step.unsigned_abs()).filter(|&s| s > 0)?;
    let count = usize::try_from(distance.unsigned_abs().div_ceil(stride)).ok()?;
    Some((0..count).map(move |i| (first + i as i64 * step) as usize))
}

pub(super) fn transpose(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?;
    let output: Option<Vec<usize>> = match node.ints("perm") {
        Some(perm) => perm
            .iter()
            .map(|&axis| input.get(usize::try_from(axis).ok()?).copied())
            .collect(),
        None => Some(input.iter().rev().copied().collect()),
    };
    set_output(node, shapes, output.filter(|o| o.len() == input.len())?)
}

pub(super) fn reshape(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?;
    let wanted = input_or_attribute(node, shapes, 1, "shape")?;
    let keep_zero = node.int("allowzero") == Some(1);
    let total = element_count(input)?;
    let mut output = Vec::with_capacity(wanted.len());
    for (axis, &size) in wanted.iter().enumerate() {
        output.push(match size {
            -1 => 1,
            0 if !keep_zero => *input.get(axis)?,
            size => usize::try_from(size).ok()?,
        });
    }
    if let Some(rest) = wanted.iter().position(|&s| s == -1) {
        output[rest] = total.checked_div(element_count(&output)?)?;
    }
    carry_constant(node, shapes);
    set_output(node, shapes, output)
}

pub(super) fn expand(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let wanted = sizes(shapes.constant(node.input_at(1)?)?)?;
    let output = broadcast_shapes(input_shape(node, shapes, 0)?, &wanted)?;
    set_output(node, shapes, output)
}

pub(super) fn flatten(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?;
    let axis = node.int("axis").unwrap_or(1);
    let axis = if axis < 0 {
        axis + input.len() as i64
    } else {
        axis
    };
    let axis = usize::try_from(axis).ok().filter(|&a| a <= input.len())?;
    let output = vec![
        element_count(&input[..axis])?,
        element_count(&input[axis..])?,
    ];
    set_output(node, shapes, output)
}

pub(super) fn squeeze(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?;
    let rank = input.len();
    let output: Vec<usize> = match input_or_attribute(node, shapes, 1, "axes") {
        Some(axes) => {
            let axes: Option<Vec<usize>> = axes.iter().map(|&a| normalized_axis(a, rank)).collect();
            let axes = axes?;
            (0..rank)
                .filter(|axis| !axes.contains(axis))
                .map(|axis| input[axis])
                .collect()
        }
        None => input.iter().copied().filter(|&d| d != 1).collect(),
    };
    carry_constant(node, shapes);
    set_output(node, shapes, output)
}

pub(super) fn unsqueeze(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?;
    let axes = input_or_attribute(node, shapes, 1, "axes")?;
    let rank = input.len() + axes.len();
    let axes: Option<Vec<usize>> = axes.iter().map(|&a| normalized_axis(a, rank)).collect();
    let axes = axes?;
    let mut rest = input.iter().copied();
    let output: Option<Vec<usize>> = (0..rank)
        .map(|axis| {
            if axes.contains(&axis) {
                Some(1)
            } else {
                rest.next()
            }
        })
        .collect();
    carry_constant(node, shapes);
    set_output(node, shapes, output?)
}

fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

fn sizes(values: &[i64]) -> Option<Vec<usize>> {
    values.iter().map(|&v| usize::try_from(v).ok()).collect()
}
