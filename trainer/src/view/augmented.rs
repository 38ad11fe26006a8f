//! Batches as training sees them.

use std::sync::Arc;

use dataset::Person;
use edge_runtime::{Canvas, ContactSheet, SkeletonStyle, draw_skeleton};
use image::{Rgb, RgbImage, imageops};
use pose::{Affine, Decoding, Heatmaps, KeypointSet, Layout, Size, decode};

use crate::augmentation::Augmentation;
use crate::error::TrainError;
use crate::loader::{LoadedBatch, Loader, LoaderSettings};
use crate::photos::Photos;
use crate::sample::{MEAN, STD, SampleShape};

/// Smallest side of a shown crop in pixels.
const SIDE: usize = 192;
/// Bytes of photos to keep.
const PHOTO_MEMORY: usize = 256 << 20;

/// Augmented batches with their target heatmaps, page by page.
pub struct AugmentedBatches {
    loader: Loader,
    set: KeypointSet,
    shape: SampleShape,
    pages: Vec<RgbImage>,
}

impl AugmentedBatches {
    /// The batches of a training on `people` with this seed, from its first step on.
    ///
    /// # Errors
    /// When there is nobody.
    pub fn new(
        people: Vec<Person>,
        set: KeypointSet,
        shape: SampleShape,
        augmentation: Augmentation,
        batch: usize,
        seed: u64,
    ) -> Result<AugmentedBatches, TrainError> {
        if people.is_empty() || batch == 0 {
            let message = "a batch needs at least one person".to_owned();
            return Err(TrainError::Setting(message));
        }
        let settings = LoaderSettings {
            shape: shape.clone(),
            augmentation,
            keypoints: set.clone(),
            batch,
            seed,
            threads: 1,
        };
        let order = (0..people.len() as u32).collect();
        let photos = Arc::new(Photos::new(PHOTO_MEMORY));
        Ok(AugmentedBatches {
            loader: Loader::start(Arc::new(people), order, photos, settings, 0),
            set,
            shape,
            pages: Vec::new(),
        })
    }

    /// A sheet of the batch of this step, from 0: each sample's crop, and beside it the same under
    /// its heatmaps, a colour for each joint, with the skeleton of their peaks.
    ///
    /// # Errors
    /// When a photo cannot be read.
    pub fn page(&mut self, step: usize) -> Result<&RgbImage, TrainError> {
        while self.pages.len() <= step {
            let loaded = self.loader.next_batch()?;
            self.pages.push(self.draw(&loaded)?);
        }
        Ok(&self.pages[step])
    }

    fn draw(&self, loaded: &LoadedBatch) -> Result<RgbImage, TrainError> {
        let input = self.shape.input;
        let keypoints = self.set.len();
        let cells = Size::new(
            input.width / self.shape.stride,
            input.height / self.shape.stride,
        );
        let times = SIDE.div_ceil(input.width.min(input.height)).max(1);
        let shown = Size::new(input.width * times, input.height * times);
        let pair = Size::new(2 * shown.width, shown.height);
        let batch = &loaded.batch;
        let mut sheet = ContactSheet::with_tiles(batch.pictures, pair);
        let images = batch.images.chunks_exact(input.width * input.height * 3);
        let targets = batch
            .targets
            .chunks_exact(cells.width * cells.height * keypoints);
        let weights = batch.weights.chunks_exact(keypoints);
        for (((image, target), weights), id) in images.zip(targets).zip(weights).zip(&loaded.ids) {
            let plain = enlarged(&picture(image, input), times);
            let maps = Heatmaps::new(target, keypoints, cells.height, cells.width, Layout::Nhwc)
                .map_err(edge_runtime::RuntimeError::from)?;
            let mut warm = plain.clone();
            heat_overlay(&mut warm, &maps, weights);
            let to_shown = Affine::scale((self.shape.stride * times) as f32);
            let mut pose = decode(&maps, Decoding::Dark, &to_shown);
            for (keypoint, weight) in pose.keypoints.iter_mut().zip(weights) {
                // A target of which only a slope reaches in has no peak to draw.
                let seen = *weight > 0.0 && keypoint.confidence > 0.3;
                keypoint.confidence = f32::from(u8::from(seen));
            }
            let style = SkeletonStyle {
                limb_width: 1.5,
                rim: 0.0,
                dot_radius: 2.5,
                min_confidence: 0.5,
            };
            draw_skeleton(&mut Canvas::new(&mut warm), &pose, &self.set, &style);
            let mut tile = RgbImage::new(pair.width as u32, pair.height as u32);
            imageops::replace(&mut tile, &plain, 0, 0);
            imageops::replace(&mut tile, &warm, shown.width as i64, 0);
            let labelled = weights.iter().filter(|weight| **weight > 0.0).count();
            sheet.add_picture(&tile, &format!("{id} {labelled} joints"));
        }
        Ok(sheet.into_picture())
    }
}

/// A network input `[height, width, 3]` as a picture again.
fn picture(values: &[f32], size: Size) -> RgbImage {
    let byte = |value: f32| (value * STD + MEAN).round().clamp(0.0, 255.0) as u8;
    RgbImage::from_fn(size.width as u32, size.height as u32, |x, y| {
        let at = (y as usize * size.width + x as usize) * 3;
        Rgb([values[at], values[at + 1], values[at + 2]].map(byte))
    })
}

/// Every pixel as a square of `times` × `times`.
fn enlarged(picture: &RgbImage, times: usize) -> RgbImage {
    let times = times as u32;
    let (width, height) = picture.dimensions();
    RgbImage::from_fn(width * times, height * times, |x, y| {
        *picture.get_pixel(x / times, y / times)
    })
}

/// Lays heatmaps over the picture that they are of: a colour for each keypoint, around the colour
/// wheel, as strong as the map is high. Keypoints of weight 0 are left out.
pub fn heat_overlay(picture: &mut RgbImage, maps: &Heatmaps<'_>, weights: &[f32]) {
    let (width, height) = picture.dimensions();
    let scale = (
        maps.width() as f32 / width as f32,
        maps.height() as f32 / height as f32,
    );
    let colors: Vec<[f32; 3]> = (0..maps.keypoints())
        .map(|k| wheel(k as f32 / maps.keypoints() as f32))
        .collect();
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let at = (
            (x as f32 + 0.5) * scale.0 - 0.5,
            (y as f32 + 0.5) * scale.1 - 0.5,
        );
        let (mut sum, mut total, mut highest) = ([0.0f32; 3], 0.0f32, 0.0f32);
        for (keypoint, color) in colors.iter().enumerate() {
            if weights.get(keypoint).is_none_or(|weight| *weight <= 0.0) {
                continue;
            }
            let heat = bilinear(maps, keypoint, at).max(0.0);
            for (sum, part) in sum.iter_mut().zip(color) {
                *sum += heat * part;
            }
            total += heat;
            highest = highest.max(heat);
        }
        if total > 0.0 {
            let cover = 0.8 * highest.min(1.0);
            for (value, sum) in pixel.0.iter_mut().zip(sum) {
                let mixed = f32::from(*value) * (1.0 - cover) + 255.0 * cover * sum / total;
                *value = mixed.round() as u8;
            }
        }
    }
}

fn bilinear(maps: &Heatmaps<'_>, keypoint: usize, (x, y): (f32, f32)) -> f32 {
    let tap = |at: f32, count: usize| {
        let at = at.clamp(0.0, count.saturating_sub(1) as f32);
        let low = at as usize;
        (low, (low + 1).min(count.saturating_sub(1)), at - low as f32)
    };
    let (x0, x1, px) = tap(x, maps.width());
    let (y0, y1, py) = tap(y, maps.height());
    let row = |y: usize| {
        let (a, b) = (maps.at(keypoint, y, x0), maps.at(keypoint, y, x1));
        a + px * (b - a)
    };
    let (a, b) = (row(y0), row(y1));
    a + py * (b - a)
}

/// A full colour of the wheel, `turn` from 0 to 1, each part 0..=1.
fn wheel(turn: f32) -> [f32; 3] {
    let part = |offset: f32| {
        let at = (turn * 6.0 + offset).rem_euclid(6.0);
        (2.0 - (at - 3.0).abs()).clamp(0.0, 1.0)
    };
    // Red stands at the top of its hill at 0, green a third of a turn later, blue two thirds.
    [part(3.0), part(1.0), part(5.0)]
}
