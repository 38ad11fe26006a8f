//! Data sets on disk: pictures and their annotations.

use crate::body::Body;
use crate::error::SynthError;
use crate::figure::{HEAD_TOP, KEYPOINTS, UPPER_NECK};
use crate::moving::MovingScene;
use crate::sample::{Keypoint, Sample, Visibility};
use crate::scene::{Scene, SceneOptions};
use dataset::{
    DataSet, Format, LabelledKeypoint, Person, PhotoMode, Place, Record, Split, Target, Unit,
    WriteReport,
};
use image::codecs::jpeg::JpegEncoder;
use pose::{KeypointSet, Point, Rect, Size};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// JPEG quality of the pictures.
const QUALITY: u8 = 92;

/// What [`write_dataset`] writes.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetOptions {
    /// Number of pictures, or of clips.
    pub count: usize,
    /// Every picture or clip of this number is for validation, the last of each run of them; none
    /// with 0.
    pub validation_every: usize,
    /// First seed; one seed gives one data set.
    pub seed: u64,
    /// Threads; the result does not depend on their number.
    pub threads: usize,
    /// The scenes.
    pub scene: SceneOptions,
    /// Clips instead of single pictures.
    pub clips: Option<ClipOptions>,
}

/// What a clip is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipOptions {
    /// Frames of each clip.
    pub frames: usize,
    /// Frames a second.
    pub rate: f32,
    /// Also write each clip as an animated GIF beside the annotations.
    pub gif: bool,
}

impl DatasetOptions {
    /// Whether the k-th picture or clip, from 0, is for validation.
    pub fn is_validation(&self, k: usize) -> bool {
        self.validation_every > 0 && (k + 1).is_multiple_of(self.validation_every)
    }

    /// How many pictures there will be.
    pub fn pictures(&self) -> usize {
        self.count * self.clips.map_or(1, |clips| clips.frames)
    }

    fn split(&self, k: usize) -> Split {
        if self.is_validation(k) {
            Split::Validation
        } else {
            Split::Train
        }
    }

    /// Where a picture goes: the number of its picture or clip, and of its frame.
    fn place(&self, target: &Target, number: usize, frame: usize) -> PathBuf {
        let name = match self.clips {
            None => format!("synth_{number:06}.jpg"),
            Some(_) => format!("clip_{number:05}/{frame:05}.jpg"),
        };
        target.photo(self.split(number), name)
    }
}

/// Draws pictures or clips and writes them with their annotations. `progress` is called with the
/// number of pictures done.
///
/// # Errors
/// When the folder holds such a data set already, or a file cannot be written, with its path.
pub fn write_dataset(
    body: &dyn Body,
    target: &Target,
    options: &DatasetOptions,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<WriteReport, SynthError> {
    if target.format == Format::Lspet {
        return Err(SynthError::Options(
            "lspet numbers its photos by person; write annotations and convert them",
        ));
    }
    target.check_free()?;
    let frames = options.clips.map_or(1, |clips| clips.frames.max(1));
    let folders: BTreeSet<PathBuf> = (0..options.count)
        .filter_map(|number| Some(options.place(target, number, 0).parent()?.to_owned()))
        .collect();
    for folder in folders {
        std::fs::create_dir_all(&folder).map_err(|source| SynthError::Io {
            path: folder,
            source,
        })?;
    }
    let pictures = options.count * frames;
    let (next, done, failed) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicBool::new(false),
    );
    let root: Arc<Path> = target.root.as_path().into();
    let work = || -> Result<Vec<Record>, SynthError> {
        let mut records = Vec::new();
        let mut clip: Option<(usize, MovingScene<'_>)> = None;
        loop {
            let k = next.fetch_add(1, Ordering::Relaxed);
            if k >= pictures || failed.load(Ordering::Relaxed) {
                return Ok(records);
            }
            let (number, frame) = (k / frames, k % frames);
            let seed = picture_seed(options.seed, number);
            let sample = match &options.clips {
                None => Scene::random(body, seed, &options.scene).paint(),
                Some(clips) => {
                    let rate = clips.rate.max(0.1);
                    if clip.as_ref().is_none_or(|(of, _)| *of != number) {
                        let seconds = frames as f32 / rate;
                        let moving = MovingScene::random(body, seed, &options.scene, seconds);
                        clip = Some((number, moving));
                    }
                    match &clip {
                        Some((_, moving)) => moving.at(frame as f32 / rate).paint(),
                        None => continue,
                    }
                }
            };
            let place = options.place(target, number, frame);
            if let Err(error) = write_jpeg(&sample, &place, QUALITY) {
                failed.store(true, Ordering::Relaxed);
                return Err(error);
            }
            for (index, keypoints) in sample.keypoints.iter().enumerate() {
                let place_in_set = Place {
                    file: root.clone(),
                    number: k,
                    unit: Unit::Record,
                };
                if let Some(mut record) = record(&sample, keypoints, &place, place_in_set) {
                    record.person.split = options.split(number);
                    record.person.id = format!("synth:{k}.{index}");
                    if options.clips.is_some() {
                        let most = options.scene.people.max(1);
                        record.track = Some((number * most + index) as u64 + 1);
                    }
                    records.push(record);
                }
            }
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    let mut records: Vec<Record> = Vec::with_capacity(pictures);
    for result in on_threads(options.threads, work) {
        records.extend(result?);
    }
    // Threads finish in any order; people of one picture stay in theirs.
    records.sort_by_key(|record| record.place.number);
    if let Some(clips) = options.clips.filter(|clips| clips.gif) {
        write_gifs(target, options, &clips)?;
    }
    let set = DataSet {
        keypoints: KeypointSet::mpii(),
        records,
        problems: Vec::new(),
        file: target.root.clone(),
        image_field: "image",
        images: target.root.clone(),
    };
    Ok(dataset::write(
        &set,
        target,
        PhotoMode::InPlace,
        &mut |_| (),
    )?)
}

/// Runs `work` on several threads; what each gave.
fn on_threads<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(&work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, T>| match thread.join() {
            Ok(result) => result,
            // A panic of a thread is this thread's panic.
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    })
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

/// Writes every clip as a GIF that repeats.
fn write_gifs(
    target: &Target,
    options: &DatasetOptions,
    clips: &ClipOptions,
) -> Result<(), SynthError> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), SynthError> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= options.count {
                return Ok(());
            }
            write_gif(target, options, clips, number)?;
        }
    };
    on_threads(options.threads, work).into_iter().collect()
}

fn write_gif(
    target: &Target,
    options: &DatasetOptions,
    clips: &ClipOptions,
    number: usize,
) -> Result<(), SynthError> {
    let path = target.root.join(format!("clip_{number:05}.gif"));
    let io = |source| SynthError::Io {
        path: path.clone(),
        source,
    };
    let wrong = |source| SynthError::Animation {
        path: path.clone(),
        source,
    };
    let side = |pixels: usize| {
        let too_large = SynthError::Options("GIFs have at most 65535 pixels in a row");
        u16::try_from(pixels).map_err(|_| too_large)
    };
    let (width, height) = (side(options.scene.width)?, side(options.scene.height)?);
    let file = BufWriter::new(File::create(&path).map_err(io)?);
    let mut encoder = gif::Encoder::new(file, width, height, &[]).map_err(wrong)?;
    encoder.set_repeat(gif::Repeat::Infinite).map_err(wrong)?;
    for frame in 0..clips.frames {
        let place = options.place(target, number, frame);
        let picture = image::open(&place).map_err(|source| SynthError::Picture {
            path: place,
            source,
        })?;
        // 1 is the best and slowest, 30 the worst.
        let mut frame = gif::Frame::from_rgb_speed(width, height, picture.to_rgb8().as_raw(), 10);
        // GIF counts hundredths of a second.
        frame.delay = (100.0 / clips.rate.max(0.1)).round().max(2.0) as u16;
        encoder.write_frame(&frame).map_err(wrong)?;
    }
    let mut file = encoder.into_inner().map_err(wrong)?;
    file.flush().map_err(io)
}

/// A person's record; `None` for one of whom nothing is in the picture.
fn record(
    sample: &Sample,
    keypoints: &[Keypoint; KEYPOINTS],
    image: &Path,
    place: Place,
) -> Option<Record> {
    let label = |p: &Keypoint| match p.visibility {
        Visibility::Outside => LabelledKeypoint::MISSING,
        Visibility::Occluded => LabelledKeypoint::new(p.x, p.y, dataset::Visibility::Occluded),
        Visibility::Visible => LabelledKeypoint::new(p.x, p.y, dataset::Visibility::Visible),
    };
    let labels: Vec<LabelledKeypoint> = keypoints.iter().map(label).collect();
    labels.iter().find(|label| label.is_labelled())?;
    let in_front = keypoints.iter().filter(|p| p.depth > 0.0);
    let joints = Rect::from_points(in_front.map(|p| Point::new(p.x, p.y)))?;
    // Hands, feet and hair reach beyond the joints.
    let margin = 0.05 * joints.width.max(joints.height);
    let (width, height) = sample.image.dimensions();
    let (left, top) = ((joints.x - margin).max(0.0), (joints.y - margin).max(0.0));
    let right = (joints.x + joints.width + margin).min(width as f32);
    let bottom = (joints.y + joints.height + margin).min(height as f32);
    // MPII's head boxes have a diagonal of the head segment's length over 0.6.
    let (top_of_head, neck) = (keypoints[HEAD_TOP], keypoints[UPPER_NECK]);
    let length = libm::hypotf(top_of_head.x - neck.x, top_of_head.y - neck.y);
    let side = length / 0.6 / std::f32::consts::SQRT_2;
    let middle = Point::new(
        0.5 * (top_of_head.x + neck.x),
        0.5 * (top_of_head.y + neck.y),
    );
    Some(Record {
        person: Person {
            image: image.into(),
            dataset: "synth".into(),
            id: String::new(),
            rect: Rect::new(left, top, right - left, bottom - top),
            keypoints: labels,
            head_size: Some(length),
            area: None,
            split: Split::Train,
        },
        place,
        head: (side > 0.0).then(|| Rect::around(middle, side, side)),
        track: None,
        stated_size: Some(Size {
            width: width as usize,
            height: height as usize,
        }),
    })
}
