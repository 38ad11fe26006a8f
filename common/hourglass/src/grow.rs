//! Larger networks that compute what a smaller one computes (Net2Net, Chen, Goodfellow & Shlens
//! 2016).

use std::collections::{HashMap, HashSet};

use thiserror::Error;

use crate::channels::ChannelSets;
use crate::family::HourglassConfig;
use crate::graph::{ConvLayer, Node};
use crate::weights::{LayerWeights, NormWeights};

/// Why a network cannot be grown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GrowError {
    /// The larger network is smaller somewhere, or of another kind.
    #[error("{0}")]
    NotLarger(String),
    /// A layer of the larger network would be narrower than the one that it is grown from.
    #[error(
        "layer `{layer}` has {from} channels and would have {to}: growing never takes channels away"
    )]
    Narrower {
        /// The layer.
        layer: String,
        /// Its channels now.
        from: usize,
        /// What was asked for.
        to: usize,
    },
}

/// The values of one layer that a larger layer is made from.
struct Origin {
    inputs: usize,
    outputs: usize,
    values: LayerWeights,
}

/// What a layer of the larger network starts as.
enum Start {
    /// Computes what this one computes.
    Copy(Origin),
    /// Passes its input on.
    Identity,
    /// Adds nothing.
    Zero,
}

/// Values for `target` with which it computes what `source` computes with `weights`.
///
/// * More channels: each channel of the larger network is a copy of one of the smaller, and the
///   layers that read copies share the weight of the original among them. Shares are unequal, or
///   copies would stay equal in training: with n copies each weighs `1 + noise · u`, `u` uniform in
///   -1..1 from `uniform` (which gives 0..1), divided by the sum over the copies, anew for every
///   output channel.
/// * Ordinary convolutions instead of separable ones: `W[o, i, y, x] = pointwise[o, i] ·
///   depthwise[i, y, x]`, exact because nothing stands between the two.
/// * More stacks: each new one is a copy of the last, and the layers that lead to it add nothing at
///   first. So it sees what the last one saw, and its heatmaps are the same.
///
/// The heatmaps of all stacks are those of the smaller network up to rounding.
///
/// # Errors
/// [`GrowError`] when `target` is smaller than `source` somewhere, or not of its kind.
pub fn grow(
    source: &HourglassConfig,
    weights: &[LayerWeights],
    target: &HourglassConfig,
    noise: f32,
    uniform: &mut impl FnMut() -> f32,
) -> Result<Vec<LayerWeights>, GrowError> {
    check(source, target)?;
    let source_graph = source.graph();
    let layers: HashMap<&str, (&ConvLayer, &LayerWeights)> = source_graph
        .layers
        .iter()
        .zip(weights)
        .map(|(layer, values)| (layer.name.as_str(), (layer, values)))
        .collect();
    let graph = target.graph();
    let starts: Vec<Start> = graph
        .layers
        .iter()
        .map(|layer| start(&layers, layer, source, target))
        .collect();

    let used: HashSet<String> = graph
        .layers
        .iter()
        .map(|layer| name_in_source(&layer.name, source.stacks))
        .collect();
    let lost = source_graph.layers.iter().find(|layer| {
        let pointwise = layer.name.trim_end_matches("_depthwise");
        !used.contains(&layer.name) && !used.contains(pointwise)
    });
    if let Some(lost) = lost {
        return Err(GrowError::NotLarger(format!(
            "the larger network has no layer `{}`, which the smaller one has; other widths of stem \
             and front bring it back",
            lost.name
        )));
    }

    let sets = ChannelSets::of(&graph);
    let shapes = graph.shapes(32, 32);
    // Per set: the channel of the smaller network that each channel of the larger one copies.
    let mut copies: Vec<Option<Vec<usize>>> = vec![None; sets.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        let Node::Conv { layer, input } = *node else {
            continue;
        };
        let Start::Copy(origin) = &starts[layer] else {
            continue;
        };
        for (node, from) in [(input, origin.inputs), (id, origin.outputs)] {
            let to = shapes[node].channels;
            let known = &mut copies[sets.set(node)];
            let fits = known.as_ref().is_none_or(|c| originals(c) == from);
            if to < from || !fits {
                return Err(GrowError::Narrower {
                    layer: graph.layers[layer].name.clone(),
                    from,
                    to,
                });
            }
            if known.is_none() {
                *known = Some(spread(from, to, uniform));
            }
        }
    }
    let copies: Vec<Vec<usize>> = copies.into_iter().map(Option::unwrap_or_default).collect();

    let mut grown: Vec<Option<LayerWeights>> = vec![None; graph.layers.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        let Node::Conv { layer, input } = *node else {
            continue;
        };
        let description = &graph.layers[layer];
        let (ins, outs) = (&copies[sets.set(input)], &copies[sets.set(id)]);
        grown[layer] = Some(match &starts[layer] {
            Start::Copy(origin) => widen(description, origin, ins, outs, noise, uniform),
            Start::Identity => {
                let origin = identity(description, originals(ins));
                widen(description, &origin, ins, outs, noise, uniform)
            }
            Start::Zero => zero(description),
        });
    }
    let pairs = grown.into_iter().zip(&graph.layers);
    Ok(pairs
        .map(|(values, layer)| values.unwrap_or_else(|| zero(layer)))
        .collect())
}

fn check(source: &HourglassConfig, target: &HourglassConfig) -> Result<(), GrowError> {
    let fail = |reason: String| Err(GrowError::NotLarger(reason));
    if target.stacks < source.stacks {
        return fail(format!(
            "the network has {} stacks and would have {}: growing never takes stacks away",
            source.stacks, target.stacks
        ));
    }
    if target.mobile && !source.mobile {
        return fail("ordinary convolutions cannot become separable ones by growing".to_owned());
    }
    if target.keypoints != source.keypoints {
        return fail(format!(
            "the network has {} heatmaps, the larger one {}: they must be the same",
            source.keypoints, target.keypoints
        ));
    }
    if target.form != source.form || target.residual != source.residual {
        return fail(format!(
            "the network is {:?} with {:?} residuals, the larger one {:?} with {:?}: they must be \
             the same",
            source.form, source.residual, target.form, target.residual
        ));
    }
    Ok(())
}

/// What `layer` of the larger network starts as.
fn start(
    layers: &HashMap<&str, (&ConvLayer, &LayerWeights)>,
    layer: &ConvLayer,
    source: &HourglassConfig,
    target: &HourglassConfig,
) -> Start {
    let name = name_in_source(&layer.name, source.stacks);
    let Some((from, values)) = layers.get(name.as_str()) else {
        // Where the smaller network has a plain skip, the larger may have a projection. All else
        // that it lacks are the layers that lead from its last stack to a new one.
        return match layer.name.contains("_skip") {
            true => Start::Identity,
            false => Start::Zero,
        };
    };
    let mut values = (*values).clone();
    if source.mobile
        && !target.mobile
        && let Some((depthwise, filters)) = layers.get(format!("{name}_depthwise").as_str())
    {
        values.weight = join(&values.weight, &filters.weight, depthwise);
    }
    Start::Copy(Origin {
        inputs: from.inputs,
        outputs: from.outputs,
        values,
    })
}

/// Name of the layer that a layer of the larger network is made from: a new stack copies the last.
fn name_in_source(name: &str, stacks: usize) -> String {
    let parts = name
        .strip_prefix("hg")
        .and_then(|rest| rest.split_once('_'));
    match parts.and_then(|(stack, rest)| Some((stack.parse::<usize>().ok()?, rest))) {
        Some((stack, rest)) if stack >= stacks => format!("hg{}_{rest}", stacks - 1),
        _ => name.to_owned(),
    }
}

/// One ordinary convolution for a depthwise one and the pointwise one that reads it:
/// `W[o, i, y, x] = pointwise[o, i] · depthwise[i, y, x]`.
fn join(pointwise: &[f32], filters: &[f32], depthwise: &ConvLayer) -> Vec<f32> {
    let taps = depthwise.kernel * depthwise.kernel;
    pointwise
        .chunks_exact(depthwise.outputs)
        .flat_map(|row| row.iter().zip(filters.chunks_exact(taps)))
        .flat_map(|(weight, filter)| filter.iter().map(move |tap| weight * tap))
        .collect()
}

/// A layer that passes `channels` channels on.
fn identity(layer: &ConvLayer, channels: usize) -> Origin {
    let mut values = zero(&ConvLayer {
        inputs: channels,
        outputs: channels,
        ..layer.clone()
    });
    let taps = layer.kernel * layer.kernel;
    let inputs = if layer.depthwise { 1 } else { channels };
    for channel in 0..channels {
        let input = if layer.depthwise { 0 } else { channel };
        values.weight[(channel * inputs + input) * taps + taps / 2] = 1.0;
    }
    Origin {
        inputs: channels,
        outputs: channels,
        values,
    }
}

/// A layer that gives zeros.
fn zero(layer: &ConvLayer) -> LayerWeights {
    let vector = |value: f32| vec![value; layer.outputs];
    LayerWeights {
        weight: vec![0.0; layer.weight_len()],
        bias: layer.bias.then(|| vector(0.0)),
        norm: layer.norm.then(|| NormWeights {
            gamma: vector(1.0),
            beta: vector(0.0),
            mean: vector(0.0),
            variance: vector(1.0),
        }),
    }
}

/// Number of channels that a list of copies copies from.
fn originals(copies: &[usize]) -> usize {
    copies.iter().max().map_or(0, |largest| largest + 1)
}

/// For each of `to` channels the one of `from` that it copies: each itself, then as many copies of
/// every one as of every other, in random order.
fn spread(from: usize, to: usize, uniform: &mut impl FnMut() -> f32) -> Vec<usize> {
    let mut copies: Vec<usize> = (0..from).collect();
    while copies.len() < to {
        let mut round: Vec<usize> = (0..from).collect();
        for i in (1..from).rev() {
            round.swap(i, ((uniform() * (i + 1) as f32) as usize).min(i));
        }
        round.truncate(to - copies.len());
        copies.extend(round);
    }
    copies
}

/// `origin` with the channels that `ins` and `outs` copy.
fn widen(
    layer: &ConvLayer,
    origin: &Origin,
    ins: &[usize],
    outs: &[usize],
    noise: f32,
    uniform: &mut impl FnMut() -> f32,
) -> LayerWeights {
    let taps = layer.kernel * layer.kernel;
    let pick = |values: &[f32]| -> Vec<f32> { outs.iter().map(|&c| values[c]).collect() };
    let mut weight = Vec::with_capacity(layer.weight_len());
    for &output in outs {
        if layer.depthwise {
            weight.extend(&origin.values.weight[output * taps..(output + 1) * taps]);
            continue;
        }
        let row = &origin.values.weight[output * origin.inputs * taps..];
        for (input, share) in ins.iter().zip(shares(ins, origin.inputs, noise, uniform)) {
            let kernel = &row[input * taps..(input + 1) * taps];
            weight.extend(kernel.iter().map(|w| w * share));
        }
    }
    LayerWeights {
        weight,
        bias: origin.values.bias.as_deref().map(pick),
        norm: origin.values.norm.as_ref().map(|norm| NormWeights {
            gamma: pick(&norm.gamma),
            beta: pick(&norm.beta),
            mean: pick(&norm.mean),
            variance: pick(&norm.variance),
        }),
    }
}

/// The share of each copy in the weight of its original; the shares of one original add up to 1.
fn shares(
    copies: &[usize],
    originals: usize,
    noise: f32,
    uniform: &mut impl FnMut() -> f32,
) -> Vec<f32> {
    let mut counts = vec![0u32; originals];
    copies.iter().for_each(|&c| counts[c] += 1);
    let raw: Vec<f32> = copies
        .iter()
        .map(|&c| match counts[c] {
            1 => 1.0,
            _ => 1.0 + noise * (2.0 * uniform() - 1.0),
        })
        .collect();
    let mut sums = vec![0.0f32; originals];
    for (&c, share) in copies.iter().zip(&raw) {
        sums[c] += share;
    }
    let pairs = copies.iter().zip(raw);
    pairs.map(|(&c, share)| share / sums[c]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::tests::noise;
    use crate::weights::tests::{heatmaps, largest_difference, trained};
    use crate::{Form, Residual};

    fn uniform() -> impl FnMut() -> f32 {
        let values = noise(100_003, 21);
        let mut values = values.into_iter().cycle();
        move || (values.next().unwrap_or_default() + 1.0) / 2.0
    }

    fn small(form: Form, residual: Residual) -> HourglassConfig {
        HourglassConfig {
            channels: 16,
            form,
            residual,
            ..HourglassConfig::tiny(5)
        }
    }

    #[test]
    fn every_way_to_grow_keeps_every_heatmap() {
        for (form, residual) in [
            (Form::Lean, Residual::Linear),
            (Form::Lean, Residual::Relu),
            (Form::Classic, Residual::Linear),
            (Form::Classic, Residual::Relu),
        ] {
            let source = small(form, residual);
            let weights = trained(&source);
            let before = heatmaps(&source, &weights);
            let larger = [
                HourglassConfig {
                    channels: 32,
                    ..source.clone()
                },
                // Not every channel gets a copy.
                HourglassConfig {
                    channels: 24,
                    ..source.clone()
                },
                HourglassConfig {
                    mobile: false,
                    ..source.clone()
                },
                HourglassConfig {
                    stacks: 4,
                    ..source.clone()
                },
                HourglassConfig {
                    channels: 40,
                    mobile: false,
                    stacks: 3,
                    ..source.clone()
                },
            ];
            for target in larger {
                let grown = grow(&source, &weights, &target, 0.5, &mut uniform()).unwrap();
                for (layer, values) in target.graph().layers.iter().zip(&grown) {
                    assert_eq!(values.weight.len(), layer.weight_len(), "{}", layer.name);
                    assert_eq!(values.norm.is_some(), layer.norm, "{}", layer.name);
                    assert_eq!(values.bias.is_some(), layer.bias, "{}", layer.name);
                }
                let after = heatmaps(&target, &grown);
                assert_eq!(after.len(), target.stacks);
                for (stack, maps) in after.iter().enumerate() {
                    let expected = &before[stack.min(source.stacks - 1)];
                    let difference = largest_difference(expected, maps);
                    assert!(difference < 1e-4, "{target:?} stack {stack}: {difference}");
                }
            }
        }
    }

    /// 64 channels in stem and front: the first block has a plain skip, and when only the front
    /// grows, it gets a projection.
    #[test]
    fn a_plain_skip_becomes_a_projection() {
        for form in [Form::Lean, Form::Classic] {
            let source = HourglassConfig {
                stacks: 1,
                form,
                ..HourglassConfig::tiny(3)
            };
            let target = HourglassConfig {
                stacks: 1,
                form,
                ..HourglassConfig::mobile(3)
            };
            let has_skip = |config: &HourglassConfig| {
                let graph = config.graph();
                graph
                    .layers
                    .iter()
                    .any(|l| l.name == "front_residual_1_skip")
            };
            assert!(!has_skip(&source) && has_skip(&target));
            let weights = trained(&source);
            let grown = grow(&source, &weights, &target, 0.5, &mut uniform()).unwrap();
            let (before, after) = (heatmaps(&source, &weights), heatmaps(&target, &grown));
            let difference = largest_difference(&before[0], &after[0]);
            assert!(difference < 1e-4, "{difference}");
        }
    }

    /// Copies that start equal get different weights after them, so that training tells them
    /// apart; with no noise they do not.
    #[test]
    fn noise_makes_copies_unequal() {
        let source = small(Form::Lean, Residual::Linear);
        let weights = trained(&source);
        let target = HourglassConfig {
            channels: 32,
            ..source.clone()
        };
        let graph = target.graph();
        let layer = graph
            .layers
            .iter()
            .position(|l| l.name == "hg0_conv_1x1_predict");
        let layer = layer.unwrap();
        for (noise, equal) in [(0.0, true), (0.5, false)] {
            let grown = grow(&source, &weights, &target, noise, &mut uniform()).unwrap();
            let row = &grown[layer].weight[..32];
            let pairs = (0..16).filter(|&c| row[16..].contains(&row[c])).count();
            assert_eq!(pairs == 16, equal, "noise {noise}: {pairs}");
        }
    }

    #[test]
    fn what_is_smaller_is_an_error() {
        let source = small(Form::Lean, Residual::Linear);
        let weights = trained(&source);
        for (target, word) in [
            (
                HourglassConfig {
                    stacks: 1,
                    ..source.clone()
                },
                "stacks",
            ),
            (
                HourglassConfig {
                    channels: 8,
                    ..source.clone()
                },
                "never takes channels",
            ),
            (
                HourglassConfig {
                    keypoints: 6,
                    ..source.clone()
                },
                "heatmaps",
            ),
            (
                HourglassConfig {
                    residual: Residual::Relu,
                    ..source.clone()
                },
                "Relu",
            ),
        ] {
            let error = grow(&source, &weights, &target, 0.5, &mut uniform()).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        let standard = HourglassConfig {
            mobile: false,
            ..source.clone()
        };
        let error = grow(&standard, &trained(&standard), &source, 0.5, &mut uniform());
        assert!(error.unwrap_err().to_string().contains("separable"));
    }
}
