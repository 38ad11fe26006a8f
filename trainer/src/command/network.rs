//! Options that name a network of the family.

use clap::Args;
use hourglass::{Form, HourglassConfig, Residual};

/// A member of the family.
#[derive(Args, Clone, Debug)]
pub struct NetworkArgs {
    /// Number of hourglasses.
    #[arg(long, default_value_t = 2)]
    stacks: usize,
    /// Depthwise-separable convolutions.
    #[arg(long)]
    mobile: bool,
    /// 128 channels.
    #[arg(long)]
    tiny: bool,
    /// Channels of the hourglasses [default: 256, with --tiny 128].
    #[arg(long, conflicts_with = "tiny")]
    channels: Option<usize>,
    /// Channels of the front (N; half of it in the first convolution) and of the hourglasses (M),
    /// for example 128 256, the full size.
    #[arg(long, num_args = 2, value_names = ["N", "M"], conflicts_with_all = ["tiny", "channels"])]
    width: Option<Vec<usize>>,
    /// End the residual blocks in ReLU, as the earlier projects do.
    #[arg(long)]
    residual_relu: bool,
    /// Every parameter of the earlier projects' form, also those that folding removes.
    #[arg(long)]
    classic: bool,
}

impl NetworkArgs {
    /// The network, for so many heatmaps.
    ///
    /// # Errors
    /// A number outside its range.
    pub fn config(&self, keypoints: usize) -> anyhow::Result<HourglassConfig> {
        let config = HourglassConfig {
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
        let config = match self.width.as_deref() {
            Some(&[n, m]) => config.with_widths(n, m),
            _ => config,
        };
        config.check()?;
        Ok(config)
    }
}
