//! What is trained.

use std::path::PathBuf;

use clap::Args;
use hourglass::{Form, HourglassConfig, Residual};
use pose::Size;

use crate::sample::SampleShape;

/// A member of the family.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Network")]
pub struct FamilyOptions {
    /// Number of hourglasses.
    #[arg(long, default_value_t = 2)]
    pub stacks: usize,
    /// Depthwise-separable convolutions.
    #[arg(long)]
    pub mobile: bool,
    /// 128 channels.
    #[arg(long)]
    pub tiny: bool,
    /// Channels of the hourglasses [default: 256, with --tiny 128].
    #[arg(long, conflicts_with = "tiny")]
    pub channels: Option<usize>,
    /// Channels of the front (N; half of it in the first convolution) and of the hourglasses (M),
    /// for example 128 256, the full size.
    #[arg(long, num_args = 2, value_names = ["N", "M"], conflicts_with_all = ["tiny", "channels"])]
    pub width: Option<Vec<usize>>,
    /// End the residual blocks in ReLU, as the earlier projects do.
    #[arg(long)]
    pub residual_relu: bool,
    /// Every parameter of the earlier projects' form, also those that folding removes.
    #[arg(long)]
    pub classic: bool,
}

impl FamilyOptions {
    /// The network with so many heatmaps.
    pub fn config(&self, keypoints: usize) -> HourglassConfig {
        let network = HourglassConfig {
            stacks: self.stacks,
            channels: self.channels.unwrap_or(if self.tiny { 128 } else { 256 }),
            mobile: self.mobile,
            form: if self.classic {
                Form::Classic
            } else {
                Form::Lean
            },
            residual: if self.residual_relu {
                Residual::Relu
            } else {
                Residual::Linear
            },
            ..HourglassConfig::full(keypoints)
        };
        match self.width.as_deref() {
            Some(&[front, channels]) => network.with_widths(front, channels),
            _ => network,
        }
    }
}

/// What is trained.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Network")]
pub struct NetworkOptions {
    /// The member of the family.
    #[command(flatten)]
    pub family: FamilyOptions,
    /// Network input, WIDTHxHEIGHT, multiples of 32.
    #[arg(long, default_value = "192x192", value_name = "WxH", value_parser = parse_size)]
    pub input: Size,
    /// Standard deviation of the target Gaussians in heatmap cells.
    #[arg(long, default_value_t = 1.5)]
    pub sigma: f32,
    /// Crop side over the longer side of the person's box.
    #[arg(long, default_value_t = 1.25)]
    pub margin: f32,
    /// Weights to start from: a checkpoint of this trainer, which says itself what network it is
    /// of, or a safetensors file or PyTorch state_dict of another program, see docs/weights.md.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub weights: Option<PathBuf>,
    /// Of the weights take what fits the network of these options by name and shape; the rest
    /// starts at random.
    #[arg(long, requires = "weights")]
    pub partial: bool,
}

impl NetworkOptions {
    /// The samples that it takes.
    pub fn shape(&self) -> SampleShape {
        SampleShape {
            input: self.input,
            stride: 4,
            sigma: self.sigma,
            margin: self.margin,
        }
    }
}

/// `WIDTHxHEIGHT` in pixels.
///
/// # Errors
/// Another form.
pub fn parse_size(text: &str) -> Result<Size, String> {
    let numbers = text
        .split_once(['x', 'X'])
        .and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let (width, height) = numbers.ok_or("expected WIDTHxHEIGHT, for example 192x192")?;
    Ok(Size { width, height })
}
