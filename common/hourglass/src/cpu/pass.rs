//! One forward and backward pass of one worker over its share of a batch.

use std::rc::Rc;

use super::arena::Arena;
use super::buffer::Buffer;
use super::conv::{Conv, Incoming, InputGradient, Outcome, Scratch, add_gradient_moments};
use super::element::Element;
use super::isa::Isa;
use super::moments::Moments;
use super::norm::{Affine, Slope, Source, floor};
use super::packed::{Packed, unpack_gradient};
use super::plan::Plan;
use super::resample::{add, add_assign, max_pool, max_pool_gradient, sum_pool, upsample_add};
use crate::graph::{ConvLayer, Graph, MapShape, Node, NodeId};
use crate::weights::{LayerGradient, LayerWeights, NORM_EPSILON, NormWeights};

/// Where the statistics of batch normalization come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statistics {
    /// From the batch, as in training.
    Batch,
    /// From the running averages, as in use.
    Running,
}

/// Gradients of the nodes. Both summands of a sum share one buffer until one of them adds to it:
/// by then the other has mostly been used.
type NodeGradients<E> = Vec<Option<Rc<Buffer<E>>>>;

/// One worker's state. Holds its buffers between steps.
pub(super) struct Pass<E> {
    arena: Arena<E>,
    /// What is stored of every node: of a normalized layer the convolution's result.
    stored: Vec<Buffer<E>>,
    /// How every node's values come from what is stored.
    maps: Vec<Affine>,
    /// Mean and variance of every normalized layer, from the forward pass.
    statistics: Vec<Option<(Vec<f32>, Vec<f32>)>>,
    scratch: Scratch<E>,
}

impl<E: Element> Default for Pass<E> {
    fn default() -> Self {
        Self {
            arena: Arena::default(),
            stored: Vec::new(),
            maps: Vec::new(),
            statistics: Vec::new(),
            scratch: Scratch::default(),
        }
    }
}

/// What a pass reads.
pub(super) struct Task<'a, E> {
    pub isa: Isa,
    pub graph: &'a Graph,
    pub plan: &'a Plan,
    /// Shapes in memory, see [`Plan::shapes`].
    pub shapes: &'a [MapShape],
    pub weights: &'a [LayerWeights],
    pub packed: &'a [Packed<E>],
    pub pictures: usize,
}

impl<E> Task<'_, E> {
    fn conv(&self, layer: usize, input: NodeId, node: NodeId) -> Conv<'_> {
        Conv {
            isa: self.isa,
            layer: &self.graph.layers[layer],
            sizes: self.plan.sizes[layer],
            input: self.shapes[input],
            output: self.shapes[node],
            pictures: self.pictures,
        }
    }

    /// Channels of a node's values.
    pub fn channels(&self, node: NodeId) -> usize {
        match self.graph.nodes[node] {
            Node::Conv { layer, .. } => self.graph.layers[layer].outputs,
            _ => self.shapes[node].channels,
        }
    }

    /// The layer that wants to hear of a node's gradient, for its normalization or its bias, and
    /// its node: the node's own, or one that has the same gradient because it is read by this sum
    /// alone.
    fn listener(&self, node: NodeId) -> Option<(usize, NodeId)> {
        let own = |node: NodeId| match self.graph.nodes[node] {
            Node::Conv { layer, .. } => {
                let ConvLayer { norm, bias, .. } = self.graph.layers[layer];
                (norm || bias).then_some((layer, node))
            }
            _ => None,
        };
        let alone =
            |node: &NodeId| self.plan.readers[*node] == 1 && !self.graph.outputs.contains(node);
        match self.graph.nodes[node] {
            Node::Add { a, b } => [b, a].into_iter().filter(alone).find_map(own),
            _ => own(node),
        }
    }
}

/// Source of a node's values.
fn source<'a, E>(
    stored: &'a [Buffer<E>],
    maps: &'a [Affine],
    plan: &Plan,
    id: NodeId,
) -> Source<'a, E> {
    Source {
        data: &stored[id],
        map: &maps[id],
        plain: plan.plain[id],
    }
}

/// What looks on during [`Pass::backward`]: a node, its values, and the loss's gradient there.
pub(super) type Observe<'a> = &'a mut dyn FnMut(NodeId, &[f32], &[f32]);

impl<E: Element> Pass<E> {
    /// Runs the network on channels-last pictures; the results stay in the pass.
    pub fn forward(&mut self, task: &Task<'_, E>, images: &[f32], statistics: Statistics) {
        for buffer in self.stored.drain(..) {
            self.arena.give(buffer);
        }
        self.maps.clear();
        self.statistics.clear();
        self.statistics.resize(task.graph.layers.len(), None);
        for (id, node) in task.graph.nodes.iter().enumerate() {
            let shape = task.shapes[id];
            let mut output = self.arena.take(task.pictures * shape.len());
            let mut map = Affine::identity(shape.channels, false);
            let source = |node| source(&self.stored, &self.maps, task.plan, node);
            match *node {
                Node::Input => {
                    for (to, from) in output.iter_mut().zip(images) {
                        *to = E::from_f32(*from);
                    }
                }
                Node::Conv { layer, input } => {
                    map = self.conv_forward(task, (layer, input, id), &mut output, statistics);
                }
                Node::Add { a, b } => add(task.isa, source(a), source(b), &mut output),
                Node::MaxPool { input } => {
                    let large = task.shapes[input];
                    for (picture, to) in output.chunks_exact_mut(shape.len()).enumerate() {
                        let range = picture * large.len()..(picture + 1) * large.len();
                        max_pool(task.isa, source(input).part(range), to, large);
                    }
                }
                Node::UpsampleAdd { low, high } => {
                    for (picture, to) in output.chunks_exact_mut(shape.len()).enumerate() {
                        let part = |node: NodeId| {
                            let len = task.shapes[node].len();
                            source(node).part(picture * len..(picture + 1) * len)
                        };
                        upsample_add(task.isa, part(low), part(high), to, shape);
                    }
                }
            }
            self.stored.push(output);
            self.maps.push(map);
        }
    }

    /// Values of one node with `channels` channels after [`Pass::forward`], channels-last.
    pub fn value(&self, node: NodeId, channels: usize) -> Vec<f32> {
        let Affine { a, b, floor } = &self.maps[node];
        let rows = self.stored[node].chunks_exact(a.len());
        let mut values = Vec::with_capacity(rows.len() * channels);
        for row in rows {
            for c in 0..channels {
                values.push((a[c] * row[c].to_f32() + b[c]).max(*floor));
            }
        }
        values
    }

    fn conv_forward(
        &mut self,
        task: &Task<'_, E>,
        (layer, input, id): (usize, NodeId, NodeId),
        output: &mut [E],
        statistics: Statistics,
    ) -> Affine {
        let conv = task.conv(layer, input, id);
        let (weights, packed) = (&task.weights[layer], &task.packed[layer]);
        let channels = conv.sizes.outputs;
        let from = source(&self.stored, &self.maps, task.plan, input);
        let relu = conv.layer.relu;
        let Some(norm) = &weights.norm else {
            let outcome = Outcome::Bias(&packed.bias, floor(relu));
            conv.forward(from, packed, output, outcome, &mut self.scratch);
            return Affine::identity(channels, false);
        };
        // A bias before the normalization only moves the mean: it is left out of what is stored.
        let bias = |c: usize| weights.bias.as_ref().map_or(0.0, |bias| bias[c]);
        let outputs = conv.layer.outputs;
        let (mean, variance) = match statistics {
            Statistics::Batch => {
                let mut moments = Moments::new(channels);
                let outcome = Outcome::Moments(&mut moments);
                conv.forward(from, packed, output, outcome, &mut self.scratch);
                moments.finish(conv.cells())
            }
            Statistics::Running => {
                let zeros = vec![0.0; channels];
                let outcome = Outcome::Bias(&zeros, f32::NEG_INFINITY);
                conv.forward(from, packed, output, outcome, &mut self.scratch);
                let mean = (0..outputs).map(|c| norm.mean[c] - bias(c)).collect();
                (mean, norm.variance.clone())
            }
        };
        let mut map = Affine {
            floor: floor(relu),
            ..Affine::default()
        };
        for c in 0..outputs {
            let a = norm.gamma[c] / (variance[c] + NORM_EPSILON).sqrt();
            map.a.push(a);
            map.b.push(norm.beta[c] - a * mean[c]);
        }
        map.a.resize(channels, 0.0);
        map.b.resize(channels, 0.0);
        self.statistics[layer] = Some((mean, variance));
        map
    }

    /// Gradients of the loss whose gradient at each output `output_gradient(stack, values, g)`
    /// adds to `g`. Call after [`Pass::forward`] with batch statistics. `observe(node, values, g)`
    /// sees every node's values with the loss's gradient there.
    pub fn backward(
        &mut self,
        task: &Task<'_, E>,
        mut output_gradient: impl FnMut(usize, &[f32], &mut [f32]),
        mut observe: Option<Observe<'_>>,
    ) -> Vec<LayerGradient> {
        let mut layers: Vec<Option<LayerGradient>> = vec![None; task.graph.layers.len()];
        let mut gradients: NodeGradients<E> = vec![None; task.graph.nodes.len()];
        let mut heard: Vec<Option<Moments>> = task.graph.layers.iter().map(|_| None).collect();
        let mut missing = task.plan.readers.clone();
        for (id, node) in task.graph.nodes.iter().enumerate().rev() {
            if let Some(stack) = task.graph.outputs.iter().position(|&output| output == id) {
                let channels = task.channels(id);
                let values = self.value(id, channels);
                let mut gradient = vec![0.0; values.len()];
                output_gradient(stack, &values, &mut gradient);
                let (mut into, _) = self.gradient_buffer(&mut gradients, id, true);
                let stored = task.shapes[id].channels;
                for (to, from) in into
                    .chunks_exact_mut(stored)
                    .zip(gradient.chunks_exact(channels))
                {
                    for (to, from) in to.iter_mut().zip(from) {
                        *to = E::from_f32(to.to_f32() + from);
                    }
                }
                gradients[id] = Some(Rc::new(into));
            }
            let Some(gradient) = gradients[id].take() else {
                continue;
            };
            if let Some(observe) = &mut observe {
                let channels = task.channels(id);
                let rows = gradient.chunks_exact(task.shapes[id].channels);
                let gradient: Vec<f32> = rows
                    .flat_map(|row| row[..channels].iter().map(|value| value.to_f32()))
                    .collect();
                observe(id, &self.value(id, channels), &gradient);
            }
            for input in node.inputs() {
                missing[input] -= 1;
            }
            match *node {
                Node::Input => self.arena.give_shared(gradient),
                Node::Conv { layer, input } => {
                    let mut into =
                        (input != 0).then(|| self.gradient_buffer(&mut gradients, input, false));
                    // Whoever completes a layer's gradient tells the layer what it has to know.
                    let complete = missing[input] == 0 && !task.graph.outputs.contains(&input);
                    let listener = task.listener(input).filter(|_| into.is_some() && complete);
                    let mut moments =
                        listener.map(|(layer, _)| Moments::new(task.plan.sizes[layer].outputs));
                    let own = heard[layer].take();
                    layers[layer] = Some(
                        self.conv_backward(
                            task,
                            (layer, input, id),
                            &gradient,
                            own,
                            into.as_mut()
                                .map(|(to, accumulate)| (&mut to[..], *accumulate)),
                            listener.map(|(_, node)| node).zip(moments.as_mut()),
                        ),
                    );
                    if let Some((layer, _)) = listener {
                        heard[layer] = moments;
                    }
                    gradients[input] = into.map(|(buffer, _)| Rc::new(buffer));
                    self.arena.give_shared(gradient);
                }
                Node::Add { a, b } => {
                    self.merge(task, &mut gradients, gradient.clone(), a);
                    self.merge(task, &mut gradients, gradient, b);
                }
                Node::MaxPool { input } => {
                    let large = task.shapes[input];
                    let (mut into, accumulate) = self.gradient_buffer(&mut gradients, input, false);
                    let from = source(&self.stored, &self.maps, task.plan, input);
                    let pictures = into
                        .chunks_exact_mut(large.len())
                        .zip(gradient.chunks_exact(large.len() / 4));
                    for (picture, (to, small)) in pictures.enumerate() {
                        let range = picture * large.len()..(picture + 1) * large.len();
                        max_pool_gradient(task.isa, from.part(range), small, to, large, accumulate);
                    }
                    gradients[input] = Some(Rc::new(into));
                    self.arena.give_shared(gradient);
                }
                Node::UpsampleAdd { low, high } => {
                    let shape = task.shapes[id];
                    let (mut into, accumulate) = self.gradient_buffer(&mut gradients, low, false);
                    for (to, from) in into
                        .chunks_exact_mut(shape.len() / 4)
                        .zip(gradient.chunks_exact(shape.len()))
                    {
                        sum_pool(task.isa, from, to, shape, accumulate);
                    }
                    gradients[low] = Some(Rc::new(into));
                    self.merge(task, &mut gradients, gradient, high);
                }
            }
        }
        // A layer that nothing reads has no part in the loss.
        layers
            .into_iter()
            .zip(&task.graph.layers)
            .map(|(gradient, layer)| gradient.unwrap_or_else(|| zero_gradient(layer)))
            .collect()
    }

    /// The buffer that collects a node's gradient, and whether it already holds a part of it.
    /// A new one holds zeros when `zeros` is set, else anything.
    fn gradient_buffer(
        &mut self,
        gradients: &mut NodeGradients<E>,
        node: NodeId,
        zeros: bool,
    ) -> (Buffer<E>, bool) {
        match gradients[node].take() {
            Some(shared) => (self.arena.unshare(shared), true),
            None => {
                let mut fresh = self.arena.take(self.stored[node].len());
                if zeros {
                    fresh.fill(E::default());
                }
                (fresh, false)
            }
        }
    }

    /// Adds `gradient` to a node's, or makes it the node's.
    fn merge(
        &mut self,
        task: &Task<'_, E>,
        gradients: &mut NodeGradients<E>,
        gradient: Rc<Buffer<E>>,
        node: NodeId,
    ) {
        let sum = match gradients[node].take() {
            Some(into) => {
                let mut into = self.arena.unshare(into);
                add_assign(task.isa, &mut into, &gradient);
                self.arena.give_shared(gradient);
                Rc::new(into)
            }
            None => gradient,
        };
        gradients[node] = Some(sum);
    }

    /// `heard` holds the layer's own sums where another layer has made them; `listener` is a node
    /// that has the input's gradient, and collects its sums.
    fn conv_backward(
        &mut self,
        task: &Task<'_, E>,
        (layer, input, id): (usize, NodeId, NodeId),
        dy: &[E],
        heard: Option<Moments>,
        input_gradient: Option<(&mut [E], bool)>,
        listener: Option<(NodeId, &mut Moments)>,
    ) -> LayerGradient {
        let conv = task.conv(layer, input, id);
        let (weights, packed) = (&task.weights[layer], &task.packed[layer]);
        let channels = conv.sizes.outputs;
        let z = &self.stored[id];
        let map = self.slope_map(task, id);
        let heard = heard.or_else(|| {
            task.listener(id).map(|_| {
                let mut moments = Moments::new(channels);
                add_gradient_moments(task.isa, dy, z, &map, &mut moments);
                moments
            })
        });
        let mut bias = None;
        let (mut p, mut q, mut r) = (
            vec![1.0; channels],
            vec![0.0; channels],
            vec![0.0; channels],
        );
        let norm = match (&weights.norm, self.statistics[layer].take(), heard) {
            (Some(_), Some((mean, variance)), Some(heard)) => {
                let rows = conv.cells() as f64;
                let (mut gamma, mut beta) = (Vec::new(), Vec::new());
                p.clone_from(&map.a);
                for c in 0..conv.layer.outputs {
                    let inverse = 1.0 / (f64::from(variance[c]) + f64::from(NORM_EPSILON)).sqrt();
                    let center = f64::from(mean[c]);
                    let d_beta = heard.sum[c];
                    let d_gamma = (heard.square[c] - center * d_beta) * inverse;
                    // dz = a·dy - a·dβ/rows - a·(z - μ)·inverse·dγ/rows
                    let slope = f64::from(p[c]) * inverse * d_gamma / rows;
                    q[c] = -slope as f32;
                    r[c] = (slope * center - f64::from(p[c]) * d_beta / rows) as f32;
                    beta.push(d_beta as f32);
                    gamma.push(d_gamma as f32);
                }
                // What is stored lacks the bias, whose gradient the normalization takes out.
                bias = weights.bias.as_ref().map(|bias| vec![0.0; bias.len()]);
                let shift = |(c, mean): (usize, &f32)| {
                    mean + weights.bias.as_ref().map_or(0.0, |bias| bias[c])
                };
                let outputs = conv.layer.outputs;
                Some(NormWeights {
                    gamma,
                    beta,
                    mean: mean[..outputs].iter().enumerate().map(shift).collect(),
                    variance: variance[..outputs].to_vec(),
                })
            }
            (_, _, heard) => {
                if let (Some(values), Some(heard)) = (&weights.bias, heard) {
                    bias = Some(
                        heard.sum[..values.len()]
                            .iter()
                            .map(|&v| v as f32)
                            .collect(),
                    );
                }
                None
            }
        };
        let slope = (norm.is_some() || conv.layer.relu).then_some(Slope {
            z,
            map: &map,
            p: &p,
            q: &q,
            r: &r,
        });
        let heard_map = listener
            .as_ref()
            .map(|(node, _)| self.slope_map(task, *node));
        let listener = listener.zip(heard_map.as_ref());
        let listener =
            listener.map(|((node, moments), map)| (&self.stored[node][..], map, moments));
        let mut weight = Buffer::zeroed(conv.sizes.gradient_rows::<E>() * channels);
        conv.backward(
            source(&self.stored, &self.maps, task.plan, input),
            packed,
            Incoming { dy, slope },
            &mut weight,
            input_gradient.map(|(to, accumulate)| InputGradient {
                to,
                accumulate,
                listener,
            }),
            &mut self.scratch,
        );
        LayerGradient {
            weight: unpack_gradient::<E>(conv.layer, conv.sizes, &weight),
            bias,
            norm,
        }
    }

    /// Which values of a layer the gradient passes: those that its ReLU let through.
    fn slope_map(&self, task: &Task<'_, E>, id: NodeId) -> Affine {
        let relu = match task.graph.nodes[id] {
            Node::Conv { layer, .. } => task.graph.layers[layer].relu,
            _ => false,
        };
        Affine {
            floor: floor(relu),
            ..self.maps[id].clone()
        }
    }
}

fn zero_gradient(layer: &ConvLayer) -> LayerGradient {
    LayerGradient {
        weight: vec![0.0; layer.weight_len()],
        bias: layer.bias.then(|| vec![0.0; layer.outputs]),
        norm: layer.norm.then(|| NormWeights {
            gamma: vec![0.0; layer.outputs],
            beta: vec![0.0; layer.outputs],
            mean: vec![0.0; layer.outputs],
            variance: vec![1.0; layer.outputs],
        }),
    }
}
