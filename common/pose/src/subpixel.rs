//! From the cell with the highest value to a position between cells.

use crate::heatmap::Heatmaps;

/// The smoothing kernel, binomial: 1 4 6 4 1, close to a Gaussian with σ = 1 cell.
const KERNEL: [f32; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];
const RADIUS: usize = 2;

/// Smoothed values below this part of the peak are raised to it before the logarithm: a cell that
/// is empty, or negative as a linear output can be, says no more than "low".
const FLOOR: f32 = 1e-3;

/// No step is longer than this, in cells on each axis: the parabola holds near the peak only.
const LONGEST_STEP: f32 = 1.0;

/// A quarter of a cell towards the higher neighbour, on each axis (dx, dy); 0 on an axis where the
/// cell lies at the border or both neighbours are equal.
pub(crate) fn quarter_offset(maps: &Heatmaps<'_>, k: usize, y: usize, x: usize) -> (f32, f32) {
    let towards = |low: f32, high: f32| {
        if high > low {
            0.25
        } else if high < low {
            -0.25
        } else {
            0.0
        }
    };
    let dx = if x > 0 && x + 1 < maps.width() {
        towards(maps.at(k, y, x - 1), maps.at(k, y, x + 1))
    } else {
        0.0
    };
    let dy = if y > 0 && y + 1 < maps.height() {
        towards(maps.at(k, y - 1, x), maps.at(k, y + 1, x))
    } else {
        0.0
    };
    (dx, dy)
}

/// The step (dx, dy) from the peak's centre to the maximum of the second-order Taylor expansion of
/// the smoothed map's logarithm:
///
/// ```text
/// L(p) ≈ L + gᵀ·p + ½·pᵀ·H·p      g, H by central differences
/// p* = −H⁻¹·g
/// ```
///
/// Smoothing a Gaussian leaves a Gaussian at the same place, so that p* stays where it was while
/// noise does not. Only the 3 × 3 cells that the differences need are smoothed.
pub(crate) fn taylor_step(maps: &Heatmaps<'_>, k: usize, y: usize, x: usize) -> (f32, f32) {
    let (width, height) = (maps.width(), maps.height());
    let border = x
        .min(y)
        .min((width - 1).saturating_sub(x))
        .min((height - 1).saturating_sub(y));
    if border == 0 {
        return quarter_offset(maps, k, y, x);
    }
    // The 3 × 3 cells and a window around each: all of it inside the map, on both axes alike.
    let radius = RADIUS.min(border - 1);
    let smoothed = smooth(maps, k, y, x, radius);
    let floor = smoothed[1][1] * FLOOR;
    if !(floor.is_finite() && floor > 0.0) {
        return quarter_offset(maps, k, y, x);
    }
    let log = smoothed.map(|row| row.map(|v| libm::logf(v.max(floor))));
    let c = log[1][1];
    let gx = 0.5 * (log[1][2] - log[1][0]);
    let gy = 0.5 * (log[2][1] - log[0][1]);
    let hxx = log[1][2] - 2.0 * c + log[1][0];
    let hyy = log[2][1] - 2.0 * c + log[0][1];
    let hxy = 0.25 * (log[2][2] - log[2][0] - log[0][2] + log[0][0]);
    let det = hxx * hyy - hxy * hxy;
    // A hill: the curvature is negative in every direction.
    if !(hxx < 0.0 && det > 1e-9) {
        return quarter_offset(maps, k, y, x);
    }
    let dx = (hxy * gy - hyy * gx) / det;
    let dy = (hxy * gx - hxx * gy) / det;
    if !(dx + dy).is_finite() {
        return quarter_offset(maps, k, y, x);
    }
    (
        dx.clamp(-LONGEST_STEP, LONGEST_STEP),
        dy.clamp(-LONGEST_STEP, LONGEST_STEP),
    )
}

/// The 3 × 3 cells around (x, y), each the kernel-weighted mean of its window of
/// (2·radius + 1)² cells. First along rows, then along columns.
fn smooth(maps: &Heatmaps<'_>, k: usize, y: usize, x: usize, radius: usize) -> [[f32; 3]; 3] {
    let kernel = &KERNEL[RADIUS - radius..=RADIUS + radius];
    let norm = 1.0 / kernel.iter().sum::<f32>();
    let mut rows = [[0.0f32; 3]; 3 + 2 * RADIUS];
    for (j, row) in rows.iter_mut().enumerate().take(3 + 2 * radius) {
        for (i, value) in row.iter_mut().enumerate() {
            for (t, weight) in kernel.iter().enumerate() {
                *value += weight * maps.at(k, y + j - 1 - radius, x + i + t - 1 - radius);
            }
        }
    }
    let mut out = [[0.0f32; 3]; 3];
    for (j, row) in out.iter_mut().enumerate() {
        for (t, weight) in kernel.iter().enumerate() {
            for (value, source) in row.iter_mut().zip(&rows[j + t]) {
                *value += weight * norm * norm * source;
            }
        }
    }
    out
}
