//! Trains, evaluates and exports stacked hourglass networks.
//!
//! In the order the data flows: [`DataSpec`] names annotated people, the loader turns them into
//! batches of crops with target heatmaps ([`Augmentation`]), [`Stepper`] computes gradients on a
//! [`TrainDevice`] and moves the weights, [`train`] runs the loop with validation and checkpoints,
//! and [`Checkpoint`] is what it leaves.

// burn's types nest deeply.
#![recursion_limit = "256"]

mod average;
mod checkpoint;
mod data_spec;
mod device;
mod error;
mod loader;
mod log;
mod network;
mod photos;
mod random;
mod sample;
mod schedule;
mod stepper;
mod train;
mod validate;

pub use checkpoint::{Checkpoint, CheckpointInfo};
pub use data_spec::DataSpec;
pub use device::TrainDevice;
pub use error::TrainError;
pub use network::Network;
pub use photos::Photos;
pub use sample::{Augmentation, MEAN, STD, SampleShape, person_box};
pub use stepper::{OptimizerKind, Stepper, tensors};
pub use train::{BEST, TrainOutcome, TrainSettings, train};
pub use validate::Validator;
