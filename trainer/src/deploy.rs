//! Trained networks in the runtime: what is tried here is what is deployed.

use std::path::{Path, PathBuf};

use edge_runtime::{
    Canvas, Estimator, EstimatorSettings, ModelOptions, PoseModel, PoseRecord, RecordFormat,
    RecordWriter, RuntimeError, SkeletonStyle, draw_skeleton, find_photos, load_photo,
    picture_names, save_picture,
};
use pose::RgbView;

use crate::checkpoint::Checkpoint;
use crate::error::TrainError;
use crate::export::{ExportNotes, export};

/// A checkpoint, exported on the way, or an ONNX file, in the runtime.
///
/// # Errors
/// When the file cannot be read or run.
pub fn pose_model(weights: &Path, options: &ModelOptions) -> Result<PoseModel, TrainError> {
    if weights.extension().is_some_and(|ending| ending == "onnx") {
        return Ok(PoseModel::load(weights, options)?);
    }
    let checkpoint = Checkpoint::load(weights)?;
    let name = weights.file_stem().unwrap_or_default().to_string_lossy();
    let notes = ExportNotes {
        name: name.into_owned(),
        ..ExportNotes::default()
    };
    let bytes = export(&checkpoint, &notes)?.to_bytes();
    let label = weights.display().to_string();
    Ok(PoseModel::from_bytes(&bytes, &label, options)?)
}

/// What poses are looked for in, and where they go.
#[derive(Clone, Debug, Default)]
pub struct InferenceSettings {
    /// Checkpoint or ONNX file.
    pub weights: PathBuf,
    /// Photos, and folders of photos.
    pub photos: Vec<PathBuf>,
    /// Folder for pictures with skeletons, and for `poses.jsonl` and `poses.csv`.
    pub output: PathBuf,
    /// No pictures.
    pub no_pictures: bool,
    /// How poses are looked for.
    pub estimator: EstimatorSettings,
    /// Keypoints of at least this confidence are drawn.
    pub min_confidence: f32,
    /// Threads of the runtime.
    pub threads: usize,
}

/// Finds the poses in photos and writes them. `found` is told of each; photos that cannot be read
/// are handed to `failed` and passed over.
///
/// # Errors
/// When the network cannot be run, no photo is there, or an output cannot be written.
pub fn find_poses(
    settings: &InferenceSettings,
    mut found: impl FnMut(&PoseRecord),
    mut failed: impl FnMut(RuntimeError),
) -> Result<(), TrainError> {
    let options = ModelOptions {
        threads: settings.threads.max(1),
        ..ModelOptions::default()
    };
    let photos = find_photos(&settings.photos)?;
    let model = pose_model(&settings.weights, &options)?;
    let mut estimator = Estimator::new(model, settings.estimator)?;
    std::fs::create_dir_all(&settings.output).map_err(|source| TrainError::Io {
        path: settings.output.clone(),
        source,
    })?;
    let file = |name: &str| settings.output.join(name);
    let mut writers = [
        RecordWriter::create(&file("poses.jsonl"), RecordFormat::JsonLines)?,
        RecordWriter::create(&file("poses.csv"), RecordFormat::Csv)?,
    ];
    for (path, name) in photos.iter().zip(picture_names(&photos)) {
        let mut photo = match load_photo(path) {
            Ok(photo) => photo,
            Err(error) => {
                failed(error);
                continue;
            }
        };
        let (width, height) = photo.dimensions();
        let view = RgbView::new(photo.as_raw(), width as usize, height as usize);
        let pose = estimator.estimate(&view, None)?.pose;
        let set = &estimator.spec().keypoints;
        let record = PoseRecord::new(path.display().to_string(), width, height, &pose, set);
        for writer in &mut writers {
            writer.write(&record)?;
        }
        if !settings.no_pictures {
            let style = SkeletonStyle::for_pose(&pose, width, height, settings.min_confidence);
            draw_skeleton(&mut Canvas::new(&mut photo), &pose, set, &style);
            save_picture(&photo, &settings.output.join(name))?;
        }
        found(&record);
    }
    for writer in writers {
        writer.finish()?;
    }
    Ok(())
}
