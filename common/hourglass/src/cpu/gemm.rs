//! Matrix products for tall matrices times small ones, in f32.
//!
//! ```text
//! for i in 0..m, j in 0..n:
//!     c[i][j] (+)= sum over p in 0..k of a[i][p] * b[p][j]
//! ```
//!
//! `a` may be stored either way round, so that the same kernel computes the forward pass (rows of
//! cells times weights), the gradient of the input (transposed weights) and the gradient of the
//! weights (transposed cells). `b` is never packed: here it is a weight matrix or a block of
//! cells, both small enough for the first- or second-level cache.

use super::isa::Isa;

/// A matrix whose element (i, j) is `data[i * row_step + j * column_step]`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// The elements.
    pub data: &'a [f32],
    /// Distance between rows.
    pub row_step: usize,
    /// Distance between columns.
    pub column_step: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `columns` values, one after the other.
    pub fn row_major(data: &'a [f32], columns: usize) -> Self {
        Self {
            data,
            row_step: columns,
            column_step: 1,
        }
    }

    /// The transpose of rows of `columns` values.
    pub fn transposed(data: &'a [f32], columns: usize) -> Self {
        Self {
            data,
            row_step: 1,
            column_step: columns,
        }
    }
}

/// `c (+)= a · b` with `a` m×k, `b` k×n row-major and `c` m×n row-major; adds to `c` when
/// `accumulate` is set and overwrites it otherwise.
///
/// # Panics
/// When a slice is shorter than its shape says.
pub fn gemm(
    (m, n, k): (usize, usize, usize),
    a: Matrix<'_>,
    b: &[f32],
    c: &mut [f32],
    accumulate: bool,
) {
    gemm_with(Isa::detect(), (m, n, k), a, b, c, accumulate);
}

/// [`gemm`] on a stated instruction set, which must be [`Isa::available`].
pub(super) fn gemm_with(
    isa: Isa,
    (m, n, k): (usize, usize, usize),
    a: Matrix<'_>,
    b: &[f32],
    c: &mut [f32],
    accumulate: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    if k > 0 {
        assert!(a.data.len() > (m - 1) * a.row_step + (k - 1) * a.column_step);
    }
    assert!(b.len() >= k * n && c.len() >= m * n);
    let task = Task {
        m,
        n,
        k,
        a: a.data.as_ptr(),
        row_step: a.row_step,
        column_step: a.column_step,
        b: b.as_ptr(),
        c: c.as_mut_ptr(),
        accumulate,
    };
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller chose an available set, and the assertions above bound every access.
        Isa::Avx512 => unsafe { x86::avx512(&task) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { x86::avx2(&task) },
        // SAFETY: as above; the portable vectors need no feature.
        _ => unsafe { product::<[f32; 4]>(&task) },
    }
}

struct Task {
    m: usize,
    n: usize,
    k: usize,
    a: *const f32,
    row_step: usize,
    column_step: usize,
    b: *const f32,
    c: *mut f32,
    accumulate: bool,
}

/// A SIMD register of f32.
trait Vector: Copy {
    const LANES: usize;
    unsafe fn zero() -> Self;
    unsafe fn splat(value: *const f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// `self + a * b`
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
}

impl Vector for [f32; 4] {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn zero() -> Self {
        [0.0; 4]
    }
    #[inline(always)]
    unsafe fn splat(value: *const f32) -> Self {
        // SAFETY: the caller passes a readable address.
        [unsafe { *value }; 4]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller passes four readable values; the read is unaligned.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller passes room for four values; the write is unaligned.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        std::array::from_fn(|i| self[i] + a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }
}

/// Computes `MR` rows × `NV` registers of the result; `a`, `b` and `c` point at the tile's start.
#[inline(always)]
unsafe fn tile<V: Vector, const MR: usize, const NV: usize>(
    task: &Task,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
) {
    // SAFETY: `product` keeps the tile inside the matrices, whose extents `gemm_with` checked.
    unsafe {
        let mut sums = [[V::zero(); NV]; MR];
        let (mut a, mut b) = (a, b);
        for _ in 0..task.k {
            let mut columns = [V::zero(); NV];
            for (j, column) in columns.iter_mut().enumerate() {
                *column = V::load(b.add(j * V::LANES));
            }
            for (i, row) in sums.iter_mut().enumerate() {
                let value = V::splat(a.add(i * task.row_step));
                for (sum, column) in row.iter_mut().zip(columns) {
                    *sum = sum.add_product(value, column);
                }
            }
            a = a.wrapping_add(task.column_step);
            b = b.wrapping_add(task.n);
        }
        for (i, row) in sums.iter().enumerate() {
            for (j, &sum) in row.iter().enumerate() {
                let to = c.add(i * task.n + j * V::LANES);
                let sum = if task.accumulate {
                    sum.add(V::load(to))
                } else {
                    sum
                };
                sum.store(to);
            }
        }
    }
}

/// All rows of one panel of `NV` registers that starts at column `j`.
#[inline(always)]
unsafe fn panel<V: Vector, const MR: usize, const NV: usize>(task: &Task, j: usize) {
    // SAFETY: every row index stays below `m`, and the panel's columns below `n`.
    unsafe {
        let (b, c) = (task.b.add(j), task.c.add(j));
        let mut i = 0;
        while i + MR <= task.m {
            tile::<V, MR, NV>(task, task.a.add(i * task.row_step), b, c.add(i * task.n));
            i += MR;
        }
        while i + 2 <= task.m {
            tile::<V, 2, NV>(task, task.a.add(i * task.row_step), b, c.add(i * task.n));
            i += 2;
        }
        if i < task.m {
            tile::<V, 1, NV>(task, task.a.add(i * task.row_step), b, c.add(i * task.n));
        }
    }
}

/// The whole product: panels of four, two and one registers, then single columns.
#[inline(always)]
unsafe fn product<V: Vector>(task: &Task) {
    let mut j = 0;
    // SAFETY: panels end at or before column `n`.
    unsafe {
        while j + 4 * V::LANES <= task.n {
            panel::<V, 6, 4>(task, j);
            j += 4 * V::LANES;
        }
        while j + 2 * V::LANES <= task.n {
            panel::<V, 12, 2>(task, j);
            j += 2 * V::LANES;
        }
        while j + V::LANES <= task.n {
            panel::<V, 12, 1>(task, j);
            j += V::LANES;
        }
    }
    for j in j..task.n {
        for i in 0..task.m {
            // SAFETY: i < m, j < n, p < k.
            unsafe {
                let mut sum = 0.0;
                for p in 0..task.k {
                    sum += *task.a.add(i * task.row_step + p * task.column_step)
                        * *task.b.add(p * task.n + j);
                }
                let to = task.c.add(i * task.n + j);
                *to = if task.accumulate { *to + sum } else { sum };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Task, Vector, product};
    use std::arch::x86_64::*;

    macro_rules! vector {
        ($type:ty, $lanes:expr, $zero:ident, $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident) => {
            // SAFETY (all methods): called only from the functions below, which enable the
            // features; addresses are valid for `LANES` values, alignment is not needed.
            impl Vector for $type {
                const LANES: usize = $lanes;
                #[inline(always)]
                unsafe fn zero() -> Self {
                    // SAFETY: see above.
                    unsafe { $zero() }
                }
                #[inline(always)]
                unsafe fn splat(value: *const f32) -> Self {
                    // SAFETY: see above.
                    unsafe { $splat(*value) }
                }
                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    // SAFETY: see above.
                    unsafe { $load(from) }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    // SAFETY: see above.
                    unsafe { $store(to, self) }
                }
                #[inline(always)]
                unsafe fn add_product(self, a: Self, b: Self) -> Self {
                    // SAFETY: see above.
                    unsafe { $fma(a, b, self) }
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: see above.
                    unsafe { $add(self, other) }
                }
            }
        };
    }
    vector!(
        __m512,
        16,
        _mm512_setzero_ps,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps
    );
    vector!(
        __m256,
        8,
        _mm256_setzero_ps,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps
    );

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    pub(super) unsafe fn avx512(task: &Task) {
        // SAFETY: the caller checked the extents.
        unsafe { product::<__m512>(task) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2(task: &Task) {
        // SAFETY: the caller checked the extents.
        unsafe { product::<__m256>(task) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::tests::noise;

    /// Every instruction set against the triple loop in f64, over odd shapes, both ways round.
    #[test]
    fn equals_the_triple_loop() {
        for isa in Isa::available() {
            for (m, n, k) in [
                (1, 1, 1),
                (7, 16, 3),
                (13, 17, 5),
                (64, 128, 64),
                (6, 64, 147),
                (25, 100, 9),
                (12, 32, 0),
            ] {
                for transposed in [false, true] {
                    for accumulate in [false, true] {
                        let (a, b, before) = (noise(m * k, 1), noise(k * n, 2), noise(m * n, 3));
                        let matrix = if transposed {
                            Matrix::transposed(&a, m)
                        } else {
                            Matrix::row_major(&a, k)
                        };
                        let mut c = before.clone();
                        gemm_with(isa, (m, n, k), matrix, &b, &mut c, accumulate);
                        for i in 0..m {
                            for j in 0..n {
                                let mut sum = if accumulate {
                                    f64::from(before[i * n + j])
                                } else {
                                    0.0
                                };
                                for p in 0..k {
                                    let a = a[i * matrix.row_step + p * matrix.column_step];
                                    sum += f64::from(a) * f64::from(b[p * n + j]);
                                }
                                let found = f64::from(c[i * n + j]);
                                assert!((found - sum).abs() < 1e-4, "{isa:?} {m} {n} {k}");
                            }
                        }
                    }
                }
            }
        }
    }
}
