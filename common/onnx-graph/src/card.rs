//! The model card: what a keypoint-heatmap model is and how to use it, inside the ONNX file.
//!
//! The card is JSON in `metadata_props` under [`CARD_KEY`]. Fields that a reader does not know are
//! passed over, so later versions may add some; a change of meaning raises [`CARD_VERSION`].

use std::collections::BTreeMap;

use pose::{Bone, FlipAxis, FlipPair, KeypointSet, Rgb};
use serde::{Deserialize, Serialize};

use crate::error::OnnxError;
use crate::model::Model;

/// The key in `metadata_props` under which the card is stored.
pub const CARD_KEY: &str = "pose_model_card";
/// The version that this crate writes, and the newest that it reads.
pub const CARD_VERSION: u32 = 1;

/// What a model is, what it takes and gives, and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Version of the card's form, [`CARD_VERSION`].
    pub version: u32,
    /// Name of the model, for example `mobile-tiny-192`.
    pub name: String,
    /// The network.
    pub architecture: Architecture,
    /// Names of the keypoints, one per output channel, in order.
    pub keypoints: Vec<String>,
    /// Pairs of keypoints that change places in a mirror.
    #[serde(default)]
    pub flip_pairs: Vec<CardFlipPair>,
    /// Lines to draw.
    #[serde(default)]
    pub skeleton: Vec<CardBone>,
    /// What goes in.
    pub input: CardInput,
    /// What comes out.
    pub output: CardOutput,
    /// Side of the crop that the model was trained on, as a multiple of the longer side of the
    /// person's box; 1.25 leaves an eighth free on either side.
    #[serde(default = "default_crop_margin")]
    pub crop_margin: f32,
    /// How the model was made small, none for a float model.
    #[serde(default)]
    pub quantization: Option<CardQuantization>,
    /// How the model was trained, none when nobody knows.
    #[serde(default)]
    pub training: Option<CardTraining>,
    /// [`Model::content_hash`] of the model that the card was written for;
    /// [`ModelCard::store`] fills it in.
    #[serde(default)]
    pub content_hash: String,
}

/// The network's family and size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Architecture {
    /// For example `stacked-hourglass`.
    pub family: String,
    /// For example `mobile-tiny`.
    #[serde(default)]
    pub variant: String,
    /// Hourglasses one after the other.
    #[serde(default)]
    pub stacks: usize,
    /// Channels of the residual stream.
    #[serde(default)]
    pub channels: usize,
    /// Channels of the first convolution and of the residual blocks before the first hourglass,
    /// where they are not the family's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<[usize; 2]>,
    /// Output channels of single layers, by name, where they are not the family's: after pruning.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub widths: BTreeMap<String, usize>,
}

/// Two keypoints that change places in a mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardFlipPair {
    /// Name of the one keypoint.
    pub first: String,
    /// Name of the other.
    pub second: String,
    /// The mirroring in which they change places.
    #[serde(default)]
    pub axis: CardAxis,
}

/// Direction of a mirroring, `h` or `v` as in the match-point file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CardAxis {
    /// Left and right change places.
    #[default]
    #[serde(rename = "h")]
    Horizontal,
    /// Top and bottom change places.
    #[serde(rename = "v")]
    Vertical,
}

/// A line of the skeleton.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardBone {
    /// Name of the keypoint where it starts.
    pub start: String,
    /// Name of the keypoint where it ends.
    pub end: String,
    /// Red, green, blue.
    pub color: [u8; 3],
}

/// Order of a pixel's colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorOrder {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Order of a tensor's dimensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TensorLayout {
    /// Batch, channels, height, width.
    #[default]
    Nchw,
    /// Batch, height, width, channels.
    Nhwc,
}

/// Element type of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputType {
    /// Numbers normalized with mean and deviation.
    #[default]
    Float32,
    /// The picture's bytes as they are; mean and deviation are inside the network.
    Uint8,
}

/// How a heatmap becomes a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CardDecoding {
    /// The centre of the highest cell.
    Argmax,
    /// A quarter cell from there towards the higher neighbour.
    Quarter,
    /// The Taylor step on the logarithm of the smoothed map.
    #[default]
    Dark,
}

/// What goes into the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardInput {
    /// Name of the input.
    pub name: String,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Order of the colours.
    #[serde(default)]
    pub color: ColorOrder,
    /// Order of the dimensions.
    #[serde(default)]
    pub layout: TensorLayout,
    /// Element type.
    #[serde(default)]
    pub dtype: InputType,
    /// Subtracted from values of 0 to 255, in the order of `color`.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Then divided by this.
    #[serde(default = "default_std")]
    pub std: [f32; 3],
}

/// What comes out of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardOutput {
    /// Name of the output.
    pub name: String,
    /// Input pixels per heatmap cell.
    pub stride: f32,
    /// Standard deviation of the training targets, in cells.
    pub sigma: f32,
    /// How a heatmap becomes a point.
    #[serde(default)]
    pub decoding: CardDecoding,
    /// Order of the dimensions.
    #[serde(default)]
    pub layout: TensorLayout,
}

/// How a float model was turned into an integer one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardQuantization {
    /// For example `qdq u8 activations, s8 weights per channel`.
    pub scheme: String,
    /// Photos and method that the ranges were found with.
    pub calibration: String,
    /// Accuracy of the float model.
    #[serde(default)]
    pub accuracy_before: Option<f32>,
    /// Accuracy of this model, measured in the same way.
    #[serde(default)]
    pub accuracy_after: Option<f32>,
}

/// How a model was trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CardTraining {
    /// Data sets.
    pub data: Vec<String>,
    /// What was trained on and what was held back.
    #[serde(default)]
    pub split: String,
    /// Times that the data was gone through.
    #[serde(default)]
    pub epochs: f32,
    /// Crops that the network saw.
    #[serde(default)]
    pub samples: u64,
    /// What the model reaches.
    #[serde(default)]
    pub metrics: Vec<CardMetric>,
    /// Terms that follow from the data.
    #[serde(default)]
    pub license_note: String,
}

/// A measured accuracy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardMetric {
    /// For example `PCK@0.2`.
    pub name: String,
    /// The figure, in the metric's own unit (percent for PCK).
    pub value: f32,
    /// What it was measured on.
    #[serde(default)]
    pub dataset: String,
    /// When, as YYYY-MM-DD.
    #[serde(default)]
    pub date: String,
    /// The command that measures it again.
    #[serde(default)]
    pub command: String,
}

fn default_crop_margin() -> f32 {
    1.25
}

fn default_std() -> [f32; 3] {
    [1.0; 3]
}

impl ModelCard {
    /// The card inside a model; none when the model has none.
    ///
    /// # Errors
    /// A card that is no valid JSON, of a newer version, or that contradicts itself.
    pub fn from_model(model: &Model) -> Result<Option<ModelCard>, OnnxError> {
        let Some(json) = model.metadata(CARD_KEY) else {
            return Ok(None);
        };
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let bad_json = |e: serde_json::Error| OnnxError::Card(format!("not valid: {e}"));
        // The version first: a newer card may differ in everything else.
        let Versioned { version } = serde_json::from_str(json).map_err(bad_json)?;
        if version > CARD_VERSION {
            return Err(OnnxError::Card(format!(
                "version {version}, this program reads up to {CARD_VERSION}; use a newer program"
            )));
        }
        let card: ModelCard = serde_json::from_str(json).map_err(bad_json)?;
        card.check()?;
        Ok(Some(card))
    }

    /// Puts the card into `model`, with the hash of the model's content.
    pub fn store(&self, model: &mut Model) {
        let card = ModelCard {
            content_hash: model.content_hash(),
            ..self.clone()
        };
        // Strings, numbers and lists: nothing in a card can fail to become JSON.
        let json = serde_json::to_string(&card).unwrap_or_default();
        model.set_metadata(CARD_KEY, json);
    }

    /// Whether `model` still computes what the card was written for.
    pub fn matches(&self, model: &Model) -> bool {
        self.content_hash == model.content_hash()
    }

    /// The keypoints, flip pairs and skeleton as the rest of the software uses them. The set is
    /// called as the model.
    ///
    /// # Errors
    /// A pair or bone that names a keypoint that the card does not list.
    pub fn keypoint_set(&self) -> Result<KeypointSet, OnnxError> {
        let index = |name: &str, what: &str| {
            let found = self.keypoints.iter().position(|k| k == name);
            found.ok_or_else(|| {
                OnnxError::Card(format!("{what} names `{name}`, which is no keypoint of it"))
            })
        };
        let flip_pair = |pair: &CardFlipPair| {
            Ok(FlipPair {
                first: index(&pair.first, "a flip pair")?,
                second: index(&pair.second, "a flip pair")?,
                axis: pair.axis.into(),
            })
        };
        let bone = |bone: &CardBone| {
            let [r, g, b] = bone.color;
            Ok(Bone {
                start: index(&bone.start, "the skeleton")?,
                end: index(&bone.end, "the skeleton")?,
                color: Rgb { r, g, b },
            })
        };
        Ok(KeypointSet {
            name: self.name.clone(),
            keypoints: self.keypoints.clone(),
            flip_pairs: self
                .flip_pairs
                .iter()
                .map(flip_pair)
                .collect::<Result<_, OnnxError>>()?,
            skeleton: self
                .skeleton
                .iter()
                .map(bone)
                .collect::<Result<_, OnnxError>>()?,
        })
    }

    /// Takes names, flip pairs and skeleton from a keypoint set. Pairs and bones that point outside
    /// the set are left out.
    pub fn set_keypoints(&mut self, set: &KeypointSet) {
        let name = |index: usize| set.keypoints.get(index).cloned();
        self.keypoints = set.keypoints.clone();
        self.flip_pairs = set
            .flip_pairs
            .iter()
            .filter_map(|pair| {
                Some(CardFlipPair {
                    first: name(pair.first)?,
                    second: name(pair.second)?,
                    axis: pair.axis.into(),
                })
            })
            .collect();
        self.skeleton = set
            .skeleton
            .iter()
            .filter_map(|bone| {
                Some(CardBone {
                    start: name(bone.start)?,
                    end: name(bone.end)?,
                    color: [bone.color.r, bone.color.g, bone.color.b],
                })
            })
            .collect();
    }

    /// Checks that the card can be used: keypoints with unique names, pairs and bones that name
    /// them, sizes and divisors that are positive numbers.
    ///
    /// # Errors
    /// The first field that is wrong, with its value.
    pub fn check(&self) -> Result<(), OnnxError> {
        let error = |reason: String| Err(OnnxError::Card(reason));
        if self.keypoints.is_empty() {
            return error("it lists no keypoints".into());
        }
        for (index, name) in self.keypoints.iter().enumerate() {
            if name.is_empty() || self.keypoints[..index].contains(name) {
                return error(format!(
                    "keypoint {index} is called `{name}`: empty or doubled"
                ));
            }
        }
        self.keypoint_set()?;
        let positive = |v: f32| v.is_finite() && v > 0.0;
        let CardInput {
            width,
            height,
            mean,
            std,
            ..
        } = &self.input;
        if *width == 0 || *height == 0 {
            return error(format!("input size {width}x{height}: both must be above 0"));
        }
        if !std.iter().all(|&v| positive(v)) || !mean.iter().all(|v| v.is_finite()) {
            return error(format!(
                "input mean {mean:?} and std {std:?}: must be numbers, std above 0"
            ));
        }
        for (name, value) in [
            ("output stride", self.output.stride),
            ("output sigma", self.output.sigma),
            ("crop margin", self.crop_margin),
        ] {
            if !positive(value) {
                return error(format!("{name} is {value}: must be above 0"));
            }
        }
        Ok(())
    }
}

impl From<FlipAxis> for CardAxis {
    fn from(axis: FlipAxis) -> CardAxis {
        match axis {
            FlipAxis::Horizontal => CardAxis::Horizontal,
            FlipAxis::Vertical => CardAxis::Vertical,
        }
    }
}

impl From<CardAxis> for FlipAxis {
    fn from(axis: CardAxis) -> FlipAxis {
        match axis {
            CardAxis::Horizontal => FlipAxis::Horizontal,
            CardAxis::Vertical => FlipAxis::Vertical,
        }
    }
}
