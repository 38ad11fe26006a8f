//! The stacked hourglass family (Newell et al. 2016) as data, and its training arithmetic on CPUs.
//!
//! [`HourglassConfig`] names a member of the family; [`Graph`] is the network it stands for: layers
//! with weights, and the nodes that connect them. Everything that handles a network walks this one
//! description: the trainer's modules, the exporter, the summary, and [`Engine`], which computes
//! loss and gradients of a batch on all cores.

mod cpu;
mod family;
mod folded;
mod graph;
mod loss;
mod weights;

pub use cpu::{Batch, Engine, Isa, Precision, StepResult};
pub use family::{Form, HourglassConfig, Residual};
pub use folded::{FoldedLayer, fold};
pub use graph::{ConvLayer, Graph, MapShape, Node, NodeId};
pub use loss::{
    FOREGROUND_EDGE, FOREGROUND_GAIN, IOU_EPSILON, Loss, LossKind, ROOT_FLOOR, StackMaps,
    WholeBatch,
};
pub use weights::{LayerGradient, LayerWeights, NORM_EPSILON, NormWeights, Normal, random_weights};
