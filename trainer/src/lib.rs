//! Trains, evaluates and exports stacked hourglass networks.
//!
//! In the order the data flows: [`DataSpec`] names annotated people, the loader turns them into
//! batches of crops with target heatmaps ([`Augmentation`]), [`Stepper`] computes gradients on a
//! [`TrainDevice`] and moves the weights, [`train`] runs the loop with validation and checkpoints,
//! and [`Checkpoint`] is what it leaves. [`Gallery`] and [`AugmentedBatches`] are looks at the data.

// burn's types nest deeply.
#![recursion_limit = "256"]

mod augmentation;
mod average;
mod changes;
mod checkpoint;
pub mod config;
mod curves;
mod data_spec;
mod deploy;
mod device;
mod diagram;
mod distill;
mod error;
mod evaluate;
mod export;
mod filters;
mod grow;
mod import;
mod keypoint_weights;
mod loader;
mod log;
mod network;
mod optimizer;
mod options;
mod photos;
mod plot;
mod prune;
mod random;
mod sample;
mod schedule;
mod settings;
mod state;
mod stepper;
mod stop;
mod summary;
mod teaching;
mod tensor_loss;
mod tensorboard;
mod train;
mod view;

pub use augmentation::{Augmentation, Law, Spread};
pub use checkpoint::{Checkpoint, CheckpointInfo};
pub use curves::{Axis, CurvePoint, Curves, Quantity};
pub use data_spec::DataSpec;
pub use deploy::{InferenceSettings, find_poses, pose_model};
pub use device::TrainDevice;
pub use diagram::draw_graph;
pub use distill::Tutor;
pub use error::TrainError;
pub use evaluate::{
    device_predictor, eval_settings, evaluate_on_device, evaluate_weights, weight_predictors,
};
pub use export::{ExportNotes, TOLERANCE, export, verify};
pub use grow::{GROWTH_TOLERANCE, GrowSettings, grow_checkpoint};
pub use import::{FileTensor, Fit, Start, WeightFile};
pub use keypoint_weights::KeypointWeights;
pub use network::Network;
pub use optimizer::{OptimizerKind, OptimizerSettings};
pub use options::{
    AugmentationOptions, CourseOptions, DataOptions, FamilyOptions, MachineOptions, NetworkOptions,
    RunOptions, TrainOptions, parse_keypoints, parse_size,
};
pub use photos::Photos;
pub use plot::{PlotOptions, plot};
pub use prune::{Calibration, Criterion, NetworkSize, PruneOptions, prune_checkpoint};
pub use sample::{MEAN, STD, SampleShape};
pub use schedule::{Decay, Moment, Schedule, Span};
pub use settings::TrainSettings;
pub use state::TrainingState;
pub use stepper::{StepReport, Stepper, tensors};
pub use stop::StopRequest;
pub use summary::{
    BlockSummary, LayerKind, LayerSummary, Memory, Summary, summarize, summarize_onnx,
};
pub use teaching::Teaching;
pub use tensorboard::{EventWriter, Scalar, read_events};
pub use train::{BEST, TrainEnd, TrainOutcome, train};
pub use view::{
    AugmentedBatches, Gallery, Look, ViewFilter, ViewRecord, browse, browse_augmented, heat_overlay,
};
