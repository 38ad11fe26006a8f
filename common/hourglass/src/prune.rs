//! Smaller networks from a trained one: whole channels are taken away (structured pruning).

use std::collections::HashMap;

use thiserror::Error;

use crate::channels::ChannelSets;
use crate::family::{FrontWidths, HourglassConfig};
use crate::graph::{ConvLayer, Graph, Node, NodeId};
use crate::weights::{LayerWeights, NormWeights};

/// Why a network cannot be pruned.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PruneError {
    /// The budget cannot be reached.
    #[error(
        "no channels are left to take away at {reached:.1} % of the network, {wanted:.1} % are \
         wanted; lower the least width, or let the residual stream be pruned too"
    )]
    Budget {
        /// What was reached, percent.
        reached: f64,
        /// What was asked for, percent.
        wanted: f64,
    },
    /// A setting outside its range.
    #[error("{0}")]
    Setting(String),
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// Share of the multiply-adds that stays, above 0 and at most 1.
    Macs(f64),
    /// Share of the parameters that stays.
    Parameters(f64),
}

impl Budget {
    /// The share that stays.
    pub fn share(self) -> f64 {
        match self {
            Self::Macs(share) | Self::Parameters(share) => share,
        }
    }

    /// The same kind of budget with another share.
    pub fn with_share(self, share: f64) -> Self {
        match self {
            Self::Macs(_) => Self::Macs(share),
            Self::Parameters(_) => Self::Parameters(share),
        }
    }
}

/// How channels are chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct PruneSettings {
    /// What is to be reached.
    pub budget: Budget,
    /// Widths stay multiples of this where they were before; integer kernels like 8.
    pub multiple: usize,
    /// The least width.
    pub least: usize,
    /// Whether sets of channels that several layers write may lose some: the residual stream and
    /// the front.
    pub stream: bool,
    /// Whether importance counts per saved operation (or parameter) instead of per channel.
    pub per_cost: bool,
}

/// What a network's channels cost as it runs: 1×1 depthwise scales and normalizations are folded
/// by then.
struct Costs {
    /// Layers that stay after folding: weights for one input and one output channel, cells of the
    /// output, input set, output set, depthwise.
    layers: Vec<(usize, usize, usize, usize, bool)>,
    budget: Budget,
}

impl Costs {
    fn new(graph: &Graph, sets: &ChannelSets, budget: Budget, size: (usize, usize)) -> Self {
        let shapes = graph.shapes(size.0, size.1);
        let nodes = graph.nodes.iter().enumerate();
        let layers = nodes.filter_map(|(id, node)| match *node {
            Node::Conv { layer, input } => {
                let ConvLayer {
                    kernel, depthwise, ..
                } = graph.layers[layer];
                let stays = !depthwise || kernel > 1;
                let taps = kernel * kernel;
                let cells = shapes[id].cells();
                stays.then(|| (taps, cells, sets.set(input), sets.set(id), depthwise))
            }
            _ => None,
        });
        Self {
            layers: layers.collect(),
            budget,
        }
    }

    /// Cost of the network with these widths of its sets.
    fn total(&self, widths: &[usize]) -> f64 {
        let layers = self.layers.iter();
        let costs = layers.map(|&(taps, cells, input, output, depthwise)| {
            let weights = match depthwise {
                true => taps * widths[output],
                false => taps * widths[input] * widths[output],
            };
            match self.budget {
                Budget::Macs(_) => weights as f64 * cells as f64,
                Budget::Parameters(_) => (weights + widths[output]) as f64,
            }
        });
        costs.sum()
    }
}

/// The channels of each set that stay, in ascending order.
pub type Kept = Vec<Vec<usize>>;

/// Chooses the channels that stay: blocks of the least important channels of a set go, one block
/// after another, each time the one with the least importance (or the least per saved cost), until
/// the budget is met.
///
/// `importance` has one value for each channel of each set (see [`ChannelSets`]); sets without
/// values stay whole. `size` is the height and width of the picture, for multiply-adds.
///
/// # Errors
/// [`PruneError::Budget`] when the least widths cost more than the budget.
pub fn choose_channels(
    graph: &Graph,
    importance: &[Vec<f64>],
    settings: &PruneSettings,
    size: (usize, usize),
) -> Result<Kept, PruneError> {
    let share = settings.budget.share();
    if !(share > 0.0 && share <= 1.0) || settings.multiple == 0 {
        return Err(PruneError::Setting(format!(
            "{share} of the network in multiples of {}: the share must be above 0 and at most 1, \
             the multiple 1 or more",
            settings.multiple
        )));
    }
    let sets = ChannelSets::of(graph);
    let shapes = graph.shapes(size.0, size.1);
    let mut widths = vec![0; sets.len()];
    for (node, shape) in shapes.iter().enumerate() {
        widths[sets.set(node)] = shape.channels;
    }
    let may_shrink = prunable(graph, &sets, settings.stream);
    // Ascending importance: the next to go stand first.
    let orders: Vec<Vec<usize>> = importance
        .iter()
        .zip(&may_shrink)
        .map(|(values, &may)| {
            let mut order: Vec<usize> = if may {
                (0..values.len()).collect()
            } else {
                Vec::new()
            };
            order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
            order
        })
        .collect();
    let differ = projections(graph, &sets);
    let costs = Costs::new(graph, &sets, settings.budget, size);
    let whole = costs.total(&widths);
    let mut gone = vec![0; sets.len()];
    let mut cost = whole;
    while cost > share * whole * (1.0 + 1e-9) {
        let mut best: Option<(f64, usize, usize, f64)> = None;
        for (set, order) in orders.iter().enumerate().filter(|(_, o)| !o.is_empty()) {
            let Some(block) = block(&mut widths, set, &differ, settings) else {
                continue;
            };
            widths[set] -= block;
            let left = costs.total(&widths);
            widths[set] += block;
            let lost = &order[gone[set]..gone[set] + block];
            let mut score: f64 = lost.iter().map(|&c| importance[set][c]).sum();
            score /= if settings.per_cost {
                cost - left
            } else {
                block as f64
            };
            if best.is_none_or(|(least, ..)| score < least) {
                best = Some((score, set, block, left));
            }
        }
        let Some((_, set, block, left)) = best else {
            return Err(PruneError::Budget {
                reached: 100.0 * cost / whole,
                wanted: 100.0 * share,
            });
        };
        widths[set] -= block;
        gone[set] += block;
        cost = left;
    }
    let kept = (0..sets.len()).map(|set| match orders[set].get(gone[set]..) {
        Some(stay) if !orders[set].is_empty() => {
            let mut stay = stay.to_vec();
            stay.sort_unstable();
            stay
        }
        _ => (0..widths[set]).collect(),
    });
    Ok(kept.collect())
}

/// How many channels of a set go at once, `None` when none can.
fn block(
    widths: &mut [usize],
    set: usize,
    differ: &[(usize, usize)],
    settings: &PruneSettings,
) -> Option<usize> {
    let width = widths[set];
    let first = match width % settings.multiple {
        0 => settings.multiple,
        rest => rest,
    };
    // A block more where the first would make a projection needless: the graph would have a plain
    // skip in its place.
    [first, first + settings.multiple]
        .into_iter()
        .find(|&block| {
            let Some(left) = width.checked_sub(block) else {
                return false;
            };
            let clash = differ
                .iter()
                .any(|&(a, b)| (a == set && widths[b] == left) || (b == set && widths[a] == left));
            left >= settings.least.max(1) && !clash
        })
}

/// Which sets may lose channels: neither the picture's nor the heatmaps', and without `stream`
/// only those that one layer writes and no sum reads.
fn prunable(graph: &Graph, sets: &ChannelSets, stream: bool) -> Vec<bool> {
    let mut may = vec![true; sets.len()];
    let mut writers = vec![0; sets.len()];
    may[sets.set(0)] = false;
    for &output in &graph.outputs {
        may[sets.set(output)] = false;
    }
    for (id, node) in graph.nodes.iter().enumerate() {
        if let Node::Conv { layer, .. } = *node
            && !graph.layers[layer].depthwise
        {
            writers[sets.set(id)] += 1;
        }
    }
    let pairs = may.into_iter().zip(writers);
    pairs
        .map(|(may, writers)| may && (stream || writers == 1))
        .collect()
}

/// Input and output set of every projecting skip: a block has one only where the widths differ.
fn projections(graph: &Graph, sets: &ChannelSets) -> Vec<(usize, usize)> {
    let nodes = graph.nodes.iter().enumerate();
    nodes
        .filter_map(|(id, node)| match *node {
            Node::Conv { layer, input } if graph.layers[layer].name.ends_with("_skip") => {
                Some((sets.set(input), sets.set(id)))
            }
            _ => None,
        })
        .collect()
}

/// The network with only the kept channels, and its values.
///
/// With the `means` of every node's channels (see [`crate::Sensitivity::means`] and [`estimate_means`]), what a
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

/// Importance by the scales of batch normalization (Liu et al. 2017): per set and channel the root
/// of the mean of gamma² over the layers that write the set.
pub fn scale_importance(graph: &Graph, weights: &[LayerWeights]) -> Vec<Vec<f64>> {
    let sets = ChannelSets::of(graph);
    let mut sums: Vec<(Vec<f64>, usize)> = vec![(Vec::new(), 0); sets.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        let Node::Conv { layer, .. } = *node else {
            continue;
        };
        let Some(norm) = &weights[layer].norm else {
            continue;
        };
        let (sum, count) = &mut sums[sets.set(id)];
        sum.resize(norm.gamma.len(), 0.0);
        *count += 1;
        for (sum, gamma) in sum.iter_mut().zip(&norm.gamma) {
            *sum += f64::from(*gamma).powi(2);
        }
    }
    let root = |(sum, count): (Vec<f64>, usize)| -> Vec<f64> {
        sum.iter()
            .map(|s| (s / count.max(1) as f64).sqrt())
            .collect()
    };
    sums.into_iter().map(root).collect()
}

/// An estimate of every node's channel means without samples: a normalized value is taken as normal
/// with mean beta and deviation gamma, which a ReLU turns into β·Φ(β/|γ|) + |γ|·φ(β/|γ|); other
/// layers and sums are linear; a maximum over four cells counts as their mean. Exact for channels
/// that are constant.
pub fn estimate_means(graph: &Graph, weights: &[LayerWeights]) -> Vec<Vec<f32>> {
    let mut means: Vec<Vec<f32>> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let mean = match *node {
            // Normalized pictures.
            Node::Input => vec![0.0; graph.input_channels],
            Node::Conv { layer, input } => {
                layer_means(&graph.layers[layer], &weights[layer], &means[input])
            }
            Node::MaxPool { input } => means[input].clone(),
            Node::Add { a, b } | Node::UpsampleAdd { low: a, high: b } => {
                let pairs = means[a].iter().zip(&means[b]);
                pairs.map(|(a, b)| a + b).collect()
            }
        };
        means.push(mean);
    }
    means
}

fn layer_means(layer: &ConvLayer, values: &LayerWeights, input: &[f32]) -> Vec<f32> {
    if let Some(norm) = &values.norm {
        let pairs = norm.beta.iter().zip(&norm.gamma);
        return pairs
            .map(|(&beta, &gamma)| match layer.relu {
                true => rectified_mean(f64::from(beta), f64::from(gamma).abs()) as f32,
                false => beta,
            })
            .collect();
    }
    let taps = layer.kernel * layer.kernel;
    let per_output = values.weight.len() / layer.outputs;
    let rows = values.weight.chunks_exact(per_output).enumerate();
    rows.map(|(output, row)| {
        let bias = values.bias.as_ref().map_or(0.0, |bias| bias[output]);
        let input = match layer.depthwise {
            true => &input[output..=output],
            false => input,
        };
        let sum: f32 = row
            .chunks_exact(taps)
            .zip(input)
            .map(|(kernel, mean)| kernel.iter().sum::<f32>() * mean)
            .sum();
        match layer.relu {
            true => (sum + bias).max(0.0),
            false => sum + bias,
        }
    })
    .collect()
}

/// Mean of max(0, x) for a normal x.
fn rectified_mean(mean: f64, deviation: f64) -> f64 {
    if deviation < 1e-9 {
        return mean.max(0.0);
    }
    let t = mean / deviation;
    let density = (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
    mean * cumulative(t) + deviation * density
}

/// Cumulative distribution of the standard normal (Abramowitz & Stegun 26.2.17, error below 1e-7).
fn cumulative(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let series = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt() * series;
    if x >= 0.0 { 1.0 - tail } else { tail }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::tests::{heatmaps, largest_difference, trained};
    use crate::{Form, Residual, fold};

    fn networks() -> Vec<HourglassConfig> {
        let mut list = Vec::new();
        for (mobile, form, residual) in [
            (true, Form::Lean, Residual::Linear),
            (false, Form::Lean, Residual::Linear),
            (true, Form::Classic, Residual::Relu),
            (false, Form::Classic, Residual::Relu),
        ] {
            list.push(HourglassConfig {
                channels: 64,
                mobile,
                form,
                residual,
                ..HourglassConfig::tiny(5)
            });
        }
        // With a plain skip in the first block.
        list.push(HourglassConfig::tiny(5));
        list
    }

    fn settings(budget: Budget, stream: bool) -> PruneSettings {
        PruneSettings {
            budget,
            multiple: 8,
            least: 8,
            stream,
            per_cost: false,
        }
    }

    fn lost(kept: &[usize], channels: usize) -> impl Iterator<Item = usize> {
        (0..channels).filter(|c| !kept.contains(c))
    }

    /// Makes the lost channels constant in the layers that write them: 0, or some other value.
    fn make_constant(graph: &Graph, weights: &mut [LayerWeights], kept: &Kept, value: f32) {
        let sets = ChannelSets::of(graph);
        for (id, node) in graph.nodes.iter().enumerate() {
            let Node::Conv { layer, .. } = *node else {
                continue;
            };
            let description = &graph.layers[layer];
            if description.depthwise {
                continue;
            }
            let values = &mut weights[layer];
            let per_output = description.weight_len() / description.outputs;
            for c in lost(&kept[sets.set(id)], description.outputs) {
                let value = value * (1.0 + c as f32 / 7.0);
                values.weight[c * per_output..(c + 1) * per_output].fill(0.0);
                if let Some(bias) = &mut values.bias {
                    bias[c] = if values.norm.is_some() { 0.0 } else { value };
                }
                if let Some(norm) = &mut values.norm {
                    norm.gamma[c] = 0.0;
                    norm.beta[c] = value;
                }
            }
        }
    }

    /// A network without some channels is the network in which they are zero.
    #[test]
    fn pruned_is_masked() {
        let mut narrower = 0;
        for config in networks() {
            let graph = config.graph();
            let weights = trained(&config);
            let importance = scale_importance(&graph, &weights);
            for (budget, stream) in [
                (Budget::Macs(0.6), true),
                (Budget::Parameters(0.4), true),
                (Budget::Macs(0.8), false),
            ] {
                let kept =
                    choose_channels(&graph, &importance, &settings(budget, stream), (64, 64));
                let kept = kept.unwrap();
                let (smaller, pruned) = keep_channels(&config, &weights, &kept, None).unwrap();
                assert_eq!(smaller.check(), Ok(()));
                for (layer, values) in smaller.graph().layers.iter().zip(&pruned) {
                    assert_eq!(values.weight.len(), layer.weight_len(), "{}", layer.name);
                }
                narrower += usize::from(smaller.channels < config.channels);
                assert!(stream || smaller.channels == config.channels);
                let mut masked = weights.clone();
                make_constant(&graph, &mut masked, &kept, 0.0);
                let (a, b) = (heatmaps(&config, &masked), heatmaps(&smaller, &pruned));
                for (a, b) in a.iter().zip(&b) {
                    let difference = largest_difference(a, b);
                    assert!(difference < 2e-5, "{smaller:?}: {difference}");
                }
                // It was not the same before, or this would show nothing.
                let whole = heatmaps(&config, &weights);
                assert!(largest_difference(&whole[0], &b[0]) > 1e-2);
            }
        }
        assert!(narrower > 2, "{narrower} networks with a narrower stream");
    }

    /// Channels that are constant can go without any change of the heatmaps, where 1×1 convolutions
    /// read them.
    #[test]
    fn constant_channels_are_folded_into_their_readers() {
        for config in networks() {
            let graph = config.graph();
            let mut weights = trained(&config);
            let importance = scale_importance(&graph, &weights);
            let chosen = settings(Budget::Macs(0.7), true);
            let mut kept = choose_channels(&graph, &importance, &chosen, (64, 64)).unwrap();
            let sets = ChannelSets::of(&graph);
            for (id, node) in graph.nodes.iter().enumerate() {
                if let Node::Conv { layer, input } = *node
                    && graph.layers[layer].kernel == 3
                {
                    for set in [sets.set(input), sets.set(id)] {
                        // Depthwise filters do not mix channels, but see the border.
                        if set == sets.set(input) {
                            kept[set] = (0..graph.layers[layer].inputs).collect();
                        }
                    }
                }
            }
            make_constant(&graph, &mut weights, &kept, 0.4);
            let means = estimate_means(&graph, &weights);
            let (smaller, pruned) = keep_channels(&config, &weights, &kept, Some(&means)).unwrap();
            assert!(smaller.graph().parameters() < graph.parameters());
            let (a, b) = (heatmaps(&config, &weights), heatmaps(&smaller, &pruned));
            for (a, b) in a.iter().zip(&b) {
                let difference = largest_difference(a, b);
                assert!(difference < 1e-4, "{smaller:?}: {difference}");
            }
        }
    }

    #[test]
    fn budgets_are_met_and_not_by_much_more() {
        for config in networks() {
            let graph = config.graph();
            let weights = trained(&config);
            let importance = scale_importance(&graph, &weights);
            let facts = |config: &HourglassConfig, weights: &[LayerWeights]| {
                let (folded, _) = fold(&config.graph(), weights);
                (folded.macs(96, 64) as f64, folded.parameters() as f64)
            };
            let whole = facts(&config, &weights);
            for share in [0.9, 0.5] {
                for budget in [Budget::Macs(share), Budget::Parameters(share)] {
                    let settings = settings(budget, false);
                    let kept = choose_channels(&graph, &importance, &settings, (96, 64));
                    let kept = kept.unwrap();
                    let (smaller, pruned) = keep_channels(&config, &weights, &kept, None).unwrap();
                    let left = facts(&smaller, &pruned);
                    let found = match budget {
                        Budget::Macs(_) => left.0 / whole.0,
                        Budget::Parameters(_) => left.1 / whole.1,
                    };
                    assert!(found <= share && found > share - 0.1, "{budget:?}: {found}");
                    for (name, width) in &smaller.widths {
                        assert!(width % 8 == 0, "{name}: {width}");
                    }
                }
            }
            let settings = settings(Budget::Macs(0.01), false);
            let error = choose_channels(&graph, &importance, &settings, (96, 64)).unwrap_err();
            assert!(matches!(error, PruneError::Budget { .. }), "{error}");
        }
    }

    /// A projection never becomes needless, which would take a layer away.
    #[test]
    fn blocks_keep_their_kind() {
        let config = HourglassConfig::mobile(5);
        let graph = config.graph();
        let sets = ChannelSets::of(&graph);
        // Only the front may go: 128 channels between a stem of 64 and a stream of 256.
        let front = graph
            .layers
            .iter()
            .position(|l| l.name == "front_residual_2_conv_1x1_3");
        let node = graph.nodes.iter().position(|n| match n {
            Node::Conv { layer, .. } => Some(*layer) == front,
            _ => false,
        });
        let mut importance = vec![Vec::new(); sets.len()];
        importance[sets.set(node.unwrap())] = (0..128).map(f64::from).collect();
        let mut seen = Vec::new();
        for percent in (50..100).rev() {
            let settings = settings(Budget::Macs(f64::from(percent) / 100.0), true);
            let Ok(kept) = choose_channels(&graph, &importance, &settings, (64, 64)) else {
                break;
            };
            let weights = trained(&config);
            let (smaller, _) = keep_channels(&config, &weights, &kept, None).unwrap();
            seen.push(smaller.front_widths().blocks);
        }
        assert!(
            seen.iter().any(|&w| w < 64) && !seen.contains(&64),
            "{seen:?}"
        );
    }

    #[test]
    fn cutting_stacks_leaves_the_first_ones_heatmaps() {
        let config = HourglassConfig {
            stacks: 3,
            channels: 16,
            ..HourglassConfig::tiny(5)
        };
        let weights = trained(&config);
        let before = heatmaps(&config, &weights);
        for stacks in [1, 2] {
            let (shorter, left) = cut_stacks(&config, &weights, stacks).unwrap();
            let after = heatmaps(&shorter, &left);
            assert_eq!(after[..], before[..stacks]);
        }
        assert!(cut_stacks(&config, &weights, 4).is_err());
    }

    /// The mean of a rectified normal value, against its integral.
    #[test]
    fn rectified_means_are_integrals() {
        for (mean, deviation) in [(0.0, 1.0), (-1.3, 0.7), (2.0, 0.5), (0.4, 3.0)] {
            let steps = 200_000;
            let sum: f64 = (0..steps)
                .map(|i| {
                    let x = mean + deviation * (-8.0 + 16.0 * (f64::from(i) + 0.5) / 200_000.0);
                    let t = (x - mean) / deviation;
                    x.max(0.0) * (-0.5 * t * t).exp()
                })
                .sum();
            let integral = sum * 16.0 / 200_000.0 / (2.0 * std::f64::consts::PI).sqrt();
            let found = rectified_mean(mean, deviation);
            assert!((found - integral).abs() < 1e-5, "{found} {integral}");
        }
        assert_eq!(rectified_mean(0.3, 0.0), 0.3);
        assert_eq!(rectified_mean(-0.3, 0.0), 0.0);
    }
}
