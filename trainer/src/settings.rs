//! What a training is told: [`TrainSettings`].

use std::path::PathBuf;

use hourglass::{HourglassConfig, Loss};
use pose::{KeypointSet, Size};

use crate::data_spec::DataSpec;
use crate::device::TrainDevice;
use crate::error::TrainError;
use crate::sample::{Augmentation, SampleShape};
use crate::stepper::OptimizerKind;
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
    /// What is minimized.
    pub loss: Loss,
    /// Samples of a step.
    pub batch: usize,
    /// Passes over the data.
    pub epochs: u64,
    /// Optimizer and weight decay (for AdamW).
    pub optimizer: (OptimizerKind, f32),
    /// Peak of the learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup: u64,
    /// Last learning rate as a fraction of the peak.
    pub final_rate: f64,
    /// Decay of the weights' moving average, 0 for none.
    pub average: f32,
    /// The seed of every random draw.
    pub seed: u64,
    /// Where to train.
    pub device: TrainDevice,
    /// Workers of the CPU engine.
    pub threads: usize,
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
        if self.network.stacks == 0 || !self.network.channels.is_multiple_of(4) {
            return fail(format!(
                "{} stacks of {} channels: stacks must be 1 or more, channels a multiple of 4",
                self.network.stacks, self.network.channels
            ));
        }
        Ok(())
    }
}
