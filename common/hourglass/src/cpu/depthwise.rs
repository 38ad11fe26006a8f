//! Depthwise convolutions, step 1: 3×3 with one row and column of zeros around the picture, and
//! 1×1.
//!
//! ```text
//! for y, x, c:
//!     out[y][x][c] = sum over dy, dx in 0..3 of in[y + dy - 1][x + dx - 1][c] * w[dy][dx][c]
//! ```
//!
//! Maps are channels-last; weights are packed as `[9][channels]`, or `[1][channels]`. The number
//! of channels is a multiple of 16.

use super::element::Element;
use super::isa::kernel;
use super::lanes::Lanes;
use super::norm::{Affine, Source};
use crate::graph::MapShape;
use std::ops::Range;

/// Hears the gradient of a layer's values and adds what its normalization needs of it: Σ dy and
/// Σ dy · z of each channel, where `map` let the value through.
pub(super) struct Listener<'a, E> {
    /// The layer's own values, in rows as the gradient.
    pub z: &'a [E],
    pub map: &'a Affine,
    pub sum: &'a mut [f32],
    pub product: &'a mut [f32],
}

kernel! {
    /// One picture.
    pub(super) fn convolve<L, E: Element>(
        input: Source<'_, E>, weight: &[f32], output: &mut [E], shape: MapShape,
    ) {
        let MapShape { channels, height, .. } = shape;
        assert!(input.data.len() == shape.len() && output.len() == shape.len());
        assert!(input.map.a.len() == channels && input.map.b.len() == channels);
        assert!(channels.is_multiple_of(16) && weight.len() == 9 * channels);
        let mut y = 0;
        while y < height {
            for column in (0..channels).step_by(L::N) {
                // Two rows share most of what they read; few registers hold one row's window.
                if L::N == 16 && y + 1 < height {
                    convolve_rows::<L, E, 2, 4>(input, weight, output, shape, y, column);
                } else {
                    convolve_rows::<L, E, 1, 3>(input, weight, output, shape, y, column);
                    if y + 1 < height {
                        convolve_rows::<L, E, 1, 3>(input, weight, output, shape, y + 1, column);
                    }
                }
            }
            y += 2;
        }
    }
}

/// One register of each of the nine weights.
#[inline(always)]
unsafe fn taps<L: Lanes>(weight: &[f32], channels: usize, column: usize) -> [L; 9] {
    // SAFETY: the callers have nine weights for each channel.
    unsafe {
        let mut taps = [L::splat(0.0); 9];
        for (tap, register) in taps.iter_mut().enumerate() {
            *register = L::load(weight.as_ptr().add(tap * channels + column));
        }
        taps
    }
}

/// One register of column `x` from row `y - 1` on, zeros outside the picture.
#[inline(always)]
unsafe fn stored<L: Lanes, E: Element>(
    map: &[E],
    shape: MapShape,
    x: usize,
    y: usize,
    column: usize,
) -> [L; 3] {
    // SAFETY: cells inside the picture alone are read.
    unsafe {
        let mut cells = [L::splat(0.0); 3];
        for (row, cell) in cells.iter_mut().enumerate() {
            if x < shape.width && y + row >= 1 && y + row <= shape.height {
                let at = ((y + row - 1) * shape.width + x) * shape.channels + column;
                *cell = E::load(map.as_ptr().add(at));
            }
        }
        cells
    }
}

/// [`stored`] with the source's map applied, for `W` rows.
#[inline(always)]
unsafe fn values<L: Lanes, E: Element, const W: usize>(
    input: Source<'_, E>,
    shape: MapShape,
    x: usize,
    y: usize,
    column: usize,
) -> [L; W] {
    // SAFETY: cells inside the picture alone are read.
    unsafe {
        let a = L::load(input.map.a.as_ptr().add(column));
        let b = L::load(input.map.b.as_ptr().add(column));
        let floor = L::splat(input.map.floor);
        let mut cells = [L::splat(0.0); W];
        for (row, cell) in cells.iter_mut().enumerate() {
            if x < shape.width && y + row >= 1 && y + row <= shape.height {
                let at = ((y + row - 1) * shape.width + x) * shape.channels + column;
                let z = E::load(input.data.as_ptr().add(at));
                *cell = b.add_product(a, z).at_least(floor);
            }
        }
        cells
    }
}

/// `R` rows of one register of channels; `W` is `R + 2`.
#[inline(always)]
unsafe fn convolve_rows<L: Lanes, E: Element, const R: usize, const W: usize>(
    input: Source<'_, E>,
    weight: &[f32],
    output: &mut [E],
    shape: MapShape,
    y: usize,
    column: usize,
) {
    let MapShape {
        channels, width, ..
    } = shape;
    // SAFETY: rows and columns stay inside the picture, whose extents `convolve` checked.
    unsafe {
        let taps = taps::<L>(weight, channels, column);
        let zero = L::splat(0.0);
        let (mut left, mut middle) = ([zero; W], values(input, shape, 0, y, column));
        for x in 0..width {
            let right: [L; W] = values(input, shape, x + 1, y, column);
            for row in 0..R {
                let mut sum = left[row].mul(taps[0]);
                sum = sum.add_product(middle[row], taps[1]);
                sum = sum.add_product(right[row], taps[2]);
                for dy in 1..3 {
                    sum = sum.add_product(left[row + dy], taps[3 * dy]);
                    sum = sum.add_product(middle[row + dy], taps[3 * dy + 1]);
                    sum = sum.add_product(right[row + dy], taps[3 * dy + 2]);
                }
                let at = ((y + row) * width + x) * channels + column;
                E::store(sum, output.as_mut_ptr().add(at));
            }
            (left, middle) = (middle, right);
        }
    }
}

kernel! {
    /// Some rows of one picture's gradients: adds that of the weights to `weight_gradient`, `[9][channels]`;
    /// writes that of the input, or adds it, where it is wanted. `turned` holds the kernels turned
    /// by 180°.
    pub(super) fn gradients<L, E: Element>(
        input: Source<'_, E>, turned: &[f32], dz: &[E], weight_gradient: &mut [f32],
        input_gradient: Option<(&mut [E], bool)>, listener: Option<Listener<'_, E>>,
        shape: MapShape, rows: Range<usize>,
    ) {
        let MapShape { channels, height, .. } = shape;
        assert!(input.data.len() == shape.len() && dz.len() == shape.len());
        assert!(input.map.a.len() == channels && input.map.b.len() == channels);
        assert!(channels.is_multiple_of(16) && turned.len() == 9 * channels);
        assert!(weight_gradient.len() == 9 * channels);
        let (to, accumulate) = match input_gradient {
            Some((to, accumulate)) => {
                assert_eq!(to.len(), shape.len());
                (to.as_mut_ptr(), accumulate)
            }
            None => (std::ptr::null_mut(), false),
        };
        let mut listener = listener;
        if let Some(listener) = &listener {
            assert!(listener.z.len() == shape.len());
            assert!(listener.map.a.len() == channels && listener.map.b.len() == channels);
            assert!(listener.sum.len() == channels && listener.product.len() == channels);
        }
        assert!(rows.end <= height);
        for y in rows {
            for column in (0..channels).step_by(L::N) {
                gradients_row::<L, E>(
                    input, turned, dz, weight_gradient, (to, accumulate), &mut listener,
                    shape, y, column,
                );
            }
        }
    }
}

/// One row of one register of channels. With dz around a cell in registers, both gradients take
/// nine products each: the input's is their sum with the turned kernel, and each of them times the
/// cell's own input is a part of one weight's.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn gradients_row<L: Lanes, E: Element>(
    input: Source<'_, E>,
    turned: &[f32],
    dz: &[E],
    weight_gradient: &mut [f32],
    (to, accumulate): (*mut E, bool),
    listener: &mut Option<Listener<'_, E>>,
    shape: MapShape,
    y: usize,
    column: usize,
) {
    let MapShape {
        channels, width, ..
    } = shape;
    // SAFETY: rows and columns stay inside the picture, whose extents `gradients` checked.
    unsafe {
        let taps = taps::<L>(turned, channels, column);
        let mut sums = [L::splat(0.0); 9];
        let a = L::load(input.map.a.as_ptr().add(column));
        let b = L::load(input.map.b.as_ptr().add(column));
        let (floor, zero) = (L::splat(input.map.floor), L::splat(0.0));
        let (mut total, mut product) = (zero, zero);
        let (mut left, mut middle) = ([zero; 3], stored(dz, shape, 0, y, column));
        for x in 0..width {
            let right = stored(dz, shape, x + 1, y, column);
            let at = (y * width + x) * channels + column;
            let z: L = E::load(input.data.as_ptr().add(at));
            let value = b.add_product(a, z).at_least(floor);
            for dy in 0..3 {
                sums[3 * dy] = sums[3 * dy].add_product(left[dy], value);
                sums[3 * dy + 1] = sums[3 * dy + 1].add_product(middle[dy], value);
                sums[3 * dy + 2] = sums[3 * dy + 2].add_product(right[dy], value);
            }
            if !to.is_null() {
                let to = to.add(at);
                let mut sum = match accumulate {
                    true => E::load(to),
                    false => zero,
                };
                for dy in 0..3 {
                    sum = sum.add_product(left[dy], taps[3 * dy]);
                    sum = sum.add_product(middle[dy], taps[3 * dy + 1]);
                    sum = sum.add_product(right[dy], taps[3 * dy + 2]);
                }
                E::store(sum, to);
                if let Some(Listener { z, map, .. }) = listener {
                    let z: L = E::load(z.as_ptr().add(at));
                    let a = L::load(map.a.as_ptr().add(column));
                    let b = L::load(map.b.as_ptr().add(column));
                    let kept: L = E::load(to);
                    let passed = kept.where_above(b.add_product(a, z), L::splat(map.floor));
                    total = total.add(passed);
                    product = product.add_product(passed, z);
                }
            }
            (left, middle) = (middle, right);
        }
        for (tap, sum) in sums.into_iter().enumerate() {
            // Part (dy, dx) of the window belongs to the weight on the other side.
            let at = weight_gradient
                .as_mut_ptr()
                .add((8 - tap) * channels + column);
            L::load(at).add(sum).store(at);
        }
        if let Some(listener) = listener {
            let at = listener.sum.as_mut_ptr().add(column);
            L::load(at).add(total).store(at);
            let at = listener.product.as_mut_ptr().add(column);
            L::load(at).add(product).store(at);
        }
    }
}

kernel! {
    /// Every row times one weight per channel.
    pub(super) fn scale<L, E: Element>(input: Source<'_, E>, weight: &[f32], output: &mut [E]) {
        let channels = weight.len();
        assert!(channels.is_multiple_of(16) && input.data.len() == output.len());
        assert!(input.map.a.len() == channels && input.map.b.len() == channels);
        let floor = L::splat(input.map.floor);
        for row in (0..output.len() / channels).map(|row| row * channels) {
            for column in (0..channels).step_by(L::N) {
                let a = L::load(input.map.a.as_ptr().add(column));
                let b = L::load(input.map.b.as_ptr().add(column));
                let z = E::load(input.data.as_ptr().add(row + column));
                let value = b.add_product(a, z).at_least(floor);
                let value = value.mul(L::load(weight.as_ptr().add(column)));
                E::store(value, output.as_mut_ptr().add(row + column));
            }
        }
    }
}

kernel! {
    /// Gradients of [`scale`]: adds that of the weights, writes that of the input, or adds it.
    pub(super) fn scale_gradients<L, E: Element>(
        input: Source<'_, E>, weight: &[f32], dz: &[E], weight_gradient: &mut [f32],
        input_gradient: Option<(&mut [E], bool)>,
    ) {
        let channels = weight.len();
        assert!(channels.is_multiple_of(16) && input.data.len() == dz.len());
        assert!(input.map.a.len() == channels && input.map.b.len() == channels);
        assert!(weight_gradient.len() == channels);
        let (to, accumulate) = match input_gradient {
            Some((to, accumulate)) => {
                assert_eq!(to.len(), dz.len());
                (to.as_mut_ptr(), accumulate)
            }
            None => (std::ptr::null_mut(), false),
        };
        let floor = L::splat(input.map.floor);
        for row in (0..dz.len() / channels).map(|row| row * channels) {
            for column in (0..channels).step_by(L::N) {
                let a = L::load(input.map.a.as_ptr().add(column));
                let b = L::load(input.map.b.as_ptr().add(column));
                let z = E::load(input.data.as_ptr().add(row + column));
                let value = b.add_product(a, z).at_least(floor);
                let dz: L = E::load(dz.as_ptr().add(row + column));
                let sum = weight_gradient.as_mut_ptr().add(column);
                L::load(sum).add_product(value, dz).store(sum);
                if !to.is_null() {
                    let to = to.add(row + column);
                    let gradient = dz.mul(L::load(weight.as_ptr().add(column)));
                    let gradient = match accumulate {
                        true => gradient.add(E::load(to)),
                        false => gradient,
                    };
                    E::store(gradient, to);
                }
            }
        }
    }
}
