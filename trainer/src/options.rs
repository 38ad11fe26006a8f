//! What a training can be told on the command line or in a configuration file, one group of
//! options a file: a new option is a field there and a line in its `settings` function.

// The doc comments are the command line's help as well, in which brackets mean what may be left out.
#![allow(rustdoc::broken_intra_doc_links)]

mod augmentation;
mod course;
mod data;
mod machine;
mod network;
mod run;

use clap::Args;
use hourglass::Precision;

use crate::error::TrainError;
use crate::settings::TrainSettings;
use crate::stop::StopRequest;

pub use augmentation::AugmentationOptions;
pub use course::CourseOptions;
pub use data::{DataOptions, parse_keypoints};
pub use machine::MachineOptions;
pub use network::{FamilyOptions, NetworkOptions, parse_size};
pub use run::RunOptions;

/// Every option of a training.
#[derive(Args, Clone, Debug)]
pub struct TrainOptions {
    /// Who is trained on.
    #[command(flatten)]
    pub data: DataOptions,
    /// What comes out: checkpoints, logs, when to stop.
    #[command(flatten)]
    pub run: RunOptions,
    /// What is trained.
    #[command(flatten)]
    pub network: NetworkOptions,
    /// Loss, optimizer, schedule.
    #[command(flatten)]
    pub course: CourseOptions,
    /// Random changes of the pictures.
    #[command(flatten)]
    pub augmentation: AugmentationOptions,
    /// Where it runs.
    #[command(flatten)]
    pub machine: MachineOptions,
}

impl TrainOptions {
    /// The settings that the options ask for.
    ///
    /// # Errors
    /// [`TrainError::Setting`] when options contradict one another.
    pub fn settings(self) -> Result<TrainSettings, TrainError> {
        let Self {
            data,
            run,
            network,
            course,
            augmentation,
            machine,
        } = self;
        Ok(TrainSettings {
            network: network.family.config(data.keypoints.len()),
            shape: network.shape(),
            augmentation: augmentation.augmentation(&data.keypoints),
            keypoints: data.keypoints,
            data: data.data,
            teachers: data.teacher,
            validation: data.validate,
            loss: course.loss(),
            optimizer: course.optimizer(),
            decay: course.decay()?,
            keypoint_weights: course.keypoint_weights,
            distill: course.distill.map(|path| (path, course.distill_weight)),
            batch: course.batch,
            epochs: course.epochs,
            accumulate: course.accumulate,
            clip_norm: course.clip_norm,
            learning_rate: course.learning_rate,
            warmup: course.warmup,
            final_rate: course.final_rate,
            average: course.average,
            seed: course.seed,
            threads: machine.threads(),
            loaders: machine.loaders(),
            precision: machine.precision.unwrap_or_else(Precision::fastest),
            device: machine.device,
            photo_memory: machine.photo_memory << 20,
            validate_every: run.validate_every,
            patience: run.patience,
            keep: run.keep,
            stop_after: run.stop_after,
            weights: network.weights,
            partial: network.partial,
            resume: run.resume,
            output: run.output,
            record: None,
            tensorboard: !run.no_tensorboard,
            plain: run.plain,
            stop: StopRequest::default(),
        })
    }
}
