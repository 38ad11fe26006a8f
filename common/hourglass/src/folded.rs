//! A trained network as it runs: convolutions with bias and nothing else.

use crate::graph::{ConvLayer, Graph, Node};
use crate::weights::LayerWeights;

/// Weight and bias of one convolution, see [`ConvLayer::weight_shape`].
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedLayer {
    /// Shape [`ConvLayer::weight_shape`], row-major.
    pub weight: Vec<f32>,
    /// One value per output channel.
    pub bias: Vec<f32>,
}

/// The last stack's network with every batch normalization folded into its convolution (exact,
/// because it follows the convolution directly) and every 1×1 depthwise scale folded into the
/// pointwise convolution that reads it. Returns a graph whose layers all have a bias and no
/// normalization, and their values.
pub fn fold(graph: &Graph, weights: &[LayerWeights]) -> (Graph, Vec<FoldedLayer>) {
    let (graph, kept) = graph.last_stack();
    let mut folded = Graph::new(graph.input_channels);
    let mut layers = Vec::with_capacity(kept.len());
    let mut new_id = vec![0; graph.nodes.len()];
    // Per node: the scale and the node that it stands for, where the node is a mere scale.
    let mut scales: Vec<Option<(&[f32], usize)>> = vec![None; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate().skip(1) {
        new_id[id] = match *node {
            Node::Conv { layer, input } => {
                let (description, values) = (&graph.layers[layer], &weights[kept[layer]]);
                if is_scale(description) && is_read_by_pointwise_alone(&graph, id) {
                    scales[id] = Some((&values.weight, input));
                    continue;
                }
                let (mut weight, bias) = values.folded(description);
                let mut input = input;
                if let Some((scale, from)) = scales[input] {
                    for kernel in weight.chunks_exact_mut(scale.len()) {
                        for (w, s) in kernel.iter_mut().zip(scale) {
                            *w *= s;
                        }
                    }
                    input = from;
                }
                layers.push(FoldedLayer { weight, bias });
                folded.conv(
                    new_id[input],
                    ConvLayer {
                        bias: true,
                        norm: false,
                        ..description.clone()
                    },
                )
            }
            node => folded.push(node.on(|input| new_id[input])),
        };
    }
    folded.outputs = graph.outputs.iter().map(|&output| new_id[output]).collect();
    (folded, layers)
}

fn is_scale(layer: &ConvLayer) -> bool {
    layer.depthwise && layer.kernel == 1 && !layer.norm && !layer.bias && !layer.relu
}

fn is_read_by_pointwise_alone(graph: &Graph, id: usize) -> bool {
    !graph.outputs.contains(&id)
        && graph
            .nodes
            .iter()
            .filter(|node| node.inputs().any(|input| input == id))
            .all(|node| match *node {
                Node::Conv { layer, .. } => {
                    graph.layers[layer].kernel == 1 && !graph.layers[layer].depthwise
                }
                _ => false,
            })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::tests::noise;
    use crate::{Engine, Form, HourglassConfig, random_weights};

    /// Folding changes no heatmap, also with running statistics and gammas far from the start.
    #[test]
    fn folded_network_computes_the_same() {
        for (form, mobile) in [
            (Form::Lean, true),
            (Form::Classic, true),
            (Form::Classic, false),
        ] {
            let config = HourglassConfig {
                form,
                mobile,
                channels: 16,
                stacks: 2,
                ..HourglassConfig::tiny(5)
            };
            let graph = config.graph();
            let values = noise(100_000, 3);
            let mut values = values.iter().copied().cycle();
            let mut next = move || values.next().unwrap_or_default() * 1.7;
            let mut weights = random_weights(&graph, &mut next);
            for layer in &mut weights {
                if let Some(norm) = &mut layer.norm {
                    norm.gamma.iter_mut().for_each(|v| *v += 0.3 * next());
                    norm.beta.iter_mut().for_each(|v| *v = 0.3 * next());
                    norm.mean.iter_mut().for_each(|v| *v = 0.3 * next());
                    norm.variance
                        .iter_mut()
                        .for_each(|v| *v += 0.5 * next().abs());
                }
                if let Some(bias) = &mut layer.bias {
                    bias.iter_mut().for_each(|v| *v = 0.3 * next());
                }
            }
            let (folded, layers) = fold(&graph, &weights);
            assert!(folded.layers.iter().all(|layer| layer.bias && !layer.norm));
            assert!(!folded.layers.iter().any(is_scale));
            let plain: Vec<LayerWeights> = layers
                .into_iter()
                .map(|layer| LayerWeights {
                    weight: layer.weight,
                    bias: Some(layer.bias),
                    norm: None,
                })
                .collect();
            let images = noise(2 * 32 * 64 * 3, 9);
            let before = Engine::new(graph, 1).forward(&weights, &images, (32, 64));
            let after = Engine::new(folded, 1).forward(&plain, &images, (32, 64));
            let largest = before.iter().fold(0.0f32, |a, v| a.max(v.abs()));
            for (b, a) in before.iter().zip(&after) {
                assert!((b - a).abs() < 1e-4 * largest, "{form:?}: {b} {a}");
            }
        }
    }
}
