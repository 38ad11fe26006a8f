//! What a training is told: [`TrainSettings`].

use std::path::PathBuf;

use hourglass::{HourglassConfig, Loss, Precision};
use pose::{KeypointSet, Size};

use crate::augmentation::Augmentation;
use crate::data_spec::DataSpec;
use crate::device::TrainDevice;
use crate::error::TrainError;
use crate::keypoint_weights::KeypointWeights;
use crate::optimizer::OptimizerSettings;
use crate::sample::SampleShape;
use crate::schedule::Decay;
use crate::stop::StopRequest;
use crate::teaching::Teaching;

/// Everything that decides the course of a training.
#[derive(Clone, Debug)]
pub struct TrainSettings {
    /// The network. Ignored when weights are loaded, which say it themselves.
    pub network: HourglassConfig,
    /// Names and flip pairs of the heatmaps.
    pub keypoints: KeypointSet,
    /// What to train on.
    pub data: Vec<DataSpec>,
    /// Predictions that training labels are cleaned by.
    pub teachers: Vec<Teaching>,
    /// What to choose the best checkpoint by.
    pub validation: Vec<DataSpec>,
    /// Shape of the samples.
    pub shape: SampleShape,
    /// Random changes of the samples.
    pub augmentation: Augmentation,
    /// Keypoints that count more or less than others.
    pub keypoint_weights: KeypointWeights,
    /// What is minimized.
    pub loss: Loss,
    /// A larger network to learn from as well, and its share of the loss.
    pub distill: Option<(PathBuf, f32)>,
    /// Samples of a step.
    pub batch: usize,
    /// Passes over the data.
    pub epochs: u64,
    /// How gradients become steps.
    pub optimizer: OptimizerSettings,
    /// Batches of a step; their gradients are averaged.
    pub accumulate: usize,
    /// Length that gradients are shortened to.
    pub clip_norm: Option<f32>,
    /// Peak of the learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup: u64,
    /// How the rate falls.
    pub decay: Decay,
    /// Last learning rate of a cosine or polynomial decay, as a fraction of the peak.
    pub final_rate: f64,
    /// Decay of the weights' moving average, 0 for none.
    pub average: f32,
    /// The seed of every random draw.
    pub seed: u64,
    /// Where to train.
    pub device: TrainDevice,
    /// Workers of the CPU engine.
    pub threads: usize,
    /// Format of maps and products in the CPU engine.
    pub precision: Precision,
    /// Threads that make batches.
    pub loaders: usize,
    /// Bytes of decoded photos to keep.
    pub photo_memory: usize,
    /// Steps between two validations; an epoch when none is given.
    pub validate_every: Option<u64>,
    /// Validations without a better PCK after which to end early; never when none is given.
    pub patience: Option<u64>,
    /// How many of the last checkpoints to keep beside the best and the last.
    pub keep: usize,
    /// Steps after which to end early, before the schedule does.
    pub stop_after: Option<u64>,
    /// Weights to start from.
    pub weights: Option<PathBuf>,
    /// Take of the weights what fits the network.
    pub partial: bool,
    /// Continue the training in `output`.
    pub resume: bool,
    /// Folder of checkpoints and logs.
    pub output: PathBuf,
    /// A configuration file to keep in the folder as `config.toml`, if there is one.
    pub record: Option<String>,
    /// Write TensorBoard event files.
    pub tensorboard: bool,
    /// Plain lines on a terminal too, in place of the dashboard.
    pub plain: bool,
    /// Who may ask for an early end.
    pub stop: StopRequest,
}

impl TrainSettings {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`TrainError::Setting`] with what is wrong.
    pub fn check(&self) -> Result<(), TrainError> {
        let Size { width, height } = self.shape.input;
        let fail = |message: String| Err(TrainError::Setting(message));
        if width == 0 || height == 0 || width % 32 != 0 || height % 32 != 0 {
            return fail(format!(
                "input size {width}x{height}: both sides must be multiples of 32"
            ));
        }
        if self.batch == 0 || self.epochs == 0 {
            return fail("batch size and epochs must be 1 or more".to_owned());
        }
        if let Err(error) = self.network.check() {
            return fail(error.to_string());
        }
        if self.accumulate == 0 {
            return fail("a step needs 1 batch or more".to_owned());
        }
        if let Some(clip) = self.clip_norm.filter(|clip| clip.is_nan() || *clip <= 0.0) {
            return fail(format!(
                "gradients shortened to {clip}: must be more than 0"
            ));
        }
        let possible = self.augmentation.clone().for_keypoints(&self.keypoints);
        if possible.vertical_flip < self.augmentation.vertical_flip {
            return fail(format!(
                "vertical flip: the keypoint set `{}` names no pair for it (`v` in its match points)",
                self.keypoints.name
            ));
        }
        self.keypoint_weights.factors(&self.keypoints)?;
        let faults = [
            self.optimizer.fault(),
            self.decay.fault(),
            self.augmentation.fault(),
            self.loss.fault(self.keypoints.len()),
        ];
        match faults.into_iter().flatten().next() {
            Some(fault) => fail(fault),
            None => Ok(()),
        }
    }
}
