//! PCK of a network in training.

use dataset::{Pck, PckReport, PckRule, Person};
use hourglass::{Engine, Graph, LayerWeights};
use pose::{BORDER, Crop, Decoder, Decoding, Heatmaps, KeypointSet, Layout, Pose, RgbView, Warper};

use crate::error::TrainError;
use crate::photos::Photos;
use crate::sample::{MEAN, STD, SampleShape, person_box};

/// Pictures that run at once.
const BATCH: usize = 16;

/// Runs a network over people and counts what it finds.
pub struct Validator {
    engine: Engine,
    shape: SampleShape,
    keypoints: KeypointSet,
}

impl Validator {
    /// For a network of this graph. `threads` workers run it.
    pub fn new(graph: &Graph, shape: SampleShape, keypoints: KeypointSet, threads: usize) -> Self {
        Self {
            engine: Engine::new(graph.last_stack().0, threads),
            shape,
            keypoints,
        }
    }

    /// PCK@0.2 by the torso over crops around each person's box.
    ///
    /// # Errors
    /// When a photo cannot be read, or the keypoint set has no torso.
    pub fn run(
        &mut self,
        weights: &[LayerWeights],
        people: &[Person],
        photos: &Photos,
    ) -> Result<PckReport, TrainError> {
        let input = self.shape.input;
        let mut pck = Pck::new(&self.keypoints, PckRule::LSP)
            .map_err(|error| TrainError::Setting(error.to_string()))?;
        let mut decoder = Decoder::new(Decoding::Dark);
        let mut warper = Warper::default();
        let mut pixels = vec![0u8; input.width * input.height * 3];
        let (width, height) = (
            input.width / self.shape.stride,
            input.height / self.shape.stride,
        );
        for people in people.chunks(BATCH) {
            let mut images = Vec::with_capacity(people.len() * pixels.len());
            let mut crops = Vec::with_capacity(people.len());
            for person in people {
                let photo = photos.get(&person.image)?;
                let crop = Crop::around(person_box(person), self.shape.margin, input);
                let (w, h) = (photo.width() as usize, photo.height() as usize);
                let view = RgbView::new(photo.as_raw(), w, h);
                let to_frame = crop.to_frame(input);
                warper
                    .warp_rgb(&view, &to_frame, &mut pixels, input, BORDER)
                    .map_err(|source| TrainError::Warp {
                        path: person.image.clone(),
                        source,
                    })?;
                images.extend(pixels.iter().map(|&v| (f32::from(v) - MEAN) / STD));
                crops.push(crop);
            }
            let size = (input.height, input.width);
            let maps = self.engine.forward(weights, &images, size);
            let per_picture = maps.len() / people.len();
            for ((person, crop), maps) in people
                .iter()
                .zip(&crops)
                .zip(maps.chunks_exact(per_picture))
            {
                let count = self.keypoints.len();
                let maps = Heatmaps::new(maps, count, height, width, Layout::Nhwc)
                    .map_err(|error| TrainError::Setting(error.to_string()))?;
                let to_frame = crop.cells_to_frame(input, self.shape.stride as f32);
                let mut pose = Pose::default();
                decoder.decode_into(&maps, &to_frame, &mut pose);
                pck.add_pose(person, &pose)
                    .map_err(|error| TrainError::Setting(error.to_string()))?;
            }
        }
        Ok(pck.report())
    }
}
