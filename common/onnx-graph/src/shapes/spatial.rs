//! Convolutions, pooling, resizing: operators over `[batch, channels, spatial…]`.

use super::{Shapes, input_or_attribute, input_shape, set_output};
use crate::proto::NodeProto;

/// Positions of the weight among a convolution's inputs: `QLinearConv` has scale and zero point of
/// the input before it.
pub(crate) fn weight_index(node: &NodeProto) -> usize {
    if node.op_type == "QLinearConv" { 3 } else { 1 }
}

pub(super) fn convolution(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?;
    let weight = input_shape(node, shapes, weight_index(node))?;
    let kernel = weight.get(2..)?;
    let mut output = vec![*input.first()?, *weight.first()?];
    output.extend(windows(node, input.get(2..)?, kernel)?);
    set_output(node, shapes, output)
}

pub(super) fn pooling(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?;
    let kernel: Vec<usize> = positive(node.ints("kernel_shape")?)?;
    let mut output = input.get(..2)?.to_vec();
    output.extend(windows(node, input.get(2..)?, &kernel)?);
    for name in node.output.iter().filter(|n| !n.is_empty()) {
        shapes.set(name, output.clone());
    }
    Some(())
}

/// How often a window fits along each axis:
/// `(size + padding − dilation·(kernel − 1) − 1) / stride + 1`.
fn windows(node: &NodeProto, spatial: &[usize], kernel: &[usize]) -> Option<Vec<usize>> {
    let rank = spatial.len();
    if kernel.len() != rank {
        return None;
    }
    let per_axis = |name: &str| match node.ints(name) {
        Some(values) if !values.is_empty() => positive(values),
        _ => Some(vec![1; rank]),
    };
    let (strides, dilations) = (per_axis("strides")?, per_axis("dilations")?);
    let pads = node.ints("pads").unwrap_or_default();
    let auto_pad = node.string("auto_pad").unwrap_or("NOTSET");
    let round_up = node.int("ceil_mode") == Some(1);
    (0..rank)
        .map(|axis| {
            let (size, stride) = (spatial[axis], *strides.get(axis)?);
            if auto_pad.starts_with("SAME") {
                return Some(size.div_ceil(stride));
            }
            let extent = dilations
                .get(axis)?
                .checked_mul(kernel[axis].checked_sub(1)?)?
                .checked_add(1)?;
            let pad_at = |i: usize| pads.get(i).copied().unwrap_or(0);
            let padding = pad_at(axis).checked_add(pad_at(axis + rank))?;
            let free = (i64::try_from(size).ok()?)
                .checked_add(padding)?
                .checked_sub(i64::try_from(extent).ok()?)?;
            let free = usize::try_from(free).ok()?;
            let steps = if round_up {
                free.div_ceil(stride)
            } else {
                free / stride
            };
            Some(steps + 1)
        })
        .collect()
}

/// `stride·(size − 1) + output padding + dilation·(kernel − 1) + 1 − padding` along each axis.
pub(super) fn transposed_convolution(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?;
    let weight = input_shape(node, shapes, 1)?;
    let groups = usize::try_from(node.int("group").unwrap_or(1)).ok()?;
    let mut output = vec![*input.first()?, weight.get(1)?.checked_mul(groups)?];
    let (spatial, kernel) = (input.get(2..)?, weight.get(2..)?);
    let rank = spatial.len();
    let same = node
        .string("auto_pad")
        .is_some_and(|p| p.starts_with("SAME"));
    let at = |name: &str, axis: usize, default: i64| {
        node.ints(name)
            .and_then(|v| v.get(axis))
            .copied()
            .unwrap_or(default)
    };
    for (axis, &size) in spatial.iter().enumerate() {
        let size = i64::try_from(size).ok()?;
        let stride = at("strides", axis, 1);
        let full = if let Some(&stated) = node.ints("output_shape").and_then(|v| v.get(axis)) {
            stated
        } else if same {
            size.checked_mul(stride)?
        } else {
            let extent = at("dilations", axis, 1)
                .checked_mul(i64::try_from(*kernel.get(axis)?).ok()? - 1)?
                .checked_add(1)?;
            stride
                .checked_mul(size - 1)?
                .checked_add(at("output_padding", axis, 0))?
                .checked_add(extent)?
                .checked_sub(at("pads", axis, 0))?
                .checked_sub(at("pads", axis + rank, 0))?
        };
        output.push(usize::try_from(full).ok()?);
    }
    set_output(node, shapes, output)
}

pub(super) fn global_pooling(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?;
    let mut output = input.get(..2)?.to_vec();
    output.resize(input.len(), 1);
    set_output(node, shapes, output)
}

pub(super) fn resize(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?.to_vec();
    // Inputs of `Resize`: value, region, scales, sizes; of the old `Upsample`: value, scales.
    if let Some(sizes) = node.input_at(3).and_then(|n| shapes.constant(n)) {
        let sizes: Option<Vec<usize>> = sizes.iter().map(|&s| usize::try_from(s).ok()).collect();
        return set_output(node, shapes, sizes?);
    }
    let scales_index = if node.op_type == "Upsample" { 1 } else { 2 };
    let scales = match node.input_at(scales_index) {
        Some(name) => shapes.scales.get(name)?.clone(),
        None => node.floats("scales")?.to_vec(),
    };
    if scales.len() != input.len() {
        return None;
    }
    let output = input
        .iter()
        .zip(scales)
        .map(|(&size, scale)| (size as f64 * f64::from(scale)).floor() as usize)
        .collect();
    set_output(node, shapes, output)
}

pub(super) fn depth_space(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let &[batch, channels, height, width] = input_shape(node, shapes, 0)? else {
        return None;
    };
    let block = usize::try_from(node.int("blocksize")?)
        .ok()
        .filter(|&b| b > 0)?;
    let area = block.checked_mul(block)?;
    let output = if node.op_type == "DepthToSpace" {
        vec![
            batch,
            channels / area,
            height.checked_mul(block)?,
            width.checked_mul(block)?,
        ]
    } else {
        vec![
            batch,
            channels.checked_mul(area)?,
            height / block,
            width / block,
        ]
    };
    set_output(node, shapes, output)
}

pub(super) fn pad(node: &NodeProto, shapes: &mut Shapes) -> Option<()> {
    let input = input_shape(node, shapes, 0)?;
    let pads = input_or_attribute(node, shapes, 1, "pads")?;
    let rank = input.len();
    let output: Option<Vec<usize>> = (0..rank)
        .map(|axis| {
            let padded = i64::try_from(input[axis])
                .ok()?
                .checked_add(*pads.get(axis)?)?
                .checked_add(*pads.get(axis + rank)?)?;
            usize::try_from(padded).ok()
        })
        .collect();
    set_output(node, shapes, output?)
}

fn positive(values: &[i64]) -> Option<Vec<usize>> {
    values
        .iter()
        .map(|&v| usize::try_from(v).ok().filter(|&v| v > 0))
        .collect()
}
