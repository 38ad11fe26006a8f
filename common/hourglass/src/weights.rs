//! The values of a graph's layers, and their gradients.

use crate::graph::{ConvLayer, Graph};

/// Added to the variance in every batch normalization, the earlier projects' value.
pub const NORM_EPSILON: f32 = 1e-3;

/// Batch normalization of one layer; every vector has one value per output channel.
#[derive(Clone, Debug, PartialEq)]
pub struct NormWeights {
    /// Scale.
    pub gamma: Vec<f32>,
    /// Shift.
    pub beta: Vec<f32>,
    /// Running mean of the convolution's result.
    pub mean: Vec<f32>,
    /// Running (biased) variance of the convolution's result.
    pub variance: Vec<f32>,
}

/// Values of one [`ConvLayer`].
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    /// Shape [`ConvLayer::weight_shape`], row-major.
    pub weight: Vec<f32>,
    /// One value per output channel, where the layer has a bias.
    pub bias: Option<Vec<f32>>,
    /// Where the layer has a normalization.
    pub norm: Option<NormWeights>,
}

/// Gradients of one [`ConvLayer`], with the statistics of the batch that they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerGradient {
    /// Gradient of the weights.
    pub weight: Vec<f32>,
    /// Gradient of the bias.
    pub bias: Option<Vec<f32>>,
    /// Gradients of gamma and beta with the batch's mean and (biased) variance.
    pub norm: Option<NormWeights>,
}

impl LayerGradient {
    /// Adds every value of `other`, statistics included.
    pub fn add(&mut self, other: &LayerGradient) {
        fn add(into: &mut [f32], from: &[f32]) {
            for (i, f) in into.iter_mut().zip(from) {
                *i += f;
            }
        }
        add(&mut self.weight, &other.weight);
        if let (Some(a), Some(b)) = (&mut self.bias, &other.bias) {
            add(a, b);
        }
        if let (Some(a), Some(b)) = (&mut self.norm, &other.norm) {
            add(&mut a.gamma, &b.gamma);
            add(&mut a.beta, &b.beta);
            add(&mut a.mean, &b.mean);
            add(&mut a.variance, &b.variance);
        }
    }

    /// Multiplies the gradients; the statistics stay.
    pub fn scale(&mut self, factor: f32) {
        let bias = self.bias.iter_mut().flatten();
        let norm = self.norm.iter_mut();
        let norm = norm.flat_map(|n| n.gamma.iter_mut().chain(&mut n.beta));
        let all = self.weight.iter_mut().chain(bias).chain(norm);
        all.for_each(|value| *value *= factor);
    }

    /// The sum of the gradients' squares.
    pub fn square_sum(&self) -> f64 {
        let sum = |values: &[f32]| values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
        let norm = self.norm.as_ref();
        sum(&self.weight)
            + self.bias.as_deref().map_or(0.0, sum)
            + norm.map_or(0.0, |n| sum(&n.gamma) + sum(&n.beta))
    }
}

/// A source of random numbers for [`LayerWeights::random`].
pub trait Normal {
    /// A sample of the standard normal distribution.
    fn sample(&mut self) -> f32;
}

impl<F: FnMut() -> f32> Normal for F {
    fn sample(&mut self) -> f32 {
        self()
    }
}

impl LayerWeights {
    /// Kaiming-normal weights (He et al. 2015, fan in), bias 0, gamma 1, beta 0.
    pub fn random(layer: &ConvLayer, normal: &mut impl Normal) -> Self {
        let [_, inputs, kernel, _] = layer.weight_shape();
        let gain = if layer.relu { 2.0f32 } else { 1.0 };
        let deviation = (gain / (inputs * kernel * kernel) as f32).sqrt();
        Self {
            weight: (0..layer.weight_len())
                .map(|_| normal.sample() * deviation)
                .collect(),
            bias: layer.bias.then(|| vec![0.0; layer.outputs]),
            norm: layer.norm.then(|| NormWeights {
                gamma: vec![1.0; layer.outputs],
                beta: vec![0.0; layer.outputs],
                mean: vec![0.0; layer.outputs],
                variance: vec![1.0; layer.outputs],
            }),
        }
    }

    /// Weight and bias of the same layer with its batch normalization folded in: one convolution
    /// with bias that computes the same from the running statistics.
    pub fn folded(&self, layer: &ConvLayer) -> (Vec<f32>, Vec<f32>) {
        let mut weight = self.weight.clone();
        let mut bias = self
            .bias
            .clone()
            .unwrap_or_else(|| vec![0.0; layer.outputs]);
        if let Some(norm) = &self.norm {
            let per_output = layer.weight_len() / layer.outputs;
            for (channel, kernel) in weight.chunks_exact_mut(per_output).enumerate() {
                let scale = norm.gamma[channel] / (norm.variance[channel] + NORM_EPSILON).sqrt();
                for w in kernel {
                    *w *= scale;
                }
                bias[channel] = (bias[channel] - norm.mean[channel]) * scale + norm.beta[channel];
            }
        }
        (weight, bias)
    }
}

/// Random values for all layers of a graph, see [`LayerWeights::random`].
pub fn random_weights(graph: &Graph, normal: &mut impl Normal) -> Vec<LayerWeights> {
    graph
        .layers
        .iter()
        .map(|layer| LayerWeights::random(layer, normal))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cpu::tests::noise;
    use crate::{Engine, HourglassConfig};

    /// Random values with statistics as after a training.
    pub fn trained(config: &HourglassConfig) -> Vec<LayerWeights> {
        let values = noise(200_003, 5);
        let mut values = values.iter().copied().cycle();
        let mut next = move || values.next().unwrap_or_default() * 1.7;
        let mut weights = random_weights(&config.graph(), &mut next);
        for layer in &mut weights {
            if let Some(norm) = &mut layer.norm {
                norm.gamma.iter_mut().for_each(|v| *v += 0.3 * next());
                norm.beta.iter_mut().for_each(|v| *v = 0.3 * next());
                norm.mean.iter_mut().for_each(|v| *v = 0.3 * next());
                let variances = norm.variance.iter_mut();
                variances.for_each(|v| *v += 0.5 * next().abs());
            }
            if let Some(bias) = &mut layer.bias {
                bias.iter_mut().for_each(|v| *v = 0.3 * next());
            }
        }
        weights
    }

    /// Heatmaps of every stack for the same two pictures of noise.
    pub fn heatmaps(config: &HourglassConfig, weights: &[LayerWeights]) -> Vec<Vec<f32>> {
        let images = noise(2 * 32 * 64 * 3, 9);
        let graph = config.graph();
        let outputs = graph.outputs.clone();
        let maps = outputs.iter().map(|&output| {
            let mut graph = graph.clone();
            graph.outputs = vec![output];
            Engine::new(graph, 1).forward(weights, &images, (32, 64))
        });
        maps.collect()
    }

    /// Largest difference in units of the largest value of `a`.
    pub fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        let size = a.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let pairs = a.iter().zip(b);
        pairs.fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / size
    }
}
