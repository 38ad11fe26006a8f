//! A keypoint-heatmap model, loaded and ready to run.

use std::path::Path;

use onnx_graph::{Model, ModelCard, TensorLayout, infer_shapes, read_model_file};
use pose::{Heatmaps, Layout, Size};
use tract_linalg::multithread::Executor;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::runtime::RunOptions;

use crate::error::RuntimeError;
use crate::panic_guard::without_panic;
use crate::preprocess::InputImage;
use crate::spec::{InputSpec, MapSpec, ModelOptions, ModelSpec, decoding_of_card};

/// Most elements of one value inside a network (4 GiB of floats); more is a broken or hostile file.
const MAX_ELEMENTS: usize = 1 << 30;

/// A keypoint-heatmap model, loaded, checked, optimized, with its buffers.
#[derive(Debug)]
pub struct PoseModel {
    spec: ModelSpec,
    card: Option<ModelCard>,
    state: TypedSimpleState,
    /// The heatmaps of the last picture: keypoints × height × width.
    maps: Vec<f32>,
}

impl PoseModel {
    /// Loads an ONNX file.
    ///
    /// # Errors
    /// A missing or broken file; a model that is no keypoint-heatmap model; a model without a card
    /// when `options` do not say what the card would; an operator that the engine does not know.
    pub fn load(path: impl AsRef<Path>, options: &ModelOptions) -> Result<PoseModel, RuntimeError> {
        let path = path.as_ref();
        PoseModel::from_bytes(
            &read_model_file(path)?,
            &path.display().to_string(),
            options,
        )
    }

    /// Loads the bytes of an ONNX file, called `label` in messages.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(
        bytes: &[u8],
        label: &str,
        options: &ModelOptions,
    ) -> Result<PoseModel, RuntimeError> {
        let model = Model::from_bytes(bytes).map_err(|e| e.in_file(label))?;
        let card = ModelCard::from_model(&model).map_err(|e| e.in_file(label))?;
        let output = MapSpec::output_name(&model, card.as_ref(), options, label)?;
        let keypoints = options.keypoints.resolve(card.as_ref())?;
        let input = InputSpec::find(&model, card.as_ref(), options, label)?;
        check_sizes(&model, &input, label)?;
        drop(model);

        let typed = in_engine(label, "loading it", || typed_model(bytes, &input, &output))?;
        let shape = in_engine(label, "finding its shapes", || {
            let fact = typed.output_fact(0)?;
            let shape = fact.shape.as_concrete();
            Ok(shape.map(<[usize]>::to_vec).unwrap_or_default())
        })?;
        let (maps, keypoints) =
            MapSpec::check(output, &shape, &input, card.as_ref(), keypoints, label)?;
        let state = in_engine(label, "optimizing it", || {
            let threads = options.threads.max(1);
            let run_options = RunOptions {
                executor: (threads > 1).then(|| Executor::multithread(threads)),
                ..RunOptions::default()
            };
            let plan = typed.into_optimized()?;
            plan.into_runnable_with_options(&run_options)?.spawn()
        })?;
        let name = card.as_ref().map(|c| c.name.clone());
        Ok(PoseModel {
            spec: ModelSpec {
                name: name
                    .filter(|n| !n.is_empty())
                    .unwrap_or_else(|| label.into()),
                keypoints,
                decoding: options
                    .decoding
                    .or(card.as_ref().map(|c| decoding_of_card(c.output.decoding)))
                    .unwrap_or(pose::Decoding::Dark),
                crop_margin: crop_margin(card.as_ref(), options)?,
                maps,
                input,
            },
            card,
            state,
            maps: Vec::new(),
        })
    }

    /// What the model takes and gives.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The card inside the file, if there is one.
    pub fn card(&self) -> Option<&ModelCard> {
        self.card.as_ref()
    }

    /// The heatmaps of the last run, `[keypoints, height, width]`; empty before the first.
    pub fn maps(&self) -> &[f32] {
        &self.maps
    }

    /// Runs the network on one picture. The heatmaps are `[keypoints, height, width]`, whatever
    /// the model's own layout, and stay valid until the next run.
    ///
    /// # Errors
    /// A failure inside the engine; a picture that was prepared for another model.
    pub fn run(&mut self, input: &InputImage) -> Result<Heatmaps<'_>, RuntimeError> {
        let label = &self.spec.name;
        let outputs = in_engine(label, "running it", || {
            self.state.run(tvec!(TValue::from_const(input.tensor())))
        })?;
        let maps = &self.spec.maps;
        let Size { width, height } = maps.size;
        in_engine(label, "reading its heatmaps", || {
            let output = outputs[0].cast_to::<f32>()?;
            let values = output.try_as_plain_ram()?.as_slice::<f32>()?;
            self.maps.clear();
            match maps.layout {
                TensorLayout::Nchw => self.maps.extend_from_slice(values),
                TensorLayout::Nhwc => {
                    for k in 0..maps.keypoints {
                        let one_map = values.iter().skip(k).step_by(maps.keypoints);
                        self.maps.extend(one_map);
                    }
                }
            }
            Ok(())
        })?;
        Ok(Heatmaps::new(
            &self.maps,
            maps.keypoints,
            height,
            width,
            Layout::Nchw,
        )?)
    }
}

/// Reads the graph with a fixed input shape and the one output that counts.
pub(crate) fn typed_model(
    bytes: &[u8],
    input: &InputSpec,
    output: &str,
) -> TractResult<TypedModel> {
    let mut reader = bytes;
    let mut model = tract_onnx::onnx().model_for_read(&mut reader)?;
    let fact = match input.dtype {
        onnx_graph::InputType::Float32 => f32::fact(input.shape()),
        onnx_graph::InputType::Uint8 => u8::fact(input.shape()),
    };
    model.set_input_fact(0, fact.into())?;
    // What the file says about outputs may name the batch size, which is fixed now.
    for outlet in model.output_outlets()?.to_vec() {
        model.set_outlet_fact(outlet, InferenceFact::default())?;
    }
    model.select_outputs_by_name([output])?;
    model.into_typed()
}

/// Refuses models whose values would fill the memory before the engine allocates them.
fn check_sizes(model: &Model, input: &InputSpec, label: &str) -> Result<(), RuntimeError> {
    let shape = input.shape();
    let shapes = infer_shapes(model.graph(), |_, axis, _| {
        shape.get(axis).copied().unwrap_or(1)
    });
    for node in &model.graph().node {
        for name in &node.output {
            let elements = shapes
                .get(name)
                .map(|s| s.iter().try_fold(1usize, |n, &d| n.checked_mul(d)));
            if let Some(None | Some(MAX_ELEMENTS..)) = elements {
                return Err(RuntimeError::NotHeatmapModel {
                    model: label.into(),
                    reason: format!(
                        "{} makes a value of shape {:?}; expected at most {MAX_ELEMENTS} elements",
                        node.label(),
                        shapes.get(name).unwrap_or_default()
                    ),
                });
            }
        }
    }
    Ok(())
}

fn crop_margin(card: Option<&ModelCard>, options: &ModelOptions) -> Result<f32, RuntimeError> {
    let margin = options
        .crop_margin
        .or(card.map(|c| c.crop_margin))
        .unwrap_or(1.25);
    if margin.is_finite() && margin > 0.0 {
        return Ok(margin);
    }
    Err(RuntimeError::Usage(format!(
        "crop margin {margin}: expected a number above 0, 1.25 for example"
    )))
}

/// Runs engine code; its errors and panics become ours.
pub(crate) fn in_engine<T>(
    label: &str,
    stage: &'static str,
    work: impl FnOnce() -> TractResult<T>,
) -> Result<T, RuntimeError> {
    let cause = match without_panic(work) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => panic,
    };
    Err(RuntimeError::Engine {
        model: label.into(),
        stage,
        // Its messages can have several lines; ours have one.
        cause: cause.split_whitespace().collect::<Vec<_>>().join(" "),
    })
}
