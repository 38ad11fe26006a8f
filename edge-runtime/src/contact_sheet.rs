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

/// Side of a person's tile in pixels.
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
    tile: Size,
    columns: usize,
    filled: usize,
}

/// How many letters of a caption fit below a tile.
fn caption_letters(width: usize) -> usize {
    width.saturating_sub(4) / FONT_6X10.character_size.width as usize
}

impl ContactSheet {
    /// An empty sheet for `count` people, about a third wider than high.
    pub fn new(count: usize) -> ContactSheet {
        ContactSheet::with_tiles(count, Size::square(TILE))
    }

    /// An empty sheet for `count` pictures of this size, about a third wider than high.
    pub fn with_tiles(count: usize, tile: Size) -> ContactSheet {
        let count = count.max(1);
        let aspect = (tile.height + CAPTION + GAP) as f32 / (tile.width + GAP) as f32;
        let columns = (count as f32 * 1.4 * aspect).sqrt().round() as usize;
        let columns = columns.clamp(1, count);
        let rows = count.div_ceil(columns);
        let width = columns * (tile.width + GAP) + GAP;
        let height = rows * (tile.height + CAPTION + GAP) + GAP;
        ContactSheet {
            picture: RgbImage::from_pixel(width as u32, height as u32, image::Rgb([32, 32, 36])),
            tile,
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
        let tile = draw_tile(entry, self.tile, set, min_confidence)?;
        self.add_picture(&tile, &entry.caption);
        Ok(())
    }

    /// Puts the next picture down, with a line of text below it; what is too long is cut off.
    pub fn add_picture(&mut self, picture: &RgbImage, caption: &str) {
        let Size { width, height } = self.tile;
        let x = GAP + (self.filled % self.columns) * (width + GAP);
        let y = GAP + (self.filled / self.columns) * (height + CAPTION + GAP);
        let shown = imageops::crop_imm(picture, 0, 0, width as u32, height as u32);
        imageops::replace(&mut self.picture, &*shown, x as i64, y as i64);
        let style = MonoTextStyle::new(&FONT_6X10, Rgb888::WHITE);
        let at = Pixel::new(x as i32 + 2, (y + height + 2) as i32);
        let caption: String = caption.chars().take(caption_letters(width)).collect();
        // Drawing on a picture cannot fail; the error type is empty.
        let _ = Text::with_baseline(&caption, at, style, Baseline::Top)
            .draw(&mut Canvas::new(&mut self.picture));
        self.filled += 1;
    }

    /// The sheet.
    pub fn into_picture(self) -> RgbImage {
        self.picture
    }
}

/// The part of the photo with the skeleton on it, both through the same map.
fn draw_tile(
    entry: &SheetEntry<'_>,
    size: Size,
    set: &KeypointSet,
    min_confidence: f32,
) -> Result<RgbImage, RuntimeError> {
    let (width, height) = entry.photo.dimensions();
    let view = RgbView::new(entry.photo.as_raw(), width as usize, height as usize);
    let (tile_width, tile_height) = (size.width as u32, size.height as u32);
    let mut tile = RgbImage::new(tile_width, tile_height);
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
    let style = SkeletonStyle::for_pose(&pose, tile_width, tile_height, min_confidence);
    draw_skeleton(&mut Canvas::new(&mut tile), &pose, set, &style);
    Ok(tile)
}
