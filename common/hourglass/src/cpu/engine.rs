//! Batches over worker threads.

use std::ops::Range;

use super::conv::Packed;
use super::pass::{Pass, Statistics, Task};
use crate::graph::{Graph, MapShape, NodeId};
use crate::weights::{LayerGradient, LayerWeights};

/// Pictures with their target heatmaps.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Number of pictures.
    pub pictures: usize,
    /// Rows of a picture.
    pub height: usize,
    /// Columns of a picture.
    pub width: usize,
    /// Normalized pictures, `[pictures, height, width, 3]`.
    pub images: Vec<f32>,
    /// Heatmaps, `[pictures, height / 4, width / 4, keypoints]`, 0..1.
    pub targets: Vec<f32>,
    /// Weight of each keypoint's heatmap in the loss, `[pictures, keypoints]`; 0 where there is
    /// no label.
    pub weights: Vec<f32>,
}

/// What is minimized: over the stacks the sum of the mean over all heatmap cells of
/// `weight · (1 + foreground · target) · (heatmap - target)²`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// How much more a cell at a target's peak weighs than one far from it; 0 for the plain mean
    /// squared error. Most cells are far from every peak, and a network that is to learn in little
    /// time had better not begin with them.
    pub foreground: f32,
}

/// Loss and gradients of one batch.
#[derive(Clone, Debug)]
pub struct StepResult {
    /// The loss.
    pub loss: f32,
    /// Gradients in the order of the graph's layers, averaged over the workers, with the mean of
    /// their batch statistics.
    pub gradients: Vec<LayerGradient>,
}

/// One node's values in the pictures of one worker, and the gradient of the loss there. Both are
/// channels-last.
pub struct Observation<'a> {
    /// The node.
    pub node: NodeId,
    /// Which pictures of the batch.
    pub pictures: Range<usize>,
    /// Channels of the node's map.
    pub channels: usize,
    /// What the node computed, `[pictures, height, width, channels]`.
    pub values: &'a [f32],
    /// Gradient of the loss, of the same shape.
    pub gradient: &'a [f32],
}

/// Runs a graph on batches. Keeps one set of buffers for each worker.
pub struct Engine {
    graph: Graph,
    workers: Vec<Pass>,
    shapes: Vec<MapShape>,
    size: (usize, usize),
}

impl Engine {
    /// An engine with `threads` workers, at least one. Each worker normalizes over its own share
    /// of the batch, so results depend on the number of workers as on the batch size.
    pub fn new(graph: Graph, threads: usize) -> Self {
        Self {
            graph,
            workers: (0..threads.max(1)).map(|_| Pass::default()).collect(),
            shapes: Vec::new(),
            size: (0, 0),
        }
    }

    /// The graph that runs.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    fn set_size(&mut self, height: usize, width: usize) {
        if self.size != (height, width) {
            self.shapes = self.graph.shapes(height, width);
            self.size = (height, width);
            // Buffers of another size would never be used again.
            for worker in &mut self.workers {
                *worker = Pass::default();
            }
        }
    }

    fn pack(&self, weights: &[LayerWeights]) -> Vec<Packed> {
        let layers = self.graph.layers.iter().zip(weights);
        layers
            .map(|(layer, weights)| Packed::new(layer, &weights.weight))
            .collect()
    }

    /// Loss and gradients with the batch's own statistics in every normalization.
    ///
    /// # Panics
    /// When the batch's vectors do not have the lengths that [`Batch`] states, or `weights` is not
    /// of this graph.
    pub fn step(&mut self, weights: &[LayerWeights], batch: &Batch, loss: Loss) -> StepResult {
        self.step_observed(weights, batch, loss, |_| ())
    }

    /// As [`Engine::step`]; `observe` sees every node's values with the loss's gradient there, from
    /// the thread of each worker. Nodes that no output depends on are not seen.
    ///
    /// # Panics
    /// As [`Engine::step`].
    pub fn step_observed(
        &mut self,
        weights: &[LayerWeights],
        batch: &Batch,
        loss: Loss,
        observe: impl Fn(Observation<'_>) + Sync,
    ) -> StepResult {
        self.set_size(batch.height, batch.width);
        let keypoints = batch.weights.len() / batch.pictures.max(1);
        let image_len = self.shapes[0].len();
        let target_len = batch.targets.len() / batch.pictures.max(1);
        let scale = 1.0 / batch.targets.len() as f32;
        let Loss { foreground } = loss;
        let results = self.share(weights, batch.pictures, |pass, task, pictures| {
            let (from, to) = (pictures.start, pictures.end);
            let images = &batch.images[from * image_len..to * image_len];
            let targets = &batch.targets[from * target_len..to * target_len];
            let masks = (to - from, &batch.weights[from * keypoints..to * keypoints]);
            pass.forward(task, images, Statistics::Batch);
            let mut loss = 0.0f64;
            let gradients = pass.backward(
                task,
                |_, values, gradient| {
                    loss += squared_error(values, targets, masks, (scale, foreground), gradient);
                },
                |node, values, gradient| {
                    observe(Observation {
                        node,
                        pictures: pictures.clone(),
                        channels: task.shapes[node].channels,
                        values,
                        gradient,
                    });
                },
            );
            (loss, gradients, to - from)
        });
        let loss = results.iter().map(|(loss, _, _)| loss).sum::<f64>() as f32;
        let mut gradients: Vec<LayerGradient> = Vec::new();
        for (_, part, pictures) in results {
            let share = pictures as f32 / batch.pictures as f32;
            for (layer, mut gradient) in part.into_iter().enumerate() {
                // Gradients add up; statistics are averaged.
                if let Some(norm) = &mut gradient.norm {
                    for value in norm.mean.iter_mut().chain(&mut norm.variance) {
                        *value *= share;
                    }
                }
                match gradients.get_mut(layer) {
                    Some(sum) => sum.add(&gradient),
                    None => gradients.push(gradient),
                }
            }
        }
        StepResult { loss, gradients }
    }

    /// The last stack's heatmaps, `[pictures, height / 4, width / 4, keypoints]`, with the running
    /// statistics in every normalization. `images` are channels-last.
    pub fn forward(
        &mut self,
        weights: &[LayerWeights],
        images: &[f32],
        (height, width): (usize, usize),
    ) -> Vec<f32> {
        self.set_size(height, width);
        let image_len = self.shapes[0].len();
        let output = self.graph.outputs.last().copied().unwrap_or_default();
        let parts = self.share(weights, images.len() / image_len, |pass, task, pictures| {
            let images = &images[pictures.start * image_len..pictures.end * image_len];
            pass.forward(task, images, Statistics::Running);
            pass.value(output).to_vec()
        });
        parts.concat()
    }

    /// Runs every worker on its share of the pictures and returns the results in order.
    fn share<R: Send>(
        &mut self,
        weights: &[LayerWeights],
        pictures: usize,
        run: impl Fn(&mut Pass, &Task<'_>, Range<usize>) -> R + Sync,
    ) -> Vec<R> {
        let packed = &self.pack(weights)[..];
        let (graph, shapes, run) = (&self.graph, &self.shapes[..], &run);
        let workers = self.workers.len().min(pictures.max(1));
        std::thread::scope(|scope| {
            let threads: Vec<_> = self.workers[..workers]
                .iter_mut()
                .enumerate()
                .map(|(index, pass)| {
                    let share = pictures * index / workers..pictures * (index + 1) / workers;
                    scope.spawn(move || {
                        let task = Task {
                            graph,
                            shapes,
                            weights,
                            packed,
                            pictures: share.len(),
                        };
                        run(pass, &task, share)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| match thread.join() {
                    Ok(result) => result,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
                .collect()
        })
    }
}

/// Adds the gradient of `scale · Σ weight · (1 + foreground · target) · (value - target)²` to
/// `gradient` and returns the sum.
/// `weights` has one row of channels for each of `pictures`.
fn squared_error(
    values: &[f32],
    targets: &[f32],
    (pictures, weights): (usize, &[f32]),
    (scale, foreground): (f32, f32),
    gradient: &mut [f32],
) -> f64 {
    let per_picture = values.len() / pictures;
    let channels = weights.len() / pictures;
    let mut loss = 0.0f64;
    for picture in 0..pictures {
        let range = picture * per_picture..(picture + 1) * per_picture;
        let weights = &weights[picture * channels..(picture + 1) * channels];
        let rows = values[range.clone()]
            .chunks_exact(channels)
            .zip(targets[range.clone()].chunks_exact(channels))
            .zip(gradient[range].chunks_exact_mut(channels));
        let mut sum = 0.0f32;
        for ((value, target), gradient) in rows {
            for c in 0..channels {
                let difference = value[c] - target[c];
                let weighted = weights[c] * (1.0 + foreground * target[c]) * difference;
                sum += weighted * difference;
                gradient[c] += 2.0 * scale * weighted;
            }
        }
        loss += f64::from(sum) * f64::from(scale);
    }
    loss
}
