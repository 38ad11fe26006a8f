//! The random changes of one sample, drawn before anything is computed.

use pose::Size;

use crate::augmentation::{Augmentation, Law, Spread};
use crate::random::Draw;
use crate::sample::MEAN;

/// What happens to one sample.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Changes {
    /// Crop around the upper (true) or lower half of the body.
    pub half: Option<bool>,
    /// Factor of the crop's size.
    pub scale: f32,
    /// Shift of the crop as fractions of its sides.
    pub shift: [f32; 2],
    /// Angle of the crop in radians.
    pub rotation: f32,
    /// Mirrored left-right.
    pub flip: bool,
    /// Mirrored top-bottom.
    pub vertical_flip: bool,
    /// A covered rectangle.
    pub cutout: Option<Cutout>,
    /// Colours as an affine map of RGB.
    pub colour: ColourMap,
    /// Sharpness factor.
    pub sharpness: f32,
    /// Deviation of a blur in pixels.
    pub blur: Option<f32>,
    /// Adaptive histogram equalization.
    pub equalize: bool,
    /// A covered keypoint.
    pub occlusion: Option<Occlusion>,
}

/// A rectangle of one colour, in pixels of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cutout {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
    pub colour: [u8; 3],
}

/// A keypoint covered with another piece of the picture; all numbers in 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Occlusion {
    /// Which of the keypoints that are in the picture.
    pub which: f32,
    /// Sides of the piece as fractions of the input's.
    pub size: [f32; 2],
    /// The keypoint's place in the piece.
    pub inside: [f32; 2],
    /// Where the piece comes from.
    pub source: [f32; 2],
}

/// `matrix · rgb + offset`, in 0..255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ColourMap {
    pub matrix: [[f32; 3]; 3],
    pub offset: [f32; 3],
}

/// Weights of red, green and blue in brightness (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

impl Changes {
    /// Draws the changes of one sample with an input of `size`. New changes draw after the older
    /// ones, so that a seed goes on giving the pictures that it gave.
    pub fn draw(augmentation: &Augmentation, size: Size, draw: &mut Draw) -> Self {
        let half = match draw.chance(augmentation.half_body) {
            true => Some(draw.chance(0.5)),
            false => None,
        };
        let amount = augmentation.scale;
        let scale = match augmentation.scale_law {
            Law::Normal => (draw.normal().clamp(-2.0, 2.0) * amount).exp2(),
            Law::Linear => 1.0 + (draw.normal() * amount).clamp(-amount, amount),
            Law::Uniform => 1.0 + draw.uniform(-amount, amount),
        };
        let shift = [(); 2].map(|()| draw.uniform(-1.0, 1.0) * augmentation.shift);
        let rotation = match draw.chance(augmentation.rotation_chance) {
            true => {
                let share = match augmentation.rotation_law {
                    Law::Normal | Law::Linear => draw.normal().clamp(-2.0, 2.0),
                    Law::Uniform => draw.uniform(-1.0, 1.0),
                };
                (share * augmentation.rotation).to_radians()
            }
            false => 0.0,
        };
        let flip = draw.chance(augmentation.flip);
        let cutout = match draw.chance(augmentation.cutout) {
            true => Some(Cutout::draw(size, draw)),
            false => None,
        };
        let mut colours = Colours::draw(augmentation, draw);
        let vertical_flip = draw.chance(augmentation.vertical_flip);
        colours.hue = draw.uniform(-augmentation.hue, augmentation.hue);
        let sharpness = factor(augmentation.sharpness, draw);
        let blur = match draw.chance(augmentation.blur) {
            true => Some(augmentation.blur_sigma * draw.uniform(1.0 / 3.0, 1.0)),
            false => None,
        };
        let equalize = draw.chance(augmentation.equalize);
        let occlusion = match draw.chance(augmentation.occlusion) {
            true => Some(Occlusion::draw(draw)),
            false => None,
        };
        Self {
            half,
            scale,
            shift,
            rotation,
            flip,
            vertical_flip,
            cutout,
            colour: colours.map(),
            sharpness,
            blur,
            equalize,
            occlusion,
        }
    }
}

fn factor(spread: Spread, draw: &mut Draw) -> f32 {
    1.0 + draw.uniform(spread.low, spread.high)
}

impl Cutout {
    fn draw(size: Size, draw: &mut Draw) -> Self {
        let mut side = |full: usize| {
            let length = (full as f32 * draw.uniform(0.1, 0.35)) as usize;
            (draw.below(full.saturating_sub(length).max(1)), length)
        };
        let ((x, width), (y, height)) = (side(size.width), side(size.height));
        let colour = [0; 3].map(|_| draw.below(256) as u8);
        Self {
            x,
            y,
            width,
            height,
            colour,
        }
    }

    /// Covers the rectangle.
    pub fn apply(&self, pixels: &mut [u8], size: Size) {
        let rows = pixels.chunks_exact_mut(size.width * 3);
        for row in rows.skip(self.y).take(self.height) {
            for pixel in row.chunks_exact_mut(3).skip(self.x).take(self.width) {
                pixel.copy_from_slice(&self.colour);
            }
        }
    }
}

impl Occlusion {
    fn draw(draw: &mut Draw) -> Self {
        Self {
            which: draw.unit(),
            size: [(); 2].map(|()| draw.uniform(0.08, 0.25)),
            inside: [(); 2].map(|()| draw.uniform(0.25, 0.75)),
            source: [(); 2].map(|()| draw.unit()),
        }
    }

    /// Covers one of `points`, which are in continuous pixels of the input.
    pub fn apply(&self, pixels: &mut [u8], size: Size, points: &[pose::Point]) {
        let (full_width, full_height) = (size.width as f32, size.height as f32);
        let inside = |p: &&pose::Point| {
            (0.0..full_width).contains(&p.x) && (0.0..full_height).contains(&p.y)
        };
        let points: Vec<&pose::Point> = points.iter().filter(inside).collect();
        let which = (self.which * points.len() as f32) as usize;
        let Some(point) = points.get(which) else {
            return;
        };
        // From where to where, along one axis.
        let place = |axis: usize, full: usize, at: f32| {
            let length = ((self.size[axis] * full as f32) as usize).clamp(1, full);
            let free = (full - length) as f32;
            let to = (at - self.inside[axis] * length as f32).clamp(0.0, free);
            let from = self.source[axis] * free;
            (length, to as usize, from as usize)
        };
        let (width, to_x, from_x) = place(0, size.width, point.x);
        let (height, to_y, from_y) = place(1, size.height, point.y);
        let row = |x: usize, y: usize| {
            let start = (y * size.width + x) * 3;
            start..start + width * 3
        };
        let piece: Vec<u8> = (0..height)
            .flat_map(|y| pixels[row(from_x, from_y + y)].iter().copied())
            .collect();
        for (y, from) in piece.chunks_exact(width * 3).enumerate() {
            pixels[row(to_x, to_y + y)].copy_from_slice(from);
        }
    }
}

struct Colours {
    brightness: f32,
    contrast: f32,
    gains: [f32; 3],
    saturation: f32,
    hue: f32,
}

impl Colours {
    fn draw(augmentation: &Augmentation, draw: &mut Draw) -> Self {
        let brightness = factor(augmentation.brightness, draw);
        let contrast = factor(augmentation.contrast, draw);
        let gains = [(); 3].map(|()| factor(augmentation.gain, draw));
        let saturation = factor(augmentation.saturation, draw);
        let grey = draw.chance(augmentation.grey);
        Self {
            brightness,
            contrast,
            gains,
            saturation: if grey { 0.0 } else { saturation },
            hue: 0.0,
        }
    }

    /// First the hue, then saturation, brightness and contrast, then the channels' factors.
    fn map(&self) -> ColourMap {
        let Self {
            brightness,
            contrast,
            saturation,
            ..
        } = *self;
        let mut matrix = [[0.0; 3]; 3];
        for (row, values) in matrix.iter_mut().enumerate() {
            for (column, value) in values.iter_mut().enumerate() {
                let identity = if row == column { 1.0 } else { 0.0 };
                let mixed = saturation * identity + (1.0 - saturation) * LUMA[column];
                *value = mixed * self.gains[row] * brightness * contrast;
            }
        }
        if self.hue != 0.0 {
            matrix = product(&matrix, &hue_turn(self.hue));
        }
        let offset = MEAN * brightness * (1.0 - contrast);
        ColourMap {
            matrix,
            offset: [offset; 3],
        }
    }
}

fn product(a: &[[f32; 3]; 3], b: &[[f32; 3]; 3]) -> [[f32; 3]; 3] {
    let cell = |row: usize, column: usize| (0..3).map(|i| a[row][i] * b[i][column]).sum();
    [0, 1, 2].map(|row| [0, 1, 2].map(|column| cell(row, column)))
}

/// Turns the colour circle by a fraction of it, around the axis of greys: brightness stays, and
/// so do greys. In the basis of B − Y and R − Y, scaled as in YUV (ITU-R BT.601).
fn hue_turn(turn: f32) -> [[f32; 3]; 3] {
    const U: f32 = 0.492;
    const V: f32 = 0.877;
    let (sin, cos) = (std::f32::consts::TAU * turn).sin_cos();
    let [r, g, b] = LUMA;
    let to_yuv = [
        [r, g, b],
        [-U * r, -U * g, U * (1.0 - b)],
        [V * (1.0 - r), -V * g, -V * b],
    ];
    let turned = [[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]];
    let to_rgb = [
        [1.0, 0.0, 1.0 / V],
        [1.0, -b / (g * U), -r / (g * V)],
        [1.0, 1.0 / U, 0.0],
    ];
    product(&to_rgb, &product(&turned, &to_yuv))
}

impl ColourMap {
    /// The colour of a pixel, not yet cut to 0..255.
    pub fn apply(&self, pixel: [u8; 3]) -> [f32; 3] {
        let rgb = pixel.map(f32::from);
        [0, 1, 2].map(|channel| {
            let m = self.matrix[channel];
            m[0] * rgb[0] + m[1] * rgb[1] + m[2] * rgb[2] + self.offset[channel]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::square(64);

    fn drawn(augmentation: &Augmentation, count: u64) -> Vec<Changes> {
        let mut draw = Draw::new(9, [0, 0]);
        let one = |_| Changes::draw(augmentation, SIZE, &mut draw);
        (0..count).map(one).collect()
    }

    #[test]
    fn nothing_changes_without_augmentation() {
        for changes in drawn(&Augmentation::NONE, 20) {
            assert_eq!(changes.scale, 1.0);
            assert_eq!(changes.shift, [0.0; 2]);
            assert_eq!(changes.rotation, 0.0);
            assert!(!changes.flip && !changes.vertical_flip && !changes.equalize);
            assert!(changes.half.is_none() && changes.blur.is_none());
            assert!(changes.cutout.is_none() && changes.occlusion.is_none());
            assert_eq!(changes.sharpness, 1.0);
            for pixel in [[0, 0, 0], [255, 255, 255], [12, 200, 90]] {
                let found = changes.colour.apply(pixel);
                for (found, expected) in found.iter().zip(pixel) {
                    assert!((found - f32::from(expected)).abs() < 1e-3);
                }
            }
        }
    }

    /// Shares and ranges that the earlier projects state.
    #[test]
    fn the_presets_keep_to_their_ranges() {
        let share = |list: &[Changes], is: &dyn Fn(&Changes) -> bool| {
            list.iter().filter(|c| is(c)).count() as f64 / list.len() as f64
        };
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 0.04, "{found}");
        let degrees = |c: &Changes| c.rotation.to_degrees();
        let s3 = drawn(&Augmentation::S3, 2000);
        near(share(&s3, &|c| c.flip), 0.5);
        near(share(&s3, &|c| c.vertical_flip), 0.5);
        near(share(&s3, &|c| c.rotation != 0.0), 0.5);
        near(share(&s3, &|c| c.equalize), 0.2);
        near(share(&s3, &|c| c.blur.is_some()), 0.2);
        // Half of a uniform range is its middle half.
        near(share(&s3, &|c| (0.9..1.1).contains(&c.scale)), 0.5);
        assert!(s3.iter().all(|c| (0.8..=1.2).contains(&c.scale)));
        assert!(s3.iter().all(|c| degrees(c).abs() <= 30.0));
        assert!(s3.iter().all(|c| (0.5..=2.0).contains(&c.sharpness)));

        let s4 = drawn(&Augmentation::S4, 2000);
        assert!(s4.iter().all(|c| (0.75..=1.25).contains(&c.scale)));
        // A third of a normal distribution is beyond its deviation.
        near(share(&s4, &|c| c.scale == 0.75 || c.scale == 1.25), 0.317);
        near(share(&s4, &|c| c.rotation != 0.0), 0.6);
        assert!(s4.iter().all(|c| degrees(c).abs() <= 60.01));
        near(share(&s4, &|c| degrees(c).abs() > 59.99), 0.6 * 0.0455);
        for changes in &s4 {
            for (channel, row) in changes.colour.matrix.iter().enumerate() {
                assert!((0.8..=1.2).contains(&row[channel]));
            }
        }
    }

    #[test]
    fn colours_change_as_asked() {
        let colours = Colours {
            brightness: 1.0,
            contrast: 1.0,
            gains: [1.0; 3],
            saturation: 1.0,
            hue: 0.0,
        };
        let pixel = [200u8, 100, 40];
        let luma = 0.299 * 200.0 + 0.587 * 100.0 + 0.114 * 40.0;
        let check = |colours: Colours, expected: [f32; 3]| {
            let found = colours.map().apply(pixel);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 0.02, "{found} {expected}");
            }
        };
        check(
            Colours {
                brightness: 1.5,
                ..colours
            },
            [300.0, 150.0, 60.0],
        );
        let contrast = [200.0, 100.0, 40.0].map(|v: f32| MEAN + (v - MEAN) * 0.5);
        check(
            Colours {
                contrast: 0.5,
                ..colours
            },
            contrast,
        );
        check(
            Colours {
                saturation: 0.0,
                ..colours
            },
            [luma; 3],
        );
        check(
            Colours {
                gains: [0.5, 1.0, 2.0],
                ..colours
            },
            [100.0, 100.0, 80.0],
        );
        // A whole turn changes nothing, half a turn gives the complement around the brightness.
        check(
            Colours {
                hue: 1.0,
                ..colours
            },
            [200.0, 100.0, 40.0],
        );
        let complement = [200.0, 100.0, 40.0].map(|v| 2.0 * luma - v);
        check(
            Colours {
                hue: 0.5,
                ..colours
            },
            complement,
        );
        for turn in [0.1, 0.37] {
            let [r, g, b] = Colours {
                hue: turn,
                ..colours
            }
            .map()
            .apply(pixel);
            assert!((0.299 * r + 0.587 * g + 0.114 * b - luma).abs() < 0.01);
            let grey = Colours {
                hue: turn,
                ..colours
            }
            .map()
            .apply([90; 3]);
            assert!(grey.iter().all(|v| (v - 90.0).abs() < 0.01));
        }
    }

    #[test]
    fn an_occlusion_covers_a_keypoint_of_the_picture() {
        let ground: Vec<u8> = (0..SIZE.width * SIZE.height * 3)
            .map(|i| (i % 251) as u8)
            .collect();
        for seed in 0..50 {
            let mut draw = Draw::new(seed, [0, 0]);
            let occlusion = Occlusion::draw(&mut draw);
            let points = [
                pose::Point::new(-5.0, 3.0),
                pose::Point::new(20.5, 31.5),
                pose::Point::new(63.5, 0.5),
            ];
            let mut pixels = ground.clone();
            occlusion.apply(&mut pixels, SIZE, &points);
            let changed = |p: &pose::Point| {
                let at = (p.y as usize * SIZE.width + p.x as usize) * 3;
                pixels[at..at + 3] != ground[at..at + 3]
            };
            assert!(changed(&points[1]) || changed(&points[2]), "{occlusion:?}");
            let count = pixels
                .chunks(3)
                .zip(ground.chunks(3))
                .filter(|(a, b)| a != b)
                .count();
            assert!(count <= 16 * 16);
            let mut untouched = ground.clone();
            occlusion.apply(&mut untouched, SIZE, &points[..1]);
            assert_eq!(untouched, ground);
        }
    }
}
