//! The z-buffer, a few picture rows at a time.

use super::solids::{Owner, Solids};
use crate::light::Shadows;
use crate::raster::{NONE, correct, cover};
use crate::scene::Scene;
use glam::Vec3;

/// Picture rows that are drawn at a time.
pub(super) const BAND: usize = 16;

/// Samples of a few picture rows.
pub(super) struct Band {
    width: usize,
    samples: usize,
    /// The picture row that is row 0 here.
    top: usize,
    inverse_depth: Vec<f32>,
    triangle: Vec<u32>,
    weights: Vec<[f32; 3]>,
}

impl Band {
    pub(super) fn new(width: usize, samples: usize) -> Band {
        let count = width * samples * BAND * samples;
        Band {
            width,
            samples,
            top: 0,
            inverse_depth: vec![0.0; count],
            triangle: vec![NONE; count],
            weights: vec![[0.0; 3]; count],
        }
    }

    pub(super) fn draw(
        &mut self,
        scene: &Scene,
        solids: &Solids,
        screen: &[Vec3],
        top: usize,
        rows: usize,
    ) {
        self.top = top;
        self.inverse_depth.fill(0.0);
        self.triangle.fill(NONE);
        let fine_width = self.width * self.samples;
        let (y0, y1) = (top * self.samples, (top + rows) * self.samples);
        let nearest = 1.0 / crate::camera::NEAR;
        for (number, triangle) in solids.corners.iter().enumerate() {
            let corners = triangle.map(|k| screen[k as usize]);
            // Negative: behind the camera.
            if corners.iter().any(|c| !(c.z > 0.0 && c.z < nearest)) {
                continue;
            }
            let low = corners[0].y.min(corners[1].y).min(corners[2].y);
            let high = corners[0].y.max(corners[1].y).max(corners[2].y);
            if high < y0 as f32 || low > y1 as f32 {
                continue;
            }
            let inverse_depths = corners.map(|c| c.z);
            let owner = solids.owners[number];
            let (depth, ids, weights) = (
                &mut self.inverse_depth,
                &mut self.triangle,
                &mut self.weights,
            );
            cover(corners, fine_width, (y0, y1), |x, y, w| {
                let at = (y - y0) * fine_width + x;
                let (w, inverse) = correct(w, inverse_depths);
                if inverse <= depth[at] {
                    return;
                }
                if let Owner::Person {
                    index,
                    layer,
                    cut: true,
                } = owner
                {
                    let (chart, rest) = solids.place(triangle, w);
                    if !scene.people[index].outfit.covers(layer, &chart, rest) {
                        return;
                    }
                }
                depth[at] = inverse;
                ids[at] = number as u32;
                weights[at] = w;
            });
        }
    }

    /// Colour and nearest depth of a pixel. Samples that show one triangle are shaded once.
    pub(super) fn pixel(
        &self,
        scene: &Scene,
        solids: &Solids,
        shadows: &Shadows,
        x: usize,
        row: usize,
    ) -> (Vec3, f32) {
        let n = self.samples;
        let mut groups: [(u32, [f32; 3], f32); 64] = [(NONE, [0.0; 3], 0.0); 64];
        let mut count = 0;
        let mut nearest = 0.0f32;
        for sy in 0..n {
            for sx in 0..n {
                let at = (row * n + sy) * self.width * n + x * n + sx;
                let id = self.triangle[at];
                let w = self.weights[at];
                nearest = nearest.max(self.inverse_depth[at]);
                match groups[..count].iter_mut().find(|g| g.0 == id) {
                    Some(group) => {
                        group.2 += 1.0;
                        for (sum, w) in group.1.iter_mut().zip(w) {
                            *sum += w;
                        }
                    }
                    None => {
                        groups[count] = (id, w, 1.0);
                        count += 1;
                    }
                }
            }
        }
        let mut sum = Vec3::ZERO;
        for &(id, weights, share) in &groups[..count] {
            let color = if id == NONE {
                scene.behind(shadows, x, self.top + row)
            } else {
                let w = weights.map(|w| w / share);
                solids.shade(scene, shadows, id as usize, w)
            };
            sum += color * share;
        }
        let depth = if nearest > 0.0 {
            1.0 / nearest
        } else {
            f32::INFINITY
        };
        (sum / (n * n) as f32, depth)
    }
}
