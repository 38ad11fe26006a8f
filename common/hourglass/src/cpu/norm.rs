//! Batch normalization and ReLU on channels-last rows, forward and backward.
//!
//! With z the convolution's result, μ and σ² its mean and biased variance over all rows:
//!
//! ```text
//! y  = γ · (z - μ) / sqrt(σ² + ε) + β          written as  y = a · z + b
//! dβ = Σ dy      dγ = Σ dy · ẑ      ẑ = (z - μ) / sqrt(σ² + ε)
//! dz = a · (dy - dβ / rows - ẑ · dγ / rows)    (Ioffe & Szegedy 2015)
//! ```
//!
//! Only z is kept in memory: whatever reads y computes it again from z, and whatever reads dz
//! computes it from dy and z. Rows have a multiple of 16 channels.

use super::element::Element;
use super::isa::kernel;
use super::lanes::Lanes;

/// `y = max(a · z + b, floor)` per channel: how a node's values come from what is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Affine {
    pub a: Vec<f32>,
    pub b: Vec<f32>,
    /// 0 for a ReLU, else negative infinity.
    pub floor: f32,
}

impl Affine {
    /// `y = z`, or `y = max(z, 0)` with a ReLU.
    pub fn identity(channels: usize, relu: bool) -> Self {
        Self {
            a: vec![1.0; channels],
            b: vec![0.0; channels],
            floor: floor(relu),
        }
    }

    fn channels(&self) -> usize {
        assert_eq!(self.a.len(), self.b.len());
        assert!(self.a.len().is_multiple_of(16));
        self.a.len()
    }
}

/// Where values are cut.
pub(super) fn floor(relu: bool) -> f32 {
    if relu { 0.0 } else { f32::NEG_INFINITY }
}

/// A node's values: what is stored, and what is to be done with it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a, E> {
    pub data: &'a [E],
    pub map: &'a Affine,
    /// The stored values are the node's values.
    pub plain: bool,
}

impl<'a, E> Source<'a, E> {
    /// The same for part of the values, whole rows.
    pub fn part(self, range: std::ops::Range<usize>) -> Self {
        Self {
            data: &self.data[range],
            ..self
        }
    }
}

/// Calls `$f::<L, E, V>(column, …)` for all columns, `V` registers at a time, so that what is
/// known of a column stays in registers over all rows.
macro_rules! for_columns {
    ($lanes:ident, $channels:expr, $f:ident::<$e:ident>($($arg:expr),*)) => {{
        let mut column = 0;
        while column + 4 * $lanes::N <= $channels {
            $f::<$lanes, $e, 4>(column, $($arg),*);
            column += 4 * $lanes::N;
        }
        while column < $channels {
            $f::<$lanes, $e, 1>(column, $($arg),*);
            column += $lanes::N;
        }
    }};
}

pub(super) use for_columns;

/// The registers of one column group of per-channel values.
#[inline(always)]
pub(super) unsafe fn constants<L: Lanes, const V: usize>(values: &[f32], column: usize) -> [L; V] {
    // SAFETY: the callers keep `column` and the registers inside the channels.
    unsafe {
        let mut registers = [L::splat(0.0); V];
        for (v, register) in registers.iter_mut().enumerate() {
            *register = L::load(values.as_ptr().add(column + v * L::N));
        }
        registers
    }
}

/// `max(a · z + b, floor)` of one register of a map.
#[inline(always)]
unsafe fn mapped<L: Lanes, E: Element>(z: *const E, a: L, b: L, floor: L) -> L {
    // SAFETY: the callers keep the address inside the map.
    unsafe { b.add_product(a, E::load(z)).at_least(floor) }
}

kernel! {
    /// The values of the source.
    pub(super) fn activate<L, E: Element>(source: Source<'_, E>, output: &mut [E]) {
        let channels = source.map.channels();
        assert!(source.data.len().is_multiple_of(channels) && output.len() >= source.data.len());
        for_columns!(L, channels, activate_columns::<E>(source, output));
    }
}

#[inline(always)]
unsafe fn activate_columns<L: Lanes, E: Element, const V: usize>(
    column: usize,
    source: Source<'_, E>,
    output: &mut [E],
) {
    // SAFETY: whole rows of both slices, whose lengths `activate` checked.
    unsafe {
        let channels = source.map.a.len();
        let a: [L; V] = constants(&source.map.a, column);
        let b: [L; V] = constants(&source.map.b, column);
        let floor = L::splat(source.map.floor);
        let (mut from, mut to) = (source.data.as_ptr(), output.as_mut_ptr());
        for _ in 0..source.data.len() / channels {
            for v in 0..V {
                let at = column + v * L::N;
                let y = b[v]
                    .add_product(a[v], E::load(from.add(at)))
                    .at_least(floor);
                E::store(y, to.add(at));
            }
            (from, to) = (from.wrapping_add(channels), to.wrapping_add(channels));
        }
    }
}

kernel! {
    /// The values of the source in groups of rows, `[rows / GROUP][channels][GROUP]`; where the
    /// last group is incomplete, zeros fill it.
    pub(super) fn activate_grouped<L, E: Element>(source: Source<'_, E>, output: &mut [E]) {
        let channels = source.map.channels();
        let rows = source.data.len() / channels;
        assert!(output.len() >= rows.next_multiple_of(E::GROUP) * channels);
        if source.plain {
            for_columns!(L, channels, grouped_columns::<E>(source.data, channels, output));
        } else {
            for_columns!(L, channels, activate_grouped_columns::<E>(source, output));
        }
    }
}

/// The stored values as they are.
#[inline(always)]
unsafe fn grouped_columns<L: Lanes, E: Element, const V: usize>(
    column: usize,
    from: &[E],
    channels: usize,
    output: &mut [E],
) {
    // SAFETY: as `activate_grouped_columns`.
    unsafe {
        let rows = from.len() / channels;
        let (mut from, mut to) = (from.as_ptr(), output.as_mut_ptr());
        for _ in 0..rows / 2 {
            for v in 0..V {
                E::group::<L>([from, from.add(channels)], to, channels, column + v * L::N);
            }
            (from, to) = (
                from.wrapping_add(2 * channels),
                to.wrapping_add(2 * channels),
            );
        }
        if rows % 2 == 1 {
            for v in 0..V {
                let at = column + v * L::N;
                store_single(E::load::<L>(from.add(at)), to, channels, at);
            }
        }
    }
}

#[inline(always)]
unsafe fn activate_grouped_columns<L: Lanes, E: Element, const V: usize>(
    column: usize,
    source: Source<'_, E>,
    output: &mut [E],
) {
    // SAFETY: whole pairs of rows of both slices, whose lengths `activate_grouped` checked; of a
    // last single row of f32 the second half is not written.
    unsafe {
        let channels = source.map.a.len();
        let a: [L; V] = constants(&source.map.a, column);
        let b: [L; V] = constants(&source.map.b, column);
        let floor = L::splat(source.map.floor);
        let (mut from, mut to) = (source.data.as_ptr(), output.as_mut_ptr());
        let rows = source.data.len() / channels;
        for _ in 0..rows / 2 {
            for v in 0..V {
                let at = column + v * L::N;
                let first = mapped(from.add(at), a[v], b[v], floor);
                let second = mapped(from.add(channels + at), a[v], b[v], floor);
                E::store_grouped([first, second], to, channels, at);
            }
            (from, to) = (
                from.wrapping_add(2 * channels),
                to.wrapping_add(2 * channels),
            );
        }
        if rows % 2 == 1 {
            for v in 0..V {
                let at = column + v * L::N;
                store_single(mapped(from.add(at), a[v], b[v], floor), to, channels, at);
            }
        }
    }
}

/// A last row without a second one.
#[inline(always)]
pub(super) unsafe fn store_single<L: Lanes, E: Element>(
    value: L,
    to: *mut E,
    channels: usize,
    column: usize,
) {
    // SAFETY: the caller has room for a group of rows.
    unsafe {
        match E::GROUP {
            1 => E::store(value, to.add(column)),
            _ => E::store_grouped([value, L::splat(0.0)], to, channels, column),
        }
    }
}

kernel! {
    /// Adds a bias to every row and cuts at `floor`.
    pub(super) fn shift<L, E: Element>(rows: &mut [E], bias: &[f32], floor: f32) {
        let channels = bias.len();
        assert!(channels.is_multiple_of(16));
        let floor = L::splat(floor);
        for row in rows.chunks_exact_mut(channels) {
            for column in (0..channels).step_by(L::N) {
                let to = row.as_mut_ptr().add(column);
                let value = E::load::<L>(to).add(L::load(bias.as_ptr().add(column)));
                E::store(value.at_least(floor), to);
            }
        }
    }
}

kernel! {
    /// Adds the sum and the sum of squares of each channel to `sum` and `square`.
    pub(super) fn add_moments<L, E: Element>(rows: &[E], sum: &mut [f32], square: &mut [f32]) {
        let channels = sum.len();
        assert!(channels.is_multiple_of(16) && square.len() == channels);
        for_columns!(L, channels, moments_columns::<E>(rows, sum, square));
    }
}

#[inline(always)]
unsafe fn moments_columns<L: Lanes, E: Element, const V: usize>(
    column: usize,
    rows: &[E],
    sum: &mut [f32],
    square: &mut [f32],
) {
    // SAFETY: whole rows, and columns below the number of channels.
    unsafe {
        let mut sums: [L; V] = constants(sum, column);
        let mut squares: [L; V] = constants(square, column);
        for row in rows.chunks_exact(sum.len()) {
            for v in 0..V {
                let z: L = E::load(row.as_ptr().add(column + v * L::N));
                sums[v] = sums[v].add(z);
                squares[v] = squares[v].add_product(z, z);
            }
        }
        for v in 0..V {
            sums[v].store(sum.as_mut_ptr().add(column + v * L::N));
            squares[v].store(square.as_mut_ptr().add(column + v * L::N));
        }
    }
}

kernel! {
    /// Adds Σ dy and Σ dy · z of each channel, where `map` let the value through.
    pub(super) fn add_gradient_moments<L, E: Element>(
        dy: &[E], z: &[E], map: &Affine, sum: &mut [f32], product: &mut [f32],
    ) {
        let channels = map.channels();
        assert!(dy.len() == z.len() && dy.len().is_multiple_of(channels));
        assert!(sum.len() == channels && product.len() == channels);
        for_columns!(L, channels, gradient_moments_columns::<E>(dy, z, map, sum, product));
    }
}

#[inline(always)]
unsafe fn gradient_moments_columns<L: Lanes, E: Element, const V: usize>(
    column: usize,
    dy: &[E],
    z: &[E],
    map: &Affine,
    sum: &mut [f32],
    product: &mut [f32],
) {
    // SAFETY: whole rows of slices whose lengths `add_gradient_moments` checked.
    unsafe {
        let channels = map.a.len();
        let a: [L; V] = constants(&map.a, column);
        let b: [L; V] = constants(&map.b, column);
        let floor = L::splat(map.floor);
        let mut sums: [L; V] = constants(sum, column);
        let mut products: [L; V] = constants(product, column);
        let (mut from_dy, mut from_z) = (dy.as_ptr(), z.as_ptr());
        for _ in 0..dy.len() / channels {
            for v in 0..V {
                let at = column + v * L::N;
                let (dy, z): (L, L) = (E::load(from_dy.add(at)), E::load(from_z.add(at)));
                let passed = dy.where_above(b[v].add_product(a[v], z), floor);
                sums[v] = sums[v].add(passed);
                products[v] = products[v].add_product(passed, z);
            }
            from_dy = from_dy.wrapping_add(channels);
            from_z = from_z.wrapping_add(channels);
        }
        for v in 0..V {
            sums[v].store(sum.as_mut_ptr().add(column + v * L::N));
            products[v].store(product.as_mut_ptr().add(column + v * L::N));
        }
    }
}

/// `dz = p · dy + q · z + r` per channel, with dy zero where `map` cut the value.
#[derive(Clone, Copy)]
pub(super) struct Slope<'a, E> {
    pub z: &'a [E],
    pub map: &'a Affine,
    pub p: &'a [f32],
    pub q: &'a [f32],
    pub r: &'a [f32],
}

impl<E> Slope<'_, E> {
    /// The same for part of the values, whole rows.
    pub fn part(self, range: std::ops::Range<usize>) -> Self {
        Self {
            z: &self.z[range],
            ..self
        }
    }
}

kernel! {
    /// The gradient dz in rows, where `rows` is not empty, and in groups of rows,
    /// `[rows / GROUP][channels][GROUP]`; zeros fill an incomplete last group.
    pub(super) fn gradient<L, E: Element>(
        dy: &[E], slope: Slope<'_, E>, rows: &mut [E], grouped: &mut [E],
    ) {
        let channels = slope.map.channels();
        assert!(dy.len() == slope.z.len() && dy.len().is_multiple_of(channels));
        assert!([slope.p, slope.q, slope.r].iter().all(|values| values.len() == channels));
        let count = dy.len() / channels;
        assert!(rows.is_empty() || rows.len() >= dy.len());
        assert!(grouped.len() >= count.next_multiple_of(E::GROUP) * channels);
        if rows.is_empty() {
            for_columns!(L, channels, grouped_gradient_columns::<E>(dy, slope, grouped));
        } else {
            for_columns!(L, channels, gradient_columns::<E>(dy, slope, rows, grouped));
        }
    }
}

/// `p · dy + q · z + r` of one register, with dy zero where `a · z + b` does not pass `floor`.
#[inline(always)]
unsafe fn slope_value<L: Lanes, E: Element>(
    dy: *const E,
    z: *const E,
    [a, b, floor]: [L; 3],
    [p, q, r]: [L; 3],
) -> L {
    // SAFETY: the callers keep the addresses inside the maps.
    unsafe {
        let (dy, z): (L, L) = (E::load(dy), E::load(z));
        let passed = dy.where_above(b.add_product(a, z), floor);
        r.add_product(q, z).add_product(p, passed)
    }
}

#[inline(always)]
unsafe fn grouped_gradient_columns<L: Lanes, E: Element, const V: usize>(
    column: usize,
    dy: &[E],
    slope: Slope<'_, E>,
    grouped: &mut [E],
) {
    // SAFETY: as the function below, which writes nothing through a null pointer.
    unsafe { columns_of_gradient::<L, E, V>(column, dy, slope, std::ptr::null_mut(), grouped) }
}

#[inline(always)]
unsafe fn gradient_columns<L: Lanes, E: Element, const V: usize>(
    column: usize,
    dy: &[E],
    slope: Slope<'_, E>,
    rows: &mut [E],
    grouped: &mut [E],
) {
    // SAFETY: as below.
    unsafe { columns_of_gradient::<L, E, V>(column, dy, slope, rows.as_mut_ptr(), grouped) }
}

#[inline(always)]
unsafe fn columns_of_gradient<L: Lanes, E: Element, const V: usize>(
    column: usize,
    dy: &[E],
    slope: Slope<'_, E>,
    mut rows: *mut E,
    grouped: &mut [E],
) {
    // SAFETY: whole rows of slices whose lengths `gradient` checked; `rows` is null or has as many.
    unsafe {
        let channels = slope.map.a.len();
        let a: [L; V] = constants(&slope.map.a, column);
        let b: [L; V] = constants(&slope.map.b, column);
        let floor = L::splat(slope.map.floor);
        let p: [L; V] = constants(slope.p, column);
        let q: [L; V] = constants(slope.q, column);
        let r: [L; V] = constants(slope.r, column);
        let wanted = !rows.is_null();
        let (mut from_dy, mut from_z) = (dy.as_ptr(), slope.z.as_ptr());
        let mut to = grouped.as_mut_ptr();
        let count = dy.len() / channels;
        for _ in 0..count / 2 {
            for v in 0..V {
                let at = column + v * L::N;
                let (map, line) = ([a[v], b[v], floor], [p[v], q[v], r[v]]);
                let first = slope_value(from_dy.add(at), from_z.add(at), map, line);
                let at_second = channels + at;
                let second = slope_value(from_dy.add(at_second), from_z.add(at_second), map, line);
                if wanted {
                    E::store_twice([first, second], rows, to, channels, at);
                } else {
                    E::store_grouped([first, second], to, channels, at);
                }
            }
            from_dy = from_dy.wrapping_add(2 * channels);
            from_z = from_z.wrapping_add(2 * channels);
            to = to.wrapping_add(2 * channels);
            rows = rows.wrapping_add(2 * channels);
        }
        if count % 2 == 1 {
            for v in 0..V {
                let at = column + v * L::N;
                let (map, line) = ([a[v], b[v], floor], [p[v], q[v], r[v]]);
                let single = slope_value(from_dy.add(at), from_z.add(at), map, line);
                store_single(single, to, channels, at);
                if wanted {
                    E::store(single, rows.add(at));
                }
            }
        }
    }
}
