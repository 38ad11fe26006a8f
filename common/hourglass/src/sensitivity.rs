//! How much the loss depends on each channel of a network, measured on samples.

use std::sync::Mutex;

use crate::channels::ChannelSets;
use crate::cpu::{Batch, Engine};
use crate::graph::{Graph, Node};
use crate::loss::Loss;
use crate::weights::LayerWeights;

/// Sums over the cells of one channel in one picture: of the values `y`, of the gradients `g` of
/// the loss, and of their products.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    value: f32,
    gradient: f32,
    product: f32,
}

/// Sums of one node over the pictures of one worker, `[picture, channel]`.
struct Found {
    node: usize,
    /// The worker's first picture.
    first: usize,
    channels: usize,
    sums: Vec<Sums>,
}

/// What samples say about the channels of a network.
pub struct Sensitivity {
    sets: ChannelSets,
    /// Nodes that write channels of their own: ordinary convolutions.
    writes: Vec<bool>,
    /// Per node and channel, the mean value over all samples.
    means: Vec<Vec<f64>>,
    /// Per node that writes: `[picture, channel]`.
    sums: Vec<Vec<Sums>>,
    /// Per layer with a normalization: mean and variance of the samples.
    statistics: Vec<Option<(Vec<f64>, Vec<f64>)>>,
    pictures: usize,
    batches: usize,
}

impl Sensitivity {
    /// Nothing measured yet.
    pub fn new(graph: &Graph) -> Self {
        let writes = |node: &Node| match *node {
            Node::Conv { layer, .. } => !graph.layers[layer].depthwise,
            _ => false,
        };
        Self {
            sets: ChannelSets::of(graph),
            writes: graph.nodes.iter().map(writes).collect(),
            means: vec![Vec::new(); graph.nodes.len()],
            sums: vec![Vec::new(); graph.nodes.len()],
            statistics: vec![None; graph.layers.len()],
            pictures: 0,
            batches: 0,
        }
    }

    /// Takes one batch in and returns its loss.
    pub fn measure(
        &mut self,
        engine: &mut Engine,
        weights: &[LayerWeights],
        batch: &Batch,
        loss: Loss,
    ) -> f32 {
        let found: Mutex<Vec<Found>> = Mutex::default();
        let result = engine.step_observed(weights, batch, loss, |seen| {
            let per_picture = seen.values.len() / seen.pictures.len().max(1);
            let mut sums = vec![Sums::default(); seen.pictures.len() * seen.channels];
            let pictures = seen
                .values
                .chunks_exact(per_picture)
                .zip(seen.gradient.chunks_exact(per_picture))
                .zip(sums.chunks_exact_mut(seen.channels));
            for ((values, gradient), sums) in pictures {
                let cells = values
                    .chunks_exact(seen.channels)
                    .zip(gradient.chunks_exact(seen.channels));
                for (values, gradient) in cells {
                    for ((sum, y), g) in sums.iter_mut().zip(values).zip(gradient) {
                        sum.value += y;
                        sum.gradient += g;
                        sum.product += y * g;
                    }
                }
            }
            let cells = per_picture / seen.channels;
            for sum in &mut sums {
                sum.value /= cells as f32;
            }
            if let Ok(mut found) = found.lock() {
                found.push(Found {
                    node: seen.node,
                    first: seen.pictures.start,
                    channels: seen.channels,
                    sums,
                });
            }
        });
        let mut found = found.into_inner().unwrap_or_default();
        // Threads end in any order.
        found.sort_by_key(|found| (found.node, found.first));
        for found in found {
            let Found {
                node,
                channels,
                sums,
                ..
            } = found;
            self.means[node].resize(channels, 0.0);
            for picture in sums.chunks_exact(channels) {
                for (mean, sum) in self.means[node].iter_mut().zip(picture) {
                    *mean += f64::from(sum.value);
                }
            }
            if self.writes[node] {
                self.sums[node].extend(sums);
            }
        }
        for (kept, gradient) in self.statistics.iter_mut().zip(&result.gradients) {
            let Some(norm) = &gradient.norm else { continue };
            let (mean, variance) = kept
                .get_or_insert_with(|| (vec![0.0; norm.mean.len()], vec![0.0; norm.mean.len()]));
            for (sum, value) in mean.iter_mut().zip(&norm.mean) {
                *sum += f64::from(*value);
            }
            for (sum, value) in variance.iter_mut().zip(&norm.variance) {
                *sum += f64::from(*value);
            }
        }
        self.pictures += batch.pictures;
        self.batches += 1;
        result.loss
    }

    /// Mean of every node's channels over all samples; empty for nodes that were not seen.
    pub fn means(&self) -> Vec<Vec<f32>> {
        let pictures = self.pictures.max(1) as f64;
        let node = |sums: &Vec<f64>| sums.iter().map(|s| (s / pictures) as f32).collect();
        self.means.iter().map(node).collect()
    }

    /// Per set of channels (see [`ChannelSets`]) the importance of each: the mean over the samples
    /// of the squared change of the loss, to first order, when the channel is replaced by its mean
    /// everywhere (Molchanov et al. 2019, equation 8; the mean instead of zero because it can be
    /// folded into the next layers).
    ///
    /// With y what a convolution of the set writes and g the gradient there, the change for one
    /// sample is the sum over these convolutions and over the cells of (mean(y) - y) · g.
    pub fn importance(&self) -> Vec<Vec<f64>> {
        let means = self.means();
        let mut changes: Vec<Vec<f64>> = vec![Vec::new(); self.sets.len()];
        let mut channels = vec![0; self.sets.len()];
        for (node, sums) in self.sums.iter().enumerate().filter(|(_, s)| !s.is_empty()) {
            let set = self.sets.set(node);
            channels[set] = means[node].len();
            let changes = &mut changes[set];
            changes.resize(sums.len(), 0.0);
            for (row, sums) in changes
                .chunks_exact_mut(means[node].len())
                .zip(sums.chunks_exact(means[node].len()))
            {
                for ((change, sum), mean) in row.iter_mut().zip(sums).zip(&means[node]) {
                    *change += f64::from(mean * sum.gradient - sum.product);
                }
            }
        }
        let pairs = changes.iter().zip(channels);
        pairs
            .map(|(changes, channels)| {
                let mut importance = vec![0.0; channels];
                for row in changes.chunks_exact(channels.max(1)) {
                    for (sum, change) in importance.iter_mut().zip(row) {
                        *sum += change * change / self.pictures.max(1) as f64;
                    }
                }
                importance
            })
            .collect()
    }

    /// Puts the mean statistics of the measured batches into the normalizations of the network that
    /// was measured.
    pub fn set_statistics(&self, weights: &mut [LayerWeights]) {
        let batches = self.batches.max(1) as f64;
        for (layer, found) in weights.iter_mut().zip(&self.statistics) {
            let (Some(norm), Some((mean, variance))) = (&mut layer.norm, found) else {
                continue;
            };
            let average = |sums: &[f64]| sums.iter().map(|s| (s / batches) as f32).collect();
            norm.mean = average(mean);
            norm.variance = average(variance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HourglassConfig;
    use crate::cpu::tests::noise;
    use crate::weights::tests::trained;

    fn batch(pictures: usize, keypoints: usize) -> Batch {
        let (height, width) = (64, 64);
        Batch {
            pictures,
            height,
            width,
            images: noise(pictures * height * width * 3, 31),
            targets: noise(pictures * height * width / 16 * keypoints, 32),
            weights: vec![1.0; pictures * keypoints],
        }
    }

    /// The change of the loss when a channel moves a little towards its mean, measured by moving
    /// it: what a layer writes as `y = γ z + β` without ReLU has mean β, so `γ(1 - ε)` moves it;
    /// what a 1×1 convolution before a normalization reads moves with `W(1 - ε)`, where constants
    /// do not count.
    #[test]
    fn importance_is_the_change_of_the_loss() {
        let config = HourglassConfig {
            stacks: 1,
            channels: 16,
            ..HourglassConfig::full(3)
        };
        let graph = config.graph();
        let weights = trained(&config);
        let batch = batch(1, 3);
        let mut engine = Engine::new(graph.clone(), 1);
        let mut sensitivity = Sensitivity::new(&graph);
        sensitivity.measure(&mut engine, &weights, &batch, Loss::default());
        let importance = sensitivity.importance();
        let sets = ChannelSets::of(&graph);
        let layer_of = |name: &str| graph.layers.iter().position(|l| l.name == name).unwrap();
        let set_of = |layer: usize| {
            let node = graph.nodes.iter().position(|n| match n {
                Node::Conv { layer: l, .. } => *l == layer,
                _ => false,
            });
            sets.set(node.unwrap())
        };
        let mut loss = |weights: &[LayerWeights]| {
            f64::from(engine.step(weights, &batch, Loss::default()).loss)
        };
        let mut checked = 0;
        for (writer, reader) in [
            ("hg0_downsample_8_conv_3x3_2", "hg0_downsample_8_conv_1x1_3"),
            (
                "hg0_upsample_f1_merged_conv_3x3_2",
                "hg0_upsample_f1_merged_conv_1x1_3",
            ),
        ] {
            let set = set_of(layer_of(writer));
            let reader = layer_of(reader);
            let inputs = graph.layers[reader].inputs;
            let largest = importance[set].iter().copied().fold(0.0, f64::max);
            for channel in 0..inputs {
                let change = |epsilon: f32| {
                    let mut weights = weights.clone();
                    for row in weights[reader].weight.chunks_exact_mut(inputs) {
                        row[channel] *= 1.0 - epsilon;
                    }
                    weights
                };
                let slope = (loss(&change(0.02)) - loss(&change(-0.02))) / 0.04;
                let (found, expected) = (importance[set][channel], slope * slope);
                assert!(
                    (found - expected).abs() < 0.1 * expected + 0.01 * largest,
                    "{writer} {channel}: {found:e} {expected:e}"
                );
                checked += 1;
            }
        }
        assert_eq!(checked, 16);

        // The residual stream, which many layers write, from the gradients of their parameters: with
        // `y = γ z + β` the sum of (β - y) · g is -γ · dγ, with `y = W x + b` that of (mean - y) · g
        // is mean · db - W · dW - b · db.
        let set = set_of(layer_of("hg0_downsample_1_conv_1x1_3"));
        let means = sensitivity.means();
        let gradients = engine.step(&weights, &batch, Loss::default()).gradients;
        for channel in 0..16 {
            let mut change = 0.0;
            for (id, node) in graph.nodes.iter().enumerate() {
                let Node::Conv { layer, .. } = *node else {
                    continue;
                };
                if sets.set(id) != set {
                    continue;
                }
                let (values, gradient) = (&weights[layer], &gradients[layer]);
                if let (Some(norm), Some(gradient)) = (&values.norm, &gradient.norm) {
                    change -= norm.gamma[channel] * gradient.gamma[channel];
                } else if let (Some(bias), Some(slope)) = (&values.bias, &gradient.bias) {
                    let inputs = graph.layers[layer].inputs;
                    let row = channel * inputs..(channel + 1) * inputs;
                    let pairs = values.weight[row.clone()].iter().zip(&gradient.weight[row]);
                    change -= pairs.map(|(w, g)| w * g).sum::<f32>();
                    change += (means[id][channel] - bias[channel]) * slope[channel];
                }
            }
            let (found, expected) = (importance[set][channel], f64::from(change).powi(2));
            assert!(
                (found - expected).abs() < 1e-3 * expected + 1e-9,
                "stream {channel}: {found:e} {expected:e}"
            );
        }
    }

    /// More workers and more batches give the sums of one.
    #[test]
    fn samples_add_up() {
        let config = HourglassConfig {
            stacks: 1,
            channels: 16,
            ..HourglassConfig::tiny(3)
        };
        let graph = config.graph();
        let weights = trained(&config);
        let batch = batch(4, 3);
        let measured = |threads| {
            let mut sensitivity = Sensitivity::new(&graph);
            let mut engine = Engine::new(graph.clone(), threads);
            for _ in 0..2 {
                sensitivity.measure(&mut engine, &weights, &batch, Loss::default());
            }
            sensitivity
        };
        let one = measured(1);
        let mut statistics = weights.clone();
        one.set_statistics(&mut statistics);
        let mut engine = Engine::new(graph.clone(), 1);
        let step = engine.step(&weights, &batch, Loss::default());
        for (layer, gradient) in statistics.iter().zip(&step.gradients) {
            let (Some(norm), Some(batch)) = (&layer.norm, &gradient.norm) else {
                continue;
            };
            for (a, b) in norm.mean.iter().zip(&batch.mean) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
        // Every picture alone, in any worker: the stem's means, computed another way.
        for threads in [1, 2] {
            let means = measured(threads).means();
            let mut graph = graph.clone();
            graph.outputs = vec![1];
            let mut own = weights.clone();
            // The statistics of the workers' own shares, as in the measurement.
            let mut sums = vec![0.0f64; 64];
            for share in batch.images.chunks_exact(batch.images.len() / threads) {
                let part = Batch {
                    pictures: 4 / threads,
                    images: share.to_vec(),
                    targets: vec![0.0; 4 / threads * 16 * 16 * 3],
                    weights: vec![1.0; 4 / threads * 3],
                    ..batch
                };
                let mut engine = Engine::new(config.graph(), 1);
                let step = engine.step(&weights, &part, Loss::default());
                let (Some(norm), Some(batch)) = (&mut own[0].norm, &step.gradients[0].norm) else {
                    unreachable!()
                };
                norm.mean.clone_from(&batch.mean);
                norm.variance.clone_from(&batch.variance);
                let values = Engine::new(graph.clone(), 1).forward(&own, share, (64, 64));
                for cell in values.chunks_exact(64) {
                    for (sum, value) in sums.iter_mut().zip(cell) {
                        *sum += f64::from(*value) / (4.0 * 32.0 * 32.0);
                    }
                }
            }
            assert_eq!(means[1].len(), 64);
            for (found, expected) in means[1].iter().zip(&sums) {
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-4,
                    "{found} {expected}"
                );
            }
        }
    }
}
