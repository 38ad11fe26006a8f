//! From an annotated person to a network input with target heatmaps, with augmentation.

use dataset::Person;
use image::RgbImage;
use pose::{Affine, BORDER, Crop, FlipAxis, KeypointSet, Point, Rect, RgbView, Size, Warper};

use crate::augmentation::Augmentation;
use crate::changes::Changes;
use crate::error::TrainError;
use crate::filters::{equalize, gaussian_blur, sharpen};
use crate::random::Draw;

/// Normalization of the pictures, applied to values of 0..255: `(v - mean) / std`.
///
/// The mean is the border colour and the same for all channels, so that the zeros around the
/// network's input continue the border and one zero point expresses it in integers.
pub const MEAN: f32 = BORDER[0] as f32;
/// See [`MEAN`].
pub const STD: f32 = 64.0;

/// What every sample of a run has in common.
#[derive(Clone, Debug)]
pub struct SampleShape {
    /// Size of the network's input in pixels.
    pub input: Size,
    /// Input pixels per heatmap cell.
    pub stride: usize,
    /// Standard deviation of the target Gaussians in heatmap cells.
    pub sigma: f32,
    /// The crop's side over the longer side of the person's box.
    pub margin: f32,
}

/// Makes samples; holds scratch memory.
pub struct SampleMaker {
    shape: SampleShape,
    mirrored: Vec<usize>,
    upside_down: Vec<usize>,
    upper: Vec<usize>,
    warper: Warper,
    pixels: Vec<u8>,
    map: Vec<f32>,
}

/// Where a sample's parts are written, each of exactly the sample's size.
pub struct SampleSlot<'a> {
    /// `[height, width, 3]`
    pub image: &'a mut [f32],
    /// `[height / stride, width / stride, keypoints]`
    pub target: &'a mut [f32],
    /// `[keypoints]`
    pub weights: &'a mut [f32],
}

impl SampleMaker {
    /// For samples of one shape with the keypoints of `set`.
    pub fn new(shape: SampleShape, set: &KeypointSet) -> Self {
        let upper = [
            "shoulder", "elbow", "wrist", "head", "neck", "thorax", "nose", "eye", "ear", "throat",
            "front",
        ];
        let upper_body = set
            .keypoints
            .iter()
            .enumerate()
            .filter(|(_, name)| upper.iter().any(|part| name.contains(part)))
            .map(|(index, _)| index)
            .collect();
        Self {
            pixels: vec![0; shape.input.width * shape.input.height * 3],
            map: vec![0.0; shape.input.width * shape.input.height / shape.stride.pow(2)],
            shape,
            mirrored: set.mirror_permutation(FlipAxis::Horizontal),
            upside_down: set.mirror_permutation(FlipAxis::Vertical),
            upper: upper_body,
            warper: Warper::default(),
        }
    }

    /// The crop of one person under random changes.
    fn crop(&self, person: &Person, changes: &Changes) -> Crop {
        let half = changes.half.and_then(|upper| self.half_body(person, upper));
        let rect = half.unwrap_or_else(|| person.crop_rect());
        let mut crop = Crop::around(rect, self.shape.margin, self.shape.input);
        crop.width *= changes.scale;
        crop.height *= changes.scale;
        crop.center = Point::new(
            crop.center.x + changes.shift[0] * crop.width,
            crop.center.y + changes.shift[1] * crop.height,
        );
        crop.rotation = changes.rotation;
        crop.flip = changes.flip;
        if changes.vertical_flip {
            // Top-bottom is left-right after half a turn.
            crop.flip = !crop.flip;
            crop.rotation += std::f32::consts::PI;
        }
        crop
    }

    /// Box of the upper or lower body with a margin; `None` with fewer than four labels there.
    fn half_body(&self, person: &Person, upper: bool) -> Option<Rect> {
        let joints = person.keypoints.iter().enumerate();
        let points: Vec<Point> = joints
            .filter(|(index, k)| k.is_labelled() && self.upper.contains(index) == upper)
            .map(|(_, k)| k.point())
            .collect();
        let rect = Rect::from_points(points.iter().copied())?;
        let whole = person.crop_rect();
        let large_enough = rect.width.max(rect.height) > 0.25 * whole.width.max(whole.height);
        (points.len() >= 4 && large_enough).then(|| rect.scaled(1.3))
    }

    /// Writes one sample: the person's crop with its target heatmaps. Without `draw` nothing is
    /// changed at random.
    ///
    /// # Errors
    /// [`TrainError::Warp`] for a photo without pixels.
    pub fn make(
        &mut self,
        person: &Person,
        photo: &RgbImage,
        augmentation: &Augmentation,
        draw: &mut Draw,
        slot: SampleSlot<'_>,
    ) -> Result<(), TrainError> {
        let input = self.shape.input;
        let changes = Changes::draw(augmentation, input, draw);
        let crop = self.crop(person, &changes);
        let (width, height) = (photo.width() as usize, photo.height() as usize);
        let view = RgbView::new(photo.as_raw(), width, height);
        let to_frame = crop.to_frame(input);
        let warped = self
            .warper
            .warp_rgb(&view, &to_frame, &mut self.pixels, input, BORDER);
        warped.map_err(|source| TrainError::Warp {
            path: person.image.clone(),
            source,
        })?;
        if changes.equalize {
            equalize(&mut self.pixels, input);
        }
        if let Some(sigma) = changes.blur {
            gaussian_blur(&mut self.pixels, input, sigma);
        }
        if changes.sharpness != 1.0 {
            sharpen(&mut self.pixels, input, changes.sharpness);
        }
        if let Some(occlusion) = &changes.occlusion {
            let to_input = crop.to_input(input);
            let labelled = person.keypoints.iter().filter(|k| k.is_labelled());
            let points: Vec<Point> = labelled.map(|k| to_input.apply(k.point())).collect();
            occlusion.apply(&mut self.pixels, input, &points);
        }
        if let Some(cutout) = &changes.cutout {
            cutout.apply(&mut self.pixels, input);
        }
        for (from, to) in self
            .pixels
            .chunks_exact(3)
            .zip(slot.image.chunks_exact_mut(3))
        {
            let colour = changes.colour.apply([from[0], from[1], from[2]]);
            for (to, value) in to.iter_mut().zip(colour) {
                *to = (value.clamp(0.0, 255.0) - MEAN) / STD;
            }
        }
        let flips = (changes.flip, changes.vertical_flip);
        self.targets(person, &crop, flips, slot.target, slot.weights);
        Ok(())
    }

    fn targets(
        &mut self,
        person: &Person,
        crop: &Crop,
        (flip, vertical_flip): (bool, bool),
        target: &mut [f32],
        weights: &mut [f32],
    ) {
        let Size { width, height } = self.shape.input;
        let (width, height) = (width / self.shape.stride, height / self.shape.stride);
        let channels = self.mirrored.len();
        let scale = 1.0 / self.shape.stride as f32;
        let to_cells = crop.to_input(self.shape.input).then(&Affine::scale(scale));
        target.fill(0.0);
        for (channel, weight) in weights.iter_mut().enumerate() {
            // A mirrored right wrist is a left wrist.
            let mut index = channel;
            if flip {
                index = self.mirrored[index];
            }
            if vertical_flip {
                index = self.upside_down[index];
            }
            let keypoint = &person.keypoints[index];
            *weight = keypoint.weight;
            if !keypoint.is_labelled() {
                *weight = 0.0;
                continue;
            }
            let cell = to_cells.apply(keypoint.point());
            pose::gaussian_target(&mut self.map, height, width, cell, self.shape.sigma);
            for (row, &value) in target.chunks_exact_mut(channels).zip(&self.map) {
                row[channel] = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augmentation::Spread;
    use dataset::{LabelledKeypoint, Split, Visibility};
    use image::Rgb;
    use pose::{Decoding, FlipPair, Heatmaps, Layout, decode};

    /// A bright spot on grey, labelled as one keypoint: under every random change, the spot in
    /// the picture and the peak in the target are at the same place, and the peak is in the
    /// channel of the mirrored name when the picture is mirrored.
    fn picture_and_target_move_together(augmentation: &Augmentation) -> Vec<usize> {
        let mut set = KeypointSet::mpii();
        // Upside down, a wrist is an elbow.
        for side in ["left", "right"] {
            set.flip_pairs.push(FlipPair {
                first: set.index_of(&format!("{side}_wrist")).unwrap(),
                second: set.index_of(&format!("{side}_elbow")).unwrap(),
                axis: FlipAxis::Vertical,
            });
        }
        let names = ["left_wrist", "right_wrist", "left_elbow", "right_elbow"];
        let shape = SampleShape {
            input: Size {
                width: 128,
                height: 96,
            },
            stride: 4,
            sigma: 1.5,
            margin: 1.25,
        };
        let mut maker = SampleMaker::new(shape, &set);
        let mut seen = vec![0; 4];
        let wrist = set.index_of("left_wrist").unwrap();
        for seed in 0..300 {
            let mut draw = Draw::new(seed, [0, 0]);
            let (x, y) = (60.0 + 80.0 * draw.unit(), 50.0 + 60.0 * draw.unit());
            let mut photo = RgbImage::from_pixel(220, 180, Rgb([40, 40, 40]));
            for (px, py, pixel) in photo.enumerate_pixels_mut() {
                let (dx, dy) = (px as f32 + 0.5 - x, py as f32 + 0.5 - y);
                let spot = (-(dx * dx + dy * dy) / (2.0 * 9.0)).exp();
                *pixel = Rgb([40 + (200.0 * spot) as u8; 3]);
            }
            let mut keypoints = vec![LabelledKeypoint::MISSING; set.len()];
            keypoints[wrist] = LabelledKeypoint::new(x, y, Visibility::Visible);
            let person = Person {
                image: "photo.png".into(),
                dataset: "test".into(),
                id: "test:0".into(),
                rect: Rect {
                    x: 50.0,
                    y: 40.0,
                    width: 100.0,
                    height: 90.0,
                },
                keypoints,
                head_size: None,
                area: None,
                split: Split::Train,
            };
            let mut image = vec![0.0; 128 * 96 * 3];
            let mut target = vec![0.0; 32 * 24 * set.len()];
            let mut weights = vec![0.0; set.len()];
            let slot = SampleSlot {
                image: &mut image,
                target: &mut target,
                weights: &mut weights,
            };
            maker
                .make(&person, &photo, augmentation, &mut draw, slot)
                .unwrap();
            let labelled: Vec<usize> = (0..set.len()).filter(|&c| weights[c] > 0.0).collect();
            assert_eq!(labelled.len(), 1);
            let channel = labelled[0];
            let name = names.iter().position(|n| *n == set.keypoints[channel]);
            let maps = Heatmaps::new(&target, set.len(), 24, 32, Layout::Nhwc).unwrap();
            let found = decode(&maps, Decoding::Dark, &Affine::scale(4.0)).keypoints[channel];
            if !(14.0..114.0).contains(&found.x) || !(14.0..82.0).contains(&found.y) {
                continue;
            }
            let (mut sum, mut at) = (0.0, [0.0, 0.0]);
            for (index, pixel) in image.chunks_exact(3).enumerate() {
                // Above the grey ground alone; border colour and ground do not count.
                let bright = (pixel[0] * STD + MEAN - 125.0).max(0.0);
                sum += bright;
                at[0] += bright * ((index % 128) as f32 + 0.5);
                at[1] += bright * ((index / 128) as f32 + 0.5);
            }
            assert!(sum > 0.0);
            let (dx, dy) = (found.x - at[0] / sum, found.y - at[1] / sum);
            assert!(dx.hypot(dy) < 0.4, "seed {seed}: off by {dx} {dy} pixels");
            seen[name.unwrap()] += 1;
        }
        seen
    }

    #[test]
    fn pictures_and_targets_move_together() {
        let geometry_alone = |augmentation| Augmentation {
            grey: 0.0,
            cutout: 0.0,
            occlusion: 0.0,
            half_body: 0.0,
            sharpness: Spread::NONE,
            equalize: 0.0,
            blur: 0.0,
            vertical_flip: 0.0,
            ..Augmentation::colour(augmentation, 0.0)
        };
        let standard = picture_and_target_move_together(&geometry_alone(Augmentation::STANDARD));
        assert!(standard[0] > 60 && standard[1] > 60, "{standard:?}");
        assert_eq!(standard[2..], [0, 0]);
        for preset in [Augmentation::STRONG, Augmentation::S3, Augmentation::S4] {
            let upside_down = Augmentation {
                vertical_flip: 0.5,
                ..geometry_alone(preset)
            };
            let seen = picture_and_target_move_together(&upside_down);
            // Every combination of flips comes, in the channel of its name.
            assert!(seen.iter().all(|count| *count > 30), "{seen:?}");
        }
    }
}
