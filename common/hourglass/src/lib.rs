//! The stacked hourglass family (Newell et al. 2016) as data, and its training arithmetic on CPUs.
//!
//! [`HourglassConfig`] names a member of the family; [`Graph`] is the network it stands for: layers
//! with weights, and the nodes that connect them. Everything that handles a network walks this one
//! description: the trainer's modules, the exporter, the summary, and [`Engine`], which computes
//! loss and gradients of a batch on all cores.

mod channels;
mod cpu;
mod family;
mod folded;
mod graph;
mod grow;
mod loss;
mod prune;
mod sensitivity;
mod weights;

pub use channels::ChannelSets;
pub use cpu::{Batch, Engine, Isa, Observation, Precision, StepResult};
pub use family::{ConfigError, Form, FrontWidths, HourglassConfig, Residual};
pub use folded::{FoldedLayer, fold};
pub use graph::{ConvLayer, Graph, MapShape, Node, NodeId};
pub use grow::{GrowError, grow};
pub use loss::{
    FOREGROUND_EDGE, FOREGROUND_GAIN, IOU_EPSILON, Loss, LossKind, ROOT_FLOOR, StackMaps,
    WholeBatch,
};
pub use prune::{
    Budget, Kept, PruneError, PruneSettings, choose_channels, cut_stacks, estimate_means,
    keep_channels, scale_importance,
};
pub use sensitivity::Sensitivity;
pub use weights::{LayerGradient, LayerWeights, NORM_EPSILON, NormWeights, Normal, random_weights};
