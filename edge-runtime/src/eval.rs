//! How many keypoints a network gets right on annotated people.
//!
//! The network is anything that turns crops into heatmaps ([`HeatmapPredictor`]): an ONNX model in
//! this crate's engine, or a network in training. Crops, decoding and counting are the same for
//! all, so the figures can be compared.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use dataset::{LabelledKeypoint, Pck, PckReport, PckRule, Person};
use image::RgbImage;
use pose::{
    Affine, BORDER, Crop, Decoder, Decoding, FlipAxis, Heatmaps, KeypointSet, Layout, Point, Pose,
    RgbView, Size, Warper, merge_flipped,
};

use crate::error::RuntimeError;
use crate::model::PoseModel;
use crate::preprocess::Preprocessor;
use crate::source::load_photo;
use crate::spec::ModelSpec;

/// Turns crops into heatmaps.
pub trait HeatmapPredictor {
    /// How many crops one call takes at most.
    fn batch_size(&self) -> usize {
        1
    }

    /// Fills `maps` with the heatmaps `[count, keypoints, rows, columns]` of the crops
    /// `[count, height, width, 3]`, RGB bytes.
    ///
    /// # Errors
    /// Whatever goes wrong in the network; it ends the evaluation.
    fn predict(
        &mut self,
        crops: &[u8],
        count: usize,
        maps: &mut Vec<f32>,
    ) -> Result<(), RuntimeError>;
}

/// A closure that takes the same arguments as [`HeatmapPredictor::predict`] as a predictor.
pub fn predictor_from_fn<F>(batch_size: usize, predict: F) -> impl HeatmapPredictor + use<F>
where
    F: FnMut(&[u8], usize, &mut Vec<f32>) -> Result<(), RuntimeError>,
{
    struct FromFn<F>(usize, F);
    impl<F> HeatmapPredictor for FromFn<F>
    where
        F: FnMut(&[u8], usize, &mut Vec<f32>) -> Result<(), RuntimeError>,
    {
        fn batch_size(&self) -> usize {
            self.0.max(1)
        }

        fn predict(
            &mut self,
            crops: &[u8],
            count: usize,
            maps: &mut Vec<f32>,
        ) -> Result<(), RuntimeError> {
            (self.1)(crops, count, maps)
        }
    }
    FromFn(batch_size, predict)
}

/// An ONNX model as a predictor.
#[derive(Debug)]
pub struct ModelPredictor {
    model: PoseModel,
    preprocessor: Preprocessor,
}

impl ModelPredictor {
    /// A predictor that runs this model.
    ///
    /// # Errors
    /// An input so large that its tensor cannot be made.
    pub fn new(model: PoseModel) -> Result<ModelPredictor, RuntimeError> {
        Ok(ModelPredictor {
            preprocessor: Preprocessor::new(&model.spec().input)?,
            model,
        })
    }

    /// What the model takes and gives.
    pub fn spec(&self) -> &ModelSpec {
        self.model.spec()
    }
}

impl HeatmapPredictor for ModelPredictor {
    fn predict(
        &mut self,
        crops: &[u8],
        count: usize,
        maps: &mut Vec<f32>,
    ) -> Result<(), RuntimeError> {
        maps.clear();
        for crop in crops.chunks_exact((crops.len() / count.max(1)).max(1)) {
            self.model.run(self.preprocessor.normalize(crop)?)?;
            maps.extend_from_slice(self.model.maps());
        }
        Ok(())
    }
}

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
    /// where the photo could not be read.
    pub poses: Vec<Option<Pose>>,
    /// What went wrong with photos.
    pub problems: Vec<String>,
    /// How many keypoints are right.
    pub report: PckReport,
}

/// Evaluates a network on `people`, with one thread for each of `predictors`. `progress` is called
/// with the number of people done so far.
///
/// A photo that cannot be read is named in [`Evaluation::problems`], and its people are not counted.
///
/// # Errors
/// No predictor; a flip test without flip pairs; a failure of the network; labels of another keypoint set; a rule that needs a
/// joint which the set does not have.
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
    let metric = |e: dataset::PckError| RuntimeError::Dataset(e.to_string());
    let mut pck = Pck::new(&settings.keypoints, settings.rule).map_err(metric)?;

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
    for (person, pose) in people.iter().zip(&poses) {
        if let Some(pose) = pose {
            count(&mut pck, settings, person, pose).map_err(metric)?;
        }
    }
    let mut problems = problems.into_inner().unwrap_or_else(|e| e.into_inner());
    problems.sort();
    problems.dedup();
    Ok(Evaluation {
        poses,
        problems,
        report: pck.report(),
    })
}

/// Counts one person, in the coordinates that the rule wants.
fn count(
    pck: &mut Pck,
    settings: &EvalSettings,
    person: &Person,
    pose: &Pose,
) -> Result<bool, dataset::PckError> {
    if !matches!(settings.rule, PckRule::HeatmapCells { .. }) {
        return pck.add_pose(person, pose);
    }
    let Some(to_cells) = settings.cells_to_frame(&settings.crop(person)).inverse() else {
        return Ok(false);
    };
    let truth: Vec<LabelledKeypoint> = person
        .keypoints
        .iter()
        .map(|k| {
            let Point { x, y } = to_cells.apply(k.point());
            LabelledKeypoint { x, y, ..*k }
        })
        .collect();
    let predicted: Vec<Point> = pose
        .keypoints
        .iter()
        .map(|k| to_cells.apply(Point::new(k.x, k.y)))
        .collect();
    pck.add(&truth, &predicted, person.head_size)
}

/// One thread's network and buffers.
struct Worker<'a, P> {
    settings: &'a EvalSettings,
    predictor: P,
    permutation: Vec<usize>,
    decoder: Decoder,
    warper: Warper,
    crops: Vec<u8>,
    maps: Vec<f32>,
    mirrored: Vec<f32>,
}

impl<'a, P: HeatmapPredictor> Worker<'a, P> {
    fn new(settings: &'a EvalSettings, predictor: P) -> Worker<'a, P> {
        Worker {
            settings,
            predictor,
            permutation: settings.keypoints.mirror_permutation(FlipAxis::Horizontal),
            decoder: Decoder::new(settings.decoding),
            warper: Warper::new(),
            crops: Vec::new(),
            maps: Vec::new(),
            mirrored: Vec::new(),
        }
    }

    /// The poses of a batch of people.
    fn poses(
        &mut self,
        people: &[Person],
        problems: &Mutex<Vec<String>>,
    ) -> Result<Vec<Option<Pose>>, RuntimeError> {
        let mut photos = Vec::with_capacity(people.len());
        for person in people {
            let photo = load_photo(&person.image);
            if let Err(problem) = &photo {
                let mut problems = problems.lock().unwrap_or_else(|e| e.into_inner());
                problems.push(problem.to_string());
            }
            photos.push(photo.ok());
        }
        let seen: Vec<(usize, &RgbImage, Crop)> = people
            .iter()
            .zip(&photos)
            .enumerate()
            .filter_map(|(i, (p, photo))| Some((i, photo.as_ref()?, self.settings.crop(p))))
            .collect();
        let mut poses = vec![None; people.len()];
        if seen.is_empty() {
            return Ok(poses);
        }

        self.predict(&seen, false)?;
        if self.settings.flip_test {
            std::mem::swap(&mut self.maps, &mut self.mirrored);
            self.predict(&seen, true)?;
            std::mem::swap(&mut self.maps, &mut self.mirrored);
        }
        let (keypoints, Size { width, height }) =
            (self.settings.keypoints.len(), self.settings.maps);
        let one = self.settings.map_values();
        for (n, (index, _, crop)) in seen.iter().enumerate() {
            let maps = &mut self.maps[n * one..(n + 1) * one];
            if self.settings.flip_test {
                let mirrored = &self.mirrored[n * one..(n + 1) * one];
                merge_flipped(maps, mirrored, keypoints, height, width, &self.permutation)?;
            }
            let maps = Heatmaps::new(maps, keypoints, height, width, Layout::Nchw)?;
            let mut pose = Pose::default();
            let cells_to_frame = self.settings.cells_to_frame(crop);
            self.decoder.decode_into(&maps, &cells_to_frame, &mut pose);
            poses[*index] = Some(pose);
        }
        Ok(poses)
    }

    /// Cuts the crops out and runs the network; the heatmaps are in `self.maps`.
    fn predict(
        &mut self,
        seen: &[(usize, &RgbImage, Crop)],
        flip: bool,
    ) -> Result<(), RuntimeError> {
        let bytes = self.settings.crop_bytes();
        self.crops.resize(seen.len() * bytes, 0);
        for ((_, photo, crop), out) in seen.iter().zip(self.crops.chunks_exact_mut(bytes)) {
            let crop = Crop { flip, ..*crop };
            let (width, height) = photo.dimensions();
            let view = RgbView::new(photo.as_raw(), width as usize, height as usize);
            let to_frame = crop.to_frame(self.settings.input);
            self.warper
                .warp_rgb(&view, &to_frame, out, self.settings.input, BORDER)?;
        }
        self.predictor
            .predict(&self.crops, seen.len(), &mut self.maps)?;
        let expected = seen.len() * self.settings.map_values();
        if self.maps.len() != expected {
            return Err(RuntimeError::Predictor(format!(
                "expected {expected} heatmap values for {} crops, found {}",
                seen.len(),
                self.maps.len()
            )));
        }
        Ok(())
    }
}
