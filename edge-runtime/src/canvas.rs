//! A picture as something to draw on: smooth limbs and dots, and everything embedded-graphics has.

use core::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use image::RgbImage;
use pose::{Point, Rgb};

use crate::draw::Brush;

/// Draws on a picture. What lies outside is cut off.
#[derive(Debug)]
pub struct Canvas<'a> {
    picture: &'a mut RgbImage,
}

impl<'a> Canvas<'a> {
    /// Draws on `picture`.
    pub fn new(picture: &'a mut RgbImage) -> Canvas<'a> {
        Canvas { picture }
    }

    /// Blends `color` over every pixel by how much of it lies within `radius` of the segment from
    /// `a` to `b`, taken as 1 inside, 0 outside, and linear across the pixel that the edge goes
    /// through:
    ///
    /// ```text
    /// for each pixel with centre p near the segment:
    ///     coverage = clamp(radius + 0.5 - distance(p, segment), 0, 1)
    ///     pixel = pixel + coverage · (color - pixel)
    /// ```
    fn fill_capsule(&mut self, a: Point, b: Point, radius: f32, color: Rgb) {
        let (width, height) = self.picture.dimensions();
        let Some(rows) = span(a.y.min(b.y), a.y.max(b.y), radius, height) else {
            return;
        };
        let along = Point::new(b.x - a.x, b.y - a.y);
        let length_squared = along.x * along.x + along.y * along.y;
        for y in rows {
            let py = y as f32 + 0.5;
            let Some(columns) = row_span(a, b, py, radius, width) else {
                continue;
            };
            for x in columns {
                let from_a = Point::new(x as f32 + 0.5 - a.x, py - a.y);
                let t = if length_squared > 0.0 {
                    let projected = from_a.x * along.x + from_a.y * along.y;
                    (projected / length_squared).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let distance = (from_a.x - t * along.x).hypot(from_a.y - t * along.y);
                let coverage = (radius + 0.5 - distance).clamp(0.0, 1.0);
                if coverage > 0.0 {
                    blend(&mut self.picture.get_pixel_mut(x, y).0, color, coverage);
                }
            }
        }
    }
}

/// The columns that a capsule can touch in the row at height `y`: those around the part of the
/// segment that is within reach of the row. Keeps long slanted limbs from visiting their whole box.
fn row_span(a: Point, b: Point, y: f32, radius: f32, width: u32) -> Option<core::ops::Range<u32>> {
    let reach = radius + 1.0;
    let x_at = |y: f32| {
        if a.y == b.y {
            return None;
        }
        let t = ((y - a.y) / (b.y - a.y)).clamp(0.0, 1.0);
        Some(a.x + t * (b.x - a.x))
    };
    let (low, high) = match (x_at(y - reach), x_at(y + reach)) {
        (Some(p), Some(q)) => (p.min(q), p.max(q)),
        _ => (a.x.min(b.x), a.x.max(b.x)),
    };
    span(low, high, radius, width)
}

/// Whole pixels within `radius` (and the soft edge) of `low..=high`, cut to `0..size`.
fn span(low: f32, high: f32, radius: f32, size: u32) -> Option<core::ops::Range<u32>> {
    if !(low.is_finite() && high.is_finite() && radius.is_finite()) {
        return None;
    }
    // Casts from float to integer saturate, so far-away limbs are cut like all others.
    let first = (low - radius - 1.0).floor().max(0.0) as u32;
    let last = ((high + radius + 1.0).ceil().max(0.0) as u32).min(size);
    (first < last).then_some(first..last)
}

fn blend(pixel: &mut [u8; 3], color: Rgb, coverage: f32) {
    for (value, target) in pixel.iter_mut().zip([color.r, color.g, color.b]) {
        let (from, to) = (f32::from(*value), f32::from(target));
        *value = (from + coverage * (to - from)).round() as u8;
    }
}

impl Brush for Canvas<'_> {
    fn limb(&mut self, from: Point, to: Point, width: f32, color: Rgb) {
        self.fill_capsule(from, to, width * 0.5, color);
    }

    fn dot(&mut self, center: Point, radius: f32, color: Rgb) {
        self.fill_capsule(center, center, radius, color);
    }
}

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        let (width, height) = self.picture.dimensions();
        Size::new(width, height)
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(point, color) in pixels {
            if let (Ok(x), Ok(y)) = (u32::try_from(point.x), u32::try_from(point.y))
                && let Some(pixel) = self.picture.get_pixel_mut_checked(x, y)
            {
                pixel.0 = [color.r(), color.g(), color.b()];
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::Drawable;
    use embedded_graphics::prelude::Primitive;
    use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};

    /// The picture's red values as tenths of full, `.` for 0 and `#` for full.
    fn ascii(picture: &RgbImage) -> Vec<String> {
        let shade = |v: u8| match v {
            0 => '.',
            255 => '#',
            v => char::from_digit((u32::from(v) * 10 + 127) / 255, 10).unwrap_or('9'),
        };
        picture
            .rows()
            .map(|row| row.map(|p| shade(p.0[0])).collect())
            .collect()
    }

    const RED: Rgb = Rgb::new(255, 0, 0);

    #[test]
    fn a_level_limb_has_straight_soft_edges_and_round_ends() {
        let mut picture = RgbImage::new(10, 5);
        // Two pixels thick around y = 2.5: row 2 whole, rows 1 and 3 half covered.
        Canvas::new(&mut picture).limb(Point::new(2.5, 2.5), Point::new(7.5, 2.5), 2.0, RED);
        assert_eq!(
            ascii(&picture),
            [
                "..........",
                ".15555551.",
                ".5######5.",
                ".15555551.",
                "..........",
            ]
        );
    }

    #[test]
    fn the_area_of_a_dot_is_that_of_a_circle() {
        for (radius, center) in [(3.0, 8.0), (4.3, 8.27), (2.5, 7.9)] {
            let mut picture = RgbImage::new(16, 16);
            Canvas::new(&mut picture).dot(Point::new(center, center), radius, RED);
            let area: f32 = picture.pixels().map(|p| f32::from(p.0[0]) / 255.0).sum();
            let expected = core::f32::consts::PI * radius * radius;
            assert!(
                (area / expected - 1.0).abs() < 0.02,
                "{area} instead of {expected}"
            );
        }
    }

    #[test]
    fn a_slanted_limb_equals_the_one_drawn_pixel_by_pixel() {
        let (a, b, radius) = (Point::new(3.2, 25.7), Point::new(27.9, 4.4), 2.2);
        let mut picture = RgbImage::new(32, 32);
        Canvas::new(&mut picture).limb(a, b, 2.0 * radius, RED);
        for (x, y, pixel) in picture.enumerate_pixels() {
            // Distance to the segment by sampling it finely.
            let p = Point::new(x as f32 + 0.5, y as f32 + 0.5);
            let distance = (0..=4000)
                .map(|i| i as f32 / 4000.0)
                .map(|t| p.distance(Point::new(a.x + t * (b.x - a.x), a.y + t * (b.y - a.y))))
                .fold(f32::INFINITY, f32::min);
            let expected = 255.0 * (radius + 0.5 - distance).clamp(0.0, 1.0);
            assert!(
                (f32::from(pixel.0[0]) - expected).abs() < 3.0,
                "at {x}, {y}"
            );
        }
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let mut picture = RgbImage::new(4, 4);
        let mut canvas = Canvas::new(&mut picture);
        canvas.limb(Point::new(-1e9, -1e9), Point::new(-10.0, -10.0), 3.0, RED);
        canvas.limb(Point::new(f32::NAN, 0.0), Point::new(1.0, 1.0), 3.0, RED);
        canvas.dot(Point::new(50.0, 2.0), 3.0, RED);
        let style = PrimitiveStyle::with_fill(Rgb888::RED);
        let square = Rectangle::new(
            embedded_graphics::geometry::Point::new(2, -3),
            Size::new(9, 4),
        );
        square.into_styled(style).draw(&mut canvas).unwrap();
        assert_eq!(ascii(&picture), ["..##", "....", "....", "...."]);
    }
}
