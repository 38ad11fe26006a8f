//! Z-buffered triangles.

use crate::noise::{ceil, floor};
use glam::Vec3;

/// No triangle.
pub(crate) const NONE: u32 = u32::MAX;

/// Calls `put(x, y, weights)` for every sample (x + 0.5, y + 0.5) of a grid that a triangle covers.
///
/// `weights` are the screen-space barycentric weights of a, b, c; only x and y of the corners
/// count. Rows from `rows.0` to before `rows.1`, columns from 0 to before `width`. Samples on an
/// edge belong to both neighbours: the z-buffer decides.
pub(crate) fn cover(
    corners: [Vec3; 3],
    width: usize,
    rows: (usize, usize),
    mut put: impl FnMut(usize, usize, [f32; 3]),
) {
    let [a, b, c] = corners;
    let low_x = a.x.min(b.x).min(c.x);
    let high_x = a.x.max(b.x).max(c.x);
    let low_y = a.y.min(b.y).min(c.y);
    let high_y = a.y.max(b.y).max(c.y);
    // Saturating casts: negative goes to 0.
    let x0 = ceil(low_x - 0.5) as usize;
    let x1 = ((floor(high_x - 0.5) + 1.0) as usize).min(width);
    let y0 = (ceil(low_y - 0.5) as usize).max(rows.0);
    let y1 = ((floor(high_y - 0.5) + 1.0) as usize).min(rows.1);
    if x0 >= x1 || y0 >= y1 {
        return;
    }
    let area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
    if area == 0.0 || !area.is_finite() {
        return;
    }
    let inverse = 1.0 / area;
    let (bx, by) = ((c.y - a.y) * inverse, -(c.x - a.x) * inverse);
    let (cx, cy) = (-(b.y - a.y) * inverse, (b.x - a.x) * inverse);
    for y in y0..y1 {
        let dy = y as f32 + 0.5 - a.y;
        for x in x0..x1 {
            let dx = x as f32 + 0.5 - a.x;
            let wb = dx * bx + dy * by;
            let wc = dx * cx + dy * cy;
            let wa = 1.0 - wb - wc;
            if wa >= 0.0 && wb >= 0.0 && wc >= 0.0 {
                put(x, y, [wa, wb, wc]);
            }
        }
    }
}

/// Perspective-correct weights from screen-space ones; `inverse_depths` belong to the corners.
/// Also gives the inverse depth at the sample.
pub(crate) fn correct(weights: [f32; 3], inverse_depths: [f32; 3]) -> ([f32; 3], f32) {
    let mut scaled = [0.0; 3];
    for k in 0..3 {
        scaled[k] = weights[k] * inverse_depths[k];
    }
    let total: f32 = scaled.iter().sum();
    (scaled.map(|s| s / total), total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quad_of_two_triangles_covers_every_sample_at_least_once() {
        let v = |x: f32, y: f32| Vec3::new(x, y, 0.0);
        let mut counts = [0; 64];
        for corners in [
            [v(1.0, 1.0), v(6.0, 1.0), v(6.0, 5.0)],
            [v(1.0, 1.0), v(6.0, 5.0), v(1.0, 5.0)],
        ] {
            cover(corners, 8, (0, 8), |x, y, w| {
                counts[y * 8 + x] += 1;
                // The weights give the position back.
                let p = corners[0] * w[0] + corners[1] * w[1] + corners[2] * w[2];
                assert!((p - v(x as f32 + 0.5, y as f32 + 0.5)).length() < 1e-5);
            });
        }
        for y in 0..8 {
            for x in 0..8 {
                let inside = (1..6).contains(&x) && (1..5).contains(&y);
                assert_eq!(counts[y * 8 + x] > 0, inside, "{x} {y}");
            }
        }
    }

    #[test]
    fn weights_are_corrected_for_perspective() {
        // Halfway on screen between depths 1 and 3 is a quarter of the way in space.
        let (w, inverse) = correct([0.5, 0.5, 0.0], [1.0, 1.0 / 3.0, 1.0]);
        assert!((w[0] - 0.75).abs() < 1e-6 && (1.0 / inverse - 1.5).abs() < 1e-6);
    }
}
