//! A register of f32 values, whatever its width: what every kernel is written in.

use super::element::Bf16;

/// Several f32 values that are computed with at once.
///
/// All functions are unsafe for two reasons: they need the CPU features of their instruction set,
/// and addresses must be valid for `N` values (any alignment).
pub(super) trait Lanes: Copy {
    /// Number of values, a divisor of 16.
    const N: usize;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self + a · b`
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// The larger of both; not a number where `self` is not.
    unsafe fn at_least(self, floor: Self) -> Self;
    /// `self` where `value > floor`, else 0.
    unsafe fn where_above(self, value: Self, floor: Self) -> Self;
    /// `self` where `value == other`, else 0.
    unsafe fn where_equal(self, value: Self, other: Self) -> Self;

    unsafe fn load_bf16(from: *const Bf16) -> Self;
    /// Rounds to the nearest, ties to even.
    unsafe fn store_bf16(self, to: *mut Bf16);
    /// Writes `2 · N` values: the first of `first`, the first of `second`, the second of `first`…
    unsafe fn store_bf16_pairs(first: Self, second: Self, to: *mut Bf16);
    /// [`Lanes::store_bf16_pairs`], and both registers to rows of their own.
    #[inline(always)]
    unsafe fn store_bf16_twice(first: Self, second: Self, rows: [*mut Bf16; 2], to: *mut Bf16) {
        // SAFETY: the caller has room for the values in all three places.
        unsafe {
            first.store_bf16(rows[0]);
            second.store_bf16(rows[1]);
            Self::store_bf16_pairs(first, second, to);
        }
    }
    /// Writes `N` values from each of two places in pairs.
    #[inline(always)]
    unsafe fn pair_bf16(first: *const Bf16, second: *const Bf16, to: *mut Bf16) {
        // SAFETY: the caller passes `N` readable values twice and room for as many pairs.
        unsafe { Self::store_bf16_pairs(Self::load_bf16(first), Self::load_bf16(second), to) }
    }
    /// `N` pairs of values side by side, as their bits.
    unsafe fn load_pairs(from: *const Bf16) -> Self;
    /// The same pair in every lane.
    unsafe fn splat_pair(from: *const Bf16) -> Self;
    /// Per lane `self + a.0 · b.0 + a.1 · b.1`, where `a` and `b` are pairs.
    unsafe fn add_pair_products(self, a: Self, b: Self) -> Self;
}

/// Four lanes that the compiler maps to whatever the target has.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 4]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Lanes for Portable {
    const N: usize = 4;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller passes four readable values; the read is unaligned.
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller passes room for four values; the write is unaligned.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        self.zip(a.zip(b, |a, b| a * b), |sum, product| sum + product)
    }
    #[inline(always)]
    unsafe fn at_least(self, floor: Self) -> Self {
        self.zip(
            floor,
            |value, floor| if value < floor { floor } else { value },
        )
    }
    #[inline(always)]
    unsafe fn where_above(self, value: Self, floor: Self) -> Self {
        let keep = value.zip(floor, |value, floor| f32::from(u8::from(value > floor)));
        self.zip(keep, |own, keep| if keep > 0.0 { own } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn where_equal(self, value: Self, other: Self) -> Self {
        let keep = value.zip(other, |value, other| f32::from(u8::from(value == other)));
        self.zip(keep, |own, keep| if keep > 0.0 { own } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const Bf16) -> Self {
        // SAFETY: the caller passes four readable values; the read is unaligned.
        let values = unsafe { from.cast::<[Bf16; 4]>().read_unaligned() };
        Self(values.map(Bf16::to_f32))
    }
    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut Bf16) {
        let values = self.0.map(Bf16::from_f32);
        // SAFETY: the caller passes room for four values; the write is unaligned.
        unsafe { to.cast::<[Bf16; 4]>().write_unaligned(values) }
    }
    #[inline(always)]
    unsafe fn store_bf16_pairs(first: Self, second: Self, to: *mut Bf16) {
        let values: [[Bf16; 2]; 4] =
            std::array::from_fn(|i| [first.0[i], second.0[i]].map(Bf16::from_f32));
        // SAFETY: the caller passes room for eight values; the write is unaligned.
        unsafe { to.cast::<[[Bf16; 2]; 4]>().write_unaligned(values) }
    }
    #[inline(always)]
    unsafe fn load_pairs(from: *const Bf16) -> Self {
        // SAFETY: the caller passes four readable pairs.
        unsafe { Self::load(from.cast()) }
    }
    #[inline(always)]
    unsafe fn splat_pair(from: *const Bf16) -> Self {
        // SAFETY: the caller passes a readable pair; the read is unaligned.
        Self([unsafe { from.cast::<f32>().read_unaligned() }; 4])
    }
    #[inline(always)]
    unsafe fn add_pair_products(self, a: Self, b: Self) -> Self {
        let low = |v: f32| f32::from_bits(v.to_bits() << 16);
        let high = |v: f32| f32::from_bits(v.to_bits() & 0xFFFF_0000);
        Self(std::array::from_fn(|i| {
            let (a, b) = (a.0[i], b.0[i]);
            self.0[i] + low(a) * low(b) + high(a) * high(b)
        }))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512, Avx512Bf16};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Bf16, Lanes};
    use std::arch::x86_64::*;

    /// Eight lanes.
    #[derive(Clone, Copy)]
    pub struct Avx2(__m256);

    /// Adds what rounds the upper 16 bits to the nearest, ties to even.
    #[inline(always)]
    unsafe fn round256(value: __m256) -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe {
            let bits = _mm256_castps_si256(value);
            let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
            _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)))
        }
    }

    // SAFETY (all methods): kernels for this set alone call them; addresses are valid for the
    // register's length, alignment is not needed.
    impl Lanes for Avx2 {
        const N: usize = 8;
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_set1_ps(value) })
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_loadu_ps(from) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: see above.
            unsafe { _mm256_storeu_ps(to, self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_add_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_mul_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn add_product(self, a: Self, b: Self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
        }
        #[inline(always)]
        unsafe fn at_least(self, floor: Self) -> Self {
            // SAFETY: see above. The second operand is returned where either is not a number.
            Self(unsafe { _mm256_max_ps(floor.0, self.0) })
        }
        #[inline(always)]
        unsafe fn where_above(self, value: Self, floor: Self) -> Self {
            // SAFETY: see above.
            unsafe {
                let keep = _mm256_cmp_ps::<_CMP_GT_OQ>(value.0, floor.0);
                Self(_mm256_and_ps(self.0, keep))
            }
        }
        #[inline(always)]
        unsafe fn where_equal(self, value: Self, other: Self) -> Self {
            // SAFETY: see above.
            unsafe {
                let keep = _mm256_cmp_ps::<_CMP_EQ_OQ>(value.0, other.0);
                Self(_mm256_and_ps(self.0, keep))
            }
        }
        #[inline(always)]
        unsafe fn load_bf16(from: *const Bf16) -> Self {
            // SAFETY: see above.
            unsafe {
                let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
                Self(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide)))
            }
        }
        #[inline(always)]
        unsafe fn store_bf16(self, to: *mut Bf16) {
            // SAFETY: see above.
            unsafe {
                let high = _mm256_srli_epi32::<16>(round256(self.0));
                // Packs within each half of 128 bits.
                let packed = _mm256_permute4x64_epi64::<0b1000>(_mm256_packus_epi32(high, high));
                _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(packed));
            }
        }
        #[inline(always)]
        unsafe fn store_bf16_pairs(first: Self, second: Self, to: *mut Bf16) {
            // SAFETY: see above.
            unsafe {
                let low = _mm256_srli_epi32::<16>(round256(first.0));
                let pairs = _mm256_blend_epi16::<0b1010_1010>(low, round256(second.0));
                _mm256_storeu_si256(to.cast(), pairs);
            }
        }
        #[inline(always)]
        unsafe fn load_pairs(from: *const Bf16) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_loadu_ps(from.cast()) })
        }
        #[inline(always)]
        unsafe fn splat_pair(from: *const Bf16) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_set1_ps(from.cast::<f32>().read_unaligned()) })
        }
        #[inline(always)]
        unsafe fn add_pair_products(self, a: Self, b: Self) -> Self {
            // SAFETY: see above.
            unsafe {
                let mask = _mm256_castsi256_ps(_mm256_set1_epi32(0xFFFF_0000_u32 as i32));
                let high = |v: __m256| _mm256_and_ps(v, mask);
                let low = |v: __m256| {
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(v)))
                };
                let sum = _mm256_fmadd_ps(low(a.0), low(b.0), self.0);
                Self(_mm256_fmadd_ps(high(a.0), high(b.0), sum))
            }
        }
    }

    /// Sixteen lanes, with bf16 by integer arithmetic.
    #[derive(Clone, Copy)]
    pub struct Avx512(__m512);

    /// Sixteen lanes, with bf16 by its own instructions.
    #[derive(Clone, Copy)]
    pub struct Avx512Bf16(__m512);

    /// Adds what rounds the upper 16 bits to the nearest, ties to even.
    #[inline(always)]
    unsafe fn round512(value: __m512) -> __m512i {
        // SAFETY: the caller has AVX-512.
        unsafe {
            let bits = _mm512_castps_si512(value);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)))
        }
    }

    /// Sixteen values of 16 bits from either half in turn.
    #[inline(always)]
    unsafe fn alternate(both: __m512i) -> __m512i {
        const ORDER: [u16; 32] = {
            let mut order = [0; 32];
            let mut i = 0;
            while i < 32 {
                order[i] = (i / 2 + i % 2 * 16) as u16;
                i += 1;
            }
            order
        };
        // SAFETY: the caller has AVX-512 BW.
        unsafe { _mm512_permutexvar_epi16(_mm512_loadu_si512(ORDER.as_ptr().cast()), both) }
    }

    macro_rules! sixteen_lanes {
        ($name:ident { $($rest:item)* }) => {
            // SAFETY (all methods): kernels for this set alone call them; addresses are valid for
            // the register's length, alignment is not needed.
            impl Lanes for $name {
                const N: usize = 16;
                #[inline(always)]
                unsafe fn splat(value: f32) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { _mm512_set1_ps(value) })
                }
                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { _mm512_loadu_ps(from) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    // SAFETY: see above.
                    unsafe { _mm512_storeu_ps(to, self.0) }
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { _mm512_add_ps(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn mul(self, other: Self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { _mm512_mul_ps(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn add_product(self, a: Self, b: Self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
                }
                #[inline(always)]
                unsafe fn at_least(self, floor: Self) -> Self {
                    // SAFETY: see above. The second operand is returned where either is not a
                    // number.
                    Self(unsafe { _mm512_max_ps(floor.0, self.0) })
                }
                #[inline(always)]
                unsafe fn where_above(self, value: Self, floor: Self) -> Self {
                    // SAFETY: see above.
                    unsafe {
                        let keep = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(value.0, floor.0);
                        Self(_mm512_maskz_mov_ps(keep, self.0))
                    }
                }
                #[inline(always)]
                unsafe fn where_equal(self, value: Self, other: Self) -> Self {
                    // SAFETY: see above.
                    unsafe {
                        let keep = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(value.0, other.0);
                        Self(_mm512_maskz_mov_ps(keep, self.0))
                    }
                }
                #[inline(always)]
                unsafe fn load_bf16(from: *const Bf16) -> Self {
                    // SAFETY: see above.
                    unsafe {
                        let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
                        Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)))
                    }
                }
                #[inline(always)]
                unsafe fn load_pairs(from: *const Bf16) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { _mm512_loadu_ps(from.cast()) })
                }
                #[inline(always)]
                unsafe fn splat_pair(from: *const Bf16) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { _mm512_set1_ps(from.cast::<f32>().read_unaligned()) })
                }
                $($rest)*
            }
        };
    }
    sixteen_lanes!(Avx512 {
        #[inline(always)]
        unsafe fn store_bf16(self, to: *mut Bf16) {
            // SAFETY: see above.
            unsafe {
                let high = _mm512_srli_epi32::<16>(round512(self.0));
                _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(high));
            }
        }
        #[inline(always)]
        unsafe fn store_bf16_pairs(first: Self, second: Self, to: *mut Bf16) {
            // SAFETY: see above.
            unsafe {
                let low = _mm512_srli_epi32::<16>(round512(first.0));
                let pairs = _mm512_mask_mov_epi16(low, 0xAAAA_AAAA, round512(second.0));
                _mm512_storeu_si512(to.cast(), pairs);
            }
        }
        #[inline(always)]
        unsafe fn add_pair_products(self, a: Self, b: Self) -> Self {
            // SAFETY: see above.
            unsafe {
                let mask = _mm512_castsi512_ps(_mm512_set1_epi32(0xFFFF_0000_u32 as i32));
                let high = |v: __m512| _mm512_and_ps(v, mask);
                let low = |v: __m512| {
                    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_castps_si512(v)))
                };
                let sum = _mm512_fmadd_ps(low(a.0), low(b.0), self.0);
                Self(_mm512_fmadd_ps(high(a.0), high(b.0), sum))
            }
        }
    });
    sixteen_lanes!(Avx512Bf16 {
        #[inline(always)]
        unsafe fn store_bf16(self, to: *mut Bf16) {
            // SAFETY: see above; both types are 32 bytes of plain bits.
            unsafe {
                let values: __m256i = std::mem::transmute(_mm512_cvtneps_pbh(self.0));
                _mm256_storeu_si256(to.cast(), values);
            }
        }
        #[inline(always)]
        unsafe fn store_bf16_pairs(first: Self, second: Self, to: *mut Bf16) {
            // SAFETY: see above; both types are 64 bytes of plain bits.
            unsafe {
                let both: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(second.0, first.0));
                _mm512_storeu_si512(to.cast(), alternate(both));
            }
        }
        #[inline(always)]
        unsafe fn store_bf16_twice(
            first: Self,
            second: Self,
            rows: [*mut Bf16; 2],
            to: *mut Bf16,
        ) {
            // SAFETY: see above; both types are 64 bytes of plain bits.
            unsafe {
                let both: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(second.0, first.0));
                _mm256_storeu_si256(rows[0].cast(), _mm512_castsi512_si256(both));
                _mm256_storeu_si256(rows[1].cast(), _mm512_extracti64x4_epi64::<1>(both));
                _mm512_storeu_si512(to.cast(), alternate(both));
            }
        }
        #[inline(always)]
        unsafe fn pair_bf16(first: *const Bf16, second: *const Bf16, to: *mut Bf16) {
            // SAFETY: see above.
            unsafe {
                let first = _mm512_castsi256_si512(_mm256_loadu_si256(first.cast()));
                let second = _mm256_loadu_si256(second.cast());
                let both = _mm512_inserti64x4::<1>(first, second);
                _mm512_storeu_si512(to.cast(), alternate(both));
            }
        }
        #[inline(always)]
        unsafe fn add_pair_products(self, a: Self, b: Self) -> Self {
            // SAFETY: see above; all types are 64 bytes of plain bits.
            unsafe {
                let pairs = |v: __m512| std::mem::transmute::<__m512, __m512bh>(v);
                Self(_mm512_dpbf16_ps(self.0, pairs(a.0), pairs(b.0)))
            }
        }
    });
}
