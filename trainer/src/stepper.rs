//! One training step: gradients, then the optimizer.

use burn::module::Module;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, RmsPropConfig};
use burn::tensor::{Device, Tensor, TensorData};
use clap::ValueEnum;
use hourglass::{Batch, Engine, Graph, LayerWeights, Loss, Precision};
use serde::{Deserialize, Serialize};
use std::path::Path;

use crate::device::TrainDevice;
use crate::error::TrainError;
use crate::network::{NORM_MOMENTUM, Network};

/// How gradients become steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// RMSprop, decay 0.9, no momentum.
    Rmsprop,
    /// Adam (Kingma & Ba 2015).
    Adam,
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    Adamw,
}

impl OptimizerKind {
    fn init(self, weight_decay: f32) -> ModuleOptimizer {
        match self {
            Self::Rmsprop => RmsPropConfig::new()
                .with_alpha(0.9)
                .with_momentum(0.0)
                .init(),
            Self::Adam => AdamConfig::new().init(),
            Self::Adamw => AdamWConfig::new().with_weight_decay(weight_decay).init(),
        }
    }
}

/// A network in training.
pub struct Stepper {
    network: Network,
    optimizer: ModuleOptimizer,
    gradients: Gradients,
    /// Values of the last step on the host.
    weights: Vec<LayerWeights>,
}

/// Who computes loss and gradients.
enum Gradients {
    /// The engine for CPUs; gradients reach the optimizer on a plain device.
    Engine { engine: Box<Engine>, device: Device },
    /// burn's autodiff on any of its devices.
    Autodiff { device: Device },
}

impl Stepper {
    /// A network of `graph` with these values. `threads` is for the CPU engine alone.
    ///
    /// # Errors
    /// [`TrainError::Device`] when the build lacks the device's backend.
    pub fn new(
        graph: &Graph,
        weights: Vec<LayerWeights>,
        (optimizer, weight_decay): (OptimizerKind, f32),
        device: &TrainDevice,
        threads: usize,
    ) -> Result<Self, TrainError> {
        let gradients = match device.burn()? {
            None => Gradients::Engine {
                engine: Box::new(Engine::new(graph.clone(), threads)),
                device: TrainDevice::host()?,
            },
            Some(device) => Gradients::Autodiff {
                device: device.autodiff(),
            },
        };
        // Optimizers move parameters of autodiff devices only, wherever the gradients come from.
        let device = match &gradients {
            Gradients::Engine { device, .. } => device.clone().autodiff(),
            Gradients::Autodiff { device } => device.clone(),
        };
        Ok(Self {
            network: Network::new(graph, &weights, &device),
            optimizer: optimizer.init(weight_decay),
            gradients,
            weights,
        })
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
        match &mut self.gradients {
            Gradients::Engine { engine, device } => {
                let result = engine.step(&self.weights, batch, loss);
                if !result.loss.is_finite() {
                    return result.loss;
                }
                let gradients = self.network.gradients(&result.gradients, device);
                let network = self.network.clone();
                self.network = self.optimizer.step(learning_rate, network, gradients);
                let mut moved = self.network.weights();
                for ((new, old), gradient) in
                    moved.iter_mut().zip(&self.weights).zip(&result.gradients)
                {
                    let (Some(new), Some(old), Some(batch)) =
                        (&mut new.norm, &old.norm, &gradient.norm)
                    else {
                        continue;
                    };
                    let blend = |old: &[f32], batch: &[f32]| -> Vec<f32> {
                        let pairs = old.iter().zip(batch);
                        pairs.map(|(o, b)| o + NORM_MOMENTUM * (b - o)).collect()
                    };
                    new.mean = blend(&old.mean, &batch.mean);
                    new.variance = blend(&old.variance, &batch.variance);
                }
                self.weights = moved;
                result.loss
            }
            Gradients::Autodiff { device } => {
                let (pictures, targets, weights) = tensors(batch, device);
                let loss = self.network.loss(pictures, targets, weights, loss);
                let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
                let network = self.network.clone();
                self.network = self.optimizer.step(learning_rate, network, gradients);
                loss.into_data().iter::<f32>().next().unwrap_or(f32::NAN)
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

    /// Writes the optimizer's state.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_optimizer(&self, path: &Path) -> Result<(), TrainError> {
        self.optimizer
            .save(path)
            .map_err(|error| TrainError::Checkpoint {
                path: path.to_owned(),
                reason: error.to_string(),
            })
    }

    /// Reads what [`Stepper::save_optimizer`] wrote.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load_optimizer(
        self,
        (kind, weight_decay): (OptimizerKind, f32),
        path: &Path,
    ) -> Result<Self, TrainError> {
        let optimizer =
            kind.init(weight_decay)
                .load(path)
                .map_err(|error| TrainError::Checkpoint {
                    path: path.to_owned(),
                    reason: error.to_string(),
                })?;
        Ok(Self { optimizer, ..self })
    }

    /// The burn network without autodiff, for comparison with what is exported.
    pub fn network(&self) -> Network {
        self.network.valid()
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
