//! A person detector in front of the pose network.

use std::path::Path;

use onnx_graph::{Model, read_model_file};
use pose::{Affine, Crop, Point, Rect, RgbView, Size};
use tract_linalg::multithread::Executor;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::runtime::RunOptions;

use super::boxes::{BoxSource, PersonBox};
use super::yolo::{YoloForm, non_maximum_suppression};
use crate::error::RuntimeError;
use crate::model::{in_engine, typed_model};
use crate::preprocess::Preprocessor;
use crate::spec::{InputSpec, ModelOptions};
use crate::stream::Frame;

/// The input of files that leave its size open.
const USUAL_INPUT: Size = Size::square(640);

/// How a [`Detector`] works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectorSettings {
    /// It looks at every so many frames, and whenever somebody is lost at every
    /// `every_when_lost`; both at least 1.
    pub every: u64,
    /// See `every`.
    pub every_when_lost: u64,
    /// Boxes of a lower score do not count, 0..=1.
    pub min_score: f32,
    /// Boxes that overlap more are one (intersection over union, 0..=1).
    pub overlap: f32,
    /// The most boxes of a frame.
    pub most: usize,
    /// Threads of the inference engine; 0 and 1 mean the calling thread alone.
    pub threads: usize,
}

impl Default for DetectorSettings {
    fn default() -> DetectorSettings {
        DetectorSettings {
            every: 15,
            every_when_lost: 3,
            min_score: 0.35,
            overlap: 0.5,
            most: 32,
            threads: 1,
        }
    }
}

/// Finds people with an ONNX model of the YOLO family, any of the forms of [`YoloForm`]. Its input
/// is RGB, values 0 to 1 (or bytes), the frame letterboxed on grey, as Ultralytics exports it.
#[derive(Debug)]
pub struct Detector {
    name: String,
    preprocessor: Preprocessor,
    input: Size,
    form: YoloForm,
    state: TypedSimpleState,
    settings: DetectorSettings,
    /// The number of the frame looked at last.
    looked_at: Option<u64>,
}

impl Detector {
    /// Loads an ONNX file.
    ///
    /// # Errors
    /// A missing or broken file; one whose first output has none of the forms; an operator that
    /// the engine does not know.
    pub fn load(path: &Path, settings: DetectorSettings) -> Result<Detector, RuntimeError> {
        let bytes = read_model_file(path)?;
        Detector::from_bytes(&bytes, &path.display().to_string(), settings)
    }

    /// Loads the bytes of an ONNX file, called `label` in messages.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(
        bytes: &[u8],
        label: &str,
        settings: DetectorSettings,
    ) -> Result<Detector, RuntimeError> {
        let model = Model::from_bytes(bytes).map_err(|e| e.in_file(label))?;
        let input = find_input(&model, label)?;
        let not_detector = |reason: String| {
            RuntimeError::Usage(format!("{label} is no person detector: {reason}"))
        };
        let output = model.graph().output.first();
        let output = output.ok_or_else(|| not_detector("it has no output".into()))?;
        let typed = in_engine(label, "loading it", || {
            typed_model(bytes, &input, &output.name)
        })?;
        let shape = in_engine(label, "finding its shapes", || {
            let fact = typed.output_fact(0)?;
            let shape = fact.shape.as_concrete();
            Ok(shape.map(<[usize]>::to_vec).unwrap_or_default())
        })?;
        let form = YoloForm::of_shape(&shape).ok_or_else(|| {
            not_detector(format!(
                "its output `{}` has shape {shape:?}; expected [1, 4 + classes, boxes], \
                 [1, boxes, 5 + classes] or [1, boxes, 6]",
                output.name
            ))
        })?;
        let state = in_engine(label, "optimizing it", || {
            let run_options = RunOptions {
                executor: (settings.threads > 1).then(|| Executor::multithread(settings.threads)),
                ..RunOptions::default()
            };
            let plan = typed.into_optimized()?;
            plan.into_runnable_with_options(&run_options)?.spawn()
        })?;
        Ok(Detector {
            name: label.into(),
            preprocessor: Preprocessor::new(&input)?,
            input: input.size,
            form,
            state,
            settings,
            looked_at: None,
        })
    }

    /// How the model's output is laid out.
    pub fn form(&self) -> YoloForm {
        self.form
    }

    /// The people in a picture, in its pixels, the surest first.
    ///
    /// # Errors
    /// A picture whose bytes do not fit its size; a failure inside the engine.
    pub fn detect(&mut self, picture: &RgbView<'_>) -> Result<Vec<PersonBox>, RuntimeError> {
        let to_frame = Crop::letterbox(picture.size(), self.input).to_frame(self.input);
        let image = self.preprocessor.prepare(picture, &to_frame)?;
        let outputs = in_engine(&self.name, "running it", || {
            self.state.run(tvec!(TValue::from_const(image.tensor())))
        })?;
        let DetectorSettings {
            min_score,
            overlap,
            most,
            ..
        } = self.settings;
        let boxes = in_engine(&self.name, "reading its boxes", || {
            let output = outputs[0].cast_to::<f32>()?;
            let (rows, columns) = match *output.shape() {
                [1, rows, columns] => (rows, columns),
                _ => (0, 0),
            };
            let values = output.try_as_plain_ram()?.as_slice::<f32>()?;
            Ok(self.form.people(values, rows, columns, min_score))
        })?;
        let kept = non_maximum_suppression(boxes, overlap, most);
        Ok(kept
            .into_iter()
            .map(|found| PersonBox {
                rect: through(&to_frame, &found.rect),
                ..found
            })
            .collect())
    }
}

impl BoxSource for Detector {
    fn boxes(&mut self, frame: &Frame, lost: bool) -> Result<Option<Vec<PersonBox>>, RuntimeError> {
        let DetectorSettings {
            every,
            every_when_lost,
            ..
        } = self.settings;
        let wait = if lost { every_when_lost } else { every };
        let due = |last: u64| frame.number < last || frame.number - last >= wait;
        if !self.looked_at.is_none_or(due) {
            return Ok(None);
        }
        self.looked_at = Some(frame.number);
        let Size { width, height } = frame.size();
        let view = RgbView::new(frame.picture.as_raw(), width, height);
        self.detect(&view).map(Some)
    }
}

/// The detector's input.
fn find_input(model: &Model, label: &str) -> Result<InputSpec, RuntimeError> {
    let find = |input_size: Option<Size>| {
        let options = ModelOptions {
            mean: Some([0.0; 3]),
            std: Some([255.0; 3]),
            input_size,
            ..ModelOptions::default()
        };
        InputSpec::find(model, None, &options, label)
    };
    let found = match find(None) {
        Err(RuntimeError::MissingFact { .. }) => find(Some(USUAL_INPUT)),
        found => found,
    };
    found.map_err(|error| match error {
        RuntimeError::NotHeatmapModel { model, reason } => {
            RuntimeError::Usage(format!("{model} is no person detector: {reason}"))
        }
        other => other,
    })
}

/// The box around a box's corners after a map.
fn through(map: &Affine, rect: &Rect) -> Rect {
    let corner = |x: f32, y: f32| map.apply(Point::new(x, y));
    let corners = [
        corner(rect.x, rect.y),
        corner(rect.x + rect.width, rect.y + rect.height),
    ];
    Rect::from_points(corners).unwrap_or(*rect)
}
