//! The picture that people look at: the frame, the skeletons, and some lines of text.

use embedded_graphics::mono_font::ascii::{FONT_6X10, FONT_8X13};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{Drawable, Point as Pixel};
use embedded_graphics::text::{Baseline, Text};
use image::RgbImage;
use pose::{KeypointSet, Pose};

use crate::canvas::Canvas;
use crate::draw::{SkeletonStyle, draw_skeleton};
use crate::live::sink::LiveFrame;

/// Space around text, in pixels.
const MARGIN: u32 = 4;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Left and right change places in the picture, as in a mirror. What is called left stays left.
    pub mirror: bool,
    /// The skeletons on black instead of the frame: nobody is recognized.
    pub black: bool,
    /// Every keypoint's name beside it.
    pub names: bool,
    /// Keypoints below this confidence are left out.
    pub min_confidence: f32,
}

impl Default for Look {
    fn default() -> Look {
        Look {
            mirror: false,
            black: false,
            names: false,
            min_confidence: 0.2,
        }
    }
}

/// Paints frames into one picture that is used again and again.
#[derive(Clone, Debug)]
pub struct Painter {
    set: KeypointSet,
    picture: RgbImage,
    /// A pose as it is shown.
    pose: Pose,
}

impl Painter {
    /// A painter of skeletons with these names and bones.
    pub fn new(set: KeypointSet) -> Painter {
        Painter {
            set,
            picture: RgbImage::new(0, 0),
            pose: Pose::default(),
        }
    }

    /// The frame with its people.
    pub fn paint(&mut self, frame: &LiveFrame, look: &Look) -> &mut RgbImage {
        let from = &frame.frame.picture;
        let (width, height) = from.dimensions();
        if self.picture.dimensions() != (width, height) {
            self.picture = RgbImage::new(width, height);
        }
        if look.black {
            self.picture.fill(0);
        } else if look.mirror {
            copy_mirrored(from, &mut self.picture);
        } else {
            self.picture.copy_from_slice(from);
        }
        for person in &frame.people {
            self.pose.clone_from(&person.pose);
            if look.mirror {
                for keypoint in &mut self.pose.keypoints {
                    keypoint.x = width as f32 - keypoint.x;
                }
            }
            let style = SkeletonStyle::for_pose(&self.pose, width, height, look.min_confidence);
            let mut canvas = Canvas::new(&mut self.picture);
            draw_skeleton(&mut canvas, &self.pose, &self.set, &style);
            if look.names {
                draw_names(
                    &mut self.picture,
                    &self.pose,
                    &self.set,
                    look.min_confidence,
                );
            }
        }
        &mut self.picture
    }

    /// The picture that was painted last, to draw on.
    pub fn picture(&mut self) -> &mut RgbImage {
        &mut self.picture
    }
}

/// Rows of `to` are those of `from` from right to left; both have the same size.
fn copy_mirrored(from: &RgbImage, to: &mut RgbImage) {
    let row = 3 * from.width().max(1) as usize;
    for (from, to) in from.chunks_exact(row).zip(to.chunks_exact_mut(row)) {
        let (from, _) = from.as_chunks::<3>();
        let (to, _) = to.as_chunks_mut::<3>();
        for (from, to) in from.iter().rev().zip(to) {
            *to = *from;
        }
    }
}

fn draw_names(picture: &mut RgbImage, pose: &Pose, set: &KeypointSet, min_confidence: f32) {
    for (name, keypoint) in set.keypoints.iter().zip(&pose.keypoints) {
        if keypoint.confidence >= min_confidence && keypoint.x.is_finite() && keypoint.y.is_finite()
        {
            let (x, y) = (keypoint.x as i32 + 6, keypoint.y as i32 - 5);
            draw_text(picture, name, x, y, &FONT_6X10);
        }
    }
}

/// The font for a picture of this width.
fn font_for(width: u32) -> &'static MonoFont<'static> {
    if width < 480 { &FONT_6X10 } else { &FONT_8X13 }
}

/// White letters with a dark shadow.
fn draw_text(picture: &mut RgbImage, text: &str, x: i32, y: i32, font: &MonoFont<'_>) {
    let mut canvas = Canvas::new(picture);
    for (shift, color) in [(1, Rgb888::BLACK), (0, Rgb888::WHITE)] {
        let style = MonoTextStyle::new(font, color);
        // Drawing on a picture cannot fail; the error type is empty.
        let _ = Text::with_baseline(text, Pixel::new(x + shift, y + shift), style, Baseline::Top)
            .draw(&mut canvas);
    }
}

/// Where a box of text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the top left.
    Top,
    /// In the middle.
    Middle,
}

/// Writes lines of ASCII on a darkened box; what does not fit is cut off.
pub fn write_box(picture: &mut RgbImage, text: &str, place: Place) {
    let (width, height) = picture.dimensions();
    let font = font_for(width);
    let letter = font.character_size;
    let columns = text.lines().map(str::len).max().unwrap_or_default() as u32;
    let rows = text.lines().count() as u32;
    let size = (
        columns * letter.width + 2 * MARGIN,
        rows * letter.height + 2 * MARGIN,
    );
    let (left, top) = match place {
        Place::Top => (0, 0),
        Place::Middle => (
            width.saturating_sub(size.0) / 2,
            height.saturating_sub(size.1) / 2,
        ),
    };
    darken(picture, left, top, size);
    for (row, line) in text.lines().enumerate() {
        let y = top + MARGIN + row as u32 * letter.height;
        draw_text(picture, line, (left + MARGIN) as i32, y as i32, font);
    }
}

/// A bar at the lower edge: as long as the confidence is high, red to green.
pub fn draw_confidence(picture: &mut RgbImage, confidence: f32) {
    let (width, height) = picture.dimensions();
    let thickness = (height / 60).clamp(2, 8);
    let top = height.saturating_sub(thickness);
    darken(picture, 0, top, (width, thickness));
    let confidence = confidence.clamp(0.0, 1.0);
    let length = (confidence * width as f32).round() as u32;
    let color = [
        (510.0 * (1.0 - confidence)).min(255.0) as u8,
        (510.0 * confidence).min(255.0) as u8,
        40,
    ];
    for y in top..height {
        for x in 0..length.min(width) {
            picture.put_pixel(x, y, image::Rgb(color));
        }
    }
}

/// Takes two thirds of the light away.
fn darken(picture: &mut RgbImage, left: u32, top: u32, size: (u32, u32)) {
    let (width, height) = picture.dimensions();
    let row = 3 * width as usize;
    let columns = 3 * left.min(width) as usize..3 * (left + size.0).min(width) as usize;
    for y in top.min(height)..(top + size.1).min(height) {
        let start = y as usize * row;
        let values: &mut [u8] = picture;
        for value in &mut values[start + columns.start..start + columns.end] {
            *value /= 3;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Frame, TrackedPose};
    use pose::{Crop, Keypoint, Point};
    use std::time::{Duration, Instant};

    /// A frame that is dark on the left and bright on the right, with both hips of a person.
    fn frame() -> LiveFrame {
        let picture = RgbImage::from_fn(40, 20, |x, _| {
            image::Rgb([if x < 20 { 10 } else { 200 }; 3])
        });
        let mut keypoints = vec![Keypoint::new(0.0, 0.0, 0.0); 16];
        keypoints[2] = Keypoint::new(5.0, 10.0, 0.9);
        keypoints[3] = Keypoint::new(30.0, 10.0, 0.9);
        LiveFrame {
            frame: Frame {
                picture,
                number: 0,
                time: Duration::ZERO,
                taken: Instant::now(),
            },
            people: vec![TrackedPose {
                id: 1,
                pose: Pose::new(keypoints),
                crop: Crop::square(Point::new(20.0, 10.0), 40.0),
            }],
        }
    }

    #[test]
    fn a_mirrored_picture_is_the_picture_from_right_to_left_skeleton_and_all() {
        let mut painter = Painter::new(KeypointSet::mpii());
        let look = Look::default();
        let plain = painter.paint(&frame(), &look).clone();
        let look = Look {
            mirror: true,
            ..look
        };
        let mirrored = painter.paint(&frame(), &look).clone();
        let expected = image::imageops::flip_horizontal(&plain);
        let differences = mirrored.iter().zip(expected.iter());
        let largest = differences.map(|(a, b)| a.abs_diff(*b)).max();
        assert!(largest <= Some(1), "{largest:?}");
        assert_ne!(plain, mirrored);
    }

    #[test]
    fn on_black_only_the_skeleton_is_seen() {
        let mut painter = Painter::new(KeypointSet::mpii());
        let look = Look {
            black: true,
            ..Look::default()
        };
        let picture = painter.paint(&frame(), &look);
        assert_eq!(picture.get_pixel(38, 1).0, [0; 3]);
        assert_ne!(picture.get_pixel(30, 10).0, [0; 3]);
        let look = Look {
            min_confidence: 0.95,
            ..look
        };
        assert!(painter.paint(&frame(), &look).iter().all(|v| *v == 0));
    }

    #[test]
    fn text_and_bars_stay_inside_of_small_pictures() {
        for (width, height) in [(1, 1), (8, 3), (640, 480)] {
            let mut picture = RgbImage::from_pixel(width, height, image::Rgb([90; 3]));
            write_box(&mut picture, "two\nlines", Place::Middle);
            write_box(
                &mut picture,
                "a line that is longer than the picture",
                Place::Top,
            );
            draw_confidence(&mut picture, 0.5);
            assert!(picture.iter().any(|v| *v != 90));
        }
    }
}
