//! What a model takes and gives: the card, completed and overruled by what the caller says, and
//! checked against the shapes in the file.

use onnx_graph::{
    CardDecoding, ColorOrder, DataType, Dimension, InputType, Model, ModelCard, TensorLayout,
};
use pose::{Affine, Decoding, FlipAxis, KeypointSet, Size};

use crate::error::RuntimeError;
use crate::keypoint_choice::KeypointChoice;

/// What the caller says about a model. Everything left out comes from the model card.
#[derive(Clone, Debug, Default)]
pub struct ModelOptions {
    /// Names, flip pairs, skeleton.
    pub keypoints: KeypointChoice,
    /// Subtracted from values of 0 to 255, in the model's colour order.
    pub mean: Option<[f32; 3]>,
    /// Then divided by this.
    pub std: Option<[f32; 3]>,
    /// Order of the input's dimensions.
    pub layout: Option<TensorLayout>,
    /// Order of the input's colours.
    pub color: Option<ColorOrder>,
    /// Size of the input, for models that leave it open.
    pub input_size: Option<Size>,
    /// Name of the output with the heatmaps, for models with several.
    pub output: Option<String>,
    /// How heatmaps become points.
    pub decoding: Option<Decoding>,
    /// Side of a crop as a multiple of the person's box.
    pub crop_margin: Option<f32>,
    /// Threads of the inference engine; 0 and 1 mean the calling thread alone.
    pub threads: usize,
}

/// A keypoint-heatmap model's interface, all questions answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// Name of the model.
    pub name: String,
    /// Names, flip pairs and skeleton.
    pub keypoints: KeypointSet,
    /// What goes in.
    pub input: InputSpec,
    /// What comes out.
    pub maps: MapSpec,
    /// How heatmaps become points.
    pub decoding: Decoding,
    /// Side of a crop as a multiple of the longer side of the person's box.
    pub crop_margin: f32,
}

impl ModelSpec {
    /// The map from continuous heatmap coordinates (cell i covers `[i, i+1)`) to the input's pixels.
    pub fn cells_to_input(&self) -> Affine {
        Affine::scale_xy(
            self.input.size.width as f32 / self.maps.size.width as f32,
            self.input.size.height as f32 / self.maps.size.height as f32,
        )
    }

    /// For every keypoint the one that takes its place in a picture mirrored left-right.
    pub fn mirror_permutation(&self) -> Vec<usize> {
        self.keypoints.mirror_permutation(FlipAxis::Horizontal)
    }
}

/// The picture that a network takes; batch size 1.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSpec {
    /// Name of the input.
    pub name: String,
    /// Width and height in pixels.
    pub size: Size,
    /// Order of the dimensions.
    pub layout: TensorLayout,
    /// Order of the colours.
    pub color: ColorOrder,
    /// Element type.
    pub dtype: InputType,
    /// Subtracted from values of 0 to 255, in the order of `color`. Unused for bytes.
    pub mean: [f32; 3],
    /// Then divided by this. Unused for bytes.
    pub std: [f32; 3],
}

impl InputSpec {
    /// The input of `model`, called `label` in messages.
    pub(crate) fn find(
        model: &Model,
        card: Option<&ModelCard>,
        options: &ModelOptions,
        label: &str,
    ) -> Result<InputSpec, RuntimeError> {
        let not_heatmap = |reason: String| RuntimeError::NotHeatmapModel {
            model: label.into(),
            reason,
        };
        let graph = model.graph();
        let is_constant = |name: &str| graph.initializer.iter().any(|t| t.name == name);
        let inputs: Vec<_> = graph
            .input
            .iter()
            .filter(|v| !is_constant(&v.name))
            .collect();
        let [input] = inputs.as_slice() else {
            return Err(not_heatmap(format!(
                "it has {} inputs; expected one picture",
                inputs.len()
            )));
        };
        let shape = input.dimensions().unwrap_or_default();
        let described = format!("its input `{}` has shape {}", input.name, show(&shape));
        let (layout, spatial) =
            picture_layout(&shape, options.layout.or(card.map(|c| c.input.layout))).ok_or_else(
                || {
                    not_heatmap(format!(
                        "{described}; expected [1, 3, height, width] or [1, height, width, 3]"
                    ))
                },
            )?;
        if shape[0].fixed().is_some_and(|batch| batch != 1) {
            return Err(not_heatmap(format!(
                "{described}; expected batch size 1 or symbolic"
            )));
        }
        let card_size = card.map(|c| Size::new(c.input.width, c.input.height));
        let wanted = options.input_size.or(card_size);
        let size_along = |dimension: &Dimension, wanted: Option<usize>| match dimension.fixed() {
            Some(0) => Err(not_heatmap(format!("{described}: no pixels"))),
            Some(fixed) if wanted.is_some_and(|w| w != fixed) => Err(not_heatmap(format!(
                "{described}, but its card or the caller says {} pixels",
                wanted.unwrap_or_default()
            ))),
            Some(fixed) => Ok(fixed),
            None => wanted
                .filter(|&w| w > 0)
                .ok_or_else(|| RuntimeError::MissingFact {
                    model: label.into(),
                    what: format!("how large its input is ({described})"),
                    advice: "state it (--input-size WIDTHxHEIGHT)".into(),
                }),
        };
        let size = Size {
            height: size_along(&spatial[0], wanted.map(|s| s.height))?,
            width: size_along(&spatial[1], wanted.map(|s| s.width))?,
        };
        let dtype = match input.data_type() {
            Some(DataType::Float) => InputType::Float32,
            Some(DataType::Uint8) => InputType::Uint8,
            other => {
                return Err(not_heatmap(format!(
                    "its input `{}` has type {}; expected float32 or uint8",
                    input.name,
                    other.map_or("?", DataType::name)
                )));
            }
        };
        let (mean, std) = normalization(card, options, dtype, label)?;
        Ok(InputSpec {
            name: input.name.clone(),
            size,
            layout,
            color: options
                .color
                .or(card.map(|c| c.input.color))
                .unwrap_or_default(),
            dtype,
            mean,
            std,
        })
    }

    /// Shape of the input tensor.
    pub fn shape(&self) -> [usize; 4] {
        let Size { width, height } = self.size;
        match self.layout {
            TensorLayout::Nchw => [1, 3, height, width],
            TensorLayout::Nhwc => [1, height, width, 3],
        }
    }
}

/// Mean and deviation; nobody guesses them, because a wrong guess costs accuracy unseen.
fn normalization(
    card: Option<&ModelCard>,
    options: &ModelOptions,
    dtype: InputType,
    label: &str,
) -> Result<([f32; 3], [f32; 3]), RuntimeError> {
    if dtype == InputType::Uint8 {
        return Ok(([0.0; 3], [1.0; 3]));
    }
    let mean = options.mean.or(card.map(|c| c.input.mean));
    let std = options.std.or(card.map(|c| c.input.std));
    let (Some(mean), Some(std)) = (mean, std) else {
        return Err(RuntimeError::MissingFact {
            model: label.into(),
            what: "how its input is normalized".into(),
            advice:
                "state what is subtracted from values of 0 to 255 and what they are divided by \
                     then (--mean R,G,B --std R,G,B)"
                    .into(),
        });
    };
    if !mean.iter().all(|v| v.is_finite()) || !std.iter().all(|v| v.is_finite() && *v > 0.0) {
        return Err(RuntimeError::Usage(format!(
            "mean {mean:?} and std {std:?}: expected numbers, std above 0"
        )));
    }
    Ok((mean, std))
}

/// The heatmaps that a network gives; batch size 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSpec {
    /// Name of the output.
    pub name: String,
    /// Number of maps.
    pub keypoints: usize,
    /// Cells of a map.
    pub size: Size,
    /// Order of the output's dimensions.
    pub layout: TensorLayout,
}

impl MapSpec {
    /// Name of the output that holds the heatmaps: the stated one, the card's, or the last (in
    /// models with an output per stack, the last stack's). Fails when its declared shape is not
    /// that of heatmaps.
    pub(crate) fn output_name(
        model: &Model,
        card: Option<&ModelCard>,
        options: &ModelOptions,
        label: &str,
    ) -> Result<String, RuntimeError> {
        let outputs = &model.graph().output;
        let not_heatmap = |reason: String| RuntimeError::NotHeatmapModel {
            model: label.into(),
            reason,
        };
        let wanted = options
            .output
            .as_deref()
            .or(card.map(|c| c.output.name.as_str()));
        let output = match wanted {
            Some(name) => outputs.iter().find(|o| o.name == name),
            None => outputs.last(),
        };
        let output = output.ok_or_else(|| {
            let names: Vec<&str> = outputs.iter().map(|o| o.name.as_str()).collect();
            not_heatmap(format!(
                "it has no output `{}`; its outputs are {}",
                wanted.unwrap_or_default(),
                names.join(", ")
            ))
        })?;
        // A classifier is known by this before its user is asked for what a card would say. Where
        // sizes are left open, the declared shape may be a mere placeholder; the engine finds out.
        let stated = |shape: &[Dimension]| shape.iter().skip(1).all(|d| d.fixed().is_some());
        match output.dimensions() {
            Some(shape) if !shape.is_empty() && shape.len() != 4 && stated(&shape) => {
                Err(not_heatmap(format!(
                    "its output `{}` has shape {}; expected [1, keypoints, height, width] or \
                 [1, height, width, keypoints]",
                    output.name,
                    show(&shape)
                )))
            }
            _ => Ok(output.name.clone()),
        }
    }

    /// Reads the output's shape `[1, keypoints, height, width]` or `[1, height, width, keypoints]`.
    pub(crate) fn check(
        name: String,
        shape: &[usize],
        input: &InputSpec,
        card: Option<&ModelCard>,
        keypoints: Option<KeypointSet>,
        label: &str,
    ) -> Result<(MapSpec, KeypointSet), RuntimeError> {
        let not_heatmap = |expected: &str| RuntimeError::NotHeatmapModel {
            model: label.into(),
            reason: format!("its output `{name}` has shape {shape:?}; expected {expected}"),
        };
        let &[1, a, b, c] = shape else {
            return Err(not_heatmap(
                "[1, keypoints, height, width] or [1, height, width, keypoints]",
            ));
        };
        let Some(keypoints) = keypoints else {
            let maps = if input.layout == TensorLayout::Nchw {
                a
            } else {
                c
            };
            return Err(RuntimeError::MissingFact {
                model: label.into(),
                what: format!("which keypoints its {maps} heatmaps show"),
                advice:
                    "name them (--keypoints mpii for MPII's 16, coco for COCO's 17, or --classes \
                         FILE with one name a line)"
                        .into(),
            });
        };
        let count = keypoints.len();
        let layout = match (a == count, c == count) {
            (true, false) => TensorLayout::Nchw,
            (false, true) => TensorLayout::Nhwc,
            (true, true) => card.map_or(input.layout, |c| c.output.layout),
            (false, false) => {
                return Err(not_heatmap(&format!(
                    "{count} maps, one for each keypoint named"
                )));
            }
        };
        let (height, width) = match layout {
            TensorLayout::Nchw => (b, c),
            TensorLayout::Nhwc => (a, b),
        };
        if height == 0 || width == 0 || height > input.size.height || width > input.size.width {
            return Err(not_heatmap(&format!(
                "maps that are no larger than the input of {}x{} pixels",
                input.size.width, input.size.height
            )));
        }
        let spec = MapSpec {
            name,
            keypoints: count,
            size: Size { width, height },
            layout,
        };
        if let Some(card) = card {
            spec.check_stride(input, card.output.stride, label)?;
        }
        Ok((spec, keypoints))
    }

    fn check_stride(
        &self,
        input: &InputSpec,
        stated: f32,
        label: &str,
    ) -> Result<(), RuntimeError> {
        let found = input.size.width as f32 / self.size.width as f32;
        if (found - stated).abs() <= 0.01 * stated {
            return Ok(());
        }
        Err(RuntimeError::NotHeatmapModel {
            model: label.into(),
            reason: format!(
                "its card says {stated} input pixels per heatmap cell, but {} pixels become {} cells",
                input.size.width, self.size.width
            ),
        })
    }
}

/// The runtime's name for a card's decoding.
pub fn decoding_of_card(decoding: CardDecoding) -> Decoding {
    match decoding {
        CardDecoding::Argmax => Decoding::Argmax,
        CardDecoding::Quarter => Decoding::QuarterOffset,
        CardDecoding::Dark => Decoding::Dark,
    }
}

/// Where a picture's height and width stand in a shape; none when it is no picture of 3 channels.
fn picture_layout(
    shape: &[Dimension],
    wanted: Option<TensorLayout>,
) -> Option<(TensorLayout, [Dimension; 2])> {
    let [_, a, b, c] = shape else { return None };
    let can_be = |d: &Dimension| d.fixed().is_none_or(|size| size == 3);
    let nchw = || (TensorLayout::Nchw, [b.clone(), c.clone()]);
    let nhwc = || (TensorLayout::Nhwc, [a.clone(), b.clone()]);
    match wanted {
        Some(TensorLayout::Nchw) => can_be(a).then(nchw),
        Some(TensorLayout::Nhwc) => can_be(c).then(nhwc),
        None if a.fixed() == Some(3) => Some(nchw()),
        None if c.fixed() == Some(3) => Some(nhwc()),
        None => None,
    }
}

/// A shape as text.
fn show(shape: &[Dimension]) -> String {
    let dimensions: Vec<String> = shape.iter().map(Dimension::to_string).collect();
    format!("[{}]", dimensions.join(", "))
}
