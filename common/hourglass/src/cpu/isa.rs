//! Which instruction set runs, and functions compiled once for each.

use std::sync::OnceLock;

/// Instruction sets that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Whatever the build's target guarantees: the reference for the others.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with products of bf16 pairs besides (AMD since Zen 4, Intel Cooper Lake, Sapphire
    /// Rapids and later Xeons).
    Avx512Bf16,
}

impl Isa {
    /// The best set that this CPU has.
    pub fn detect() -> Isa {
        static ISA: OnceLock<Isa> = OnceLock::new();
        *ISA.get_or_init(|| Isa::available().last().copied().unwrap_or(Isa::Portable))
    }

    /// All sets that this CPU has, the portable one first, the fastest last.
    pub fn available() -> Vec<Isa> {
        #[allow(unused_mut)]
        let mut sets = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                sets.push(Isa::Avx2);
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                {
                    sets.push(Isa::Avx512);
                    if is_x86_feature_detected!("avx512bf16") {
                        sets.push(Isa::Avx512Bf16);
                    }
                }
            }
        }
        sets
    }
}

/// Defines a function that is compiled once for every instruction set and runs on the one that its
/// first argument names, which must be [`Isa::available`]. `L` are the set's [`Lanes`]; the body
/// may call their functions and everything that is inlined, and is itself responsible for reading
/// and writing inside its slices.
///
/// [`Lanes`]: super::lanes::Lanes
macro_rules! kernel {
    (
        $(#[$meta:meta])*
        pub(super) fn $name:ident<$lanes:ident $(, $generic:ident: $bound:ident)*>(
            $($arg:ident: $ty:ty),* $(,)?
        ) $body:block
    ) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        pub(super) fn $name<$($generic: $bound),*>(
            isa: $crate::cpu::isa::Isa, $($arg: $ty),*
        ) {
            use $crate::cpu::lanes::Lanes;
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            unsafe fn body<$lanes: Lanes $(, $generic: $bound)*>($($arg: $ty),*) {
                // SAFETY: only the functions below call this, each with the features that its
                // lanes need; the body checks its slices' lengths.
                unsafe { $body }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx512_bf16<$($generic: $bound),*>($($arg: $ty),*) {
                // SAFETY: this function has the features of these lanes.
                unsafe { body::<$crate::cpu::lanes::Avx512Bf16 $(, $generic)*>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx512<$($generic: $bound),*>($($arg: $ty),*) {
                // SAFETY: as above.
                unsafe { body::<$crate::cpu::lanes::Avx512 $(, $generic)*>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx2<$($generic: $bound),*>($($arg: $ty),*) {
                // SAFETY: as above.
                unsafe { body::<$crate::cpu::lanes::Avx2 $(, $generic)*>($($arg),*) }
            }
            match isa {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the caller names only sets whose every feature this CPU reports.
                $crate::cpu::isa::Isa::Avx512Bf16 => unsafe { avx512_bf16($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                $crate::cpu::isa::Isa::Avx512 => unsafe { avx512($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                $crate::cpu::isa::Isa::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: the portable lanes need no feature.
                _ => unsafe { body::<$crate::cpu::lanes::Portable $(, $generic)*>($($arg),*) },
            }
        }
    };
}
pub(crate) use kernel;
