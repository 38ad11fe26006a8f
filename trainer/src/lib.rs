//! Trains, evaluates and exports stacked hourglass networks.
//!
//! In the order the data flows: [`DataSpec`] names annotated people, the loader turns them into
//! batches of crops with target heatmaps ([`Augmentation`]), [`Stepper`] computes gradients on a
//! [`TrainDevice`] and moves the weights, [`train`] runs the loop with validation and checkpoints,
//! and [`Checkpoint`] is what it leaves. [`Gallery`] and [`AugmentedBatches`] are looks at the data.

// burn's types nest deeply.
#![recursion_limit = "256"]

mod average;
mod checkpoint;
mod data_spec;
mod device;
mod error;
mod evaluate;
mod export;
mod loader;
mod log;
mod network;
mod photos;
mod plot;
mod random;
mod sample;
mod schedule;
mod stepper;
mod teaching;
mod train;
mod view;

pub use checkpoint::{Checkpoint, CheckpointInfo};
pub use data_spec::DataSpec;
pub use device::TrainDevice;
pub use error::TrainError;
pub use evaluate::{
    device_predictor, eval_settings, evaluate_on_device, evaluate_weights, weight_predictors,
};
pub use export::{ExportNotes, TOLERANCE, export, verify};
pub use network::Network;
pub use photos::Photos;
pub use plot::plot;
pub use sample::{Augmentation, MEAN, STD, SampleShape};
pub use stepper::{OptimizerKind, Stepper, tensors};
pub use teaching::Teaching;
pub use train::{BEST, TrainOutcome, TrainSettings, train};
pub use view::{
    AugmentedBatches, Gallery, Look, ViewFilter, ViewRecord, browse, browse_augmented, heat_overlay,
};
