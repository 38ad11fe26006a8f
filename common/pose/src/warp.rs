//! Pixels through an affine map.

use crate::crop::Size;
use crate::geometry::Affine;
use crate::prefilter::{LARGEST_BLOCK, Shrunken, shrink};
use alloc::vec::Vec;

/// The colour beyond the frame's edges, in training and at run time: a middle grey, close to the
/// mean of photos.
pub const BORDER: [u8; 3] = [114, 114, 114];

/// A picture or an output buffer that does not have the size it should have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WarpError {
    /// The frame's bytes do not hold its rows.
    #[error(
        "frame: expected {height} rows of {width} × 3 bytes, {stride_bytes} bytes apart, found {found} bytes"
    )]
    Frame {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// Bytes from one row's start to the next.
        stride_bytes: usize,
        /// Bytes found.
        found: usize,
    },
    /// The output buffer has another length.
    #[error("output: expected {height} × {width} × 3 bytes, found {found}")]
    Output {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// Bytes found.
        found: usize,
    },
}

/// An RGB picture, three bytes a pixel, that lies in somebody else's memory.
#[derive(Clone, Copy, Debug)]
pub struct RgbView<'a> {
    /// The bytes, row after row.
    pub data: &'a [u8],
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes from one row's start to the next, at least 3 · width.
    pub stride_bytes: usize,
}

impl<'a> RgbView<'a> {
    /// A picture whose rows follow each other without gaps.
    pub const fn new(data: &'a [u8], width: usize, height: usize) -> Self {
        Self {
            data,
            width,
            height,
            stride_bytes: width.saturating_mul(3),
        }
    }

    /// The size in pixels.
    pub const fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }

    /// Row `y`, 3 · width bytes; `None` beyond the last row.
    pub(crate) fn row(&self, y: usize) -> Option<&'a [u8]> {
        let start = y.checked_mul(self.stride_bytes)?;
        let end = start.checked_add(self.width.checked_mul(3)?)?;
        self.data.get(start..end).filter(|_| y < self.height)
    }

    fn check(&self) -> Result<(), WarpError> {
        let fits = self.height == 0
            || (self
                .width
                .checked_mul(3)
                .is_some_and(|w| w <= self.stride_bytes)
                && self.row(self.height - 1).is_some());
        if fits {
            return Ok(());
        }
        Err(WarpError::Frame {
            width: self.width,
            height: self.height,
            stride_bytes: self.stride_bytes,
            found: self.data.len(),
        })
    }
}

/// Warps pictures, one after the other, and keeps its buffer between them.
#[derive(Clone, Debug, Default)]
pub struct Warper {
    shrunken: Vec<u8>,
    sums: Vec<u16>,
}

impl Warper {
    /// A warper without a buffer yet.
    pub const fn new() -> Self {
        Self {
            shrunken: Vec::new(),
            sums: Vec::new(),
        }
    }

    /// Fills `out`, `out_size.height` × `out_size.width` × 3 bytes, with the picture that `src`
    /// shows through the map `to_frame` from output to frame coordinates:
    ///
    /// ```text
    /// for each output pixel (i, j):
    ///     p = to_frame · (i + 0.5, j + 0.5)
    ///     out[j][i] = src at p, between the four nearest pixel centres
    /// ```
    ///
    /// Positions are exact to 1/256 pixel; a map that takes pixel centres to pixel centres copies
    /// them exactly. Beyond the frame everything has the colour `border`, and the outermost half
    /// pixel blends into it.
    ///
    /// Where the map makes the frame more than twice as small, blocks of ⌈shrink / 2⌉ pixels are
    /// averaged first, on each of the frame's axes, so that every frame pixel keeps its share
    /// (up to blocks of 128 pixels a side).
    ///
    /// A map that is not finite, or moves things by more than about 10⁹ pixels, shows `border`.
    ///
    /// # Errors
    /// When `src` or `out` does not hold the bytes that its size asks for.
    pub fn warp_rgb(
        &mut self,
        src: &RgbView<'_>,
        to_frame: &Affine,
        out: &mut [u8],
        out_size: Size,
        border: [u8; 3],
    ) -> Result<(), WarpError> {
        src.check()?;
        let bytes = out_size.width.checked_mul(out_size.height);
        if bytes.and_then(|b| b.checked_mul(3)) != Some(out.len()) {
            return Err(WarpError::Output {
                width: out_size.width,
                height: out_size.height,
                found: out.len(),
            });
        }
        let m = to_frame.m;
        if !m.iter().all(|v| v.abs() < 1e9) {
            fill(out, border);
            return Ok(());
        }
        // How many frame pixels lie between neighbouring output pixels, on each frame axis.
        let factor = |along_x: f32, along_y: f32| {
            let shrink = libm::hypotf(along_x, along_y);
            // A little tolerance, so that exactly 2× with rounding errors stays one bilinear step.
            if shrink > 2.001 {
                (libm::ceilf(shrink * 0.5 - 1e-3) as usize).min(LARGEST_BLOCK)
            } else {
                1
            }
        };
        let (fx, fy) = (factor(m[0], m[1]), factor(m[3], m[4]));
        if fx == 1 && fy == 1 {
            bilinear(src, &m.map(f64::from), out, out_size, border);
            return Ok(());
        }
        let Some(Shrunken { x, y, size }) = shrink(
            src,
            to_frame,
            out_size,
            (fx, fy),
            border,
            &mut self.sums,
            &mut self.shrunken,
        ) else {
            fill(out, border);
            return Ok(());
        };
        let small = RgbView::new(&self.shrunken, size.width, size.height);
        let m = m.map(f64::from);
        let (fx, fy) = (fx as f64, fy as f64);
        let m = [
            m[0] / fx,
            m[1] / fx,
            m[2] / fx - x as f64,
            m[3] / fy,
            m[4] / fy,
            m[5] / fy - y as f64,
        ];
        bilinear(&small, &m, out, out_size, border);
        Ok(())
    }
}

/// [`Warper::warp_rgb`] for a single picture.
///
/// # Errors
/// When `src` or `out` does not hold the bytes that its size asks for.
pub fn warp_rgb(
    src: &RgbView<'_>,
    to_frame: &Affine,
    out: &mut [u8],
    out_size: Size,
    border: [u8; 3],
) -> Result<(), WarpError> {
    Warper::new().warp_rgb(src, to_frame, out, out_size, border)
}

fn fill(out: &mut [u8], color: [u8; 3]) {
    for pixel in out.chunks_exact_mut(3) {
        pixel.copy_from_slice(&color);
    }
}

/// Fraction bits of source coordinates.
const FRACTION: u32 = 24;
const ONE: i64 = 1 << FRACTION;

/// Source coordinates of a row of output pixels, in units of 2⁻²⁴ pixel, relative to the centre of
/// pixel 0: `start + i · step`.
#[derive(Clone, Copy)]
struct Line {
    start: i64,
    step: i64,
}

impl Line {
    /// Half a weight step is added, so that cutting the fraction to 8 bits rounds.
    fn new(start: f64, step: f64) -> Self {
        let one = ONE as f64;
        Self {
            start: libm::floor((start + 0.5 / 256.0) * one + 0.5) as i64,
            step: libm::floor(step * one + 0.5) as i64,
        }
    }

    fn at(self, i: usize) -> i64 {
        self.start.wrapping_add(self.step.wrapping_mul(i as i64))
    }

    /// The output pixels `first..end` out of `0..count` whose coordinate lies in `low..high`.
    fn span(self, low: i64, high: i64, count: usize) -> (usize, usize) {
        let (start, step) = (i128::from(self.start), i128::from(self.step));
        let (low, high, count) = (i128::from(low), i128::from(high), count as i128);
        // Smallest i with step · i >= bound, for step > 0.
        let reach = |bound: i128, step: i128| {
            bound.div_euclid(step) + i128::from(bound.rem_euclid(step) != 0)
        };
        let (first, end) = match step {
            0 if start >= low && start < high => (0, count),
            0 => (0, 0),
            1.. => (reach(low - start, step), reach(high - start, step)),
            // Mirrored: count from the other end of the interval.
            _ => (
                reach(start - high + 1, -step),
                reach(start - low + 1, -step),
            ),
        };
        let first = first.clamp(0, count);
        (first as usize, end.clamp(first, count) as usize)
    }
}

/// The plain bilinear step. Each row falls into three parts: pixels that see only the border,
/// pixels that see it with one of their four neighbours, and the rest, which needs no such care.
fn bilinear(src: &RgbView<'_>, m: &[f64; 6], out: &mut [u8], out_size: Size, border: [u8; 3]) {
    let (w, h) = (src.width as i64, src.height as i64);
    for (j, row) in out
        .chunks_exact_mut((out_size.width * 3).max(3))
        .enumerate()
    {
        let v = j as f64 + 0.5;
        let xs = Line::new(m[0] * 0.5 + m[1] * v + m[2] - 0.5, m[0]);
        let ys = Line::new(m[3] * 0.5 + m[4] * v + m[5] - 0.5, m[3]);
        let both = |a: (usize, usize), b: (usize, usize)| {
            let first = a.0.max(b.0);
            (first, a.1.min(b.1).max(first))
        };
        let n = out_size.width;
        let touching = both(xs.span(-ONE, w * ONE, n), ys.span(-ONE, h * ONE, n));
        let inside = both(xs.span(0, (w - 1) * ONE, n), ys.span(0, (h - 1) * ONE, n));
        let inside = if inside.0 < inside.1 {
            inside
        } else {
            (touching.1, touching.1)
        };
        fill(&mut row[..touching.0 * 3], border);
        for i in touching.0..inside.0 {
            row[i * 3..i * 3 + 3].copy_from_slice(&with_border(src, xs.at(i), ys.at(i), border));
        }
        inside_row(src, xs, ys, inside.0, &mut row[inside.0 * 3..inside.1 * 3]);
        for i in inside.1..touching.1 {
            row[i * 3..i * 3 + 3].copy_from_slice(&with_border(src, xs.at(i), ys.at(i), border));
        }
        fill(&mut row[touching.1 * 3..], border);
    }
}

/// The whole part and the 8-bit fraction of a source coordinate.
fn split(coordinate: i64) -> (i64, u32) {
    (
        coordinate >> FRACTION,
        ((coordinate >> (FRACTION - 8)) & 255) as u32,
    )
}

/// One pixel some of whose neighbours may lie outside.
fn with_border(src: &RgbView<'_>, x: i64, y: i64, border: [u8; 3]) -> [u8; 3] {
    let ((x, wx), (y, wy)) = (split(x), split(y));
    let pixel = |x: i64, y: i64| -> [u8; 3] {
        let at = || {
            let row = src.row(usize::try_from(y).ok()?)?;
            let start = usize::try_from(x).ok()?.checked_mul(3)?;
            row.get(start..start + 3)?.try_into().ok()
        };
        at().unwrap_or(border)
    };
    let (a, b) = (pixel(x, y), pixel(x + 1, y));
    let (c, d) = (pixel(x, y + 1), pixel(x + 1, y + 1));
    core::array::from_fn(|k| mix([a[k], b[k], c[k], d[k]], wx, wy))
}

/// Bilinear interpolation with weights of 1/256.
#[inline(always)]
fn mix([a, b, c, d]: [u8; 4], wx: u32, wy: u32) -> u8 {
    let top = u32::from(a) * (256 - wx) + u32::from(b) * wx;
    let bottom = u32::from(c) * (256 - wx) + u32::from(d) * wx;
    ((top * (256 - wy) + bottom * wy + (1 << 15)) >> 16) as u8
}

/// The pixels from `first` on, all of whose neighbours lie inside the frame.
fn inside_row(src: &RgbView<'_>, xs: Line, ys: Line, first: usize, out: &mut [u8]) {
    let (mut x, mut y) = (xs.at(first), ys.at(first));
    let (data, stride) = (src.data, src.stride_bytes);
    for pixel in out.chunks_exact_mut(3) {
        let ((ix, wx), (iy, wy)) = (split(x), split(y));
        let top = iy as usize * stride + ix as usize * 3;
        // Two checked reads of six bytes a pixel: what is left of bounds checks in safe code.
        if let (Some(a), Some(b)) = (
            data.get(top..).and_then(|d| d.first_chunk::<6>()),
            data.get(top + stride..).and_then(|d| d.first_chunk::<6>()),
        ) {
            for k in 0..3 {
                pixel[k] = mix([a[k], a[k + 3], b[k], b[k + 3]], wx, wy);
            }
        }
        x = x.wrapping_add(xs.step);
        y = y.wrapping_add(ys.step);
    }
}
