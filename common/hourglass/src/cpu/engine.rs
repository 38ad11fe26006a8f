//! Batches over worker threads.

use std::ops::Range;

use super::element::{Bf16, Element, Precision};
use super::isa::Isa;
use super::packed::Packed;
use super::pass::{Pass, Statistics, Task};
use super::plan::Plan;
use crate::graph::{Graph, MapShape, NodeId};
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

/// What looks on while gradients are computed.
type Observer<'a> = &'a (dyn Fn(Observation<'_>) + Sync);

/// Runs a graph on batches. Keeps one set of buffers for each worker.
pub struct Engine {
    graph: Graph,
    plan: Plan,
    isa: Isa,
    threads: usize,
    workers: Workers,
    shapes: Vec<MapShape>,
    size: (usize, usize),
}

/// Every worker's state, in the format of its maps.
enum Workers {
    F32(Vec<Pass<f32>>),
    Bf16(Vec<Pass<Bf16>>),
}

impl Workers {
    fn new(threads: usize, precision: Precision) -> Self {
        fn passes<E: Element>(threads: usize) -> Vec<Pass<E>> {
            (0..threads).map(|_| Pass::default()).collect()
        }
        match precision {
            Precision::F32 => Self::F32(passes(threads)),
            Precision::Bf16 => Self::Bf16(passes(threads)),
        }
    }
}

/// What every worker reads.
#[derive(Clone, Copy)]
struct Shared<'a> {
    isa: Isa,
    graph: &'a Graph,
    plan: &'a Plan,
    shapes: &'a [MapShape],
    weights: &'a [LayerWeights],
}

impl Engine {
    /// An engine with `threads` workers, at least one, in f32. Each worker normalizes over its own
    /// share of the batch, so results depend on the number of workers as on the batch size.
    ///
    /// # Panics
    /// When the graph has an operation that no hourglass has: a depthwise convolution that is
    /// neither 1×1 nor 3×3 or takes steps, or anything but an ordinary convolution of the picture.
    pub fn new(graph: Graph, threads: usize) -> Self {
        Self::with_precision(graph, threads, Precision::F32)
    }

    /// [`Engine::new`] with maps in a stated format.
    ///
    /// # Panics
    /// As [`Engine::new`].
    pub fn with_precision(graph: Graph, threads: usize, precision: Precision) -> Self {
        Self {
            plan: Plan::new(&graph),
            graph,
            isa: Isa::detect(),
            threads: threads.max(1),
            workers: Workers::new(threads.max(1), precision),
            shapes: Vec::new(),
            size: (0, 0),
        }
    }

    /// The same engine on another instruction set, which must be [`Isa::available`].
    #[cfg(test)]
    pub(crate) fn on(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// The graph that runs.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The number of workers.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The format of maps.
    pub fn precision(&self) -> Precision {
        match self.workers {
            Workers::F32(_) => Precision::F32,
            Workers::Bf16(_) => Precision::Bf16,
        }
    }

    fn set_size(&mut self, height: usize, width: usize) {
        if self.size != (height, width) {
            self.shapes = self.plan.shapes(&self.graph, height, width);
            self.size = (height, width);
            // Buffers of another size would never be used again.
            self.workers = Workers::new(self.threads, self.precision());
        }
    }

    /// Loss and gradients with the batch's own statistics in every normalization.
    ///
    /// # Panics
    /// When the batch's vectors do not have the lengths that [`Batch`] states, or `weights` is not
    /// of this graph.
    pub fn step(&mut self, weights: &[LayerWeights], batch: &Batch, loss: Loss) -> StepResult {
        self.step_under(weights, batch, loss, None)
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
        self.step_under(weights, batch, loss, Some(&observe))
    }

    fn step_under(
        &mut self,
        weights: &[LayerWeights],
        batch: &Batch,
        loss: Loss,
        observer: Option<Observer<'_>>,
    ) -> StepResult {
        self.set_size(batch.height, batch.width);
        let shared = Shared {
            isa: self.isa,
            graph: &self.graph,
            plan: &self.plan,
            shapes: &self.shapes,
            weights,
        };
        match &mut self.workers {
            Workers::F32(workers) => step(shared, workers, batch, loss, observer),
            Workers::Bf16(workers) => step(shared, workers, batch, loss, observer),
        }
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
        let shared = Shared {
            isa: self.isa,
            graph: &self.graph,
            plan: &self.plan,
            shapes: &self.shapes,
            weights,
        };
        match &mut self.workers {
            Workers::F32(workers) => forward(shared, workers, images),
            Workers::Bf16(workers) => forward(shared, workers, images),
        }
    }
}

fn step<E: Element>(
    shared: Shared<'_>,
    workers: &mut [Pass<E>],
    batch: &Batch,
    loss: Loss,
    observer: Option<Observer<'_>>,
) -> StepResult {
    let image_len = shared.shapes[0].len();
    let outputs = &shared.graph.outputs;
    let images = |pictures: &Range<usize>| {
        &batch.images[pictures.start * image_len..pictures.end * image_len]
    };
    let stacks = outputs.len();
    // Some losses take a root over the whole batch: all workers first run forward, then, when the
    // sums are known, backward.
    let mut sums = vec![0.0; stacks];
    if loss.needs_sum() {
        let parts = share(shared, workers, batch.pictures, |pass, task, pictures| {
            pass.forward(task, images(&pictures), Statistics::Batch);
            let sum = |(stack, &node)| {
                let values = pass.value(node, task.channels(node));
                loss.sum(&batch.maps(&values, stack + 1 == stacks, &pictures))
            };
            outputs.iter().enumerate().map(sum).collect::<Vec<f64>>()
        });
        for part in parts {
            sums.iter_mut()
                .zip(part)
                .for_each(|(sum, part)| *sum += part);
        }
    }
    let results = share(shared, workers, batch.pictures, |pass, task, pictures| {
        if !loss.needs_sum() {
            pass.forward(task, images(&pictures), Statistics::Batch);
        }
        let mut total = 0.0f64;
        let mut observe = observer.map(|observer| {
            let pictures = pictures.clone();
            move |node: NodeId, values: &[f32], gradient: &[f32]| {
                observer(Observation {
                    node,
                    pictures: pictures.clone(),
                    channels: task.channels(node),
                    values,
                    gradient,
                });
            }
        });
        let add_gradient = |stack: usize, values: &[f32], gradient: &mut [f32]| {
            let whole = WholeBatch {
                pictures: batch.pictures,
                sum: sums[stack],
            };
            let maps = batch.maps(values, stack + 1 == stacks, &pictures);
            total += loss.add_gradient(&maps, &whole, gradient);
        };
        let observe = observe
            .as_mut()
            .map(|observe| observe as &mut dyn FnMut(_, &_, &_));
        let gradients = pass.backward(task, add_gradient, observe);
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

fn forward<E: Element>(shared: Shared<'_>, workers: &mut [Pass<E>], images: &[f32]) -> Vec<f32> {
    let image_len = shared.shapes[0].len();
    let output = shared.graph.outputs.last().copied().unwrap_or_default();
    let pictures = images.len() / image_len;
    let parts = share(shared, workers, pictures, |pass, task, pictures| {
        let images = &images[pictures.start * image_len..pictures.end * image_len];
        pass.forward(task, images, Statistics::Running);
        pass.value(output, task.channels(output))
    });
    parts.concat()
}

/// Runs every worker on its share of the pictures and returns the results in order.
fn share<E: Element, R: Send>(
    shared: Shared<'_>,
    workers: &mut [Pass<E>],
    pictures: usize,
    run: impl Fn(&mut Pass<E>, &Task<'_, E>, Range<usize>) -> R + Sync,
) -> Vec<R> {
    let Shared {
        isa,
        graph,
        plan,
        shapes,
        weights,
    } = shared;
    let count = workers.len().min(pictures.max(1));
    let packed = &pack::<E>(shared, count)[..];
    let run = &run;
    std::thread::scope(|scope| {
        let threads: Vec<_> = workers[..count]
            .iter_mut()
            .enumerate()
            .map(|(index, pass)| {
                let share = pictures * index / count..pictures * (index + 1) / count;
                scope.spawn(move || {
                    let task = Task {
                        isa,
                        graph,
                        plan,
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

/// The layers' weights as the kernels read them, packed by `threads` threads.
fn pack<E: Element>(shared: Shared<'_>, threads: usize) -> Vec<Packed<E>> {
    let Shared {
        graph,
        plan,
        weights,
        ..
    } = shared;
    let layers: Vec<_> = graph.layers.iter().zip(&plan.sizes).zip(weights).collect();
    let part = |thread: usize| {
        let mine = layers.iter().skip(thread).step_by(threads);
        let packed = mine.map(|((layer, sizes), weights)| {
            Packed::new(layer, **sizes, &weights.weight, weights.bias.as_deref())
        });
        packed.collect::<Vec<_>>()
    };
    let parts: Vec<Vec<Packed<E>>> = std::thread::scope(|scope| {
        let part = &part;
        let others: Vec<_> = (1..threads)
            .map(|thread| scope.spawn(move || part(thread)))
            .collect();
        let others = others.into_iter().map(|thread| match thread.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(part(0)).chain(others).collect()
    });
    let mut parts: Vec<_> = parts.into_iter().map(Vec::into_iter).collect();
    let next = |index: usize| parts[index % threads].next();
    (0..layers.len()).filter_map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::tests::noise;
    use crate::family::{Form, HourglassConfig, Residual};
    use crate::graph::{ConvLayer, Node};
    use crate::weights::random_weights;

    fn layer(name: &str, channels: [usize; 2], kernel: usize, stride: usize) -> ConvLayer {
        ConvLayer {
            name: name.to_owned(),
            inputs: channels[0],
            outputs: channels[1],
            kernel,
            stride,
            depthwise: false,
            bias: false,
            norm: true,
            relu: true,
        }
    }

    /// A short network with every kind of node and layer: few roundings in a row, so that a
    /// format's digits show.
    fn short_network() -> Graph {
        let mut graph = Graph::new(3);
        let stem = graph.conv(0, layer("stem", [3, 20], 7, 2));
        let plain = ConvLayer {
            norm: false,
            relu: false,
            ..layer("depthwise", [20, 20], 3, 1)
        };
        let depthwise = graph.conv(
            stem,
            ConvLayer {
                depthwise: true,
                ..plain.clone()
            },
        );
        let scaled = graph.conv(
            depthwise,
            ConvLayer {
                depthwise: true,
                kernel: 1,
                ..plain.clone()
            },
        );
        let pointwise = graph.conv(
            scaled,
            ConvLayer {
                relu: false,
                bias: true,
                ..layer("pointwise", [20, 20], 1, 1)
            },
        );
        let sum = graph.push(Node::Add {
            a: stem,
            b: pointwise,
        });
        let low = graph.push(Node::MaxPool { input: sum });
        let spatial = graph.conv(low, layer("spatial", [20, 36], 3, 1));
        let skip = graph.conv(
            low,
            ConvLayer {
                norm: false,
                bias: true,
                ..layer("skip", [20, 36], 1, 1)
            },
        );
        let low = graph.push(Node::Add {
            a: skip,
            b: spatial,
        });
        let high = graph.conv(sum, layer("high", [20, 36], 1, 1));
        let up = graph.push(Node::UpsampleAdd { low, high });
        let down = graph.push(Node::MaxPool { input: up });
        let output = graph.conv(
            down,
            ConvLayer {
                name: "heatmaps".to_owned(),
                outputs: 5,
                inputs: 36,
                bias: true,
                kernel: 1,
                ..plain
            },
        );
        graph.outputs.push(output);
        graph
    }

    fn case(graph: &Graph, pictures: usize) -> (Vec<LayerWeights>, Batch) {
        let values = noise(1 << 20, 7);
        let mut next = values.iter().map(|v| 1.7 * v);
        let mut next = || next.next().unwrap_or(0.3);
        let mut weights = random_weights(graph, &mut next);
        for layer in &mut weights {
            let bias = layer.bias.iter_mut().flatten();
            bias.for_each(|v| *v = 0.2 * next());
            if let Some(norm) = &mut layer.norm {
                norm.gamma.iter_mut().for_each(|v| *v += 0.2 * next());
                norm.beta.iter_mut().for_each(|v| *v = 0.2 * next());
            }
        }
        let (height, width, keypoints) = (64, 96, 5);
        let cells = pictures * height * width / 16;
        let batch = Batch {
            pictures,
            height,
            width,
            images: noise(pictures * height * width * 3, 1),
            targets: noise(cells * keypoints, 2)
                .iter()
                .map(|v| v.abs())
                .collect(),
            weights: vec![1.0; pictures * keypoints],
        };
        (weights, batch)
    }

    fn flat(result: &StepResult) -> Vec<f32> {
        let layers = result.gradients.iter();
        layers
            .flat_map(|layer| {
                let norm = layer
                    .norm
                    .iter()
                    .flat_map(|n| n.gamma.iter().chain(&n.beta));
                layer
                    .weight
                    .iter()
                    .chain(layer.bias.iter().flatten())
                    .chain(norm)
            })
            .copied()
            .collect()
    }

    /// Length of the difference over the length of the expected gradient.
    fn difference(found: &StepResult, expected: &StepResult) -> f64 {
        let (found, expected) = (flat(found), flat(expected));
        assert_eq!(found.len(), expected.len());
        let pairs = found.iter().zip(&expected);
        let error: f64 = pairs.map(|(f, e)| f64::from(f - e).powi(2)).sum();
        let size: f64 = expected.iter().map(|e| f64::from(*e).powi(2)).sum();
        (error / size).sqrt()
    }

    /// Whole steps on every instruction set against the portable one in f32. A value next to zero
    /// may fall on the other side of a ReLU, which moves single gradients by their whole size; so
    /// the bounds lie above the formats' last digits, 6e-8 and 4e-3.
    #[test]
    fn instruction_sets_and_formats_agree() {
        let graph = short_network();
        let (weights, batch) = case(&graph, 3);
        let run = |isa, precision| {
            let engine = Engine::with_precision(graph.clone(), 2, precision);
            engine.on(isa).step(&weights, &batch, Loss::default())
        };
        let exact = run(Isa::Portable, Precision::F32);
        for isa in Isa::available() {
            for (precision, bound) in [(Precision::F32, 1e-5), (Precision::Bf16, 2e-2)] {
                let found = run(isa, precision);
                let error = difference(&found, &exact);
                let loss = f64::from(found.loss / exact.loss - 1.0).abs();
                println!("{isa:?} {precision:?}: gradients {error:.1e}, loss {loss:.1e}");
                assert!(error < bound, "{isa:?} {precision:?}: {error}");
                assert!(loss < bound / 10.0, "{isa:?} {precision:?}: {loss}");
            }
        }
    }

    /// Whole hourglasses on every instruction set: the layers' sizes, but no more than f32's
    /// digits, since a hundred layers in a row enlarge every rounding some hundred times.
    #[test]
    fn instruction_sets_agree_on_hourglasses() {
        for (mobile, form, residual, channels) in [
            (true, Form::Lean, Residual::Linear, 128),
            (true, Form::Classic, Residual::Relu, 20),
            (false, Form::Lean, Residual::Linear, 32),
        ] {
            let config = HourglassConfig {
                stacks: 1,
                channels,
                mobile,
                form,
                residual,
                ..HourglassConfig::tiny(5)
            };
            let graph = config.graph();
            let (weights, batch) = case(&graph, 2);
            let run = |isa| {
                let engine = Engine::new(graph.clone(), 1);
                engine.on(isa).step(&weights, &batch, Loss::default())
            };
            let exact = run(Isa::Portable);
            for isa in Isa::available() {
                let found = run(isa);
                let error = difference(&found, &exact);
                println!("{isa:?} {config:?}: {error:.1e}");
                assert!(error < 1e-2, "{isa:?} {config:?}: {error}");
                assert!((found.loss / exact.loss - 1.0).abs() < 1e-4);
            }
        }
    }

    /// A directional derivative of the loss, which no intermediate result of the engine enters.
    #[test]
    fn gradients_predict_the_loss() {
        let graph = short_network();
        let (weights, batch) = case(&graph, 3);
        for precision in [Precision::F32, Precision::Bf16] {
            let mut engine = Engine::with_precision(graph.clone(), 1, precision);
            let result = engine.step(&weights, &batch, Loss::default());
            let square: f64 = flat(&result).iter().map(|g| f64::from(*g).powi(2)).sum();
            let mut moved = |step: f32| {
                let mut weights = weights.clone();
                for (weights, gradient) in weights.iter_mut().zip(&result.gradients) {
                    let move_all = |values: &mut [f32], gradient: &[f32]| {
                        for (value, g) in values.iter_mut().zip(gradient) {
                            *value += step * g;
                        }
                    };
                    move_all(&mut weights.weight, &gradient.weight);
                    if let (Some(bias), Some(gradient)) = (&mut weights.bias, &gradient.bias) {
                        move_all(bias, gradient);
                    }
                    if let (Some(norm), Some(gradient)) = (&mut weights.norm, &gradient.norm) {
                        move_all(&mut norm.gamma, &gradient.gamma);
                        move_all(&mut norm.beta, &gradient.beta);
                    }
                }
                let step = engine.step(&weights, &batch, Loss::default());
                f64::from(step.loss)
            };
            // Steps that change the loss by some percent: far above the rounding of either format.
            let step = 0.02 / square;
            let found = (moved(step as f32) - moved(-step as f32)) / (2.0 * step);
            let error = (found / square - 1.0).abs();
            println!("{precision:?}: {found} against {square}");
            assert!(error < 0.03, "{precision:?}: {found} against {square}");
        }
    }
}

#[cfg(test)]
mod loss_tests {
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
