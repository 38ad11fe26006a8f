//! Number formats of maps: f32, and bf16, which is the upper half of an f32.

use super::isa::Isa;
use super::lanes::Lanes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// In what format maps and the factors of matrix products are kept. Sums, statistics, weights and
/// their gradients are f32 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 24 binary digits.
    #[default]
    F32,
    /// 8 binary digits with f32's range: half the memory, and twice the products per second
    /// where the CPU multiplies pairs of bf16. Slower than f32 elsewhere.
    Bf16,
}

impl Precision {
    /// The format that this CPU trains fastest in.
    pub fn fastest() -> Self {
        match Isa::detect() {
            Isa::Avx512Bf16 => Self::Bf16,
            _ => Self::F32,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            _ => Err(format!("unknown precision `{text}`; expected f32 or bf16")),
        }
    }
}

/// A value of 8 binary digits with the range of an f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Bf16(u16);

impl Bf16 {
    #[inline(always)]
    pub fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    /// The nearest value, ties to even.
    #[inline(always)]
    pub fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        Self((bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16) as u16)
    }
}

/// A number format that kernels read and write.
///
/// A matrix product takes `GROUP` neighbours along its inner dimension at once, 32 bits in all: a
/// *group*. The unsafe functions have the conditions of [`Lanes`].
pub(super) trait Element: Copy + Default + Send + Sync + 'static {
    /// Values of a group.
    const GROUP: usize;
    fn from_f32(value: f32) -> Self;
    fn to_f32(self) -> f32;
    unsafe fn load<L: Lanes>(from: *const Self) -> L;
    unsafe fn store<L: Lanes>(value: L, to: *mut Self);
    /// Writes column `column` of a pair of rows of `channels` values as groups along the rows:
    /// `[2 / GROUP][channels][GROUP]`.
    unsafe fn store_grouped<L: Lanes>(pair: [L; 2], to: *mut Self, channels: usize, column: usize);
    /// [`Element::store_grouped`], and both registers to column `column` of the pair of rows.
    unsafe fn store_twice<L: Lanes>(
        pair: [L; 2],
        rows: *mut Self,
        to: *mut Self,
        channels: usize,
        column: usize,
    );
    /// Column `column` of a pair of rows as [`Element::store_grouped`] writes it.
    unsafe fn group<L: Lanes>(
        rows: [*const Self; 2],
        to: *mut Self,
        channels: usize,
        column: usize,
    );
    /// `L::N` groups side by side.
    unsafe fn load_groups<L: Lanes>(from: *const Self) -> L;
    /// The same group in every lane.
    unsafe fn splat_group<L: Lanes>(from: *const Self) -> L;
    /// `sum` plus the products of the groups `a` and `b`.
    unsafe fn add_products<L: Lanes>(sum: L, a: L, b: L) -> L;
}

impl Element for f32 {
    const GROUP: usize = 1;
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: the caller keeps the conditions of `Lanes`; likewise below.
        unsafe { L::load(from) }
    }
    #[inline(always)]
    unsafe fn store<L: Lanes>(value: L, to: *mut Self) {
        // SAFETY: see above.
        unsafe { value.store(to) }
    }
    #[inline(always)]
    unsafe fn store_grouped<L: Lanes>(pair: [L; 2], to: *mut Self, channels: usize, column: usize) {
        // SAFETY: see above.
        unsafe {
            pair[0].store(to.add(column));
            pair[1].store(to.add(channels + column));
        }
    }
    #[inline(always)]
    unsafe fn store_twice<L: Lanes>(
        pair: [L; 2],
        rows: *mut Self,
        to: *mut Self,
        channels: usize,
        column: usize,
    ) {
        // SAFETY: see above. Groups of one are rows.
        unsafe {
            Self::store_grouped(pair, rows, channels, column);
            Self::store_grouped(pair, to, channels, column);
        }
    }
    #[inline(always)]
    unsafe fn group<L: Lanes>(
        rows: [*const Self; 2],
        to: *mut Self,
        channels: usize,
        column: usize,
    ) {
        // SAFETY: see above.
        unsafe {
            L::load(rows[0].add(column)).store(to.add(column));
            L::load(rows[1].add(column)).store(to.add(channels + column));
        }
    }
    #[inline(always)]
    unsafe fn load_groups<L: Lanes>(from: *const Self) -> L {
        // SAFETY: see above.
        unsafe { L::load(from) }
    }
    #[inline(always)]
    unsafe fn splat_group<L: Lanes>(from: *const Self) -> L {
        // SAFETY: see above.
        unsafe { L::splat(*from) }
    }
    #[inline(always)]
    unsafe fn add_products<L: Lanes>(sum: L, a: L, b: L) -> L {
        // SAFETY: see above.
        unsafe { sum.add_product(a, b) }
    }
}

impl Element for Bf16 {
    const GROUP: usize = 2;
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        Bf16::from_f32(value)
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        Bf16::to_f32(self)
    }
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: see above.
        unsafe { L::load_bf16(from) }
    }
    #[inline(always)]
    unsafe fn store<L: Lanes>(value: L, to: *mut Self) {
        // SAFETY: see above.
        unsafe { value.store_bf16(to) }
    }
    #[inline(always)]
    unsafe fn store_grouped<L: Lanes>(
        pair: [L; 2],
        to: *mut Self,
        _channels: usize,
        column: usize,
    ) {
        // SAFETY: see above.
        unsafe { L::store_bf16_pairs(pair[0], pair[1], to.add(2 * column)) }
    }
    #[inline(always)]
    unsafe fn store_twice<L: Lanes>(
        pair: [L; 2],
        rows: *mut Self,
        to: *mut Self,
        channels: usize,
        column: usize,
    ) {
        // SAFETY: see above.
        unsafe {
            let rows = [rows.add(column), rows.add(channels + column)];
            L::store_bf16_twice(pair[0], pair[1], rows, to.add(2 * column));
        }
    }
    #[inline(always)]
    unsafe fn group<L: Lanes>(
        rows: [*const Self; 2],
        to: *mut Self,
        _channels: usize,
        column: usize,
    ) {
        // SAFETY: see above.
        unsafe { L::pair_bf16(rows[0].add(column), rows[1].add(column), to.add(2 * column)) }
    }
    #[inline(always)]
    unsafe fn load_groups<L: Lanes>(from: *const Self) -> L {
        // SAFETY: see above.
        unsafe { L::load_pairs(from) }
    }
    #[inline(always)]
    unsafe fn splat_group<L: Lanes>(from: *const Self) -> L {
        // SAFETY: see above.
        unsafe { L::splat_pair(from) }
    }
    #[inline(always)]
    unsafe fn add_products<L: Lanes>(sum: L, a: L, b: L) -> L {
        // SAFETY: see above.
        unsafe { sum.add_pair_products(a, b) }
    }
}
