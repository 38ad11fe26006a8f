//! Sums, 2×2 max-pooling and nearest-neighbour enlargement of channels-last maps.

use super::isa::multiversion;
use crate::graph::MapShape;

multiversion! {
    /// `into += from`
    pub(crate) fn add_assign(into: &mut [f32], from: &[f32]) {
        for (i, f) in into.iter_mut().zip(from) {
            *i += f;
        }
    }
}

multiversion! {
    /// `output = a + b`
    pub(crate) fn add(a: &[f32], b: &[f32], output: &mut [f32]) {
        for ((o, a), b) in output.iter_mut().zip(a).zip(b) {
            *o = a + b;
        }
    }
}

multiversion! {
    /// `output = high + low` enlarged twice, for one picture of `shape` (the high map's).
    pub(crate) fn upsample_add(low: &[f32], high: &[f32], output: &mut [f32], shape: MapShape) {
        let (row, half) = (shape.width * shape.channels, shape.width / 2 * shape.channels);
        for y in 0..shape.height {
            let low = &low[y / 2 * half..][..half];
            let high = high[y * row..][..row].chunks_exact(2 * shape.channels);
            let output = output[y * row..][..row].chunks_exact_mut(2 * shape.channels);
            for ((low, high), output) in low.chunks_exact(shape.channels).zip(high).zip(output) {
                let (high_a, high_b) = high.split_at(shape.channels);
                let (output_a, output_b) = output.split_at_mut(shape.channels);
                for c in 0..shape.channels {
                    output_a[c] = high_a[c] + low[c];
                    output_b[c] = high_b[c] + low[c];
                }
            }
        }
    }
}

multiversion! {
    /// Sums of 2×2 cells: the gradient of the enlargement for one picture of `shape` (the large
    /// map's). Adds to the result when `accumulate` is set.
    pub(crate) fn sum_pool(large: &[f32], small: &mut [f32], shape: MapShape, accumulate: bool) {
        let (row, half) = (shape.width * shape.channels, shape.width / 2 * shape.channels);
        for y in 0..shape.height / 2 {
            let upper = large[2 * y * row..][..row].chunks_exact(2 * shape.channels);
            let lower = large[(2 * y + 1) * row..][..row].chunks_exact(2 * shape.channels);
            let small = small[y * half..][..half].chunks_exact_mut(shape.channels);
            for ((small, upper), lower) in small.zip(upper).zip(lower) {
                let (ua, ub) = upper.split_at(shape.channels);
                let (la, lb) = lower.split_at(shape.channels);
                for c in 0..shape.channels {
                    let sum = ua[c] + ub[c] + la[c] + lb[c];
                    small[c] = if accumulate { small[c] + sum } else { sum };
                }
            }
        }
    }
}

multiversion! {
    /// 2×2 maxima of one picture of `shape` (the large map's).
    pub(crate) fn max_pool(large: &[f32], small: &mut [f32], shape: MapShape) {
        let (row, half) = (shape.width * shape.channels, shape.width / 2 * shape.channels);
        for y in 0..shape.height / 2 {
            let upper = large[2 * y * row..][..row].chunks_exact(2 * shape.channels);
            let lower = large[(2 * y + 1) * row..][..row].chunks_exact(2 * shape.channels);
            let small = small[y * half..][..half].chunks_exact_mut(shape.channels);
            for ((small, upper), lower) in small.zip(upper).zip(lower) {
                let (ua, ub) = upper.split_at(shape.channels);
                let (la, lb) = lower.split_at(shape.channels);
                for c in 0..shape.channels {
                    let u = if ub[c] > ua[c] { ub[c] } else { ua[c] };
                    let l = if lb[c] > la[c] { lb[c] } else { la[c] };
                    small[c] = if l > u { l } else { u };
                }
            }
        }
    }
}

multiversion! {
    /// Gradient of [`max_pool`]: each result's gradient goes to the first of the largest cells.
    /// Overwrites the large gradient, or adds to it when `accumulate` is set.
    pub(crate) fn max_pool_gradient(
        large: &[f32], small: &[f32], small_gradient: &[f32], large_gradient: &mut [f32],
        shape: MapShape, accumulate: bool,
    ) {
        let (row, half) = (shape.width * shape.channels, shape.width / 2 * shape.channels);
        let channels = shape.channels;
        for y in 0..shape.height / 2 {
            for x in 0..shape.width / 2 {
                let at = y * half + x * channels;
                let corner = 2 * y * row + 2 * x * channels;
                let offsets = [corner, corner + channels, corner + row, corner + row + channels];
                let top = &small[at..at + channels];
                let g = &small_gradient[at..at + channels];
                for block in (0..channels).step_by(16) {
                    let size = 16.min(channels - block);
                    let mut left = [1.0f32; 16];
                    for offset in offsets {
                        let from = &large[offset + block..][..size];
                        let to = &mut large_gradient[offset + block..][..size];
                        for i in 0..size {
                            let hit = if from[i] == top[block + i] { left[i] } else { 0.0 };
                            left[i] -= hit;
                            let value = hit * g[block + i];
                            to[i] = if accumulate { to[i] + value } else { value };
                        }
                    }
                }
            }
        }
    }
}
