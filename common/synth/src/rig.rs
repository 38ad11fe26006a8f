//! Bones, forward kinematics and linear blend skinning.

use crate::segment::{Pose, SEGMENTS, Segment};
use glam::{Affine3A, Mat3, Quat, Vec3};

/// Most bones that move one vertex.
pub const INFLUENCES: usize = 4;

/// How a bone follows the segments: `slerp(from, to, share)` of their turns out of rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drive {
    /// The segment followed at share 0.
    pub from: Segment,
    /// The segment followed at share 1.
    pub to: Segment,
    /// 0..=1.
    pub share: f32,
}

impl Drive {
    /// Follows one segment rigidly.
    pub const fn rigid(segment: Segment) -> Drive {
        Drive {
            from: segment,
            to: segment,
            share: 0.0,
        }
    }

    /// Follows a mixture of two.
    pub const fn between(from: Segment, to: Segment, share: f32) -> Drive {
        Drive { from, to, share }
    }
}

/// One bone at rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Bone {
    /// The rig's own name for it.
    pub name: String,
    /// Index of the parent, always smaller than the bone's own; none for the root.
    pub parent: Option<usize>,
    /// Where the bone turns, at rest, in metres.
    pub head: Vec3,
    /// Its far end at rest.
    pub tail: Vec3,
    /// Which segments it follows.
    pub drive: Drive,
}

/// A skeleton at rest, parents before children.
#[derive(Clone, Debug, PartialEq)]
pub struct Rig {
    /// The bones, parents before children.
    pub bones: Vec<Bone>,
    /// Orientation of each segment in the rig's rest pose, in the convention of [`Pose`].
    pub rest: [Quat; SEGMENTS],
}

/// A bone's motion from rest to pose: `x' = turn · (x − rest_head) + head`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoneMotion {
    /// Rotation out of rest.
    pub turn: Quat,
    /// The posed head.
    pub head: Vec3,
    /// The head at rest.
    pub rest_head: Vec3,
}

impl BoneMotion {
    /// Where a point that is fixed to the bone goes.
    pub fn apply(&self, rest: Vec3) -> Vec3 {
        self.turn * (rest - self.rest_head) + self.head
    }

    fn affine(&self) -> Affine3A {
        Affine3A::from_mat3_translation(
            Mat3::from_quat(self.turn),
            self.head - self.turn * self.rest_head,
        )
    }
}

impl Rig {
    /// Index of a bone by name.
    pub fn bone(&self, name: &str) -> Option<usize> {
        self.bones.iter().position(|bone| bone.name == name)
    }

    /// Forward kinematics: every bone's motion in `pose`. The root keeps its place.
    pub fn motions(&self, pose: &Pose) -> Vec<BoneMotion> {
        let mut out: [Quat; SEGMENTS] = [Quat::IDENTITY; SEGMENTS];
        for (k, turn) in out.iter_mut().enumerate() {
            *turn = (pose.turns[k] * self.rest[k].inverse()).normalize();
        }
        let mut motions: Vec<BoneMotion> = Vec::with_capacity(self.bones.len());
        for bone in &self.bones {
            let from = out[bone.drive.from as usize];
            let to = out[bone.drive.to as usize];
            let turn = if bone.drive.share == 0.0 {
                from
            } else {
                from.slerp(to, bone.drive.share)
            };
            let head = bone
                .parent
                .map_or(bone.head, |parent| motions[parent].apply(bone.head));
            motions.push(BoneMotion {
                turn,
                head,
                rest_head: bone.head,
            });
        }
        motions
    }
}

/// Which bones move a vertex, and how much; the weights add up to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkinWeights {
    /// Bone indices; unused places have weight 0.
    pub bones: [u16; INFLUENCES],
    /// Shares, largest first.
    pub weights: [f32; INFLUENCES],
}

impl SkinWeights {
    /// A vertex fixed to one bone.
    pub fn rigid(bone: usize) -> SkinWeights {
        SkinWeights {
            bones: [bone as u16, 0, 0, 0],
            weights: [1.0, 0.0, 0.0, 0.0],
        }
    }

    /// Keeps the four heaviest of any number of influences and scales them to a sum of 1. A vertex
    /// without influence hangs on bone 0.
    pub fn from_influences(influences: &[(usize, f32)]) -> SkinWeights {
        let mut sorted: Vec<(usize, f32)> =
            influences.iter().copied().filter(|i| i.1 > 0.0).collect();
        sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        sorted.truncate(INFLUENCES);
        let total: f32 = sorted.iter().map(|i| i.1).sum();
        if total <= 0.0 {
            return SkinWeights::rigid(0);
        }
        let mut weights = SkinWeights {
            bones: [0; INFLUENCES],
            weights: [0.0; INFLUENCES],
        };
        for (k, (bone, weight)) in sorted.into_iter().enumerate() {
            weights.bones[k] = bone as u16;
            weights.weights[k] = weight / total;
        }
        weights
    }

    /// The summed weight of the bones for which `pick` holds.
    pub fn share(&self, pick: impl Fn(usize) -> bool) -> f32 {
        (0..INFLUENCES)
            .filter(|&k| self.weights[k] > 0.0 && pick(self.bones[k] as usize))
            .map(|k| self.weights[k])
            .sum()
    }
}

/// Linear blend skinning: `x' = Σ wᵢ · Mᵢ · x` for every vertex.
pub fn skin(
    rest: impl Iterator<Item = (Vec3, SkinWeights)>,
    motions: &[BoneMotion],
    out: &mut Vec<Vec3>,
) {
    let affines: Vec<Affine3A> = motions.iter().map(BoneMotion::affine).collect();
    out.clear();
    out.extend(rest.map(|(point, skin)| {
        let mut sum = Vec3::ZERO;
        for k in 0..INFLUENCES {
            if skin.weights[k] > 0.0
                && let Some(affine) = affines.get(skin.bones[k] as usize)
            {
                sum += skin.weights[k] * affine.transform_point3(point);
            }
        }
        sum
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::FRAC_PI_2;

    /// Upper arm from the origin to (0, −1, 0), forearm on to (0, −2, 0).
    fn arm() -> Rig {
        let bone = |name: &str, parent, y: f32, segment| Bone {
            name: name.into(),
            parent,
            head: Vec3::new(0.0, y, 0.0),
            tail: Vec3::new(0.0, y - 1.0, 0.0),
            drive: Drive::rigid(segment),
        };
        Rig {
            bones: vec![
                bone("upper", None, 0.0, Segment::LeftUpperArm),
                bone("lower", Some(0), -1.0, Segment::LeftForearm),
            ],
            rest: [Quat::IDENTITY; SEGMENTS],
        }
    }

    #[test]
    fn rest_pose_is_the_identity() {
        let mut rig = arm();
        rig.rest[Segment::LeftUpperArm as usize] = Quat::from_rotation_z(0.7);
        let pose = Pose {
            turns: rig.rest,
            lift: 0.0,
        };
        for motion in rig.motions(&pose) {
            let point = Vec3::new(0.3, -1.4, 0.2);
            assert!((motion.apply(point) - point).length() < 1e-6);
        }
    }

    #[test]
    fn a_bent_elbow_moves_as_a_circle() {
        let rig = arm();
        let mut local = [Quat::IDENTITY; SEGMENTS];
        local[Segment::LeftForearm as usize] = Quat::from_rotation_x(-FRAC_PI_2);
        let motions = rig.motions(&Pose::from_local(&local));
        let wrist = motions[1].apply(Vec3::new(0.0, -2.0, 0.0));
        assert!(
            (wrist - Vec3::new(0.0, -1.0, 1.0)).length() < 1e-6,
            "{wrist}"
        );
        // Half and half: the mean of the two rigid results.
        let half = SkinWeights::from_influences(&[(0, 1.0), (1, 1.0)]);
        let mut out = Vec::new();
        skin(
            [(Vec3::new(0.0, -2.0, 0.0), half)].into_iter(),
            &motions,
            &mut out,
        );
        assert!(
            (out[0] - Vec3::new(0.0, -1.5, 0.5)).length() < 1e-6,
            "{}",
            out[0]
        );
    }

    #[test]
    fn the_heaviest_four_influences_stay() {
        let skin =
            SkinWeights::from_influences(&[(0, 0.1), (1, 0.4), (2, 0.2), (3, 0.05), (4, 0.3)]);
        assert_eq!(skin.bones, [1, 4, 2, 0]);
        assert!((skin.weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((skin.weights[0] - 0.4).abs() < 1e-6);
        assert_eq!(SkinWeights::from_influences(&[]), SkinWeights::rigid(0));
    }
}
