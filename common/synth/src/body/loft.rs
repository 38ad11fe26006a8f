//! Closed tubes from rings: the flesh of the built-in figure.

use crate::figure::{Chart, Layer, Triangle, Vertex};
use crate::rig::SkinWeights;
use glam::Vec3;

/// Vertices around a ring.
const AROUND: usize = 24;

/// An ellipse in space, by its half axes. `across × along` points to the next ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring {
    pub(crate) center: Vec3,
    pub(crate) across: Vec3,
    pub(crate) along: Vec3,
}

impl Ring {
    fn lerp(&self, other: &Ring, t: f32) -> Ring {
        Ring {
            center: self.center.lerp(other.center, t),
            across: self.across.lerp(other.across, t),
            along: self.along.lerp(other.along, t),
        }
    }
}

/// Catmull–Rom between the rings, `steps` new ones for each given one, so that few numbers make a
/// round body.
pub(crate) fn smooth(rings: &[Ring], steps: usize) -> Vec<Ring> {
    let Some(last) = rings.last() else {
        return Vec::new();
    };
    let at = |k: isize| &rings[k.clamp(0, rings.len() as isize - 1) as usize];
    let mut out = Vec::with_capacity(rings.len() * steps);
    for k in 0..rings.len() as isize - 1 {
        for step in 0..steps {
            let t = step as f32 / steps as f32;
            let cubic = |p: [Vec3; 4]| {
                let [a, b, c, d] = p;
                let slope = c - a;
                let curve = 2.0 * a - 5.0 * b + 4.0 * c - d;
                let rest = 3.0 * (b - c) + d - a;
                0.5 * (2.0 * b + (slope + (curve + rest * t) * t) * t)
            };
            let four = [at(k - 1), at(k), at(k + 1), at(k + 2)];
            out.push(Ring {
                center: cubic(four.map(|r| r.center)),
                across: cubic(four.map(|r| r.across)),
                along: cubic(four.map(|r| r.along)),
            });
        }
    }
    out.push(*last);
    out
}

/// A growing mesh.
#[derive(Default)]
pub(crate) struct Flesh {
    pub(crate) vertices: Vec<Vertex>,
    pub(crate) triangles: Vec<Triangle>,
}

/// What the mesh must know of a point: its place on the person and its bones.
pub(crate) trait Anatomy {
    fn describe(&self, rest: Vec3) -> (Chart, SkinWeights);
}

impl Flesh {
    /// Adds a tube, rounded off at both ends, to each of `layers`. `shape` moves its points.
    pub(crate) fn tube(
        &mut self,
        rings: &[Ring],
        layers: &[Layer],
        anatomy: &dyn Anatomy,
        shape: &dyn Fn(Vec3) -> Vec3,
    ) {
        let (Some(&first), Some(&last)) = (rings.first(), rings.last()) else {
            return;
        };
        // End caps: two smaller rings and a near point on a quarter circle.
        let cap = |end: &Ring, sign: f32| -> Vec<Ring> {
            let axis = end.across.cross(end.along).normalize_or(Vec3::Y) * sign;
            let depth = end.across.length().min(end.along.length());
            [0.35f32, 0.7, 0.93, 0.999]
                .into_iter()
                .map(|x| {
                    let point = Ring {
                        center: end.center + axis * depth * x,
                        across: Vec3::ZERO,
                        along: Vec3::ZERO,
                    };
                    let size = libm::sqrtf(1.0 - x * x);
                    let mut ring = point.lerp(end, size);
                    ring.center = point.center;
                    ring
                })
                .collect()
        };
        let mut all: Vec<Ring> = cap(&first, -1.0);
        all.reverse();
        all.extend_from_slice(rings);
        all.extend(cap(&last, 1.0));
        for &layer in layers {
            let start = self.vertices.len() as u32;
            for ring in &all {
                for k in 0..AROUND {
                    let angle = std::f32::consts::TAU * k as f32 / AROUND as f32;
                    let rest = shape(
                        ring.center
                            + ring.across * libm::cosf(angle)
                            + ring.along * libm::sinf(angle),
                    );
                    let (chart, skin) = anatomy.describe(rest);
                    self.vertices.push(Vertex {
                        rest,
                        chart,
                        skin,
                        drape: 0.0,
                    });
                }
            }
            let id = |ring: usize, k: usize| start + (ring * AROUND + k % AROUND) as u32;
            for ring in 0..all.len() - 1 {
                for k in 0..AROUND {
                    let quad = [
                        id(ring, k),
                        id(ring, k + 1),
                        id(ring + 1, k + 1),
                        id(ring + 1, k),
                    ];
                    for corners in [[quad[0], quad[1], quad[2]], [quad[0], quad[2], quad[3]]] {
                        self.triangles.push(Triangle { corners, layer });
                    }
                }
            }
        }
    }

    /// Adds a ball with three half axes.
    pub(crate) fn ball(
        &mut self,
        center: Vec3,
        half: Vec3,
        layers: &[Layer],
        anatomy: &dyn Anatomy,
    ) {
        // A tube of one thin ring whose caps do the rest would be round only for equal axes.
        let rings: Vec<Ring> = (1..12)
            .map(|k| {
                let angle = std::f32::consts::PI * k as f32 / 12.0;
                let size = libm::sinf(angle);
                Ring {
                    center: center - Vec3::Y * half.y * libm::cosf(angle),
                    across: Vec3::Z * half.z * size,
                    along: Vec3::X * half.x * size,
                }
            })
            .collect();
        let same = |p: Vec3| p;
        self.tube(&rings, layers, anatomy, &same);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::normals;

    struct Nobody;

    impl Anatomy for Nobody {
        fn describe(&self, _: Vec3) -> (Chart, SkinWeights) {
            let chart = Chart {
                torso: 0.0,
                arm: 0.0,
                leg: 0.0,
                head: Vec3::ZERO,
            };
            (chart, SkinWeights::rigid(0))
        }
    }

    /// Volume by the divergence theorem: positive when the triangles face outwards.
    fn volume(flesh: &Flesh) -> f32 {
        let at = |k: u32| flesh.vertices[k as usize].rest;
        let parts = flesh.triangles.iter().map(|t| {
            let [a, b, c] = t.corners.map(at);
            a.dot(b.cross(c)) / 6.0
        });
        parts.sum()
    }

    #[test]
    fn a_ball_has_its_volume_and_faces_outwards() {
        let mut flesh = Flesh::default();
        let half = Vec3::new(0.2, 0.3, 0.4);
        flesh.ball(Vec3::ONE, half, &[Layer::Skin], &Nobody);
        let expected = 4.0 / 3.0 * std::f32::consts::PI * half.x * half.y * half.z;
        let found = volume(&flesh);
        assert!((found / expected - 1.0).abs() < 0.05, "{found} {expected}");
        let rest: Vec<Vec3> = flesh.vertices.iter().map(|v| v.rest).collect();
        for (p, n) in rest.iter().zip(normals(&rest, &flesh.triangles)) {
            assert!((*p - Vec3::ONE).dot(n) > 0.0);
        }
    }

    #[test]
    fn smoothing_goes_through_the_given_rings() {
        let ring = |y: f32, r: f32| Ring {
            center: Vec3::Y * y,
            across: Vec3::Z * r,
            along: Vec3::X * r,
        };
        let given = [ring(0.0, 1.0), ring(1.0, 2.0), ring(3.0, 1.0)];
        let fine = smooth(&given, 4);
        assert_eq!(fine.len(), 9);
        for (k, ring) in given.iter().enumerate() {
            assert!((fine[4 * k].center - ring.center).length() < 1e-6);
            assert!((fine[4 * k].across - ring.across).length() < 1e-6);
        }
    }
}
