//! Random changes of the pictures.

use clap::Args;

use crate::sample::Augmentation;

/// Random changes of the pictures.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Augmentation")]
pub struct AugmentationOptions {
    /// Standard deviation of the crop's size, in powers of two.
    #[arg(long, default_value_t = Augmentation::default().scale)]
    pub scale: f32,
    /// Standard deviation of the rotation in degrees.
    #[arg(long, default_value_t = Augmentation::default().rotation)]
    pub rotation: f32,
    /// Largest relative change of the colours.
    #[arg(long, default_value_t = Augmentation::default().colour)]
    pub colour: f32,
    /// Largest shift of the crop, as a fraction of its side.
    #[arg(long, default_value_t = Augmentation::default().shift)]
    pub shift: f32,
    /// Probability of a crop around half the body.
    #[arg(long, default_value_t = Augmentation::default().half_body)]
    pub half_body: f32,
    /// Probability of a covered rectangle.
    #[arg(long, default_value_t = Augmentation::default().cutout)]
    pub cutout: f32,
}

impl AugmentationOptions {
    /// The changes that the options ask for.
    pub fn augmentation(&self) -> Augmentation {
        Augmentation {
            scale: self.scale,
            rotation: self.rotation,
            colour: self.colour,
            shift: self.shift,
            half_body: self.half_body,
            cutout: self.cutout,
            ..Augmentation::default()
        }
    }
}
