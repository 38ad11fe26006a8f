//! Networks with only some of their channels or stacks.

use std::collections::HashMap;

use super::{Kept, PruneError};
use crate::channels::ChannelSets;
use crate::family::{FrontWidths, HourglassConfig};
use crate::graph::{ConvLayer, Graph, Node, NodeId};
use crate::weights::{LayerWeights, NormWeights};

/// The network with only the kept channels, and its values.
///
/// With the `means` of every node's channels (see [`crate::Sensitivity::means`] and [`super::estimate_means`]), what a
/// lost channel added on average to the layers that read it goes into their bias, or into the mean
/// of their normalization. Where a channel is constant this is exact for 1×1 convolutions, and for
/// larger ones away from the border.
///
/// # Errors
/// [`PruneError::Setting`] when the widths that are left stand for a network with other layers.
pub fn keep_channels(
    config: &HourglassConfig,
    weights: &[LayerWeights],
    kept: &Kept,
    means: Option<&[Vec<f32>]>,
) -> Result<(HourglassConfig, Vec<LayerWeights>), PruneError> {
    let graph = config.graph();
    let sets = ChannelSets::of(&graph);
    let mut layer_sets = vec![(0, 0, 0); graph.layers.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        if let Node::Conv { layer, input } = *node {
            layer_sets[layer] = (sets.set(input), sets.set(id), input);
        }
    }
    let smaller = describe(config, &graph, &layer_sets, kept);
    let layers = smaller.graph().layers;
    let same = layers.len() == graph.layers.len()
        && layers.iter().zip(&graph.layers).zip(&layer_sets).all(
            |((new, old), &(ins, outs, _))| {
                let widths = (kept[ins].len(), kept[outs].len());
                new.name == old.name && (new.inputs, new.outputs) == widths
            },
        );
    if !same {
        return Err(PruneError::Setting(
            "the widths that are left do not stand for the same layers".to_owned(),
        ));
    }
    let values = graph.layers.iter().zip(weights).zip(&layer_sets);
    let values = values.map(|((layer, values), &(ins, outs, input))| {
        let shift = means.map(|means| lost(layer, values, &means[input], &kept[ins]));
        slice(layer, values, (&kept[ins], &kept[outs]), shift.as_deref())
    });
    Ok((smaller, values.collect()))
}

/// The description of the network with only the kept channels.
fn describe(
    config: &HourglassConfig,
    graph: &Graph,
    layer_sets: &[(usize, usize, NodeId)],
    kept: &Kept,
) -> HourglassConfig {
    let named: HashMap<&str, usize> = graph
        .layers
        .iter()
        .zip(layer_sets)
        .map(|(layer, &(_, outs, _))| (layer.name.as_str(), kept[outs].len()))
        .collect();
    let width = |name: &str, otherwise: usize| named.get(name).copied().unwrap_or(otherwise);
    let front = config.front_widths();
    let mut smaller = HourglassConfig {
        channels: width("front_residual_3_conv_1x1_3", config.channels),
        front: None,
        ..config.clone()
    };
    smaller.widths.clear();
    let front = FrontWidths {
        stem: width("front_conv_1x1_1", front.stem),
        blocks: width("front_residual_1_conv_1x1_3", front.blocks),
    };
    if front != smaller.front_widths() {
        smaller.front = Some(front);
    }
    // What remains are the layers whose widths are their own.
    let family = smaller.graph().layers.into_iter();
    smaller.widths = family
        .filter_map(|layer| {
            let width = *named.get(layer.name.as_str())?;
            let own = !layer.depthwise && width != layer.outputs;
            own.then_some((layer.name, width))
        })
        .collect();
    smaller
}

/// What the lost input channels add to each output of a layer, when they have these means.
fn lost(layer: &ConvLayer, values: &LayerWeights, means: &[f32], kept: &[usize]) -> Vec<f32> {
    let taps = layer.kernel * layer.kernel;
    if layer.depthwise || means.is_empty() {
        return vec![0.0; layer.outputs];
    }
    let mut stays = vec![false; layer.inputs];
    kept.iter().for_each(|&c| stays[c] = true);
    let rows = values.weight.chunks_exact(layer.inputs * taps);
    rows.map(|row| {
        let kernels = row.chunks_exact(taps).zip(means).zip(&stays);
        let gone = kernels.filter(|(_, stays)| !**stays);
        gone.map(|((kernel, mean), _)| kernel.iter().sum::<f32>() * mean)
            .sum()
    })
    .collect()
}

/// Values of a layer with some of its channels.
fn slice(
    layer: &ConvLayer,
    values: &LayerWeights,
    (ins, outs): (&[usize], &[usize]),
    shift: Option<&[f32]>,
) -> LayerWeights {
    let taps = layer.kernel * layer.kernel;
    let mut weight = Vec::with_capacity(ins.len() * outs.len() * taps);
    for &output in outs {
        if layer.depthwise {
            weight.extend(&values.weight[output * taps..(output + 1) * taps]);
            continue;
        }
        let row = &values.weight[output * layer.inputs * taps..];
        for &input in ins {
            weight.extend(&row[input * taps..(input + 1) * taps]);
        }
    }
    let pick = |values: &[f32]| -> Vec<f32> { outs.iter().map(|&c| values[c]).collect() };
    let shift = shift.map_or(vec![0.0; outs.len()], pick);
    let add = |values: &mut [f32], sign: f32| {
        for (value, shift) in values.iter_mut().zip(&shift) {
            *value += sign * shift;
        }
    };
    let mut bias = values.bias.as_deref().map(pick);
    let mut norm = values.norm.as_ref().map(|norm| NormWeights {
        gamma: pick(&norm.gamma),
        beta: pick(&norm.beta),
        mean: pick(&norm.mean),
        variance: pick(&norm.variance),
    });
    match (&mut norm, &mut bias) {
        // The convolution's result lacks the shift, and so does its mean.
        (Some(norm), _) => add(&mut norm.mean, -1.0),
        (None, Some(bias)) => add(bias, 1.0),
        (None, None) => {}
    }
    LayerWeights { weight, bias, norm }
}

/// The network that ends after the first `stacks` hourglasses, and its values.
///
/// # Errors
/// [`PruneError::Setting`] when it has fewer.
pub fn cut_stacks(
    config: &HourglassConfig,
    weights: &[LayerWeights],
    stacks: usize,
) -> Result<(HourglassConfig, Vec<LayerWeights>), PruneError> {
    if stacks == 0 || stacks > config.stacks {
        return Err(PruneError::Setting(format!(
            "{stacks} stacks of {}: must be between 1 and {}",
            config.stacks, config.stacks
        )));
    }
    let mut shorter = HourglassConfig {
        stacks,
        ..config.clone()
    };
    let layers = shorter.graph().layers;
    let kept: HashMap<&str, &ConvLayer> = layers.iter().map(|l| (l.name.as_str(), l)).collect();
    shorter
        .widths
        .retain(|name, _| kept.contains_key(name.as_str()));
    let graph = config.graph();
    let pairs = graph.layers.iter().zip(weights);
    let values = pairs
        .filter(|(layer, _)| kept.contains_key(layer.name.as_str()))
        .map(|(_, values)| values.clone())
        .collect();
    Ok((shorter, values))
}
