//! A network as data: convolution layers and the nodes that connect them.

use serde::{Deserialize, Serialize};

/// Index of a node in [`Graph::nodes`].
pub type NodeId = usize;

/// One convolution with what follows it: Conv → BatchNorm → ReLU, the last two optional.
///
/// Weights have the shape `[outputs, inputs / groups, kernel, kernel]`. Padding is "same": the
/// output has `ceil(size / stride)` rows, and where the padding is odd the extra row goes after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvLayer {
    /// Name in the earlier projects' scheme, for example `hg0_upsample_f4_short_conv_3x3_2`.
    pub name: String,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Side of the square kernel in cells.
    pub kernel: usize,
    /// Step in cells, 1 or 2.
    pub stride: usize,
    /// One kernel per channel (`groups == inputs == outputs`) instead of a full convolution.
    pub depthwise: bool,
    /// Has an additive bias.
    pub bias: bool,
    /// Is followed by batch normalization.
    pub norm: bool,
    /// Ends in a ReLU.
    pub relu: bool,
}

impl ConvLayer {
    /// Shape of the weight tensor, `[outputs, inputs / groups, kernel, kernel]`.
    pub fn weight_shape(&self) -> [usize; 4] {
        let inputs = if self.depthwise { 1 } else { self.inputs };
        [self.outputs, inputs, self.kernel, self.kernel]
    }

    /// Number of weights, without bias and normalization.
    pub fn weight_len(&self) -> usize {
        self.weight_shape().iter().product()
    }

    /// Trainable parameters: weights, bias, gamma and beta.
    pub fn parameters(&self) -> usize {
        self.weight_len()
            + usize::from(self.bias) * self.outputs
            + 2 * usize::from(self.norm) * self.outputs
    }

    /// Rows of zeros before the first and after the last input row, for an input of `size` rows.
    pub fn padding(&self, size: usize) -> (usize, usize) {
        let out = size.div_ceil(self.stride);
        let total = ((out - 1) * self.stride + self.kernel).saturating_sub(size);
        (total / 2, total - total / 2)
    }
}

/// One operation on feature maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Node {
    /// The picture.
    Input,
    /// A [`ConvLayer`] by its index in [`Graph::layers`].
    Conv {
        /// Index in [`Graph::layers`].
        layer: usize,
        /// What is convolved.
        input: NodeId,
    },
    /// Sum of two maps of equal shape.
    Add {
        /// First summand.
        a: NodeId,
        /// Second summand.
        b: NodeId,
    },
    /// Maximum over 2×2 cells, step 2.
    MaxPool {
        /// What is pooled.
        input: NodeId,
    },
    /// `high` plus `low` enlarged twice by nearest neighbour.
    UpsampleAdd {
        /// The map of half the size.
        low: NodeId,
        /// The map of full size.
        high: NodeId,
    },
}

impl Node {
    /// The nodes this one reads, in order.
    pub fn inputs(&self) -> impl Iterator<Item = NodeId> {
        let (first, second) = match *self {
            Node::Input => (None, None),
            Node::Conv { input, .. } | Node::MaxPool { input } => (Some(input), None),
            Node::Add { a, b } => (Some(a), Some(b)),
            Node::UpsampleAdd { low, high } => (Some(low), Some(high)),
        };
        first.into_iter().chain(second)
    }

    /// The same operation on other nodes.
    pub fn on(self, other: impl Fn(NodeId) -> NodeId) -> Node {
        match self {
            Node::Input => Node::Input,
            Node::Conv { layer, input } => Node::Conv {
                layer,
                input: other(input),
            },
            Node::Add { a, b } => Node::Add {
                a: other(a),
                b: other(b),
            },
            Node::MaxPool { input } => Node::MaxPool {
                input: other(input),
            },
            Node::UpsampleAdd { low, high } => Node::UpsampleAdd {
                low: other(low),
                high: other(high),
            },
        }
    }
}

/// Channels and size of one node's map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapShape {
    /// Number of channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl MapShape {
    /// Cells of one channel.
    pub fn cells(&self) -> usize {
        self.height * self.width
    }

    /// Values of one picture.
    pub fn len(&self) -> usize {
        self.cells() * self.channels
    }

    /// True for a map without values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A network: layers with weights, nodes in an order in which they can run, and the outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// Channels of the picture.
    pub input_channels: usize,
    /// The convolutions, in the order of their first use.
    pub layers: Vec<ConvLayer>,
    /// The operations; a node reads only earlier nodes.
    pub nodes: Vec<Node>,
    /// The heatmaps of every stack, first stack first.
    pub outputs: Vec<NodeId>,
}

impl Graph {
    /// An empty graph whose node 0 is the picture.
    pub fn new(input_channels: usize) -> Self {
        Self {
            input_channels,
            layers: Vec::new(),
            nodes: vec![Node::Input],
            outputs: Vec::new(),
        }
    }

    /// Appends a node and returns its id.
    pub fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Appends a layer and the node that runs it on `input`.
    pub fn conv(&mut self, input: NodeId, layer: ConvLayer) -> NodeId {
        self.layers.push(layer);
        let layer = self.layers.len() - 1;
        self.push(Node::Conv { layer, input })
    }

    /// Trainable parameters of all layers.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(ConvLayer::parameters).sum()
    }

    /// Shape of every node's map for a picture of `height` × `width`.
    pub fn shapes(&self, height: usize, width: usize) -> Vec<MapShape> {
        let mut shapes: Vec<MapShape> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let shape = match *node {
                Node::Input => MapShape {
                    channels: self.input_channels,
                    height,
                    width,
                },
                Node::Conv { layer, input } => MapShape {
                    channels: self.layers[layer].outputs,
                    height: shapes[input].height.div_ceil(self.layers[layer].stride),
                    width: shapes[input].width.div_ceil(self.layers[layer].stride),
                },
                Node::Add { a, .. } => shapes[a],
                Node::MaxPool { input } => MapShape {
                    channels: shapes[input].channels,
                    height: shapes[input].height / 2,
                    width: shapes[input].width / 2,
                },
                Node::UpsampleAdd { high, .. } => shapes[high],
            };
            shapes.push(shape);
        }
        shapes
    }

    /// Multiply-accumulate operations of one forward pass over a picture of `height` × `width`.
    pub fn macs(&self, height: usize, width: usize) -> u64 {
        let shapes = self.shapes(height, width);
        self.nodes
            .iter()
            .zip(&shapes)
            .filter_map(|(node, shape)| match *node {
                Node::Conv { layer, .. } => {
                    Some(self.layers[layer].weight_len() as u64 * shape.cells() as u64)
                }
                _ => None,
            })
            .sum()
    }

    /// The same graph with only the last output, without the nodes and layers that it does not
    /// need. Returns the graph and, for every remaining layer, its index in `self`.
    pub fn last_stack(&self) -> (Graph, Vec<usize>) {
        let mut needed = vec![false; self.nodes.len()];
        let last = self.outputs.last().copied();
        if let Some(last) = last {
            needed[last] = true;
        }
        for id in (0..self.nodes.len()).rev() {
            if needed[id] {
                for input in self.nodes[id].inputs() {
                    needed[input] = true;
                }
            }
        }
        let mut graph = Graph::new(self.input_channels);
        let mut kept_layers = Vec::new();
        let mut new_id = vec![0; self.nodes.len()];
        for (id, node) in self.nodes.iter().enumerate().skip(1) {
            if !needed[id] {
                continue;
            }
            new_id[id] = match *node {
                Node::Conv { layer, input } => {
                    kept_layers.push(layer);
                    graph.conv(new_id[input], self.layers[layer].clone())
                }
                node => graph.push(node.on(|input| new_id[input])),
            };
        }
        graph.outputs = last.map(|id| new_id[id]).into_iter().collect();
        (graph, kept_layers)
    }
}
