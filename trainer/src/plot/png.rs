//! PNG pictures: drawn at twice the size, then averaged, so that lines and letters are smooth.

use std::convert::Infallible;
use std::io::Cursor;

use ab_glyph::{Font, FontRef, GlyphId, PxScale, ScaleFont, point};
use image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendTextStyle, DrawingErrorKind};

use super::failed;
use crate::error::TrainError;

/// Pixels that are drawn for each pixel of the picture, along each side.
const OVERSAMPLING: u32 = 2;
/// The pictures' font: DejaVu Sans, reduced to Latin letters.
const FONT_FILE: &[u8] = include_bytes!("../../../assets/fonts/dejavu-sans-latin.ttf");

/// The area of a picture in memory.
pub type Area<'a> = DrawingArea<Canvas<'a>, Shift>;

/// A PNG file of `width` × `height` pixels, drawn by a function that is told how many times larger
/// to draw.
///
/// # Errors
/// What the function says; pictures that cannot be encoded.
pub fn draw(
    (width, height): (u32, u32),
    content: impl FnOnce(&Area<'_>, u32) -> Result<(), TrainError>,
) -> Result<Vec<u8>, TrainError> {
    let mut large = RgbImage::new(width * OVERSAMPLING, height * OVERSAMPLING);
    let font = FontRef::try_from_slice(FONT_FILE).map_err(failed)?;
    let canvas = Canvas {
        pixels: &mut large,
        font,
    };
    content(&canvas.into_drawing_area(), OVERSAMPLING)?;
    let picture = RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([0, 1, 2].map(|channel| {
            let inside = (0..OVERSAMPLING.pow(2)).map(|i| {
                let (dx, dy) = (i % OVERSAMPLING, i / OVERSAMPLING);
                let pixel = large.get_pixel(x * OVERSAMPLING + dx, y * OVERSAMPLING + dy);
                u32::from(pixel.0[channel])
            });
            (inside.sum::<u32>() / OVERSAMPLING.pow(2)) as u8
        }))
    });
    let mut bytes = Vec::new();
    picture
        .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
        .map_err(failed)?;
    Ok(bytes)
}

/// A picture that plotters draws on, with letters from the one font.
pub struct Canvas<'a> {
    pixels: &'a mut RgbImage,
    font: FontRef<'static>,
}

/// plotters' text sizes are line heights; its SVG backend divides by the same.
const LINE_OVER_EM: f32 = 1.24;
/// Half the height of a capital letter, and what goes below the line, as parts of the em.
const HALF_CAPITAL: f32 = 0.365;
const DESCENT: f32 = 0.236;
const ASCENT: f32 = 0.76;

impl Canvas<'_> {
    /// Glyphs of a text with their positions, and its width.
    fn glyphs(&self, text: &str, scale: PxScale) -> (Vec<(GlyphId, f32)>, f32) {
        let font = self.font.as_scaled(scale);
        let mut x = 0.0;
        let mut last = None;
        let mut glyphs = Vec::new();
        for letter in text.chars() {
            let id = font.glyph_id(letter);
            if let Some(last) = last {
                x += font.kern(last, id);
            }
            glyphs.push((id, x));
            x += font.h_advance(id);
            last = Some(id);
        }
        (glyphs, x)
    }

    /// The em in pixels, and what the font library calls a scale.
    fn scale(&self, size: f64) -> (f32, PxScale) {
        let em = size as f32 / LINE_OVER_EM;
        let units = self.font.units_per_em().unwrap_or(2048.0);
        (em, PxScale::from(em * self.font.height_unscaled() / units))
    }
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.pixels.dimensions()
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn draw_pixel(
        &mut self,
        (x, y): BackendCoord,
        colour: BackendColor,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let place = (u32::try_from(x), u32::try_from(y));
        if let (Ok(x), Ok(y)) = place
            && let Some(pixel) = self.pixels.get_pixel_mut_checked(x, y)
        {
            let (r, g, b) = colour.rgb;
            for (old, new) in pixel.0.iter_mut().zip([r, g, b]) {
                let mixed = f64::from(*old) + (f64::from(new) - f64::from(*old)) * colour.alpha;
                *old = mixed.round() as u8;
            }
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let (em, scale) = self.scale(style.size());
        let (glyphs, width) = self.glyphs(text, scale);
        let left = x as f32
            - match style.anchor().h_pos {
                HPos::Left => 0.0,
                HPos::Center => width / 2.0,
                HPos::Right => width,
            };
        let line = y as f32
            + em * match style.anchor().v_pos {
                VPos::Top => ASCENT,
                VPos::Center => HALF_CAPITAL,
                VPos::Bottom => -DESCENT,
            };
        let colour = style.color();
        for (id, offset) in glyphs {
            let glyph = id.with_scale_and_position(scale, point(left + offset, line));
            let Some(outline) = self.font.outline_glyph(glyph) else {
                continue;
            };
            let corner = outline.px_bounds().min;
            outline.draw(|dx, dy, cover| {
                let place = (corner.x as i32 + dx as i32, corner.y as i32 + dy as i32);
                let alpha = colour.alpha * f64::from(cover.clamp(0.0, 1.0));
                // Drawing in memory cannot fail.
                let _ = self.draw_pixel(place, BackendColor { alpha, ..colour });
            });
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let (em, scale) = self.scale(style.size());
        let width = self.glyphs(text, scale).1;
        Ok((width.ceil() as u32, (em * (ASCENT + DESCENT)).ceil() as u32))
    }
}
