//! The figure that needs no files: round tubes in human proportions.

use super::Body;
use super::loft::{Anatomy, Flesh};
use super::shape::Shape;
use crate::figure::{Anchor, Chart, Figure, KEYPOINTS};
use crate::noise::smoothstep;
use crate::random::Random;
use crate::random_pose::swing;
use crate::rig::{Bone, Drive, Rig, SkinWeights};
use crate::segment::{SEGMENTS, Segment};
use glam::{Quat, Vec3};

/// The built-in figure: a plain, rounded person of 1.72 m and variable build.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuiltIn;

impl Body for BuiltIn {
    fn figure(&self, random: &mut Random) -> Figure {
        BuiltIn::shaped(&Shape::random(random))
    }
}

/// Heights and places at rest, in metres: the arms hang 45 degrees off.
pub(super) struct Plan {
    /// Shoulder, elbow, wrist, fingertips of the left arm.
    pub(super) arm: [Vec3; 4],
    /// Hip, knee, ankle, sole of the left leg.
    pub(super) leg: [Vec3; 4],
    waist: Vec3,
    chest: Vec3,
    neck: Vec3,
    skull: Vec3,
    /// Between eyes and ears.
    pub(super) head: Vec3,
    pub(super) head_height: f32,
    pub(super) build: Build,
}

/// Factors on the girth of parts.
pub(super) struct Build {
    pub(super) shoulders: f32,
    pub(super) hips: f32,
    pub(super) waist: f32,
    pub(super) limbs: f32,
}
impl BuiltIn {
    /// The figure with a given build; age and descent do not show on it.
    pub fn shaped(shape: &Shape) -> Figure {
        let plan = Plan::new(shape);
        let rig = plan.rig();
        let mut flesh = Flesh::default();
        plan.torso(&mut flesh);
        plan.head(&mut flesh);
        for side in [1.0, -1.0] {
            plan.limbs(side, &mut flesh);
        }
        let scale = shape.scale;
        let mut figure = Figure {
            keypoints: plan.anchors(),
            vertices: flesh.vertices,
            triangles: flesh.triangles,
            rig,
        };
        figure.vertices.iter_mut().for_each(|v| v.rest *= scale);
        figure.keypoints.iter_mut().for_each(|a| a.rest *= scale);
        for bone in &mut figure.rig.bones {
            bone.head *= scale;
            bone.tail *= scale;
        }
        figure
    }
}

impl Plan {
    fn new(shape: &Shape) -> Plan {
        let Shape {
            female,
            weight,
            muscle,
            ..
        } = *shape;
        let girth = 1.0 + 0.16 * weight;
        let build = Build {
            shoulders: (1.08 - 0.13 * female) * (1.0 + 0.06 * weight + 0.05 * muscle),
            hips: (0.95 + 0.09 * female) * girth,
            waist: (1.03 - 0.08 * female) * (1.0 + 0.28 * weight.max(-0.5)),
            limbs: (1.04 - 0.07 * female) * (1.0 + 0.13 * weight + 0.08 * muscle),
        };
        let down = Vec3::new(1.0, -1.0, 0.0).normalize();
        let shoulder = Vec3::new(0.172 * build.shoulders, 1.405, -0.008);
        let elbow = shoulder + down * 0.285;
        let wrist = elbow + down * 0.25;
        let hip = Vec3::new(0.088 * build.hips, 0.92, 0.0);
        Plan {
            arm: [shoulder, elbow, wrist, wrist + down * 0.18],
            leg: [
                hip,
                Vec3::new(hip.x + 0.008, 0.495, 0.004),
                Vec3::new(hip.x + 0.012, 0.085, -0.012),
                Vec3::new(hip.x + 0.012, 0.0, -0.012),
            ],
            waist: Vec3::new(0.0, 1.04, 0.0),
            chest: Vec3::new(0.0, 1.2, 0.0),
            neck: Vec3::new(0.0, 1.455, -0.005),
            skull: Vec3::new(0.0, 1.545, 0.005),
            head: Vec3::new(0.0, 1.605, 0.012),
            head_height: 0.235,
            build,
        }
    }

    /// Bones in the order of [`Bones`]: five of the middle, then seven of each side.
    fn rig(&self) -> Rig {
        use Segment::*;
        let mut bones: Vec<Bone> = Vec::new();
        let mut add = |name: &str, parent: Option<usize>, head: Vec3, tail: Vec3, drive| {
            bones.push(Bone {
                name: name.into(),
                parent,
                head,
                tail,
                drive,
            });
        };
        let hips = Vec3::new(0.0, self.leg[0].y, 0.0);
        add("pelvis", None, hips, self.waist, Drive::rigid(Pelvis));
        let middle = Drive::between(Pelvis, Chest, 0.5);
        add("spine", Some(PELVIS), self.waist, self.chest, middle);
        add(
            "chest",
            Some(SPINE),
            self.chest,
            self.neck,
            Drive::rigid(Chest),
        );
        add(
            "neck",
            Some(CHEST),
            self.neck,
            self.skull,
            Drive::rigid(Neck),
        );
        let crown = self.head + Vec3::Y * 0.5 * self.head_height;
        add("head", Some(NECK), self.skull, crown, Drive::rigid(Head));
        for (side, first) in [(1.0, LEFT), (-1.0, RIGHT)] {
            let of = |s: Segment| Drive::rigid(if side > 0.0 { s } else { s.mirrored() });
            let at = |p: Vec3| Vec3::new(side * p.x, p.y, p.z);
            let letter = if side > 0.0 { "left" } else { "right" };
            let collar = Vec3::new(0.02, self.arm[0].y, 0.0);
            let limb = [
                ("clavicle", CHEST, collar, self.arm[0], LeftClavicle),
                ("upperarm", first, self.arm[0], self.arm[1], LeftUpperArm),
                ("forearm", first + 1, self.arm[1], self.arm[2], LeftForearm),
                ("hand", first + 2, self.arm[2], self.arm[3], LeftHand),
                ("thigh", PELVIS, self.leg[0], self.leg[1], LeftThigh),
                ("shin", first + 4, self.leg[1], self.leg[2], LeftShin),
                ("foot", first + 5, self.leg[2], self.leg[3], LeftFoot),
            ];
            for (name, parent, head, tail, segment) in limb {
                let name = format!("{letter}_{name}");
                add(&name, Some(parent), at(head), at(tail), of(segment));
            }
        }
        let mut rest = [Quat::IDENTITY; SEGMENTS];
        for segment in [LeftUpperArm, LeftForearm, LeftHand] {
            rest[segment as usize] = swing(45.0, 0.0);
            rest[segment.mirrored() as usize] = swing(-45.0, 0.0);
        }
        Rig { bones, rest }
    }

    fn anchors(&self) -> [Anchor; KEYPOINTS] {
        let on = |bone: usize, rest: Vec3, depth: f32| Anchor { bone, rest, depth };
        let side = |first: usize, bone: usize, p: Vec3, depth: f32| {
            let sign = if first == LEFT { 1.0 } else { -1.0 };
            on(first + bone, Vec3::new(sign * p.x, p.y, p.z), depth)
        };
        let [shoulder, elbow, wrist, _] = self.arm;
        let [hip, knee, ankle, _] = self.leg;
        let crown = self.head + Vec3::Y * 0.51 * self.head_height;
        let throat = self.neck.lerp(self.skull, 0.6);
        [
            side(RIGHT, 6, ankle, 0.08),
            side(RIGHT, 5, knee, 0.10),
            side(RIGHT, 4, hip, 0.18),
            side(LEFT, 4, hip, 0.18),
            side(LEFT, 5, knee, 0.10),
            side(LEFT, 6, ankle, 0.08),
            on(PELVIS, Vec3::new(0.0, hip.y, 0.0), 0.20),
            on(CHEST, Vec3::new(0.0, shoulder.y + 0.015, 0.0), 0.18),
            on(NECK, throat, 0.12),
            on(HEAD_BONE, crown, 0.10),
            side(RIGHT, 3, wrist, 0.06),
            side(RIGHT, 2, elbow, 0.08),
            side(RIGHT, 1, shoulder, 0.12),
            side(LEFT, 1, shoulder, 0.12),
            side(LEFT, 2, elbow, 0.08),
            side(LEFT, 3, wrist, 0.06),
        ]
    }
}

const PELVIS: usize = 0;
const SPINE: usize = 1;
const CHEST: usize = 2;
const NECK: usize = 3;
const HEAD_BONE: usize = 4;
/// First of clavicle, upper arm, forearm, hand, thigh, shin, foot.
const LEFT: usize = 5;
const RIGHT: usize = 12;

/// What a part is, for its coordinates and bones.
pub(super) enum Kind {
    Middle,
    Skirt,
    Head,
    Arm,
    Leg,
    Foot,
}

/// A part of the plan, as the mesh asks about its points.
pub(super) struct Part<'a> {
    pub(super) plan: &'a Plan,
    pub(super) kind: Kind,
}

impl Anatomy for Part<'_> {
    fn describe(&self, rest: Vec3) -> (Chart, SkinWeights) {
        let plan = self.plan;
        let first = if rest.x >= 0.0 { LEFT } else { RIGHT };
        let left = Vec3::new(rest.x.abs(), rest.y, rest.z);
        let along = |joints: &[Vec3; 4]| {
            let share = |a: Vec3, b: Vec3| (left - a).dot(b - a) / (b - a).length_squared();
            let (upper, lower) = (share(joints[0], joints[1]), share(joints[1], joints[2]));
            if lower > 0.0 {
                1.0 + lower
            } else {
                upper.min(1.0)
            }
        };
        let mut chart = Chart {
            torso: (rest.y - 0.85) / (1.455 - 0.85),
            arm: 0.0,
            leg: 0.0,
            head: (rest - plan.head) / plan.head_height,
        };
        // Weights pass from one bone to the next over a stretch around each joint.
        let chain = |place: f32, joints: &[(usize, f32, f32)], base: usize| {
            let mut weights: Vec<(usize, f32)> = vec![(base, 1.0)];
            for &(bone, low, high) in joints {
                let share = smoothstep(low, high, place);
                weights.iter_mut().for_each(|w| w.1 *= 1.0 - share);
                weights.push((bone, share));
            }
            SkinWeights::from_influences(&weights)
        };
        let skin = match self.kind {
            Kind::Middle => {
                let joints = [
                    (SPINE, 0.96, 1.10),
                    (CHEST, 1.12, 1.28),
                    (NECK, 1.43, 1.49),
                    (HEAD_BONE, 1.53, 1.57),
                ];
                chain(rest.y, &joints, PELVIS)
            }
            Kind::Skirt => {
                let free = smoothstep(0.95, 0.75, rest.y);
                let left_share = smoothstep(-0.1, 0.1, rest.x);
                SkinWeights::from_influences(&[
                    (PELVIS, 1.0 - free),
                    (LEFT + 4, free * left_share),
                    (RIGHT + 4, free * (1.0 - left_share)),
                ])
            }
            Kind::Head => SkinWeights::rigid(HEAD_BONE),
            Kind::Arm => {
                chart.arm = along(&plan.arm).max(1e-3);
                chart.torso = 0.8;
                let joints = [
                    (first + 1, -0.05, 0.15),
                    (first + 2, 0.86, 1.14),
                    (first + 3, 1.92, 2.06),
                ];
                chain(along(&plan.arm), &joints, first)
            }
            Kind::Leg => {
                chart.leg = along(&plan.leg).max(1e-3);
                let joints = [
                    (first + 4, -0.15, 0.05),
                    (first + 5, 0.86, 1.14),
                    (first + 6, 1.92, 2.06),
                ];
                chain(along(&plan.leg), &joints, PELVIS)
            }
            Kind::Foot => {
                chart.leg = along(&plan.leg).max(1.99);
                SkinWeights::rigid(first + 6)
            }
        };
        (chart, skin)
    }
}
