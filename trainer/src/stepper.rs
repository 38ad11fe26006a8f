//! One training step: gradients, then the optimizer.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Bytes, Device, Tensor, TensorData};
use hourglass::{Batch, Engine, Graph, LayerGradient, LayerWeights, Loss, Precision};

use crate::device::TrainDevice;
use crate::error::TrainError;
use crate::network::{NORM_MOMENTUM, Network};
use crate::optimizer::OptimizerSettings;

/// A network in training.
pub struct Stepper {
    network: Network,
    optimizer: ModuleOptimizer,
    clip_norm: Option<f32>,
    gradients: Gradients,
    /// Values of the last step on the host.
    weights: Vec<LayerWeights>,
}

/// Who computes loss and gradients, with what there is of the next step.
enum Gradients {
    /// The engine for CPUs; gradients reach the optimizer on a plain device.
    Engine {
        engine: Box<Engine>,
        device: Device,
        losses: Vec<f32>,
        /// The first batch whose loss or gradient is not a number.
        broken: Option<usize>,
        sum: Vec<LayerGradient>,
    },
    /// burn's autodiff on any of its devices.
    Autodiff {
        device: Device,
        losses: Vec<Tensor<1>>,
        sum: GradientsAccumulator<Network>,
    },
}

/// What a step was made of.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Losses of the batches, in the order in which they were added, before the step.
    pub losses: Vec<f32>,
    /// Length of the gradient before it was clipped. Autodiff devices tell it only when gradients
    /// are clipped.
    pub norm: Option<f32>,
    /// The first batch whose loss or gradient is not a number; gradients of single batches are
    /// known on the CPU engine alone.
    pub broken: Option<usize>,
}

impl StepReport {
    /// Mean loss of the batches.
    pub fn loss(&self) -> f32 {
        let sum: f64 = self.losses.iter().map(|&loss| f64::from(loss)).sum();
        (sum / self.losses.len().max(1) as f64) as f32
    }

    /// The batch to blame when the weights are of no use any more, with what its loss or gradient
    /// is.
    pub fn fault(&self) -> Option<(usize, f32)> {
        let norm = self.norm.filter(|norm| !norm.is_finite());
        // The sum alone says that something is wrong, and not where: the last one looks likeliest.
        let last = self.losses.len().saturating_sub(1);
        let batch = self.broken.or(norm.map(|_| last))?;
        let loss = self.losses.get(batch).filter(|loss| !loss.is_finite());
        Some((batch, loss.copied().or(norm).unwrap_or(f32::NAN)))
    }
}

impl Stepper {
    /// A network of `graph` with these values. `threads` is for the CPU engine alone.
    ///
    /// # Errors
    /// [`TrainError::Device`] when the build lacks the device's backend.
    pub fn new(
        graph: &Graph,
        weights: Vec<LayerWeights>,
        optimizer: &OptimizerSettings,
        device: &TrainDevice,
        threads: usize,
    ) -> Result<Self, TrainError> {
        let gradients = match device.burn()? {
            None => Gradients::Engine {
                engine: Box::new(Engine::new(graph.clone(), threads)),
                device: TrainDevice::host()?,
                losses: Vec::new(),
                broken: None,
                sum: Vec::new(),
            },
            Some(device) => Gradients::Autodiff {
                device: device.autodiff(),
                losses: Vec::new(),
                sum: GradientsAccumulator::new(),
            },
        };
        // Optimizers move parameters of autodiff devices only, wherever the gradients come from.
        let device = match &gradients {
            Gradients::Engine { device, .. } => device.clone().autodiff(),
            Gradients::Autodiff { device, .. } => device.clone(),
        };
        Ok(Self {
            network: Network::new(graph, &weights, &device),
            optimizer: optimizer.init(),
            clip_norm: None,
            gradients,
            weights,
        })
    }

    /// Shortens gradients that are longer than this to it, all parameters together
    /// (Pascanu et al. 2013).
    pub fn clip(self, norm: Option<f32>) -> Self {
        Self {
            clip_norm: norm,
            ..self
        }
    }

    /// The same with the CPU engine's maps and products in this format. Of no effect elsewhere.
    pub fn with_precision(mut self, precision: Precision) -> Self {
        if let Gradients::Engine { engine, .. } = &mut self.gradients {
            **engine = Engine::with_precision(engine.graph().clone(), engine.threads(), precision);
        }
        self
    }

    /// Loss of the batch before the step, after which the weights have moved.
    pub fn step(&mut self, batch: &Batch, loss: Loss, learning_rate: f64) -> f32 {
        self.add(batch, loss);
        self.apply(learning_rate).loss()
    }

    /// Adds a batch to the next step. The running statistics of the normalizations take it in.
    pub fn add(&mut self, batch: &Batch, loss: Loss) {
        match &mut self.gradients {
            Gradients::Engine {
                engine,
                losses,
                broken,
                sum,
                ..
            } => {
                let result = engine.step(&self.weights, batch, loss);
                losses.push(result.loss);
                // What is not a number can get lost in a ReLU on its way to the loss.
                if !(result.loss.is_finite() && square_sum(&result.gradients).is_finite()) {
                    broken.get_or_insert(losses.len() - 1);
                    return;
                }
                blend_statistics(&mut self.weights, &result.gradients);
                if sum.is_empty() {
                    *sum = result.gradients;
                } else {
                    let pairs = sum.iter_mut().zip(&result.gradients);
                    pairs.for_each(|(sum, gradient)| sum.add(gradient));
                }
            }
            Gradients::Autodiff {
                device,
                losses,
                sum,
            } => {
                let (pictures, targets, weights) = tensors(batch, device);
                let loss = self.network.loss(pictures, targets, weights, loss);
                let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
                sum.accumulate(&self.network, gradients);
                losses.push(loss.detach());
            }
        }
    }

    /// Moves the weights along the mean gradient of the batches added since the last call. With a
    /// loss or gradient that is not a number ([`StepReport::fault`]) the weights are of no use
    /// any more; on the CPU engine they have not moved.
    pub fn apply(&mut self, learning_rate: f64) -> StepReport {
        match &mut self.gradients {
            Gradients::Engine {
                device,
                losses,
                broken,
                sum,
                ..
            } => {
                let (losses, mut sum) = (std::mem::take(losses), std::mem::take(sum));
                let share = 1.0 / losses.len().max(1) as f32;
                let norm = square_sum(&sum).sqrt() as f32 * share;
                let report = StepReport {
                    losses,
                    norm: Some(norm),
                    broken: broken.take(),
                };
                if report.fault().is_some() || sum.is_empty() {
                    return report;
                }
                let clip = self.clip_norm.filter(|clip| norm > *clip);
                let factor = share * clip.map_or(1.0, |clip| clip / norm);
                if factor != 1.0 {
                    sum.iter_mut().for_each(|gradient| gradient.scale(factor));
                }
                let gradients = self.network.gradients(&sum, device);
                let network = self.network.clone();
                self.network = self.optimizer.step(learning_rate, network, gradients);
                let mut moved = self.network.weights();
                for (new, old) in moved.iter_mut().zip(&mut self.weights) {
                    if let (Some(new), Some(old)) = (&mut new.norm, &mut old.norm) {
                        std::mem::swap(&mut new.mean, &mut old.mean);
                        std::mem::swap(&mut new.variance, &mut old.variance);
                    }
                }
                self.weights = moved;
                report
            }
            Gradients::Autodiff { losses, sum, .. } => {
                let (losses, mut gradients) = (std::mem::take(losses), sum.grads());
                let share = 1.0 / losses.len().max(1) as f32;
                let norm = self.clip_norm.map(|clip| {
                    let mut squares = SquareSum::of(&gradients);
                    self.network.visit(&mut squares);
                    let norm = squares.sum.map(|sum| sum.sqrt().mul_scalar(share));
                    (clip, norm)
                });
                let factor = match &norm {
                    Some((clip, Some(norm))) => {
                        let shortened = norm.clone().recip().mul_scalar(*clip).clamp_max(1.0);
                        Some(shortened.mul_scalar(share))
                    }
                    _ if share < 1.0 => losses
                        .first()
                        .map(|loss| Tensor::full([1], share, &loss.device().inner())),
                    _ => None,
                };
                if let Some(factor) = factor {
                    let mut scale = Scale {
                        gradients: &mut gradients,
                        factor,
                    };
                    self.network.visit(&mut scale);
                }
                let network = self.network.clone();
                self.network = self.optimizer.step(learning_rate, network, gradients);
                let host = |tensor: Tensor<1>| {
                    let value = tensor.into_data().iter::<f32>().next();
                    value.unwrap_or(f32::NAN)
                };
                let losses: Vec<f32> = losses.into_iter().map(host).collect();
                StepReport {
                    norm: norm.and_then(|(_, norm)| norm).map(host),
                    broken: losses.iter().position(|loss| !loss.is_finite()),
                    losses,
                }
            }
        }
    }

    /// The values as they are now.
    pub fn weights(&mut self) -> &[LayerWeights] {
        if matches!(self.gradients, Gradients::Autodiff { .. }) {
            self.weights = self.network.weights();
        }
        &self.weights
    }

    /// The optimizer's state in burn's own format.
    ///
    /// # Errors
    /// [`TrainError::Setting`] when burn cannot write it.
    pub fn optimizer_state(&self) -> Result<Vec<u8>, TrainError> {
        match self.optimizer.into_bytes() {
            Ok(bytes) => Ok(bytes.to_vec()),
            Err(error) => Err(TrainError::Setting(format!("optimizer state: {error}"))),
        }
    }

    /// Continues from what [`Stepper::optimizer_state`] gave. `optimizer` must be the one that it
    /// was made with; its numbers may differ.
    ///
    /// # Errors
    /// [`TrainError::Setting`] when the bytes are no such state.
    pub fn resume_optimizer(
        self,
        optimizer: &OptimizerSettings,
        state: Vec<u8>,
    ) -> Result<Self, TrainError> {
        let state = Bytes::from_bytes_vec(state);
        match optimizer.init().from_bytes(state) {
            Ok(optimizer) => Ok(Self { optimizer, ..self }),
            Err(error) => Err(TrainError::Setting(format!("optimizer state: {error}"))),
        }
    }

    /// The burn network without autodiff, for comparison with what is exported.
    pub fn network(&self) -> Network {
        self.network.valid()
    }
}

fn square_sum(gradients: &[LayerGradient]) -> f64 {
    gradients.iter().map(LayerGradient::square_sum).sum()
}

/// Takes a batch's statistics into the running ones.
fn blend_statistics(weights: &mut [LayerWeights], gradients: &[LayerGradient]) {
    for (weights, gradient) in weights.iter_mut().zip(gradients) {
        if let (Some(running), Some(batch)) = (&mut weights.norm, &gradient.norm) {
            let blend = |running: &mut [f32], batch: &[f32]| {
                for (running, batch) in running.iter_mut().zip(batch) {
                    *running += NORM_MOMENTUM * (batch - *running);
                }
            };
            blend(&mut running.mean, &batch.mean);
            blend(&mut running.variance, &batch.variance);
        }
    }
}

/// Sum of the squares of all gradients.
struct SquareSum<'a> {
    gradients: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl<'a> SquareSum<'a> {
    fn of(gradients: &'a GradientsParams) -> Self {
        Self {
            gradients,
            sum: None,
        }
    }
}

impl ModuleVisitor for SquareSum<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let square = gradient.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + square,
                None => square,
            });
        }
    }
}

/// Multiplies all gradients by one factor.
struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: Tensor<1>,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            let scaled = gradient * self.factor.clone().reshape([1; D]);
            self.gradients.register(param.id, scaled);
        }
    }
}

/// A channels-last batch as burn's tensors: pictures and targets `[batch, channels, height,
/// width]`, weights `[batch, keypoints]`.
pub fn tensors(batch: &Batch, device: &Device) -> (Tensor<4>, Tensor<4>, Tensor<2>) {
    let keypoints = batch.weights.len() / batch.pictures.max(1);
    let (height, width) = (batch.height, batch.width);
    let last = |values: &[f32], shape: [usize; 4]| {
        let data = TensorData::new(values.to_vec(), shape);
        Tensor::<4>::from_data(data, device).permute([0, 3, 1, 2])
    };
    (
        last(&batch.images, [batch.pictures, height, width, 3]),
        last(
            &batch.targets,
            [batch.pictures, height / 4, width / 4, keypoints],
        ),
        Tensor::from_data(
            TensorData::new(batch.weights.clone(), [batch.pictures, keypoints]),
            device,
        ),
    )
}
