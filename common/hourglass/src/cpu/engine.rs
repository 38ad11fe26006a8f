//! Batches over worker threads.

use super::conv::Packed;
use super::pass::{Pass, Statistics, Task};
use crate::graph::{Graph, MapShape};
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

/// Loss and gradients of one batch.
#[derive(Clone, Debug)]
pub struct StepResult {
    /// Sum over the stacks of the mean over all heatmap cells of `weight · (heatmap - target)²`.
    pub loss: f32,
    /// Gradients in the order of the graph's layers, averaged over the workers, with the mean of
    /// their batch statistics.
    pub gradients: Vec<LayerGradient>,
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
    pub fn step(&mut self, weights: &[LayerWeights], batch: &Batch) -> StepResult {
        self.set_size(batch.height, batch.width);
        let packed = self.pack(weights);
        let (graph, shapes) = (&self.graph, &self.shapes[..]);
        let keypoints = batch.weights.len() / batch.pictures.max(1);
        let image_len = shapes[0].len();
        let target_len = batch.targets.len() / batch.pictures.max(1);
        let scale = 1.0 / batch.targets.len() as f32;
        let workers = self.workers.len().min(batch.pictures.max(1));
        let packed = &packed[..];
        let results: Vec<(f64, Vec<LayerGradient>, usize)> = std::thread::scope(|scope| {
            let threads: Vec<_> = self.workers[..workers]
                .iter_mut()
                .enumerate()
                .map(|(index, pass)| {
                    let from = batch.pictures * index / workers;
                    let to = batch.pictures * (index + 1) / workers;
                    let images = &batch.images[from * image_len..to * image_len];
                    let targets = &batch.targets[from * target_len..to * target_len];
                    let masks = &batch.weights[from * keypoints..to * keypoints];
                    scope.spawn(move || {
                        let task = Task {
                            graph,
                            shapes,
                            weights,
                            packed,
                            pictures: to - from,
                        };
                        pass.forward(&task, images, Statistics::Batch);
                        let mut loss = 0.0f64;
                        let gradients = pass.backward(&task, |_, values, gradient| {
                            let masks = (to - from, masks);
                            loss += squared_error(values, targets, masks, scale, gradient);
                        });
                        (loss, gradients, to - from)
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
                    Some(sum) => sum.add_scaled(&gradient, 1.0),
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
        let packed = &self.pack(weights)[..];
        let (graph, shapes) = (&self.graph, &self.shapes[..]);
        let pictures = images.len() / shapes[0].len();
        let workers = self.workers.len().min(pictures.max(1));
        let output = graph.outputs.last().copied().unwrap_or_default();
        let parts: Vec<Vec<f32>> = std::thread::scope(|scope| {
            let threads: Vec<_> = self.workers[..workers]
                .iter_mut()
                .enumerate()
                .map(|(index, pass)| {
                    let from = pictures * index / workers;
                    let to = pictures * (index + 1) / workers;
                    let images = &images[from * shapes[0].len()..to * shapes[0].len()];
                    scope.spawn(move || {
                        let task = Task {
                            graph,
                            shapes,
                            weights,
                            packed,
                            pictures: to - from,
                        };
                        pass.forward(&task, images, Statistics::Running);
                        pass.value(output).to_vec()
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
        });
        parts.concat()
    }
}

/// Adds the gradient of `scale · Σ weight · (value - target)²` to `gradient` and returns the sum.
/// `weights` has one row of channels for each of `pictures`.
fn squared_error(
    values: &[f32],
    targets: &[f32],
    (pictures, weights): (usize, &[f32]),
    scale: f32,
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
                let weighted = weights[c] * difference;
                sum += weighted * difference;
                gradient[c] += 2.0 * scale * weighted;
            }
        }
        loss += f64::from(sum) * f64::from(scale);
    }
    loss
}
