//! The loops over heatmaps, channels-last, compiled for every instruction set.

use super::{FOREGROUND_EDGE, FOREGROUND_GAIN};
use crate::cpu::Isa;

/// Compiles a function once for every instruction set and calls the one that this CPU has. The
/// compiler vectorizes the body; it holds no intrinsics.
macro_rules! vectorized {
    (
        $(#[$meta:meta])*
        pub(super) fn $name:ident($($arg:ident : $ty:ty),* $(,)?) $body:block
    ) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        pub(super) fn $name($($arg: $ty),*) {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body($($arg: $ty),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($arg: $ty),*) { body($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($arg: $ty),*) { body($($arg),*) }
                match Isa::detect() {
                    // SAFETY: `detect` returns only sets whose every feature this CPU reports.
                    Isa::Avx512 | Isa::Avx512Bf16 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    Isa::Avx2 => return unsafe { avx2($($arg),*) },
                    _ => {}
                }
            }
            body($($arg),*)
        }
    };
}

/// Cells whose costs are added in f32 before they go into f64.
const BLOCK: usize = 64;

/// `sums[k] += Σ v·g·ρ(e)` and, unless it is empty, `gradient += slope · v·g·ρ'(e)`, where
/// `cost(t, e)` is (g, ρ, ρ').
#[inline(always)]
fn cells(
    values: &[f32],
    targets: &[f32],
    weights: &[f32],
    slope: f32,
    sums: &mut [f64],
    gradient: &mut [f32],
    cost: impl Fn(f32, f32) -> (f32, f32, f32),
) {
    let keypoints = weights.len();
    let block = BLOCK * keypoints;
    let mut partial = vec![0.0f32; keypoints];
    let mut flush = |partial: &mut [f32]| {
        for (sum, partial) in sums.iter_mut().zip(partial) {
            *sum += f64::from(*partial);
            *partial = 0.0;
        }
    };
    let blocks = values.chunks(block).zip(targets.chunks(block));
    if gradient.is_empty() {
        for (values, targets) in blocks {
            let rows = values
                .chunks_exact(keypoints)
                .zip(targets.chunks_exact(keypoints));
            for (value, target) in rows {
                for k in 0..keypoints {
                    let (gain, cost, _) = cost(target[k], value[k] - target[k]);
                    partial[k] += weights[k] * gain * cost;
                }
            }
            flush(&mut partial);
        }
        return;
    }
    for ((values, targets), gradient) in blocks.zip(gradient.chunks_mut(block)) {
        let rows = values
            .chunks_exact(keypoints)
            .zip(targets.chunks_exact(keypoints))
            .zip(gradient.chunks_exact_mut(keypoints));
        for ((value, target), gradient) in rows {
            for k in 0..keypoints {
                let (gain, cost, rise) = cost(target[k], value[k] - target[k]);
                let weight = weights[k] * gain;
                partial[k] += weight * cost;
                gradient[k] += slope * (weight * rise);
            }
        }
        flush(&mut partial);
    }
}

vectorized! {
    pub(super) fn squared(
        values: &[f32],
        targets: &[f32],
        weights: &[f32],
        foreground: f32,
        slope: f32,
        sums: &mut [f64],
        gradient: &mut [f32],
    ) {
        let slope = 2.0 * slope;
        cells(values, targets, weights, slope, sums, gradient, |t, e| {
            (1.0 + foreground * t, e * e, e)
        });
    }
}

vectorized! {
    pub(super) fn squared_step(
        values: &[f32],
        targets: &[f32],
        weights: &[f32],
        slope: f32,
        sums: &mut [f64],
        gradient: &mut [f32],
    ) {
        let slope = 2.0 * slope;
        cells(values, targets, weights, slope, sums, gradient, |t, e| {
            let gain = if t > FOREGROUND_EDGE { 1.0 + FOREGROUND_GAIN } else { 1.0 };
            (gain, e * e, e)
        });
    }
}

vectorized! {
    pub(super) fn absolute(
        values: &[f32],
        targets: &[f32],
        weights: &[f32],
        foreground: f32,
        slope: f32,
        sums: &mut [f64],
        gradient: &mut [f32],
    ) {
        cells(values, targets, weights, slope, sums, gradient, |t, e| {
            let sign = if e > 0.0 {
                1.0
            } else if e < 0.0 {
                -1.0
            } else {
                0.0
            };
            (1.0 + foreground * t, e.abs(), sign)
        });
    }
}

vectorized! {
    pub(super) fn huber(
        values: &[f32],
        targets: &[f32],
        weights: &[f32],
        foreground: f32,
        delta: f32,
        slope: f32,
        sums: &mut [f64],
        gradient: &mut [f32],
    ) {
        cells(values, targets, weights, slope, sums, gradient, |t, e| {
            // Up to delta q is e, beyond it is ±delta: q·(e − q/2) is both branches.
            let q = e.max(-delta).min(delta);
            (1.0 + foreground * t, q * (e - 0.5 * q), q)
        });
    }
}

vectorized! {
    /// Sums of `target · value`, `value²` and `target²` for every keypoint.
    pub(super) fn products(
        values: &[f32],
        targets: &[f32],
        both: &mut [f64],
        value_squares: &mut [f64],
        target_squares: &mut [f64],
    ) {
        let keypoints = both.len();
        let block = BLOCK * keypoints;
        let (mut th, mut hh, mut tt) = (
            vec![0.0f32; keypoints],
            vec![0.0f32; keypoints],
            vec![0.0f32; keypoints],
        );
        for (values, targets) in values.chunks(block).zip(targets.chunks(block)) {
            let rows = values
                .chunks_exact(keypoints)
                .zip(targets.chunks_exact(keypoints));
            for (value, target) in rows {
                for k in 0..keypoints {
                    th[k] += target[k] * value[k];
                    hh[k] += value[k] * value[k];
                    tt[k] += target[k] * target[k];
                }
            }
            for k in 0..keypoints {
                both[k] += f64::from(std::mem::take(&mut th[k]));
                value_squares[k] += f64::from(std::mem::take(&mut hh[k]));
                target_squares[k] += f64::from(std::mem::take(&mut tt[k]));
            }
        }
    }
}

vectorized! {
    /// `gradient += a·target + b·value` with one a and b for every keypoint.
    pub(super) fn combine(
        values: &[f32],
        targets: &[f32],
        a: &[f32],
        b: &[f32],
        gradient: &mut [f32],
    ) {
        let keypoints = a.len();
        let rows = values
            .chunks_exact(keypoints)
            .zip(targets.chunks_exact(keypoints))
            .zip(gradient.chunks_exact_mut(keypoints));
        for ((value, target), gradient) in rows {
            for k in 0..keypoints {
                gradient[k] += a[k] * target[k] + b[k] * value[k];
            }
        }
    }
}
