//! One thread of an evaluation: people in, poses out.

use std::sync::Mutex;

use dataset::Person;
use image::RgbImage;
use pose::{
    BORDER, Crop, Decoder, FlipAxis, Heatmaps, Layout, Pose, RgbView, Size, Warper, merge_flipped,
};

use super::EvalSettings;
use super::predictor::HeatmapPredictor;
use super::scale_mean::ScaleMean;
use crate::error::RuntimeError;
use crate::source::load_photo;

/// One thread's network and buffers.
pub(super) struct Worker<'a, P> {
    settings: &'a EvalSettings,
    pub(super) predictor: P,
    permutation: Vec<usize>,
    decoder: Decoder,
    warper: Warper,
    crops: Vec<u8>,
    maps: Vec<f32>,
    mirrored: Vec<f32>,
    means: Vec<ScaleMean>,
}

/// A person whose photo was read: their place in the batch, the photo, the crop.
type Seen<'p> = (usize, &'p RgbImage, Crop);

impl<'a, P: HeatmapPredictor> Worker<'a, P> {
    pub(super) fn new(settings: &'a EvalSettings, predictor: P) -> Worker<'a, P> {
        Worker {
            settings,
            predictor,
            permutation: settings.keypoints.mirror_permutation(FlipAxis::Horizontal),
            decoder: Decoder::new(settings.decoding),
            warper: Warper::new(),
            crops: Vec::new(),
            maps: Vec::new(),
            mirrored: Vec::new(),
            means: Vec::new(),
        }
    }

    /// The poses of a batch of people; none for those whose photo cannot be read.
    pub(super) fn poses(
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
        let seen: Vec<Seen<'_>> = people
            .iter()
            .zip(&photos)
            .enumerate()
            .filter_map(|(i, (p, photo))| Some((i, photo.as_ref()?, self.settings.crop(p))))
            .collect();
        let mut poses = vec![None; people.len()];
        if seen.is_empty() {
            return Ok(poses);
        }

        self.mean_maps(&seen)?;
        let (keypoints, Size { width, height }) =
            (self.settings.keypoints.len(), self.settings.maps);
        let one = self.settings.map_values();
        for ((index, _, crop), maps) in seen.iter().zip(self.maps.chunks_exact(one)) {
            let maps = Heatmaps::new(maps, keypoints, height, width, Layout::Nchw)?;
            let mut pose = Pose::default();
            let cells_to_frame = self.settings.cells_to_frame(crop);
            self.decoder.decode_into(&maps, &cells_to_frame, &mut pose);
            for keypoint in &mut pose.keypoints {
                if keypoint.confidence < self.settings.min_score {
                    (keypoint.x, keypoint.y) = (f32::NAN, f32::NAN);
                }
            }
            poses[*index] = Some(pose);
        }
        Ok(poses)
    }

    /// The heatmaps of these people in `self.maps`: of one look, or the mean over the scales.
    fn mean_maps(&mut self, seen: &[Seen<'_>]) -> Result<(), RuntimeError> {
        let settings = self.settings;
        if settings.scales.iter().all(|scale| *scale == 1.0) {
            return self.merged_maps(seen);
        }
        self.means
            .resize_with(seen.len(), || ScaleMean::new(settings.maps));
        for mean in &mut self.means {
            mean.clear(settings.keypoints.len());
        }
        for &scale in &settings.scales {
            let scaled: Vec<Seen<'_>> = seen
                .iter()
                .map(|(index, photo, crop)| {
                    let crop = Crop {
                        width: crop.width * scale,
                        height: crop.height * scale,
                        ..*crop
                    };
                    (*index, *photo, crop)
                })
                .collect();
            self.merged_maps(&scaled)?;
            let maps = self.maps.chunks_exact(settings.map_values());
            for (mean, maps) in self.means.iter_mut().zip(maps) {
                mean.add(maps, scale);
            }
        }
        self.maps.clear();
        for mean in &self.means[..seen.len()] {
            mean.write(&mut self.maps);
        }
        Ok(())
    }

    /// The heatmaps of these crops in `self.maps`, with the flip test if it is asked for.
    fn merged_maps(&mut self, seen: &[Seen<'_>]) -> Result<(), RuntimeError> {
        self.predict(seen, false)?;
        if !self.settings.flip_test {
            return Ok(());
        }
        std::mem::swap(&mut self.maps, &mut self.mirrored);
        self.predict(seen, true)?;
        std::mem::swap(&mut self.maps, &mut self.mirrored);
        let (keypoints, Size { width, height }) =
            (self.settings.keypoints.len(), self.settings.maps);
        let one = self.settings.map_values();
        let mirrored = self.mirrored.chunks_exact(one);
        for (maps, mirrored) in self.maps.chunks_exact_mut(one).zip(mirrored) {
            merge_flipped(maps, mirrored, keypoints, height, width, &self.permutation)?;
        }
        Ok(())
    }

    /// Cuts the crops out and runs the network; the heatmaps are in `self.maps`.
    fn predict(&mut self, seen: &[Seen<'_>], flip: bool) -> Result<(), RuntimeError> {
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
