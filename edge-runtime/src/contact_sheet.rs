//! Many people on one picture, each with the skeleton that was found.

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_6X10;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{Drawable, Point as Pixel};
use embedded_graphics::text::{Baseline, Text};
use image::{RgbImage, imageops};
use pose::{BORDER, Crop, Keypoint, KeypointSet, Point, Pose, RgbView, Size, warp_rgb};

use crate::canvas::Canvas;
use crate::draw::{SkeletonStyle, draw_skeleton};
use crate::error::RuntimeError;

/// Side of a tile's picture in pixels.
const TILE: usize = 256;
/// Height of the caption below it.
const CAPTION: usize = 14;
/// Space between tiles.
const GAP: usize = 6;

/// One person of a contact sheet.
#[derive(Debug)]
pub struct SheetEntry<'a> {
    /// The photo.
    pub photo: &'a RgbImage,
    /// The part of it to show.
    pub crop: Crop,
    /// What was found, in the photo's coordinates.
    pub pose: &'a Pose,
    /// The line below, ASCII.
    pub caption: String,
}

/// A contact sheet that is filled tile by tile, so that only one photo is in memory at a time.
#[derive(Debug)]
pub struct ContactSheet {
    picture: RgbImage,
    columns: usize,
    filled: usize,
}

impl ContactSheet {
    /// An empty sheet for `count` people, about a third wider than high.
    pub fn new(count: usize) -> ContactSheet {
        let columns = ((count as f32 * 1.5).sqrt().ceil() as usize).clamp(1, count.max(1));
        let rows = count.max(1).div_ceil(columns);
        let width = columns * (TILE + GAP) + GAP;
        let height = rows * (TILE + CAPTION + GAP) + GAP;
        ContactSheet {
            picture: RgbImage::from_pixel(width as u32, height as u32, image::Rgb([32, 32, 36])),
            columns,
            filled: 0,
        }
    }

    /// Draws the next person; beyond the sheet's number nothing is drawn.
    ///
    /// # Errors
    /// A photo whose bytes do not fit its size.
    pub fn add(
        &mut self,
        entry: &SheetEntry<'_>,
        set: &KeypointSet,
        min_confidence: f32,
    ) -> Result<(), RuntimeError> {
        let tile = draw_tile(entry, set, min_confidence)?;
        let x = GAP + (self.filled % self.columns) * (TILE + GAP);
        let y = GAP + (self.filled / self.columns) * (TILE + CAPTION + GAP);
        imageops::replace(&mut self.picture, &tile, x as i64, y as i64);
        let style = MonoTextStyle::new(&FONT_6X10, Rgb888::WHITE);
        let at = Pixel::new(x as i32 + 2, (y + TILE + 2) as i32);
        // Drawing on a picture cannot fail; the error type is empty.
        let _ = Text::with_baseline(&entry.caption, at, style, Baseline::Top)
            .draw(&mut Canvas::new(&mut self.picture));
        self.filled += 1;
        Ok(())
    }

    /// The sheet.
    pub fn into_picture(self) -> RgbImage {
        self.picture
    }
}

/// The part of the photo with the skeleton on it, both through the same map.
fn draw_tile(
    entry: &SheetEntry<'_>,
    set: &KeypointSet,
    min_confidence: f32,
) -> Result<RgbImage, RuntimeError> {
    let size = Size::square(TILE);
    let (width, height) = entry.photo.dimensions();
    let view = RgbView::new(entry.photo.as_raw(), width as usize, height as usize);
    let mut tile = RgbImage::new(TILE as u32, TILE as u32);
    warp_rgb(&view, &entry.crop.to_frame(size), &mut tile, size, BORDER)?;
    let to_tile = entry.crop.to_input(size);
    let keypoints = entry.pose.keypoints.iter().map(|k| {
        let at = to_tile.apply(Point::new(k.x, k.y));
        Keypoint {
            x: at.x,
            y: at.y,
            ..*k
        }
    });
    let pose = Pose::new(keypoints.collect());
    let style = SkeletonStyle::for_pose(&pose, TILE as u32, TILE as u32, min_confidence);
    draw_skeleton(&mut Canvas::new(&mut tile), &pose, set, &style);
    Ok(tile)
}
