//! Batches over worker threads.

use std::ops::Range;

use super::conv::Packed;
use super::pass::{Pass, Statistics, Task};
use crate::graph::{Graph, MapShape};
use crate::loss::{Loss, StackMaps, WholeBatch};
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

impl Batch {
    /// Heatmaps `values` of some pictures with what they should be.
    fn maps<'a>(&'a self, values: &'a [f32], last: bool, pictures: &Range<usize>) -> StackMaps<'a> {
        let count = self.pictures.max(1);
        let part = |all: &'a [f32]| {
            let len = all.len() / count;
            &all[pictures.start * len..pictures.end * len]
        };
        StackMaps {
            values,
            targets: part(&self.targets),
            weights: part(&self.weights),
            keypoints: self.weights.len() / count,
            last,
        }
    }
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
        self.set_size(batch.height, batch.width);
        let image_len = self.shapes[0].len();
        let outputs = self.graph.outputs.clone();
        let images = |pictures: &Range<usize>| {
            &batch.images[pictures.start * image_len..pictures.end * image_len]
        };
        let stacks = outputs.len();
        // Some losses take a root over the whole batch: all workers first run forward, then,
        // when the sums are known, backward.
        let mut sums = vec![0.0; outputs.len()];
        if loss.needs_sum() {
            let parts = self.share(weights, batch.pictures, |pass, task, pictures| {
                pass.forward(task, images(&pictures), Statistics::Batch);
                let sum = |(stack, &node)| {
                    loss.sum(&batch.maps(pass.value(node), stack + 1 == stacks, &pictures))
                };
                outputs.iter().enumerate().map(sum).collect::<Vec<f64>>()
            });
            for part in parts {
                sums.iter_mut()
                    .zip(part)
                    .for_each(|(sum, part)| *sum += part);
            }
        }
        let results = self.share(weights, batch.pictures, |pass, task, pictures| {
            if !loss.needs_sum() {
                pass.forward(task, images(&pictures), Statistics::Batch);
            }
            let mut total = 0.0f64;
            let gradients = pass.backward(task, |stack, values, gradient| {
                let whole = WholeBatch {
                    pictures: batch.pictures,
                    sum: sums[stack],
                };
                let maps = batch.maps(values, stack + 1 == stacks, &pictures);
                total += loss.add_gradient(&maps, &whole, gradient);
            });
            (total, gradients, pictures.len())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::tests::noise;
    use crate::graph::{ConvLayer, Node};
    use crate::loss::LossKind;
    use crate::weights::random_weights;

    /// Two heads without a normalization: here the number of workers decides nothing but the
    /// order in which sums are taken.
    fn heads() -> Graph {
        let layer = |name: &str, inputs, outputs, stride, relu| ConvLayer {
            name: name.to_owned(),
            inputs,
            outputs,
            kernel: 1,
            stride,
            depthwise: false,
            bias: true,
            norm: false,
            relu,
        };
        let mut graph = Graph::new(3);
        let stem = ConvLayer {
            kernel: 7,
            ..layer("stem", 3, 8, 2, true)
        };
        let x = graph.conv(0, stem);
        let x = graph.push(Node::MaxPool { input: x });
        let first = graph.conv(x, layer("first", 8, 4, 1, false));
        let second = graph.conv(first, layer("second", 4, 4, 1, false));
        graph.outputs = vec![first, second];
        graph
    }

    #[test]
    fn every_loss_is_the_same_on_any_number_of_workers() {
        let graph = heads();
        let mut values = noise(10_000, 1).into_iter();
        let weights = random_weights(&graph, &mut || values.next().unwrap_or_default());
        let batch = Batch {
            pictures: 5,
            height: 32,
            width: 32,
            images: noise(5 * 32 * 32 * 3, 2),
            targets: noise(5 * 8 * 8 * 4, 3).iter().map(|v| v.max(0.0)).collect(),
            weights: (0..20).map(|i| [1.0, 0.5, 0.0][i % 3]).collect(),
        };
        for kind in LossKind::ALL {
            let loss = Loss {
                kind,
                hard_keypoints: 2,
                ..Loss::default()
            };
            let one = Engine::new(graph.clone(), 1).step(&weights, &batch, loss);
            let three = Engine::new(graph.clone(), 3).step(&weights, &batch, loss);
            assert!(one.loss > 0.01);
            assert!((one.loss - three.loss).abs() < 1e-6 * one.loss, "{kind}");
            for (a, b) in one.gradients.iter().zip(&three.gradients) {
                let largest = a.weight.iter().fold(0.0f32, |m, v| m.max(v.abs()));
                assert!(largest > 1e-6);
                for (a, b) in a.weight.iter().zip(&b.weight) {
                    assert!((a - b).abs() < 1e-4 * largest, "{kind}: {a} against {b}");
                }
            }
        }
    }
}
