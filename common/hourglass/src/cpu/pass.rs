//! One forward and backward pass of one worker over its share of a batch.

use std::ops::Range;
use std::rc::Rc;

use super::arena::Arena;
use super::conv::{BackwardScratch, Conv, OutputGradient, Packed};
use super::moments::Moments;
use super::norm;
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
type NodeGradients = Vec<Option<Rc<Vec<f32>>>>;

/// What a normalized layer keeps from the forward pass for the backward pass.
struct Normalized {
    /// The convolution's result before normalization.
    z: Vec<f32>,
    mean: Vec<f32>,
    variance: Vec<f32>,
    /// Scale and shift that take z to the normalized value.
    a: Vec<f32>,
    b: Vec<f32>,
}

/// One worker's state. Holds its buffers between steps.
#[derive(Default)]
pub(super) struct Pass {
    arena: Arena,
    values: Vec<Vec<f32>>,
    normalized: Vec<Option<Normalized>>,
    columns: Vec<f32>,
    scratch: BackwardScratch,
}

/// What a pass reads.
pub(super) struct Task<'a> {
    pub graph: &'a Graph,
    pub shapes: &'a [MapShape],
    pub weights: &'a [LayerWeights],
    pub packed: &'a [Packed],
    pub pictures: usize,
}

impl Task<'_> {
    fn conv(&self, layer: usize, input: NodeId, node: NodeId) -> Conv<'_> {
        Conv {
            layer: &self.graph.layers[layer],
            input: self.shapes[input],
            output: self.shapes[node],
            pictures: self.pictures,
        }
    }
}

impl Pass {
    /// Runs the network on channels-last pictures; the results stay in the pass.
    pub fn forward(&mut self, task: &Task<'_>, images: &[f32], statistics: Statistics) {
        self.clear();
        self.values.resize_with(task.graph.nodes.len(), Vec::new);
        self.normalized
            .resize_with(task.graph.layers.len(), || None);
        for (id, node) in task.graph.nodes.iter().enumerate() {
            let shape = task.shapes[id];
            let mut output = self.arena.take(task.pictures * shape.len());
            match *node {
                Node::Input => output.copy_from_slice(images),
                Node::Conv { layer, input } => {
                    self.conv_forward(task, layer, input, id, &mut output, statistics);
                }
                Node::Add { a, b } => add(&self.values[a], &self.values[b], &mut output),
                Node::MaxPool { input } => {
                    let large = task.shapes[input];
                    for (from, to) in self.values[input]
                        .chunks_exact(large.len())
                        .zip(output.chunks_exact_mut(shape.len()))
                    {
                        max_pool(from, to, large);
                    }
                }
                Node::UpsampleAdd { low, high } => {
                    let pictures = self.values[low]
                        .chunks_exact(task.shapes[low].len())
                        .zip(self.values[high].chunks_exact(shape.len()))
                        .zip(output.chunks_exact_mut(shape.len()));
                    for ((low, high), to) in pictures {
                        upsample_add(low, high, to, shape);
                    }
                }
            }
            self.values[id] = output;
        }
    }

    /// Values of one node after [`Pass::forward`], channels-last.
    pub fn value(&self, node: NodeId) -> &[f32] {
        &self.values[node]
    }

    fn conv_forward(
        &mut self,
        task: &Task<'_>,
        layer: usize,
        input: NodeId,
        id: NodeId,
        output: &mut [f32],
        statistics: Statistics,
    ) {
        let conv = task.conv(layer, input, id);
        let (layer_shape, weights) = (conv.layer, &task.weights[layer]);
        let (outputs, packed) = (layer_shape.outputs, &task.packed[layer]);
        let from = &self.values[input];
        let add_bias = |rows: &mut [f32], relu: bool| {
            let Some(bias) = &weights.bias else { return };
            for row in rows.chunks_exact_mut(outputs) {
                for (value, bias) in row.iter_mut().zip(bias) {
                    *value += bias;
                    if relu && *value < 0.0 {
                        *value = 0.0;
                    }
                }
            }
        };
        let Some(norm) = &weights.norm else {
            let relu = layer_shape.relu;
            conv.forward(from, packed, output, &mut self.columns, |rows| {
                add_bias(rows, relu);
                if relu && weights.bias.is_none() {
                    rows.iter_mut().for_each(|v| *v = v.max(0.0));
                }
            });
            return;
        };
        let mut z = self.arena.take(output.len());
        let mut moments = Moments::new(outputs);
        conv.forward(from, packed, &mut z, &mut self.columns, |rows| {
            add_bias(rows, false);
            if statistics == Statistics::Batch {
                moments.add(rows);
            }
        });
        let (mean, variance) = match statistics {
            Statistics::Batch => moments.finish(conv.cells()),
            Statistics::Running => (norm.mean.clone(), norm.variance.clone()),
        };
        let a: Vec<f32> = norm
            .gamma
            .iter()
            .zip(&variance)
            .map(|(gamma, variance)| gamma / (variance + NORM_EPSILON).sqrt())
            .collect();
        let b: Vec<f32> = (0..outputs)
            .map(|c| norm.beta[c] - a[c] * mean[c])
            .collect();
        norm::scale_shift(&z, &a, &b, layer_shape.relu, output);
        self.normalized[layer] = Some(Normalized {
            z,
            mean,
            variance,
            a,
            b,
        });
    }

    /// Gradients of the loss whose gradient at each output `output_gradient(stack, values, g)`
    /// adds to `g`. Call after [`Pass::forward`] with batch statistics. `observe(node, values, g)`
    /// sees every node's values with the loss's gradient there.
    pub fn backward(
        &mut self,
        task: &Task<'_>,
        mut output_gradient: impl FnMut(usize, &[f32], &mut [f32]),
        mut observe: impl FnMut(NodeId, &[f32], &[f32]),
    ) -> Vec<LayerGradient> {
        let mut layers: Vec<Option<LayerGradient>> = vec![None; task.graph.layers.len()];
        let mut gradients: NodeGradients = vec![None; task.graph.nodes.len()];
        for (id, node) in task.graph.nodes.iter().enumerate().rev() {
            if let Some(stack) = task.graph.outputs.iter().position(|&output| output == id) {
                let mut gradient = match gradients[id].take() {
                    Some(shared) => self.arena.unshare(shared),
                    None => {
                        let mut fresh = self.arena.take(self.values[id].len());
                        fresh.fill(0.0);
                        fresh
                    }
                };
                output_gradient(stack, &self.values[id], &mut gradient);
                gradients[id] = Some(Rc::new(gradient));
            }
            let Some(gradient) = gradients[id].take() else {
                continue;
            };
            observe(id, &self.values[id], &gradient);
            match *node {
                Node::Input => self.arena.give_shared(gradient),
                Node::Conv { layer, input } => {
                    let conv = task.conv(layer, input, id);
                    let (mut into, accumulate) = match gradients[input].take() {
                        Some(shared) => (Some(self.arena.unshare(shared)), true),
                        None if input == 0 => (None, false),
                        None => (Some(self.arena.take(self.values[input].len())), false),
                    };
                    layers[layer] = Some(self.conv_backward(
                        &conv,
                        &task.weights[layer],
                        &task.packed[layer],
                        (layer, input, id),
                        &gradient,
                        into.as_mut().map(|buffer| (&mut buffer[..], accumulate)),
                    ));
                    gradients[input] = into.map(Rc::new);
                    self.arena.give_shared(gradient);
                }
                Node::Add { a, b } => {
                    self.merge(&mut gradients, gradient.clone(), a);
                    self.merge(&mut gradients, gradient, b);
                }
                Node::MaxPool { input } => {
                    let large = task.shapes[input];
                    let (mut into, accumulate) = self.gradient_buffer(&mut gradients, input);
                    let pictures = into
                        .chunks_exact_mut(large.len())
                        .zip(self.values[input].chunks_exact(large.len()))
                        .zip(self.values[id].chunks_exact(large.len() / 4))
                        .zip(gradient.chunks_exact(large.len() / 4));
                    for (((to, large_map), small_map), from) in pictures {
                        max_pool_gradient(large_map, small_map, from, to, large, accumulate);
                    }
                    gradients[input] = Some(Rc::new(into));
                    self.arena.give_shared(gradient);
                }
                Node::UpsampleAdd { low, high } => {
                    let shape = task.shapes[id];
                    let (mut into, accumulate) = self.gradient_buffer(&mut gradients, low);
                    for (to, from) in into
                        .chunks_exact_mut(shape.len() / 4)
                        .zip(gradient.chunks_exact(shape.len()))
                    {
                        sum_pool(from, to, shape, accumulate);
                    }
                    gradients[low] = Some(Rc::new(into));
                    self.merge(&mut gradients, gradient, high);
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
    fn gradient_buffer(&mut self, gradients: &mut NodeGradients, node: NodeId) -> (Vec<f32>, bool) {
        match gradients[node].take() {
            Some(shared) => (self.arena.unshare(shared), true),
            None => (self.arena.take(self.values[node].len()), false),
        }
    }

    /// Adds `gradient` to a node's, or makes it the node's.
    fn merge(&mut self, gradients: &mut NodeGradients, gradient: Rc<Vec<f32>>, node: NodeId) {
        let sum = match gradients[node].take() {
            Some(into) => {
                let mut into = self.arena.unshare(into);
                add_assign(&mut into, &gradient);
                self.arena.give_shared(gradient);
                Rc::new(into)
            }
            None => gradient,
        };
        gradients[node] = Some(sum);
    }

    fn conv_backward(
        &mut self,
        conv: &Conv<'_>,
        weights: &LayerWeights,
        packed: &Packed,
        (layer, input, id): (usize, NodeId, NodeId),
        gradient: &[f32],
        input_gradient: Option<(&mut [f32], bool)>,
    ) -> LayerGradient {
        let outputs = conv.layer.outputs;
        let from = &self.values[input];
        let mut weight = vec![0.0; conv.layer.weight_len()];
        let mut bias = weights.bias.as_ref().map(|_| vec![0.0; outputs]);
        let scratch = &mut self.scratch;
        let norm = match (&weights.norm, self.normalized[layer].take()) {
            (Some(_), Some(n)) => {
                let relu = conv.layer.relu;
                let mut moments = Moments::new(outputs);
                for (dy, z) in gradient
                    .chunks(Moments::ROWS * outputs)
                    .zip(n.z.chunks(Moments::ROWS * outputs))
                {
                    moments.add_gradient(dy, z, &n.a, &n.b, relu);
                }
                let rows = conv.cells() as f64;
                let mut gamma = Vec::with_capacity(outputs);
                let mut beta = Vec::with_capacity(outputs);
                let (mut q, mut r) = (vec![0.0; outputs], vec![0.0; outputs]);
                for c in 0..outputs {
                    let inverse = 1.0 / (f64::from(n.variance[c]) + f64::from(NORM_EPSILON)).sqrt();
                    let mean = f64::from(n.mean[c]);
                    let d_beta = moments.sum[c];
                    let d_gamma = (moments.square[c] - mean * d_beta) * inverse;
                    // dz = a·dy - a·dβ/rows - a·(z - μ)·inverse·dγ/rows
                    let slope = f64::from(n.a[c]) * inverse * d_gamma / rows;
                    q[c] = -slope as f32;
                    r[c] = (slope * mean - f64::from(n.a[c]) * d_beta / rows) as f32;
                    beta.push(d_beta as f32);
                    gamma.push(d_gamma as f32);
                }
                conv.backward(
                    from,
                    packed,
                    OutputGradient::Computed(&|cells, dz| {
                        let range = cells.start * outputs..cells.end * outputs;
                        let (dy, z) = (&gradient[range.clone()], &n.z[range]);
                        norm::gradient_rows(dy, z, &n.a, &n.b, relu, &n.a, &q, &r, dz);
                    }),
                    (&mut weight, bias.as_deref_mut()),
                    input_gradient,
                    scratch,
                );
                self.arena.give(n.z);
                Some(NormWeights {
                    gamma,
                    beta,
                    mean: n.mean,
                    variance: n.variance,
                })
            }
            _ => {
                let output = &self.values[id];
                let through_relu = |cells: Range<usize>, dz: &mut [f32]| {
                    let range = cells.start * outputs..cells.end * outputs;
                    norm::relu_gradient(&gradient[range.clone()], &output[range], dz);
                };
                conv.backward(
                    from,
                    packed,
                    match conv.layer.relu {
                        true => OutputGradient::Computed(&through_relu),
                        false => OutputGradient::Stored(gradient),
                    },
                    (&mut weight, bias.as_deref_mut()),
                    input_gradient,
                    scratch,
                );
                None
            }
        };
        LayerGradient {
            weight: Packed::unpack_gradient(conv.layer, &weight),
            bias,
            norm,
        }
    }

    /// Gives all buffers of the last run back to the arena.
    fn clear(&mut self) {
        for value in self.values.drain(..) {
            self.arena.give(value);
        }
        for normalized in self.normalized.drain(..).flatten() {
            self.arena.give(normalized.z);
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
