//! Which model, and what its card does not say.

use std::path::PathBuf;

use clap::Args;
use edge_runtime::{KeypointChoice, ModelOptions, PoseModel, RuntimeError};

use super::shipped;
use super::values::{ColorValue, DecodingValue, LayoutValue, SizeValue, TripleValue};

/// The options of every command that runs a model.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// Keypoint-heatmap ONNX file [default: the one inside the program]
    #[arg(long, short, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Threads of the inference engine
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
    /// How a heatmap becomes a point [default: what the model card says, else dark]
    #[arg(long)]
    pub decoding: Option<DecodingValue>,
    /// Built-in keypoint set of a model without a card: mpii, coco, lsp or animal_pose
    #[arg(long, value_name = "NAME", conflicts_with = "classes")]
    pub keypoints: Option<String>,
    /// File with the keypoints' names, one a line
    #[arg(long, value_name = "FILE")]
    pub classes: Option<PathBuf>,
    /// File with the keypoints that change places in a mirror: name,name,h or v
    #[arg(long, value_name = "FILE")]
    pub match_points: Option<PathBuf>,
    /// File with the lines to draw: name,name,r or g or b
    #[arg(long, value_name = "FILE")]
    pub skeleton: Option<PathBuf>,
    /// Subtracted from pixel values of 0 to 255
    #[arg(long, value_name = "A,B,C", allow_hyphen_values = true)]
    pub mean: Option<TripleValue>,
    /// Then divided by this
    #[arg(long, value_name = "A,B,C")]
    pub std: Option<TripleValue>,
    /// Order of the input's dimensions
    #[arg(long)]
    pub layout: Option<LayoutValue>,
    /// Order of the input's colours
    #[arg(long)]
    pub color: Option<ColorValue>,
    /// Size of the input, for models that leave it open
    #[arg(long, value_name = "WxH")]
    pub input_size: Option<SizeValue>,
    /// Output with the heatmaps, for models with several [default: the last]
    #[arg(long, value_name = "NAME")]
    pub output_name: Option<String>,
    /// Side of a crop as a multiple of the person's box
    #[arg(long, value_name = "FACTOR")]
    pub crop_margin: Option<f32>,
}

impl ModelArgs {
    /// What the options say.
    pub fn options(&self) -> ModelOptions {
        ModelOptions {
            keypoints: KeypointChoice {
                builtin: self.keypoints.clone(),
                classes: self.classes.clone(),
                match_points: self.match_points.clone(),
                skeleton: self.skeleton.clone(),
            },
            mean: self.mean.map(|v| v.0),
            std: self.std.map(|v| v.0),
            layout: self.layout.map(Into::into),
            color: self.color.map(Into::into),
            input_size: self.input_size.map(|v| v.0),
            output: self.output_name.clone(),
            decoding: self.decoding.map(Into::into),
            crop_margin: self.crop_margin,
            threads: usize::from(self.threads),
        }
    }

    /// Loads the model, the named one or the one inside the program.
    pub fn load(&self) -> Result<PoseModel, RuntimeError> {
        self.load_with(&self.options())
    }

    /// [`load`](Self::load) with changed options.
    pub fn load_with(&self, options: &ModelOptions) -> Result<PoseModel, RuntimeError> {
        match &self.model {
            Some(path) => PoseModel::load(path, options),
            None => PoseModel::from_bytes(shipped::model()?, shipped::MODEL_LABEL, options),
        }
    }
}
