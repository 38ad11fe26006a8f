//! How loose cloth spans the hollows of a body.

use crate::figure::{Layer, Triangle, Vertex, normals};
use glam::Vec3;

/// Rounds of smoothing that make cloth span hollows.
const ROUNDS: usize = 60;

/// Cloth hangs off no further, in metres.
const MOST: f32 = 0.045;

/// Sets how far cloth hangs off: where a smoothed copy of the shell lies outside of it.
pub(super) fn drape(vertices: &mut [Vertex], triangles: &[Triangle]) {
    let cloth: Vec<Triangle> = triangles
        .iter()
        .copied()
        .filter(|t| t.layer == Layer::Cloth)
        .collect();
    let rest: Vec<Vec3> = vertices.iter().map(|v| v.rest).collect();
    let normals = normals(&rest, &cloth);
    let mut smooth = rest.clone();
    for _ in 0..ROUNDS {
        let mut sums = vec![(Vec3::ZERO, 0.0f32); smooth.len()];
        for triangle in &cloth {
            for k in 0..3 {
                let (a, b) = (triangle.corners[k], triangle.corners[(k + 1) % 3]);
                for (a, b) in [(a, b), (b, a)] {
                    let sum = &mut sums[a as usize];
                    sum.0 += smooth[b as usize];
                    sum.1 += 1.0;
                }
            }
        }
        for (point, (sum, count)) in smooth.iter_mut().zip(sums) {
            if count > 0.0 {
                *point = point.lerp(sum / count, 0.6);
            }
        }
    }
    for (k, vertex) in vertices.iter_mut().enumerate() {
        vertex.drape = (smooth[k] - rest[k]).dot(normals[k]).clamp(0.0, MOST);
    }
}
