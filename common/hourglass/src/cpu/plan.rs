//! What follows from a graph alone and every pass needs.

use super::packed::{Sizes, padded};
use crate::graph::{Graph, MapShape, Node};

/// How a graph lies in memory.
pub(super) struct Plan {
    /// Sizes of every layer.
    pub sizes: Vec<Sizes>,
    /// Nodes that read each node and lie on a way to an output: as many parts has its gradient.
    pub readers: Vec<usize>,
    /// Nodes whose values are stored as they are; of the others, the values before normalization.
    pub plain: Vec<bool>,
}

impl Plan {
    /// # Panics
    /// When the engine cannot compute a node.
    pub fn new(graph: &Graph) -> Self {
        let mut sizes = vec![None; graph.layers.len()];
        let mut plain = Vec::with_capacity(graph.nodes.len());
        // The picture is stored with its own channels and read by ordinary convolutions alone.
        let mut channels = Vec::with_capacity(graph.nodes.len());
        for node in &graph.nodes {
            let mut normalized = false;
            let stored = match *node {
                Node::Input => graph.input_channels,
                Node::Conv { layer, input } => {
                    let shape = &graph.layers[layer];
                    assert!(
                        input != 0 || !shape.depthwise,
                        "{}: a depthwise convolution of the picture is not supported",
                        shape.name
                    );
                    normalized = shape.norm;
                    let new = Sizes::new(shape, channels[input]);
                    sizes[layer] = Some(new);
                    new.outputs
                }
                Node::Add { a, .. }
                | Node::UpsampleAdd { high: a, .. }
                | Node::MaxPool { input: a } => {
                    assert!(
                        node.inputs().all(|input| input != 0),
                        "sums and pooling of the picture itself are not supported"
                    );
                    channels[a]
                }
            };
            channels.push(stored);
            plain.push(!normalized);
        }
        let sizes = sizes.into_iter().zip(&graph.layers);
        Self {
            // A layer that no node runs never reads these.
            sizes: sizes
                .map(|(size, layer)| {
                    size.unwrap_or_else(|| Sizes::new(layer, padded(layer.inputs)))
                })
                .collect(),
            readers: readers(graph),
            plain,
        }
    }

    /// Shape of every node's map in memory, for a picture of `height` × `width`.
    pub fn shapes(&self, graph: &Graph, height: usize, width: usize) -> Vec<MapShape> {
        let shapes = graph.shapes(height, width).into_iter().enumerate();
        shapes
            .map(|(id, shape)| MapShape {
                channels: if id == 0 {
                    shape.channels
                } else {
                    padded(shape.channels)
                },
                ..shape
            })
            .collect()
    }
}

fn readers(graph: &Graph) -> Vec<usize> {
    let mut needed = vec![false; graph.nodes.len()];
    let mut readers = vec![0; graph.nodes.len()];
    for &output in &graph.outputs {
        needed[output] = true;
    }
    for (id, node) in graph.nodes.iter().enumerate().rev() {
        if needed[id] {
            for input in node.inputs() {
                needed[input] = true;
                readers[input] += 1;
            }
        }
    }
    readers
}
