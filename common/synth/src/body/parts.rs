//! The flesh of the built-in figure: rings around its joints.

use super::built_in::{Kind, Part, Plan};
use super::loft::{Flesh, Ring, smooth};
use crate::figure::Layer;
use crate::noise::smoothstep;
use crate::outfit::may_bear_hair;
use crate::random_pose::swing;
use glam::Vec3;

/// Torso rings: height, half width, half depth, forward shift; then which factor counts.
const TORSO: [[f32; 4]; 13] = [
    [0.83, 0.105, 0.085, 0.0],
    [0.88, 0.150, 0.105, -0.005],
    [0.94, 0.162, 0.112, -0.008],
    [1.01, 0.150, 0.102, 0.0],
    [1.09, 0.134, 0.094, 0.005],
    [1.18, 0.142, 0.102, 0.008],
    [1.27, 0.158, 0.112, 0.008],
    [1.35, 0.168, 0.106, 0.0],
    [1.405, 0.150, 0.088, -0.008],
    [1.445, 0.100, 0.068, -0.010],
    [1.475, 0.062, 0.058, -0.005],
    [1.51, 0.054, 0.055, 0.0],
    [1.56, 0.053, 0.055, 0.005],
];

/// Arm rings: place along the arm, half width along the hinge, half width across it.
const ARM: [[f32; 3]; 14] = [
    [-0.06, 0.044, 0.046],
    [0.05, 0.051, 0.052],
    [0.25, 0.050, 0.050],
    [0.60, 0.046, 0.044],
    [0.92, 0.037, 0.038],
    [1.08, 0.039, 0.039],
    [1.30, 0.040, 0.038],
    [1.65, 0.031, 0.032],
    [1.96, 0.021, 0.027],
    [2.08, 0.018, 0.031],
    [2.25, 0.016, 0.042],
    [2.42, 0.014, 0.041],
    [2.58, 0.011, 0.035],
    [2.68, 0.007, 0.022],
];

/// Leg rings: place along the leg, half width, half depth, shift backwards.
const LEG: [[f32; 4]; 11] = [
    [-0.10, 0.080, 0.085, 0.0],
    [0.10, 0.088, 0.092, 0.0],
    [0.35, 0.079, 0.084, 0.0],
    [0.70, 0.063, 0.067, 0.0],
    [0.95, 0.052, 0.056, 0.0],
    [1.08, 0.050, 0.053, 0.002],
    [1.28, 0.053, 0.058, 0.012],
    [1.55, 0.045, 0.048, 0.010],
    [1.85, 0.033, 0.037, 0.004],
    [2.00, 0.034, 0.041, 0.006],
    [2.10, 0.033, 0.040, 0.004],
];

/// Head rings in head heights about the point between eyes and ears: height, half width, front,
/// back.
const HEAD: [[f32; 4]; 10] = [
    [-0.47, 0.10, 0.34, 0.10],
    [-0.41, 0.17, 0.39, -0.02],
    [-0.30, 0.225, 0.40, -0.16],
    [-0.15, 0.265, 0.395, -0.31],
    [0.00, 0.29, 0.375, -0.43],
    [0.15, 0.31, 0.395, -0.49],
    [0.28, 0.295, 0.365, -0.48],
    [0.38, 0.245, 0.28, -0.40],
    [0.45, 0.165, 0.16, -0.28],
    [0.49, 0.08, 0.04, -0.16],
];

impl Plan {
    pub(super) fn torso(&self, flesh: &mut Flesh) {
        let build = &self.build;
        let rings: Vec<Ring> = TORSO
            .iter()
            .map(|&[y, width, depth, shift]| {
                let upper = smoothstep(1.1, 1.3, y) * (1.0 - smoothstep(1.42, 1.47, y));
                let lower = 1.0 - smoothstep(0.95, 1.08, y);
                let middle = (1.0 - upper - lower).max(0.0) * (1.0 - smoothstep(1.42, 1.47, y));
                let neck = smoothstep(1.42, 1.47, y);
                let factor = upper * build.shoulders
                    + lower * build.hips
                    + middle * build.waist
                    + neck * build.limbs;
                Ring {
                    center: Vec3::new(0.0, y, shift),
                    across: Vec3::Z * depth * factor,
                    along: Vec3::X * width * factor,
                }
            })
            .collect();
        let same = |p: Vec3| p;
        let anatomy = Part {
            plan: self,
            kind: Kind::Middle,
        };
        let layers = [Layer::Skin, Layer::Cloth];
        flesh.tube(&smooth(&rings, 3), &layers, &anatomy, &same);
        // A skirt: from the waist to below the knees.
        let skirt: Vec<Ring> = [
            (1.06, 0.14),
            (0.94, 0.172),
            (0.75, 0.2),
            (0.4, 0.25),
            (0.3, 0.26),
        ]
        .into_iter()
        .map(|(y, r)| Ring {
            center: Vec3::Y * y,
            across: Vec3::Z * r * 0.78 * build.hips,
            along: Vec3::X * r * build.hips,
        })
        .collect();
        let anatomy = Part {
            plan: self,
            kind: Kind::Skirt,
        };
        flesh.tube(&smooth(&skirt, 3), &[Layer::Skirt], &anatomy, &same);
    }

    pub(super) fn head(&self, flesh: &mut Flesh) {
        let size = self.head_height;
        let rings: Vec<Ring> = HEAD
            .iter()
            .map(|&[y, width, front, back]| Ring {
                center: self.head + Vec3::new(0.0, y, 0.5 * (front + back)) * size,
                across: Vec3::Z * 0.5 * (front - back) * size,
                along: Vec3::X * width * size,
            })
            .collect();
        // Nose and sockets.
        let face = |p: Vec3| {
            let h = (p - self.head) / size;
            let side = h.x.abs();
            let bridge = smoothstep(0.06, -0.13, h.y) * smoothstep(-0.2, -0.14, h.y);
            let nose = 0.10 * bridge * (1.0 - smoothstep(0.0, 0.075, side));
            let (dx, dy) = ((side - 0.129) / 0.1, h.y / 0.06);
            let socket = 0.03 * (1.0 - smoothstep(0.3, 1.0, libm::sqrtf(dx * dx + dy * dy)));
            let ahead = smoothstep(0.1, 0.25, h.z);
            p + Vec3::Z * size * ahead * (nose - socket)
        };
        let anatomy = Part {
            plan: self,
            kind: Kind::Head,
        };
        let rings = smooth(&rings, 3);
        flesh.tube(&rings, &[Layer::Skin, Layer::Hair], &anatomy, &face);
        let vertices = &flesh.vertices;
        flesh.triangles.retain(|t| {
            let bears = |&k: &u32| may_bear_hair(vertices[k as usize].chart.head);
            t.layer != Layer::Hair || t.corners.iter().all(bears)
        });
        for side in [1.0, -1.0] {
            let at = |x: f32, y: f32, z: f32| self.head + Vec3::new(side * x, y, z) * size;
            let eye = Vec3::splat(0.055 * size);
            flesh.ball(at(0.129, 0.002, 0.305), eye, &[Layer::Eye], &anatomy);
            let ear = Vec3::new(0.03, 0.11, 0.06) * size;
            flesh.ball(at(0.30, -0.05, -0.05), ear, &[Layer::Skin], &anatomy);
        }
        // Long hair: a mantle behind the face down to the shoulders.
        let mantle: Vec<Ring> = [(-0.75, 0.33), (-0.4, 0.35), (-0.1, 0.35), (0.05, 0.32)]
            .into_iter()
            .map(|(y, r)| Ring {
                center: self.head + Vec3::new(0.0, y, -0.18) * size,
                across: Vec3::Z * r * size * 1.0,
                along: Vec3::X * r * size,
            })
            .collect();
        let same = |p: Vec3| p;
        flesh.tube(&smooth(&mantle, 3), &[Layer::LongHair], &anatomy, &same);
    }

    pub(super) fn limbs(&self, side: f32, flesh: &mut Flesh) {
        let mirror = move |p: Vec3| Vec3::new(side * p.x, p.y, p.z);
        let girth = self.build.limbs;
        let both = [Layer::Skin, Layer::Cloth];
        // Mirroring turns rings inside out: swapping their axes turns them back.
        let ring = |center: Vec3, a: Vec3, b: Vec3| {
            let (across, along) = if side > 0.0 { (a, b) } else { (b, a) };
            Ring {
                center: mirror(center),
                across: mirror(across),
                along: mirror(along),
            }
        };
        let [shoulder, elbow, wrist, _] = self.arm;
        let down = (elbow - shoulder).normalize();
        // Out of the arm, to the side: hinge of the elbow is x of the hanging arm.
        let hinge = swing(45.0, 0.0) * Vec3::X;
        let arm: Vec<Ring> = ARM
            .iter()
            .map(|&[a, thin, wide]| {
                let center = if a < 1.0 {
                    shoulder + (elbow - shoulder) * a
                } else {
                    elbow + (wrist - elbow) * (a - 1.0)
                };
                let girth = if a < 2.0 { girth } else { 1.0 };
                // down × hinge points forwards; hinge × forwards is up the arm, so forwards first.
                ring(center, Vec3::Z * wide * girth, hinge * thin * girth)
            })
            .collect();
        let same = |p: Vec3| p;
        let anatomy = Part {
            plan: self,
            kind: Kind::Arm,
        };
        flesh.tube(&oriented(smooth(&arm, 3)), &both, &anatomy, &same);
        let knuckle = wrist + down * 0.05 + Vec3::Z * 0.035;
        let tip = wrist + down * 0.105 + Vec3::Z * 0.062;
        let thumb: Vec<Ring> = [(0.0, 0.014), (0.5, 0.012), (1.0, 0.009)]
            .into_iter()
            .map(|(t, r)| ring(knuckle.lerp(tip, t), Vec3::Z * r, hinge * r))
            .collect();
        flesh.tube(&oriented(thumb), &[Layer::Skin], &anatomy, &same);

        let [hip, knee, ankle, _] = self.leg;
        let leg: Vec<Ring> = LEG
            .iter()
            .map(|&[l, width, depth, back]| {
                let center = if l < 1.0 {
                    hip + (knee - hip) * l
                } else {
                    knee + (ankle - knee) * (l - 1.0)
                };
                let center = center - Vec3::Z * back;
                ring(center, Vec3::Z * depth * girth, Vec3::X * width * girth)
            })
            .collect();
        let anatomy = Part {
            plan: self,
            kind: Kind::Leg,
        };
        flesh.tube(&oriented(smooth(&leg, 3)), &both, &anatomy, &same);
        let foot: Vec<Ring> = [
            (-0.045, 0.030, 0.036),
            (0.0, 0.036, 0.042),
            (0.06, 0.040, 0.037),
            (0.12, 0.045, 0.027),
            (0.165, 0.042, 0.021),
            (0.19, 0.032, 0.016),
        ]
        .into_iter()
        .map(|(z, width, height)| {
            let center = Vec3::new(ankle.x + 0.05 * z, height, ankle.z + z);
            ring(center, Vec3::X * width, Vec3::Y * height)
        })
        .collect();
        let anatomy = Part {
            plan: self,
            kind: Kind::Foot,
        };
        flesh.tube(&oriented(smooth(&foot, 3)), &both, &anatomy, &same);
    }
}

/// Turns rings so that `across × along` points to the next one.
fn oriented(mut rings: Vec<Ring>) -> Vec<Ring> {
    if let [first, .., last] = rings.as_slice()
        && first
            .across
            .cross(first.along)
            .dot(last.center - first.center)
            < 0.0
    {
        for ring in &mut rings {
            std::mem::swap(&mut ring.across, &mut ring.along);
        }
    }
    rings
}
