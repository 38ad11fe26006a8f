//! How much the loss depends on each channel of a network, measured on samples.

use std::sync::Mutex;

use crate::channels::ChannelSets;
use crate::cpu::{Batch, Engine, Loss};
use crate::graph::{Graph, Node};
use crate::weights::LayerWeights;

/// Sums over the cells of one channel in one picture: of the values `y`, of the gradients `g` of
/// the loss, and of their products.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    value: f32,
    gradient: f32,
    product: f32,
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
        let found: Mutex<Vec<(usize, usize, Vec<Sums>)>> = Mutex::default();
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
                found.push((seen.node, seen.pictures.start, sums));
            }
        });
        let mut found = found.into_inner().unwrap_or_default();
        // Threads end in any order.
        found.sort_by_key(|(node, first, _)| (*node, *first));
        for (node, _, sums) in found {
            let channels = match self.means[node].len() {
                0 => sums.len() / batch.pictures.max(1),
                known => known,
            };
            let channels = channels.max(1);
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
