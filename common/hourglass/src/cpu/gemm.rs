//! Matrix products of tall matrices and small ones, with what follows them while the sums are
//! still in registers.
//!
//! ```text
//! for i in 0..m, j in 0..n:
//!     sum = sum over t in 0..taps, p in 0..k of left[i][t][p] * right[t * k + p][j]
//!     finish(i, j, sum)
//! ```
//!
//! The inner dimension runs over groups of [`Element::GROUP`] values. The left matrix may be
//! stored either way round, so that one kernel computes the forward pass (rows of cells times
//! weights), the gradient of the input (times transposed weights) and the gradient of the weights
//! (transposed cells times cells). `n` is a multiple of 16.

use super::element::Element;
use super::isa::{Isa, kernel};
use super::lanes::Lanes;

/// Columns that lie side by side in the right matrix, whatever its layout.
pub(super) const PANEL: usize = 16;

/// The left matrix: group `p` of tap `t` of row `i` begins at
/// `data[i * row_step + t * tap_step + p * group_step]`.
#[derive(Clone, Copy)]
pub(super) struct Left<'a, E> {
    pub data: &'a [E],
    pub row_step: usize,
    pub taps: usize,
    pub tap_step: usize,
    /// Groups of one tap.
    pub groups: usize,
    pub group_step: usize,
}

impl<'a, E: Element> Left<'a, E> {
    /// Rows of `columns` values, one after the other.
    pub fn row_major(data: &'a [E], columns: usize) -> Self {
        Self {
            data,
            row_step: columns,
            taps: 1,
            tap_step: 0,
            groups: columns / E::GROUP,
            group_step: E::GROUP,
        }
    }

    /// The transpose of `groups` groups of rows of `columns` values, `[groups][columns][GROUP]`.
    pub fn transposed(data: &'a [E], groups: usize, columns: usize) -> Self {
        Self {
            data,
            row_step: E::GROUP,
            taps: 1,
            tap_step: 0,
            groups,
            group_step: columns * E::GROUP,
        }
    }
}

/// The right matrix: columns `16 q ..` of group `p` begin at
/// `data[q * panel_step + p * group_step]`, each column a group.
#[derive(Clone, Copy)]
pub(super) struct Right<'a, E> {
    pub data: &'a [E],
    pub panel_step: usize,
    pub group_step: usize,
}

impl<'a, E: Element> Right<'a, E> {
    /// Panels of 16 columns, `[n / 16][groups][16][GROUP]`.
    pub fn panels(data: &'a [E], groups: usize) -> Self {
        Self {
            data,
            panel_step: groups * PANEL * E::GROUP,
            group_step: PANEL * E::GROUP,
        }
    }

    /// Groups of rows of `columns` values, `[groups][columns][GROUP]`.
    pub fn grouped(data: &'a [E], columns: usize) -> Self {
        Self {
            data,
            panel_step: PANEL * E::GROUP,
            group_step: columns * E::GROUP,
        }
    }
}

/// What happens to finished sums.
pub(super) trait Finish {
    /// Panics unless `rows` rows of `columns` values fit.
    fn check(&self, rows: usize, columns: usize);

    /// Takes `R` rows of `V` registers that begin at (`row`, `column`). The indices stay below
    /// what `check` got; the conditions of [`Lanes`] hold.
    unsafe fn finish<L: Lanes, const R: usize, const V: usize>(
        &mut self,
        row: usize,
        column: usize,
        sums: &[[L; V]; R],
    );
}

/// Adds to a row-major f32 matrix.
pub(super) struct AddTo<'a> {
    pub to: &'a mut [f32],
    pub columns: usize,
}

impl Finish for AddTo<'_> {
    fn check(&self, rows: usize, columns: usize) {
        assert!(columns == self.columns && self.to.len() >= rows * columns);
    }
    #[inline(always)]
    unsafe fn finish<L: Lanes, const R: usize, const V: usize>(
        &mut self,
        row: usize,
        column: usize,
        sums: &[[L; V]; R],
    ) {
        for (i, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                // SAFETY: inside the matrix, see the trait.
                unsafe {
                    let at = (row + i) * self.columns + column + v * L::N;
                    let to = self.to.as_mut_ptr().add(at);
                    L::load(to).add(*sum).store(to);
                }
            }
        }
    }
}

/// Writes rows and adds each column's sum and sum of squares, of the values as they are kept.
pub(super) struct StoreMoments<'a, E> {
    pub to: &'a mut [E],
    pub sum: &'a mut [f32],
    pub square: &'a mut [f32],
}

impl<E: Element> Finish for StoreMoments<'_, E> {
    fn check(&self, rows: usize, columns: usize) {
        assert!(self.sum.len() == columns && self.square.len() == columns);
        assert!(self.to.len() >= rows * columns);
    }
    #[inline(always)]
    unsafe fn finish<L: Lanes, const R: usize, const V: usize>(
        &mut self,
        row: usize,
        column: usize,
        sums: &[[L; V]; R],
    ) {
        let columns = self.sum.len();
        for v in 0..V {
            let column = column + v * L::N;
            // SAFETY: inside the matrix and its columns, see the trait.
            unsafe {
                let (total, square) = (
                    self.sum.as_mut_ptr().add(column),
                    self.square.as_mut_ptr().add(column),
                );
                let (mut first, mut second) = (L::load(total), L::load(square));
                for (i, sums) in sums.iter().enumerate() {
                    let to = self.to.as_mut_ptr().add((row + i) * columns + column);
                    E::store(sums[v], to);
                    let kept: L = E::load(to);
                    first = first.add(kept);
                    second = second.add_product(kept, kept);
                }
                first.store(total);
                second.store(square);
            }
        }
    }
}

/// Writes rows plus a bias, cut at `floor`.
pub(super) struct StoreBias<'a, E> {
    pub to: &'a mut [E],
    pub bias: &'a [f32],
    pub floor: f32,
}

impl<E: Element> Finish for StoreBias<'_, E> {
    fn check(&self, rows: usize, columns: usize) {
        assert!(self.bias.len() == columns && self.to.len() >= rows * columns);
    }
    #[inline(always)]
    unsafe fn finish<L: Lanes, const R: usize, const V: usize>(
        &mut self,
        row: usize,
        column: usize,
        sums: &[[L; V]; R],
    ) {
        for v in 0..V {
            let column = column + v * L::N;
            // SAFETY: inside the matrix and its columns, see the trait.
            unsafe {
                let (bias, floor) = (
                    L::load(self.bias.as_ptr().add(column)),
                    L::splat(self.floor),
                );
                for (i, sums) in sums.iter().enumerate() {
                    let at = (row + i) * self.bias.len() + column;
                    E::store(
                        sums[v].add(bias).at_least(floor),
                        self.to.as_mut_ptr().add(at),
                    );
                }
            }
        }
    }
}

/// Writes rows of a gradient, or adds them with `ADD`.
pub(super) struct StoreGradient<'a, E, const ADD: bool> {
    pub to: &'a mut [E],
    pub columns: usize,
}

impl<E: Element, const ADD: bool> Finish for StoreGradient<'_, E, ADD> {
    fn check(&self, rows: usize, columns: usize) {
        assert!(columns == self.columns && self.to.len() >= rows * columns);
    }
    #[inline(always)]
    unsafe fn finish<L: Lanes, const R: usize, const V: usize>(
        &mut self,
        row: usize,
        column: usize,
        sums: &[[L; V]; R],
    ) {
        for (i, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                // SAFETY: inside the matrix, see the trait.
                unsafe {
                    let at = (row + i) * self.columns + column + v * L::N;
                    let to = self.to.as_mut_ptr().add(at);
                    let sum = match ADD {
                        true => E::load::<L>(to).add(*sum),
                        false => *sum,
                    };
                    E::store(sum, to);
                }
            }
        }
    }
}

/// [`StoreGradient`] where the gradient is complete with this and belongs to a normalized layer:
/// adds Σ dy and Σ dy · z of each column, where the ReLU let the value through.
pub(super) struct StoreGradientMoments<'a, E, const ADD: bool> {
    pub to: &'a mut [E],
    /// The layer's own values, in rows as `to`.
    pub z: &'a [E],
    pub a: &'a [f32],
    pub b: &'a [f32],
    pub floor: f32,
    pub sum: &'a mut [f32],
    pub product: &'a mut [f32],
}

impl<E: Element, const ADD: bool> Finish for StoreGradientMoments<'_, E, ADD> {
    fn check(&self, rows: usize, columns: usize) {
        assert!(self.sum.len() == columns && self.product.len() == columns);
        assert!(self.a.len() == columns && self.b.len() == columns);
        assert!(self.to.len() >= rows * columns && self.z.len() >= rows * columns);
    }
    #[inline(always)]
    unsafe fn finish<L: Lanes, const R: usize, const V: usize>(
        &mut self,
        row: usize,
        column: usize,
        sums: &[[L; V]; R],
    ) {
        // First everything that needs the sums, in few instructions: were the loops too long to be
        // unrolled, the sums would live in memory from the beginning.
        let columns = self.sum.len();
        let mut store = StoreGradient::<E, ADD> {
            to: self.to,
            columns,
        };
        // SAFETY: inside the matrices and their columns, see the trait.
        unsafe {
            store.finish(row, column, sums);
            for column in (column..column + V * L::N).step_by(L::N) {
                let total = self.sum.as_mut_ptr().add(column);
                let product = self.product.as_mut_ptr().add(column);
                let a = L::load(self.a.as_ptr().add(column));
                let b = L::load(self.b.as_ptr().add(column));
                let floor = L::splat(self.floor);
                let (mut first, mut second) = (L::load(total), L::load(product));
                for row in row..row + R {
                    let at = row * columns + column;
                    let dy: L = E::load(self.to.as_ptr().add(at));
                    let z: L = E::load(self.z.as_ptr().add(at));
                    let passed = dy.where_above(b.add_product(a, z), floor);
                    first = first.add(passed);
                    second = second.add_product(passed, z);
                }
                first.store(total);
                second.store(product);
            }
        }
    }
}

/// `finish(left · right)` for `m` rows and `n` columns.
///
/// # Panics
/// When a slice is shorter than its shape says.
pub(super) fn multiply<E: Element, F: Finish>(
    isa: Isa,
    (m, n): (usize, usize),
    left: Left<'_, E>,
    right: Right<'_, E>,
    finish: &mut F,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(n.is_multiple_of(PANEL));
    finish.check(m, n);
    if left.taps > 0 && left.groups > 0 {
        let last = (m - 1) * left.row_step
            + (left.taps - 1) * left.tap_step
            + (left.groups - 1) * left.group_step;
        assert!(left.data.len() >= last + E::GROUP);
        let last =
            (n / PANEL - 1) * right.panel_step + (left.taps * left.groups - 1) * right.group_step;
        assert!(right.data.len() >= last + PANEL * E::GROUP);
    }
    product(isa, m, n, left, right, finish);
}

kernel! {
    /// [`multiply`] after its checks: panels of as many columns as the registers can sum up.
    pub(super) fn product<L, E: Element, F: Finish>(
        m: usize,
        n: usize,
        left: Left<'_, E>,
        right: Right<'_, E>,
        finish: &mut F,
    ) {
        let mut j = 0;
        match L::N {
            16 => {
                while j + 64 <= n {
                    panel::<L, E, F, 6, 4>(m, left, right, j, finish);
                    j += 64;
                }
                while j + 32 <= n {
                    panel::<L, E, F, 12, 2>(m, left, right, j, finish);
                    j += 32;
                }
                if j < n {
                    panel::<L, E, F, 12, 1>(m, left, right, j, finish);
                }
            }
            8 => {
                while j < n {
                    panel::<L, E, F, 6, 2>(m, left, right, j, finish);
                    j += PANEL;
                }
            }
            _ => {
                while j < n {
                    panel::<L, E, F, 4, 4>(m, left, right, j, finish);
                    j += PANEL;
                }
            }
        }
    }
}

/// All rows of the `V` registers of columns that begin at `column`.
#[inline(always)]
unsafe fn panel<L: Lanes, E: Element, F: Finish, const R: usize, const V: usize>(
    m: usize,
    left: Left<'_, E>,
    right: Right<'_, E>,
    column: usize,
    finish: &mut F,
) {
    let mut row = 0;
    // SAFETY: every row index stays below `m`, which `multiply` checked, and so do the columns.
    unsafe {
        // Eight rows are two tiles of four rather than one of six and one of two.
        while row + R <= m && (R != 6 || m - row != 8) {
            tile::<L, E, F, R, V>(left, right, row, column, finish);
            row += R;
        }
        while row + 4 <= m {
            tile::<L, E, F, 4, V>(left, right, row, column, finish);
            row += 4;
        }
        if row + 2 <= m {
            tile::<L, E, F, 2, V>(left, right, row, column, finish);
            row += 2;
        }
        if row < m {
            tile::<L, E, F, 1, V>(left, right, row, column, finish);
        }
    }
}

/// `R` rows of `V` registers of columns.
#[inline(always)]
unsafe fn tile<L: Lanes, E: Element, F: Finish, const R: usize, const V: usize>(
    left: Left<'_, E>,
    right: Right<'_, E>,
    row: usize,
    column: usize,
    finish: &mut F,
) {
    // SAFETY: `panel` keeps the tile inside the matrices, whose extents `multiply` checked.
    unsafe {
        let mut sums = [[L::splat(0.0); V]; R];
        let mut b = right.data.as_ptr();
        b = b.wrapping_add(column / PANEL * right.panel_step);
        for tap in 0..left.taps {
            let mut a = left.data.as_ptr();
            a = a.wrapping_add(row * left.row_step + tap * left.tap_step);
            for _ in 0..left.groups {
                let mut columns = [L::splat(0.0); V];
                for (v, column) in columns.iter_mut().enumerate() {
                    let (panel, within) = (v * L::N / PANEL, v * L::N % PANEL);
                    *column = E::load_groups(b.add(panel * right.panel_step + within * E::GROUP));
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let value = E::splat_group(a.add(i * left.row_step));
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = E::add_products(*sum, value, column);
                    }
                }
                a = a.wrapping_add(left.group_step);
                b = b.wrapping_add(right.group_step);
            }
        }
        finish.finish(row, column, &sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::element::Bf16;
    use crate::cpu::tests::{close, noise};

    fn elements<E: Element>(values: &[f32]) -> Vec<E> {
        values.iter().map(|&v| E::from_f32(v)).collect()
    }

    /// `[rows / GROUP][columns][GROUP]` from `[rows][columns]`, `rows` a multiple of the group.
    fn grouped<E: Element>(values: &[f32], columns: usize) -> Vec<E> {
        let rows = values.len() / columns;
        let mut result = Vec::new();
        for first in (0..rows).step_by(E::GROUP) {
            for column in 0..columns {
                for row in first..first + E::GROUP {
                    result.push(E::from_f32(values[row * columns + column]));
                }
            }
        }
        result
    }

    /// `[n / 16][groups][16][GROUP]` from `[k][n]`.
    fn panels<E: Element>(values: &[f32], n: usize) -> Vec<E> {
        let mut result = Vec::new();
        for panel in 0..n / PANEL {
            let columns: Vec<f32> = values
                .chunks_exact(n)
                .flat_map(|row| row[panel * PANEL..(panel + 1) * PANEL].to_vec())
                .collect();
            result.extend(grouped::<E>(&columns, PANEL));
        }
        result
    }

    /// Every instruction set and layout against the triple loop in f64 over the same values.
    fn equals_the_triple_loop<E: Element>() {
        for isa in Isa::available() {
            for (m, n, k) in [
                (1, 16, 2),
                (7, 16, 4),
                (13, 48, 6),
                (64, 128, 64),
                (8, 64, 148),
                (27, 112, 10),
                (12, 32, 0),
            ] {
                let (a, b, before) = (noise(m * k, 1), noise(k * n, 2), noise(m * n, 3));
                let round = |v: f32| f64::from(E::from_f32(v).to_f32());
                let expected: Vec<f64> = (0..m * n)
                    .map(|at| {
                        let (i, j) = (at / n, at % n);
                        (0..k)
                            .map(|p| round(a[i * k + p]) * round(b[p * n + j]))
                            .sum()
                    })
                    .collect();

                let mut found = before.clone();
                let mut finish = AddTo {
                    to: &mut found,
                    columns: n,
                };
                let left = elements::<E>(&a);
                let left = Left::row_major(&left, k);
                let right = panels::<E>(&b, n);
                let right = Right::panels(&right, k / E::GROUP);
                multiply(isa, (m, n), left, right, &mut finish);
                let sum = expected.iter().zip(&before).map(|(e, &b)| e + f64::from(b));
                close(&found, sum, 1e-5, &format!("{isa:?} {m} {n} {k}"));

                let transposed: Vec<f32> = (0..k * m).map(|at| a[at % m * k + at / m]).collect();
                let left = grouped::<E>(&transposed, m);
                let right = grouped::<E>(&b, n);
                let mut found = vec![0.0; m * n];
                let mut finish = AddTo {
                    to: &mut found,
                    columns: n,
                };
                multiply(
                    isa,
                    (m, n),
                    Left::transposed(&left, k / E::GROUP, m),
                    Right::grouped(&right, n),
                    &mut finish,
                );
                let expected = expected.iter().copied();
                close(
                    &found,
                    expected,
                    1e-5,
                    &format!("{isa:?} {m} {n} {k} turned"),
                );
            }
        }
    }

    #[test]
    fn products_equal_the_triple_loop() {
        equals_the_triple_loop::<f32>();
        equals_the_triple_loop::<Bf16>();
    }

    /// A sum over two taps is the product with a longer inner dimension.
    #[test]
    fn taps_lengthen_the_inner_dimension() {
        for isa in Isa::available() {
            let (m, n, k) = (9, 32, 12);
            let (a, b) = (noise(m * k, 1), noise(k * n, 2));
            let right = panels::<f32>(&b, n);
            let right = Right::panels(&right, k);
            let run = |left| {
                let mut found = vec![0.0; m * n];
                let mut finish = AddTo {
                    to: &mut found,
                    columns: n,
                };
                multiply(isa, (m, n), left, right, &mut finish);
                found
            };
            let whole = Left::row_major(&a, k);
            let halves = Left {
                taps: 2,
                tap_step: k / 2,
                groups: k / 2,
                ..whole
            };
            assert_eq!(run(whole), run(halves), "{isa:?}");
        }
    }

    /// What each finish does with the sums, from its definition.
    fn finishes<E: Element>() {
        let (m, n, k) = (19, 48, 8);
        let (a, b) = (noise(m * k, 1), noise(k * n, 2));
        let round = |v: f32| E::from_f32(v).to_f32();
        let sums: Vec<f32> = (0..m * n)
            .map(|at| {
                let product = |p: usize| round(a[at / n * k + p]) * round(b[p * n + at % n]);
                (0..k).map(product).sum()
            })
            .collect();
        let (old, z) = (
            elements::<E>(&noise(m * n, 3)),
            elements::<E>(&noise(m * n, 4)),
        );
        let (scale, bias) = (noise(n, 5), noise(n, 6));
        let start = noise(n, 7);
        let columns = |value: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
            (0..n)
                .map(|j| f64::from(start[j]) + (0..m).map(|i| value(i, j)).sum::<f64>())
                .collect()
        };
        // Rounding of the last digit kept.
        let digit = if E::GROUP == 1 { 1e-6 } else { 1e-2 };
        for isa in Isa::available() {
            let (left, right) = (elements::<E>(&a), panels::<E>(&b, n));
            let left = Left::row_major(&left, k);
            let right = Right::panels(&right, k / E::GROUP);
            let host = |values: &[E]| values.iter().map(|v| v.to_f32()).collect::<Vec<_>>();

            let (mut to, mut sum, mut square) = (old.clone(), start.clone(), start.clone());
            let mut finish = StoreMoments {
                to: &mut to,
                sum: &mut sum,
                square: &mut square,
            };
            multiply(isa, (m, n), left, right, &mut finish);
            let to = host(&to);
            close(&to, sums.iter().map(|&s| f64::from(s)), digit, "values");
            let value = |i: usize, j: usize| f64::from(to[i * n + j]);
            close(&sum, columns(&value).into_iter(), 1e-5, "sums");
            let squares = columns(&|i, j| value(i, j) * value(i, j));
            close(&square, squares.into_iter(), 1e-5, "squares");

            let mut to = old.clone();
            let mut finish = StoreBias {
                to: &mut to,
                bias: &bias,
                floor: 0.0,
            };
            multiply(isa, (m, n), left, right, &mut finish);
            let expected = (0..m * n).map(|at| f64::from((sums[at] + bias[at % n]).max(0.0)));
            close(&host(&to), expected, digit, "bias");

            gradients::<E, false>(isa, (m, n), left, right, &sums, [&old, &z], [&scale, &bias]);
            gradients::<E, true>(isa, (m, n), left, right, &sums, [&old, &z], [&scale, &bias]);
        }
    }

    /// Both ways of storing a gradient, over `old` or added to it.
    fn gradients<E: Element, const ADD: bool>(
        isa: Isa,
        (m, n): (usize, usize),
        left: Left<'_, E>,
        right: Right<'_, E>,
        sums: &[f32],
        [old, z]: [&Vec<E>; 2],
        [scale, bias]: [&Vec<f32>; 2],
    ) {
        let host = |values: &[E]| values.iter().map(|v| v.to_f32()).collect::<Vec<_>>();
        let digit = if E::GROUP == 1 { 1e-6 } else { 1e-2 };
        let expected: Vec<f64> = (0..m * n)
            .map(|at| f64::from(sums[at] + if ADD { old[at].to_f32() } else { 0.0 }))
            .collect();
        let mut to = old.clone();
        let mut finish = StoreGradient::<_, ADD> {
            to: &mut to,
            columns: n,
        };
        multiply(isa, (m, n), left, right, &mut finish);
        close(&host(&to), expected.iter().copied(), digit, "gradient");

        let start = noise(n, 7);
        let (mut to, mut sum, mut product) = (old.clone(), start.clone(), start.clone());
        let mut finish = StoreGradientMoments::<_, ADD> {
            to: &mut to,
            z,
            a: scale,
            b: bias,
            floor: 0.0,
            sum: &mut sum,
            product: &mut product,
        };
        multiply(isa, (m, n), left, right, &mut finish);
        let to = host(&to);
        close(&to, expected.iter().copied(), digit, "gradient");
        let columns = |value: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
            (0..n)
                .map(|j| f64::from(start[j]) + (0..m).map(|i| value(i, j)).sum::<f64>())
                .collect()
        };
        let passed = |i: usize, j: usize| {
            let z = z[i * n + j].to_f32();
            let passes = scale[j] * z + bias[j] > 0.0;
            let dy = if passes {
                f64::from(to[i * n + j])
            } else {
                0.0
            };
            (dy, f64::from(z))
        };
        close(
            &sum,
            columns(&|i, j| passed(i, j).0).into_iter(),
            1e-5,
            "sums",
        );
        let products = columns(&|i, j| passed(i, j).0 * passed(i, j).1);
        close(&product, products.into_iter(), 1e-5, "products");
    }

    #[test]
    fn finishes_do_what_they_say() {
        finishes::<f32>();
        finishes::<Bf16>();
    }
}
