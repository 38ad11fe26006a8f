//! From a photo to a pose.

use std::time::{Duration, Instant};

use pose::{
    Affine, Crop, Decoder, Decoding, Heatmaps, Layout, Point, Pose, Rect, RgbView, Size,
    merge_flipped,
};

use crate::error::RuntimeError;
use crate::model::PoseModel;
use crate::preprocess::Preprocessor;
use crate::spec::ModelSpec;

/// Fewer sure keypoints than these say too little about where the body is.
const MIN_SURE_KEYPOINTS: usize = 3;
/// A closer look that is less sure than this part of the look before has lost the person.
const LOST: f32 = 0.6;

/// How a pose is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EstimatorSettings {
    /// Looks at a photo, 1 to 3: the first at the whole picture or the region of interest, each
    /// further one at a crop around what the one before found.
    pub passes: usize,
    /// Whether each look is the mean of the picture and its mirror image.
    pub flip_test: bool,
    /// How heatmaps become points; none leaves it to the model.
    pub decoding: Option<Decoding>,
    /// Keypoints with at least this confidence say where the next look goes.
    pub min_confidence: f32,
}

impl Default for EstimatorSettings {
    fn default() -> EstimatorSettings {
        EstimatorSettings {
            passes: 2,
            flip_test: false,
            decoding: None,
            min_confidence: 0.2,
        }
    }
}

/// A pose and how it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The pose, in the photo's coordinates.
    pub pose: Pose,
    /// The part of the photo that it was found in.
    pub crop: Crop,
    /// Where the time went, all looks together.
    pub timings: Timings,
}

/// Where the time of an estimate went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Cutting, scaling, normalizing.
    pub preprocessing: Duration,
    /// The network.
    pub inference: Duration,
    /// Reading positions off the heatmaps.
    pub decoding: Duration,
}

impl Timings {
    /// All of it.
    pub fn total(&self) -> Duration {
        self.preprocessing + self.inference + self.decoding
    }
}

/// Finds the pose of one person in photos, one after the other.
#[derive(Debug)]
pub struct Estimator {
    model: PoseModel,
    preprocessor: Preprocessor,
    decoder: Decoder,
    settings: EstimatorSettings,
    permutation: Vec<usize>,
    /// Heatmaps of the plain picture while the network looks at the mirrored one.
    plain: Vec<f32>,
}

impl Estimator {
    /// An estimator around a model.
    ///
    /// # Errors
    /// A number of passes that is not 1 to 3; flip test with a model that knows no flip pairs.
    pub fn new(model: PoseModel, settings: EstimatorSettings) -> Result<Estimator, RuntimeError> {
        if !(1..=3).contains(&settings.passes) {
            return Err(RuntimeError::Usage(format!(
                "{} passes: expected 1, 2 or 3",
                settings.passes
            )));
        }
        let spec = model.spec();
        if settings.flip_test && spec.keypoints.flip_pairs.is_empty() {
            return Err(RuntimeError::Usage(format!(
                "{}: the flip test needs to know which keypoints change places in a mirror \
                 (--match-points FILE)",
                spec.name
            )));
        }
        Ok(Estimator {
            preprocessor: Preprocessor::new(&spec.input)?,
            decoder: Decoder::new(settings.decoding.unwrap_or(spec.decoding)),
            permutation: spec.mirror_permutation(),
            plain: Vec::new(),
            model,
            settings,
        })
    }

    /// What the model takes and gives.
    pub fn spec(&self) -> &ModelSpec {
        self.model.spec()
    }

    /// The pose of the person in `frame`, or in its part `region` (in the photo's pixels, with the
    /// margin left to this function).
    ///
    /// Of several looks the last one counts, unless it lost what the one before had found.
    ///
    /// # Errors
    /// A frame whose bytes do not fit its size; a failure of the network.
    pub fn estimate(
        &mut self,
        frame: &RgbView<'_>,
        region: Option<Rect>,
    ) -> Result<Estimate, RuntimeError> {
        let input = self.spec().input.size;
        let margin = self.spec().crop_margin;
        let mut timings = Timings::default();
        let mut crop = match region {
            Some(region) => Crop::around(region, margin, input),
            None => Crop::letterbox(frame.size(), input),
        };
        let mut pose = Pose::default();
        self.look(frame, &crop, &mut pose, &mut timings)?;
        for _ in 1..self.settings.passes {
            let Some(person) = self.person_box(&pose) else {
                break;
            };
            let closer = Crop::around(person, margin, input);
            let mut refined = Pose::default();
            self.look(frame, &closer, &mut refined, &mut timings)?;
            if refined.confidence < LOST * pose.confidence {
                break;
            }
            (pose, crop) = (refined, closer);
        }
        Ok(Estimate {
            pose,
            crop,
            timings,
        })
    }

    /// One look at one part of the photo.
    ///
    /// # Errors
    /// As [`estimate`](Self::estimate).
    pub fn look(
        &mut self,
        frame: &RgbView<'_>,
        crop: &Crop,
        pose: &mut Pose,
        timings: &mut Timings,
    ) -> Result<(), RuntimeError> {
        let input = self.spec().input.size;
        self.infer(frame, &crop.to_frame(input), timings)?;
        if self.settings.flip_test {
            self.plain.clear();
            self.plain.extend_from_slice(self.model.maps());
            let mirrored = Crop {
                flip: !crop.flip,
                ..*crop
            };
            self.infer(frame, &mirrored.to_frame(input), timings)?;
        }

        let started = Instant::now();
        let spec = self.model.spec();
        let Size { width, height } = spec.maps.size;
        let keypoints = spec.maps.keypoints;
        let values = if self.settings.flip_test {
            merge_flipped(
                &mut self.plain,
                self.model.maps(),
                keypoints,
                height,
                width,
                &self.permutation,
            )?;
            &self.plain
        } else {
            self.model.maps()
        };
        let maps = Heatmaps::new(values, keypoints, height, width, Layout::Nchw)?;
        let cells_to_frame = spec.cells_to_input().then(&crop.to_frame(input));
        self.decoder.decode_into(&maps, &cells_to_frame, pose);
        timings.decoding += started.elapsed();
        Ok(())
    }

    /// Runs the network on one view of the frame.
    fn infer(
        &mut self,
        frame: &RgbView<'_>,
        to_frame: &Affine,
        timings: &mut Timings,
    ) -> Result<(), RuntimeError> {
        let started = Instant::now();
        let image = self.preprocessor.prepare(frame, to_frame)?;
        let prepared = Instant::now();
        self.model.run(image)?;
        timings.preprocessing += prepared - started;
        timings.inference += prepared.elapsed();
        Ok(())
    }

    /// The box around the keypoints that are sure; none when there are too few to go by.
    fn person_box(&self, pose: &Pose) -> Option<Rect> {
        let sure = |minimum: f32| {
            pose.keypoints
                .iter()
                .filter(move |k| k.confidence >= minimum)
                .map(|k| Point::new(k.x, k.y))
        };
        let minimum = self.settings.min_confidence;
        let enough = pose.keypoints.len().min(MIN_SURE_KEYPOINTS);
        if sure(minimum).count() < enough {
            return None;
        }
        Rect::from_points(sure(minimum))
    }
}
