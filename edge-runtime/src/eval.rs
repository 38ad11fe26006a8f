//! How many keypoints a network gets right on annotated people.
//!
//! The network is anything that turns crops into heatmaps ([`HeatmapPredictor`]): an ONNX model in
//! this crate's engine, or a network in training. Crops, decoding and counting are the same for
//! all, so the figures can be compared.

mod chart;
mod found;
mod measured;
mod predictions;
mod predictor;
mod scale_mean;
mod worker;
mod worst;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use dataset::{LabelledKeypoint, Pck, PckReport, PckRule, Person, PersonSize};
use pose::{Affine, Crop, Decoding, KeypointSet, Point, Pose, Size};

use crate::error::RuntimeError;
use crate::spec::ModelSpec;
use worker::Worker;

pub use chart::chart_of;
pub use found::{CocoTruth, found_poses};
pub use measured::{JointOks, Measured, Measures, OksReport, measure};
pub use predictions::{match_predictions, measure_predictions};
pub use predictor::{HeatmapPredictor, ModelPredictor, predictor_from_fn};
pub use worst::{WorstCase, draw_case, worst_cases};

/// What is cut out of the photos, how heatmaps are read, and when a keypoint is right.
#[derive(Clone, Debug)]
pub struct EvalSettings {
    /// The keypoints that the network finds; people's labels must be in the same order.
    pub keypoints: KeypointSet,
    /// Size of the crops.
    pub input: Size,
    /// Cells of a heatmap.
    pub maps: Size,
    /// Side of the crop as a multiple of the longer side of the person's box.
    pub crop_margin: f32,
    /// How heatmaps become points.
    pub decoding: Decoding,
    /// Whether heatmaps are the mean of the crop's and its mirror image's.
    pub flip_test: bool,
    /// Heatmaps are the mean over crops of these sizes, as multiples of the crop's: `[1.0]` for
    /// one look.
    pub scales: Vec<f32>,
    /// A keypoint of which the network is less sure than this counts as not found.
    pub min_score: f32,
    /// When a keypoint is right.
    pub rule: PckRule,
}

impl EvalSettings {
    /// What a model was made for, without flip test, with PCK@0.2 by the torso.
    pub fn for_model(spec: &ModelSpec) -> EvalSettings {
        EvalSettings {
            keypoints: spec.keypoints.clone(),
            input: spec.input.size,
            maps: spec.maps.size,
            crop_margin: spec.crop_margin,
            decoding: spec.decoding,
            flip_test: false,
            scales: vec![1.0],
            min_score: 0.0,
            rule: PckRule::LSP,
        }
    }

    /// For results that are there already, with keypoints of `set`: nothing is cut out or run.
    pub fn for_predictions(set: KeypointSet) -> EvalSettings {
        EvalSettings {
            keypoints: set,
            input: Size::square(256),
            maps: Size::square(64),
            crop_margin: 1.25,
            decoding: Decoding::Dark,
            flip_test: false,
            scales: vec![1.0],
            min_score: 0.0,
            rule: PckRule::LSP,
        }
    }

    /// The part of the photo in which a person is looked for.
    pub fn crop(&self, person: &Person) -> Crop {
        Crop::around(person.crop_rect(), self.crop_margin, self.input)
    }

    fn cells_to_frame(&self, crop: &Crop) -> Affine {
        Affine::scale_xy(
            self.input.width as f32 / self.maps.width as f32,
            self.input.height as f32 / self.maps.height as f32,
        )
        .then(&crop.to_frame(self.input))
    }

    fn crop_bytes(&self) -> usize {
        self.input.width * self.input.height * 3
    }

    fn map_values(&self) -> usize {
        self.keypoints.len() * self.maps.width * self.maps.height
    }
}

/// What an evaluation found.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The pose of every person, in the photo's coordinates, in the order of the people; none
    /// where the photo could not be read. Keypoints below the least score have no place: their
    /// coordinates are not numbers.
    pub poses: Vec<Option<Pose>>,
    /// What went wrong with photos.
    pub problems: Vec<String>,
    /// How many keypoints are right.
    pub report: PckReport,
}

/// Evaluates a network on `people`, with one thread for each of `predictors`. `progress` is called
/// with the number of people done so far.
///
/// A photo that cannot be read is named in [`Evaluation::problems`], and its people are not
/// counted.
///
/// # Errors
/// No predictor; a scale that is no size; a flip test without flip pairs; a failure of the
/// network; labels of another keypoint set; a rule that needs a joint which the set does not have.
pub fn evaluate<P: HeatmapPredictor + Send>(
    people: &[Person],
    settings: &EvalSettings,
    predictors: Vec<P>,
    progress: impl Fn(usize) + Sync,
) -> Result<Evaluation, RuntimeError> {
    if predictors.is_empty() {
        return Err(RuntimeError::Usage("an evaluation needs a network".into()));
    }
    if settings.flip_test && settings.keypoints.flip_pairs.is_empty() {
        return Err(RuntimeError::Usage(
            "the flip test needs to know which keypoints change places in a mirror".into(),
        ));
    }
    let is_size = |scale: &f32| (0.1..=10.0).contains(scale);
    if settings.scales.is_empty() || !settings.scales.iter().all(is_size) {
        return Err(RuntimeError::Usage(format!(
            "expected one or more scales of 0.1 to 10, found {:?}",
            settings.scales
        )));
    }
    // Before the work, so that a rule that does not fit is said at once.
    counter(settings, settings.rule)?;

    let queue = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let found: Mutex<Vec<Option<Pose>>> = Mutex::new(vec![None; people.len()]);
    let problems = Mutex::new(Vec::new());
    let work = |predictor: P| -> Result<(), RuntimeError> {
        let mut worker = Worker::new(settings, predictor);
        let batch = worker.predictor.batch_size();
        loop {
            let start = queue.fetch_add(batch, Ordering::Relaxed);
            let Some(chunk) = people.get(start..people.len().min(start + batch)) else {
                return Ok(());
            };
            if chunk.is_empty() {
                return Ok(());
            }
            let poses = worker.poses(chunk, &problems)?;
            // A thread that panicked left whole poses behind: the lock's content is good.
            let mut found = found.lock().unwrap_or_else(|e| e.into_inner());
            found[start..start + chunk.len()].clone_from_slice(&poses);
            drop(found);
            progress(done.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len());
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = predictors
            .into_iter()
            .map(|predictor| scope.spawn(|| work(predictor)))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(RuntimeError::Predictor("its thread panicked".into())))
        })
    })?;

    let poses = found.into_inner().unwrap_or_else(|e| e.into_inner());
    let mut problems = problems.into_inner().unwrap_or_else(|e| e.into_inner());
    problems.sort();
    problems.dedup();
    Ok(Evaluation {
        report: count(people, &poses, settings, settings.rule)?,
        poses,
        problems,
    })
}

/// Counts poses by a rule. `poses` are in the order of `people`; people without one are left out.
///
/// # Errors
/// Labels or poses of another keypoint set; a rule that needs a joint which the set does not have.
pub fn count(
    people: &[Person],
    poses: &[Option<Pose>],
    settings: &EvalSettings,
    rule: PckRule,
) -> Result<PckReport, RuntimeError> {
    let mut pck = counter(settings, rule)?;
    for (person, pose) in people.iter().zip(poses) {
        if let Some(pose) = pose {
            let (truth, found) = in_units_of(rule, settings, person, pose);
            pck.add(&truth, &found, &PersonSize::from(person))
                .map_err(|e| RuntimeError::Dataset(e.to_string()))?;
        }
    }
    Ok(pck.report())
}

fn counter(settings: &EvalSettings, rule: PckRule) -> Result<Pck, RuntimeError> {
    Pck::new(&settings.keypoints, rule).map_err(|e| RuntimeError::Dataset(e.to_string()))
}

/// Labels and pose in the coordinates that the rule wants: the photo's, or heatmap cells.
fn in_units_of(
    rule: PckRule,
    settings: &EvalSettings,
    person: &Person,
    pose: &Pose,
) -> (Vec<LabelledKeypoint>, Vec<Point>) {
    let to_units = match rule {
        PckRule::HeatmapCells { .. } => settings
            .cells_to_frame(&settings.crop(person))
            .inverse()
            // A crop always has an area.
            .unwrap_or_default(),
        _ => Affine::identity(),
    };
    let truth = person.keypoints.iter().map(|k| {
        let Point { x, y } = to_units.apply(k.point());
        LabelledKeypoint { x, y, ..*k }
    });
    let found = pose.keypoints.iter();
    let found = found.map(|k| to_units.apply(Point::new(k.x, k.y)));
    (truth.collect(), found.collect())
}
