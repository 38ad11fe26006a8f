//! Sums, 2×2 max-pooling and nearest-neighbour enlargement of channels-last maps. The number of
//! channels is a multiple of 16.

use super::element::Element;
use super::isa::kernel;
use super::lanes::Lanes;
use super::norm::{Affine, Source, constants, for_columns};
use crate::graph::MapShape;

/// One register of a source's values.
#[inline(always)]
unsafe fn value<L: Lanes, E: Element>(source: Source<'_, E>, at: usize, column: usize) -> L {
    // SAFETY: the callers keep `at` inside the data and `column` below the channels.
    unsafe {
        let Affine { a, b, floor } = source.map;
        let (a, b) = (
            L::load(a.as_ptr().add(column)),
            L::load(b.as_ptr().add(column)),
        );
        let z = E::load(source.data.as_ptr().add(at));
        b.add_product(a, z).at_least(L::splat(*floor))
    }
}

/// Stores a value, or adds it.
#[inline(always)]
unsafe fn put<L: Lanes, E: Element>(value: L, to: *mut E, accumulate: bool) {
    // SAFETY: the callers keep the address inside the map.
    unsafe {
        let value = match accumulate {
            true => E::load::<L>(to).add(value),
            false => value,
        };
        E::store(value, to);
    }
}

fn check<E>(source: Source<'_, E>, len: usize, channels: usize) {
    assert_eq!(source.data.len(), len);
    assert!(source.map.a.len() == channels && source.map.b.len() == channels);
    assert!(channels.is_multiple_of(16));
}

kernel! {
    /// `into += from`
    pub(super) fn add_assign<L, E: Element>(into: &mut [E], from: &[E]) {
        assert!(into.len() == from.len() && into.len().is_multiple_of(16));
        for at in (0..into.len()).step_by(L::N) {
            put(E::load::<L>(from.as_ptr().add(at)), into.as_mut_ptr().add(at), true);
        }
    }
}

kernel! {
    /// `output = a + b`
    pub(super) fn add<L, E: Element>(a: Source<'_, E>, b: Source<'_, E>, output: &mut [E]) {
        let channels = a.map.a.len();
        check(a, output.len(), channels);
        check(b, output.len(), channels);
        for_columns!(L, channels, add_columns::<E>(a, b, output));
    }
}

#[inline(always)]
unsafe fn add_columns<L: Lanes, E: Element, const V: usize>(
    column: usize,
    a: Source<'_, E>,
    b: Source<'_, E>,
    output: &mut [E],
) {
    // SAFETY: whole rows of slices whose lengths `add` checked.
    unsafe {
        let scale: [[L; V]; 2] = [constants(&a.map.a, column), constants(&b.map.a, column)];
        let shift: [[L; V]; 2] = [constants(&a.map.b, column), constants(&b.map.b, column)];
        let floor = [L::splat(a.map.floor), L::splat(b.map.floor)];
        let channels = a.map.a.len();
        for row in (0..output.len()).step_by(channels) {
            for v in 0..V {
                let at = row + column + v * L::N;
                let mut x: L = E::load(a.data.as_ptr().add(at));
                if !a.plain {
                    x = shift[0][v].add_product(scale[0][v], x).at_least(floor[0]);
                }
                let mut y: L = E::load(b.data.as_ptr().add(at));
                if !b.plain {
                    y = shift[1][v].add_product(scale[1][v], y).at_least(floor[1]);
                }
                E::store(x.add(y), output.as_mut_ptr().add(at));
            }
        }
    }
}

kernel! {
    /// `output = high + low` enlarged twice, for one picture of `shape` (the high map's).
    pub(super) fn upsample_add<L, E: Element>(
        low: Source<'_, E>, high: Source<'_, E>, output: &mut [E], shape: MapShape,
    ) {
        let MapShape { channels, height, width } = shape;
        check(low, height / 2 * (width / 2) * channels, channels);
        check(high, shape.len(), channels);
        assert!(output.len() == shape.len() && height % 2 == 0 && width % 2 == 0);
        for y in 0..height {
            for x in 0..width / 2 {
                let small = (y / 2 * (width / 2) + x) * channels;
                let large = (y * width + 2 * x) * channels;
                for column in (0..channels).step_by(L::N) {
                    let low = value::<L, E>(low, small + column, column);
                    for at in [large + column, large + channels + column] {
                        let sum = low.add(value(high, at, column));
                        E::store(sum, output.as_mut_ptr().add(at));
                    }
                }
            }
        }
    }
}

/// Where the 2×2 cells over cell (`x`, `y`) of the small map lie in the large one.
#[inline(always)]
fn corners(shape: MapShape, x: usize, y: usize) -> [usize; 4] {
    let row = shape.width * shape.channels;
    let first = 2 * (y * row + x * shape.channels);
    [
        first,
        first + shape.channels,
        first + row,
        first + row + shape.channels,
    ]
}

kernel! {
    /// Sums of 2×2 cells: the gradient of the enlargement for one picture of `shape` (the large
    /// map's). Adds to the result when `accumulate` is set.
    pub(super) fn sum_pool<L, E: Element>(
        large: &[E], small: &mut [E], shape: MapShape, accumulate: bool,
    ) {
        let MapShape { channels, height, width } = shape;
        assert!(large.len() == shape.len() && small.len() == shape.len() / 4);
        assert!(channels.is_multiple_of(16) && height % 2 == 0 && width % 2 == 0);
        for y in 0..height / 2 {
            for x in 0..width / 2 {
                let to = (y * (width / 2) + x) * channels;
                let from = corners(shape, x, y);
                for column in (0..channels).step_by(L::N) {
                    let mut sum = L::splat(0.0);
                    for at in from {
                        sum = sum.add(E::load(large.as_ptr().add(at + column)));
                    }
                    put(sum, small.as_mut_ptr().add(to + column), accumulate);
                }
            }
        }
    }
}

kernel! {
    /// 2×2 maxima of one picture of `shape` (the large map's).
    pub(super) fn max_pool<L, E: Element>(
        large: Source<'_, E>, small: &mut [E], shape: MapShape,
    ) {
        let MapShape { channels, height, width } = shape;
        check(large, shape.len(), channels);
        assert!(small.len() == shape.len() / 4 && height % 2 == 0 && width % 2 == 0);
        for y in 0..height / 2 {
            for x in 0..width / 2 {
                let to = (y * (width / 2) + x) * channels;
                let from = corners(shape, x, y);
                for column in (0..channels).step_by(L::N) {
                    let mut top: L = value(large, from[0] + column, column);
                    for at in &from[1..] {
                        top = value::<L, E>(large, at + column, column).at_least(top);
                    }
                    E::store(top, small.as_mut_ptr().add(to + column));
                }
            }
        }
    }
}

kernel! {
    /// Gradient of [`max_pool`]: each result's gradient goes to the first of the largest cells.
    /// Overwrites the large gradient, or adds to it when `accumulate` is set.
    pub(super) fn max_pool_gradient<L, E: Element>(
        large: Source<'_, E>, small_gradient: &[E], large_gradient: &mut [E],
        shape: MapShape, accumulate: bool,
    ) {
        let MapShape { channels, height, width } = shape;
        check(large, shape.len(), channels);
        assert!(small_gradient.len() == shape.len() / 4 && large_gradient.len() == shape.len());
        assert!(height % 2 == 0 && width % 2 == 0);
        for y in 0..height / 2 {
            for x in 0..width / 2 {
                let from = (y * (width / 2) + x) * channels;
                let to = corners(shape, x, y);
                for column in (0..channels).step_by(L::N) {
                    let mut cells = [L::splat(0.0); 4];
                    for (cell, at) in cells.iter_mut().zip(to) {
                        *cell = value(large, at + column, column);
                    }
                    let [a, b, c, d] = cells;
                    let top = d.at_least(c.at_least(b.at_least(a)));
                    let mut left: L = E::load(small_gradient.as_ptr().add(from + column));
                    for (cell, at) in cells.into_iter().zip(to) {
                        let hit = left.where_equal(cell, top);
                        left = left.add_product(hit, L::splat(-1.0));
                        put(hit, large_gradient.as_mut_ptr().add(at + column), accumulate);
                    }
                }
            }
        }
    }
}
