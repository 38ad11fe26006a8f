//! What channels are on average, without samples.

use crate::graph::{ConvLayer, Graph, Node};
use crate::weights::LayerWeights;

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

#[cfg(test)]
mod tests {
    use super::*;

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
