//! What is minimized, and how.

use clap::Args;
use hourglass::Loss;

use crate::stepper::OptimizerKind;

/// Loss, optimizer, schedule.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Loss, optimizer, schedule")]
pub struct CourseOptions {
    /// How much more a heatmap cell at a keypoint weighs in the loss than one far from all; 0 is
    /// the plain mean squared error.
    #[arg(long, default_value_t = 0.0)]
    pub foreground: f32,
    /// Samples of a step.
    #[arg(long, default_value_t = 32)]
    pub batch: usize,
    /// Passes over the data.
    #[arg(long, default_value_t = 40)]
    pub epochs: u64,
    /// Optimizer.
    #[arg(long, value_enum, default_value = "adam")]
    pub optimizer: OptimizerKind,
    /// Weight decay of AdamW.
    #[arg(long, default_value_t = 1e-4)]
    pub weight_decay: f32,
    /// Peak of the learning rate.
    #[arg(long, default_value_t = 2e-3)]
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    #[arg(long, default_value_t = 300)]
    pub warmup: u64,
    /// Last learning rate as a fraction of the peak; a cosine leads there.
    #[arg(long, default_value_t = 0.01)]
    pub final_rate: f64,
    /// Decay of the weights' moving average; 0 switches it off.
    #[arg(long, default_value_t = 0.999)]
    pub average: f32,
    /// The seed of every random draw.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl CourseOptions {
    /// What is minimized.
    pub fn loss(&self) -> Loss {
        Loss {
            foreground: self.foreground,
        }
    }
}
