//! Averaging blocks of pixels before a map that shrinks a lot.

use crate::crop::Size;
use crate::geometry::{Affine, Point, Rect};
use crate::warp::RgbView;
use alloc::vec::Vec;

/// The longest side of a block: rows of it add up in 16 bits, and what it averages already is a
/// 65,536th of the area.
pub(crate) const LARGEST_BLOCK: usize = 128;

/// A frame, or a part of it, in blocks: the block in the buffer's corner has the index (x, y).
pub(crate) struct Shrunken {
    pub(crate) x: i64,
    pub(crate) y: i64,
    pub(crate) size: Size,
}

/// Averages blocks of `factors` (x, y) frame pixels into `out`, one RGB pixel a block. Blocks are
/// counted from the frame's corner; only those that the output can see are computed. Where a block
/// reaches over the frame's edge, the rest of it has the colour `border`. `None` when the output
/// sees nothing of the frame.
pub(crate) fn shrink(
    src: &RgbView<'_>,
    to_frame: &Affine,
    out_size: Size,
    factors: (usize, usize),
    border: [u8; 3],
    sums: &mut Vec<u16>,
    out: &mut Vec<u8>,
) -> Option<Shrunken> {
    let (x0, x1, y0, y1) = visible_blocks(src, to_frame, out_size, factors)?;
    let (fx, fy) = factors;
    let (width, height) = (x1 - x0, y1 - y0);
    out.clear();
    out.resize(width * height * 3, 0);
    // Pixels of the block columns that lie inside the frame.
    let (left, right) = (x0 * fx, (x1 * fx).min(src.width));
    for (block_y, out_row) in (y0..y1).zip(out.chunks_exact_mut(width * 3)) {
        let rows = (block_y * fy..((block_y + 1) * fy).min(src.height))
            .filter_map(|y| src.row(y)?.get(left * 3..right * 3));
        average_rows(rows, factors, border, sums, out_row);
    }
    Some(Shrunken {
        x: x0 as i64,
        y: y0 as i64,
        size: Size::new(width, height),
    })
}

/// The blocks (first x, end x, first y, end y) under the output, with one to spare on each side
/// for the bilinear neighbours.
fn visible_blocks(
    src: &RgbView<'_>,
    to_frame: &Affine,
    out_size: Size,
    (fx, fy): (usize, usize),
) -> Option<(usize, usize, usize, usize)> {
    let (w, h) = (out_size.width as f32, out_size.height as f32);
    let corners = [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)];
    let seen = Rect::from_points(corners.map(|(x, y)| to_frame.apply(Point::new(x, y))))?;
    let span = |low: f32, length: f32, factor: usize, pixels: usize| {
        let factor_f = factor as f32;
        let first = libm::floorf(low / factor_f) - 1.0;
        let end = libm::ceilf((low + length) / factor_f) + 1.0;
        // Casts from float saturate, so that what lies far outside gives an empty span.
        let blocks = pixels.div_ceil(factor);
        let (first, end) = (first.max(0.0) as usize, (end.max(0.0) as usize).min(blocks));
        (first < end).then_some((first, end))
    };
    let (x0, x1) = span(seen.x, seen.width, fx, src.width)?;
    let (y0, y1) = span(seen.y, seen.height, fy, src.height)?;
    Some((x0, x1, y0, y1))
}

/// Averages one row of blocks: adds the frame's rows up first, which the compiler does many bytes
/// at a time, then blocks of `fx` columns.
fn average_rows<'a>(
    rows: impl Iterator<Item = &'a [u8]>,
    (fx, fy): (usize, usize),
    border: [u8; 3],
    sums: &mut Vec<u16>,
    out: &mut [u8],
) {
    sums.clear();
    let mut present = 0;
    for row in rows {
        sums.resize(row.len(), 0);
        // No overflow: at most LARGEST_BLOCK rows of at most 255 each.
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum = sum.wrapping_add(u16::from(value));
        }
        present += 1;
    }
    match fx {
        1 => average_columns::<1>(sums, present, fy, border, out),
        2 => average_columns::<2>(sums, present, fy, border, out),
        3 => average_columns::<3>(sums, present, fy, border, out),
        4 => average_columns::<4>(sums, present, fy, border, out),
        _ => {
            let share = Share::new(fx * fy, border);
            for (block, pixel) in sums.chunks(fx * 3).zip(out.chunks_exact_mut(3)) {
                share.write(block, block.len() / 3 * present, pixel);
            }
        }
    }
}

/// Blocks of `FX` columns, `present` rows of which lie in the frame. `FX` known to the compiler
/// makes the common small blocks several times faster.
fn average_columns<const FX: usize>(
    sums: &[u16],
    present: usize,
    fy: usize,
    border: [u8; 3],
    out: &mut [u8],
) {
    let share = Share::new(FX * fy, border);
    let mut whole = sums.chunks_exact(FX * 3);
    let mut pixels = out.chunks_exact_mut(3);
    for (block, pixel) in (&mut whole).zip(&mut pixels) {
        share.write(&block[..FX * 3], FX * present, pixel);
    }
    let rest = whole.remainder();
    if let (false, Some(pixel)) = (rest.is_empty(), pixels.next()) {
        share.write(rest, rest.len() / 3 * present, pixel);
    }
}

/// What one pixel adds to its block's mean.
struct Share {
    pixels: usize,
    /// 2²⁴ / pixels: a division by multiplication, off by less than 0.13 for the largest block, so
    /// that a block of one colour keeps it.
    reciprocal: u64,
    border: [u8; 3],
}

impl Share {
    fn new(pixels: usize, border: [u8; 3]) -> Self {
        let n = pixels as u64;
        Self {
            pixels,
            reciprocal: ((1 << 24) + n / 2) / n,
            border,
        }
    }

    /// The mean of a block of which `present` pixels, added up by columns in `block`, lie in the
    /// frame.
    #[inline(always)]
    fn write(&self, block: &[u16], present: usize, pixel: &mut [u8]) {
        let missing = (self.pixels - present) as u32;
        let mut total = self.border.map(|b| u32::from(b) * missing);
        for column in block.chunks_exact(3) {
            for (total, &sum) in total.iter_mut().zip(column) {
                *total += u32::from(sum);
            }
        }
        for (value, total) in pixel.iter_mut().zip(total) {
            *value = ((u64::from(total) * self.reciprocal + (1 << 23)) >> 24) as u8;
        }
    }
}
