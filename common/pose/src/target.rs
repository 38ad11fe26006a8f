//! What the network is trained to output.

use crate::geometry::Point;
use alloc::vec::Vec;

/// Draws the training target of one keypoint into one heatmap: a Gaussian around the unrounded
/// position, `exp(−d² / 2σ²)`, where d is the distance from the cell's centre to `center`.
///
/// - `out`: the map, row by row, `height · width` values; all of them are overwritten.
/// - `center`: in continuous cell coordinates (the centre of cell i is i + 0.5). It may lie
///   outside: the map then holds the part of the Gaussian that reaches in.
/// - `sigma`: in cells. Where it is not positive, or the centre is not finite, the map is zero.
///
/// Were `out` of another length, the rows that fit would be drawn and the rest set to zero.
pub fn gaussian_target(out: &mut [f32], height: usize, width: usize, center: Point, sigma: f32) {
    out.fill(0.0);
    if width == 0 || sigma.is_nan() || sigma <= 0.0 || !(center.x + center.y).is_finite() {
        return;
    }
    // exp(−(dx² + dy²) / 2σ²) is the product of a column factor and a row factor.
    let factor = -0.5 / (f64::from(sigma) * f64::from(sigma));
    let gauss = |cell: usize, center: f32| {
        let d = cell as f64 + 0.5 - f64::from(center);
        libm::exp(d * d * factor) as f32
    };
    let columns: Vec<f32> = (0..width).map(|x| gauss(x, center.x)).collect();
    for (y, row) in out.chunks_exact_mut(width).take(height).enumerate() {
        let row_factor = gauss(y, center.y);
        if row_factor > 0.0 {
            for (cell, column) in row.iter_mut().zip(&columns) {
                *cell = row_factor * column;
            }
        }
    }
}
