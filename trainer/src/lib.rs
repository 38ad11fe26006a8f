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
mod diagram;
mod distill;
mod error;
mod evaluate;
mod export;
mod grow;
mod loader;
mod log;
mod network;
mod photos;
mod plot;
mod prune;
mod random;
mod sample;
mod schedule;
mod stepper;
mod summary;
mod teaching;
mod train;

pub use checkpoint::{Checkpoint, CheckpointInfo};
pub use data_spec::DataSpec;
pub use device::TrainDevice;
pub use diagram::draw_graph;
pub use distill::Tutor;
pub use error::TrainError;
pub use evaluate::{eval_settings, evaluate_on_device, evaluate_weights};
pub use export::{ExportNotes, TOLERANCE, export, verify};
pub use grow::{GROWTH_TOLERANCE, GrowSettings, grow_checkpoint};
pub use network::Network;
pub use photos::Photos;
pub use plot::plot;
pub use prune::{Calibration, Criterion, NetworkSize, PruneOptions, prune_checkpoint};
pub use sample::{Augmentation, MEAN, STD, SampleShape};
pub use stepper::{OptimizerKind, Stepper, tensors};
pub use summary::{
    BlockSummary, LayerKind, LayerSummary, Memory, Summary, summarize, summarize_onnx,
};
pub use teaching::Teaching;
pub use train::{BEST, TrainOutcome, TrainSettings, train};
