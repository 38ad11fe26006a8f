//! From an annotated person to a network input with target heatmaps, with augmentation.

use dataset::Person;
use image::RgbImage;
use pose::{Affine, BORDER, Crop, FlipAxis, KeypointSet, Point, Rect, RgbView, Size, Warper};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::random::Draw;

/// Normalization of the pictures, applied to values of 0..255: `(v - mean) / std`.
///
/// The mean is the border colour and the same for all channels, so that the zeros around the
/// network's input continue the border and one zero point expresses it in integers.
pub const MEAN: f32 = BORDER[0] as f32;
/// See [`MEAN`].
pub const STD: f32 = 64.0;

/// Random changes of the training pictures. Every probability is per sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Probability of mirroring left-right.
    pub flip: f32,
    /// Standard deviation of the logarithm (base 2) of the crop's size; cut at twice that.
    pub scale: f32,
    /// Standard deviation of the rotation in degrees; cut at twice that.
    pub rotation: f32,
    /// Probability of rotating.
    pub rotation_chance: f32,
    /// Largest shift of the crop, as a fraction of its side.
    pub shift: f32,
    /// Largest relative change of brightness, contrast, saturation and each colour channel.
    pub colour: f32,
    /// Probability of a grey picture.
    pub grey: f32,
    /// Probability of a crop around the upper or the lower half of the body.
    pub half_body: f32,
    /// Probability of a rectangle of noise colour over part of the person.
    pub cutout: f32,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            flip: 0.5,
            scale: 0.25,
            rotation: 30.0,
            rotation_chance: 0.6,
            shift: 0.08,
            colour: 0.3,
            grey: 0.1,
            half_body: 0.1,
            cutout: 0.2,
        }
    }
}

impl Augmentation {
    /// No change at all.
    pub fn none() -> Self {
        Self {
            flip: 0.0,
            scale: 0.0,
            rotation: 0.0,
            rotation_chance: 0.0,
            shift: 0.0,
            colour: 0.0,
            grey: 0.0,
            half_body: 0.0,
            cutout: 0.0,
        }
    }
}

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
        let upper = ["shoulder", "elbow", "wrist", "head", "neck", "thorax"];
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
            upper: upper_body,
            warper: Warper::default(),
        }
    }

    /// The crop of one person under random changes.
    fn crop(&self, person: &Person, augmentation: &Augmentation, draw: &mut Draw) -> Crop {
        let mut rect = person.crop_rect();
        if draw.chance(augmentation.half_body)
            && let Some(half) = self.half_body(person, draw.chance(0.5))
        {
            rect = half;
        }
        let mut crop = Crop::around(rect, self.shape.margin, self.shape.input);
        let spread = draw.normal().clamp(-2.0, 2.0) * augmentation.scale;
        let scale = spread.exp2();
        crop.width *= scale;
        crop.height *= scale;
        crop.center = Point::new(
            crop.center.x + draw.uniform(-1.0, 1.0) * augmentation.shift * crop.width,
            crop.center.y + draw.uniform(-1.0, 1.0) * augmentation.shift * crop.height,
        );
        if draw.chance(augmentation.rotation_chance) {
            let degrees = draw.normal().clamp(-2.0, 2.0) * augmentation.rotation;
            crop.rotation = degrees.to_radians();
        }
        crop.flip = draw.chance(augmentation.flip);
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
        let crop = self.crop(person, augmentation, draw);
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
        if draw.chance(augmentation.cutout) {
            cut_out(&mut self.pixels, input, draw);
        }
        let (matrix, offset) = colour_map(augmentation, draw);
        for (from, to) in self
            .pixels
            .chunks_exact(3)
            .zip(slot.image.chunks_exact_mut(3))
        {
            let rgb = [from[0], from[1], from[2]].map(f32::from);
            for channel in 0..3 {
                let m = matrix[channel];
                let value = m[0] * rgb[0] + m[1] * rgb[1] + m[2] * rgb[2] + offset[channel];
                to[channel] = (value.clamp(0.0, 255.0) - MEAN) / STD;
            }
        }
        self.targets(person, &crop, slot.target, slot.weights);
        Ok(())
    }

    fn targets(&mut self, person: &Person, crop: &Crop, target: &mut [f32], weights: &mut [f32]) {
        let Size { width, height } = self.shape.input;
        let (width, height) = (width / self.shape.stride, height / self.shape.stride);
        let channels = self.mirrored.len();
        let scale = 1.0 / self.shape.stride as f32;
        let to_cells = crop.to_input(self.shape.input).then(&Affine::scale(scale));
        target.fill(0.0);
        for (channel, weight) in weights.iter_mut().enumerate() {
            // A mirrored right wrist is a left wrist.
            let index = if crop.flip {
                self.mirrored[channel]
            } else {
                channel
            };
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

/// Brightness, contrast, saturation, channel gains and grey as one affine map of RGB.
fn colour_map(augmentation: &Augmentation, draw: &mut Draw) -> ([[f32; 3]; 3], [f32; 3]) {
    let amount = augmentation.colour;
    let mut factor = || 1.0 + draw.uniform(-amount, amount);
    let (brightness, contrast) = (factor(), factor());
    let gains = [factor(), factor(), factor()].map(|g| 1.0 + (g - 1.0) * 0.5);
    let mut saturation = factor();
    if draw.chance(augmentation.grey) {
        saturation = 0.0;
    }
    const LUMA: [f32; 3] = [0.299, 0.587, 0.114];
    let mut matrix = [[0.0; 3]; 3];
    for (row, values) in matrix.iter_mut().enumerate() {
        for (column, value) in values.iter_mut().enumerate() {
            let identity = if row == column { 1.0 } else { 0.0 };
            let mixed = saturation * identity + (1.0 - saturation) * LUMA[column];
            *value = mixed * gains[row] * brightness * contrast;
        }
    }
    let offset = MEAN * brightness * (1.0 - contrast);
    (matrix, [offset; 3])
}

/// Covers a random rectangle with one random colour.
fn cut_out(pixels: &mut [u8], size: Size, draw: &mut Draw) {
    let mut side = |full: usize| {
        let length = (full as f32 * draw.uniform(0.1, 0.35)) as usize;
        (draw.below(full.saturating_sub(length).max(1)), length)
    };
    let ((x, width), (y, height)) = (side(size.width), side(size.height));
    let colour = [0; 3].map(|_| draw.below(256) as u8);
    for row in pixels.chunks_exact_mut(size.width * 3).skip(y).take(height) {
        for pixel in row.chunks_exact_mut(3).skip(x).take(width) {
            pixel.copy_from_slice(&colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataset::{LabelledKeypoint, Split, Visibility};
    use image::Rgb;
    use pose::{Decoding, Heatmaps, Layout, decode};

    /// A bright spot on grey, labelled as one keypoint: under every random change, the spot in
    /// the picture and the peak in the target are at the same place, and the peak is in the
    /// channel of the mirrored name when the picture is mirrored.
    #[test]
    fn picture_and_target_move_together() {
        let set = KeypointSet::mpii();
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
        let augmentation = Augmentation {
            colour: 0.0,
            grey: 0.0,
            cutout: 0.0,
            half_body: 0.0,
            ..Augmentation::default()
        };
        let wrist = set.index_of("left_wrist").unwrap();
        let mirrored = set.index_of("right_wrist").unwrap();
        let (mut seen, mut flips) = (0, 0);
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
                .make(&person, &photo, &augmentation, &mut draw, slot)
                .unwrap();
            let labelled: Vec<usize> = (0..set.len()).filter(|&c| weights[c] > 0.0).collect();
            assert_eq!(labelled.len(), 1);
            let channel = labelled[0];
            assert!(channel == wrist || channel == mirrored);
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
            seen += 1;
            flips += usize::from(channel == mirrored);
        }
        assert!(seen > 200 && flips > 60 && flips < seen - 60);
    }
}
