//! Data sets on disk: `images/*.jpg` and `annotations.json`.

use crate::body::Body;
use crate::error::SynthError;
use crate::figure::{HEAD_TOP, KEYPOINTS, UPPER_NECK};
use crate::render;
use crate::sample::{Keypoint, Sample, Visibility};
use crate::scene::SceneOptions;
use image::codecs::jpeg::JpegEncoder;
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A record of `annotations.json`, as MPII's converters write it. Coordinates are MATLAB's: the
/// centre of the first pixel is 1.
#[derive(Clone, Debug, Serialize)]
struct Record {
    dataset: &'static str,
    #[serde(rename = "isValidation")]
    is_validation: f32,
    img_paths: String,
    img_width: u32,
    img_height: u32,
    objpos: [f32; 2],
    /// x, y and 1 seen, 0 hidden; all 0 outside of the picture.
    joint_self: Vec<[f32; 3]>,
    /// Height of the person in 200 pixels.
    scale_provided: f32,
    headboxes: [[f32; 2]; 2],
    joint_others: [f32; 0],
    scale_provided_other: [f32; 0],
    objpos_other: [f32; 0],
    #[serde(rename = "numOtherPeople")]
    num_other_people: f32,
    annolist_index: f32,
    people_index: f32,
}

/// From continuous coordinates (first pixel's centre at 0.5) to MATLAB's (at 1).
const MATLAB: f32 = 0.5;

/// JPEG quality of the pictures.
const QUALITY: u8 = 92;

/// What [`write_dataset`] writes.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetOptions {
    /// Number of pictures.
    pub count: usize,
    /// Every picture of this number is for validation, the last of each run of them; none with 0.
    pub validation_every: usize,
    /// First seed; one seed gives one data set.
    pub seed: u64,
    /// Threads; the result does not depend on their number.
    pub threads: usize,
    /// The scenes.
    pub scene: SceneOptions,
}

impl DatasetOptions {
    /// Whether the k-th picture, from 0, is for validation.
    pub fn is_validation(&self, k: usize) -> bool {
        self.validation_every > 0 && (k + 1).is_multiple_of(self.validation_every)
    }
}

/// Draws `options.count` pictures into `dir/images` and writes `dir/annotations.json`, in the
/// format that MPII's converters use. `progress` is called with the number of pictures done.
///
/// # Errors
/// When a file cannot be written, with its path.
pub fn write_dataset(
    body: &dyn Body,
    dir: &Path,
    options: &DatasetOptions,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(), SynthError> {
    let images = dir.join("images");
    std::fs::create_dir_all(&images).map_err(|source| SynthError::Io {
        path: images.clone(),
        source,
    })?;
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || -> Result<Vec<(usize, Record)>, SynthError> {
        let mut records = Vec::new();
        loop {
            let k = next.fetch_add(1, Ordering::Relaxed);
            if k >= options.count {
                return Ok(records);
            }
            let sample = render(body, picture_seed(options.seed, k), &options.scene);
            let name = format!("synth_{k:06}.jpg");
            write_jpeg(&sample, &images.join(&name), QUALITY)?;
            for (person, keypoints) in sample.keypoints.iter().enumerate() {
                let mut record = record(&sample, keypoints, name.clone());
                record.is_validation = f32::from(u8::from(options.is_validation(k)));
                record.annolist_index = k as f32 + 1.0;
                record.people_index = person as f32 + 1.0;
                records.push((k, record));
            }
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    let results: Vec<Result<Vec<(usize, Record)>, SynthError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.threads.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(result) => result,
            // A panic of a thread is this thread's panic.
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    });
    let mut records = Vec::with_capacity(options.count);
    for result in results {
        records.extend(result?);
    }
    records.sort_by_key(|(k, _)| *k);
    let records: Vec<Record> = records.into_iter().map(|(_, record)| record).collect();
    write_records(&dir.join("annotations.json"), &records)
}

/// The seed with which [`write_dataset`] draws its k-th picture, from 0, so that one picture can be
/// drawn again. Neighbours share nothing (SplitMix64's finalizer).
pub fn picture_seed(seed: u64, k: usize) -> u64 {
    let mut z = seed.wrapping_add((k as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Writes a sample's picture as a JPEG file of a quality of 1..=100.
///
/// # Errors
/// When the file cannot be written.
pub fn write_jpeg(sample: &Sample, path: &Path, quality: u8) -> Result<(), SynthError> {
    let io = |source| SynthError::Io {
        path: path.into(),
        source,
    };
    let mut file = BufWriter::new(File::create(path).map_err(io)?);
    JpegEncoder::new_with_quality(&mut file, quality)
        .encode_image(&sample.image)
        .map_err(|source| SynthError::Picture {
            path: path.into(),
            source,
        })?;
    file.flush().map_err(io)
}

fn write_records(path: &PathBuf, records: &[Record]) -> Result<(), SynthError> {
    let io = |source| SynthError::Io {
        path: path.clone(),
        source,
    };
    let mut file = BufWriter::new(File::create(path).map_err(io)?);
    serde_json::to_writer(&mut file, records).map_err(|e| io(e.into()))?;
    file.flush().map_err(io)
}

fn record(sample: &Sample, keypoints: &[Keypoint; KEYPOINTS], name: String) -> Record {
    let (width, height) = sample.image.dimensions();
    let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
    for point in keypoints {
        for (k, value) in [point.x, point.y].into_iter().enumerate() {
            low[k] = low[k].min(value);
            high[k] = high[k].max(value);
        }
    }
    let joint = |p: &Keypoint| match p.visibility {
        Visibility::Outside => [0.0; 3],
        Visibility::Occluded => [p.x + MATLAB, p.y + MATLAB, 0.0],
        Visibility::Visible => [p.x + MATLAB, p.y + MATLAB, 1.0],
    };
    // MPII's head boxes have a diagonal of the head segment's length over 0.6.
    let (top, neck) = (keypoints[HEAD_TOP], keypoints[UPPER_NECK]);
    let length = libm::hypotf(top.x - neck.x, top.y - neck.y);
    let half = length / 0.6 / std::f32::consts::SQRT_2 * 0.5;
    let (x, y) = (
        0.5 * (top.x + neck.x) + MATLAB,
        0.5 * (top.y + neck.y) + MATLAB,
    );
    Record {
        dataset: "MPI",
        is_validation: 0.0,
        img_paths: name,
        img_width: width,
        img_height: height,
        objpos: [
            0.5 * (low[0] + high[0]) + MATLAB,
            0.5 * (low[1] + high[1]) + MATLAB,
        ],
        joint_self: keypoints.iter().map(joint).collect(),
        // Hands, feet and hair reach beyond the joints.
        scale_provided: 1.1 * (high[0] - low[0]).max(high[1] - low[1]) / 200.0,
        headboxes: [[x - half, y - half], [x + half, y + half]],
        joint_others: [],
        scale_provided_other: [],
        objpos_other: [],
        num_other_people: sample.keypoints.len() as f32 - 1.0,
        annolist_index: 0.0,
        people_index: 0.0,
    }
}
