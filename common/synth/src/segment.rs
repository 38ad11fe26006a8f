//! The eighteen segments of a person that a pose turns, independent of any rig.

use glam::{Quat, Vec3};

/// Number of [`Segment`]s.
pub const SEGMENTS: usize = 18;

/// One rigid part of a person. Left and right are the person's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
#[allow(missing_docs)]
pub enum Segment {
    Pelvis,
    Chest,
    Neck,
    Head,
    LeftClavicle,
    LeftUpperArm,
    LeftForearm,
    LeftHand,
    LeftThigh,
    LeftShin,
    LeftFoot,
    RightClavicle,
    RightUpperArm,
    RightForearm,
    RightHand,
    RightThigh,
    RightShin,
    RightFoot,
}

impl Segment {
    /// All segments, parents before children, in the order of [`Pose::turns`].
    pub const ALL: [Segment; SEGMENTS] = [
        Segment::Pelvis,
        Segment::Chest,
        Segment::Neck,
        Segment::Head,
        Segment::LeftClavicle,
        Segment::LeftUpperArm,
        Segment::LeftForearm,
        Segment::LeftHand,
        Segment::LeftThigh,
        Segment::LeftShin,
        Segment::LeftFoot,
        Segment::RightClavicle,
        Segment::RightUpperArm,
        Segment::RightForearm,
        Segment::RightHand,
        Segment::RightThigh,
        Segment::RightShin,
        Segment::RightFoot,
    ];

    /// The segment this one hangs on; the pelvis hangs on none.
    pub fn parent(self) -> Option<Segment> {
        use Segment::*;
        Some(match self {
            Pelvis => return None,
            Chest | LeftThigh | RightThigh => Pelvis,
            Neck | LeftClavicle | RightClavicle => Chest,
            Head => Neck,
            LeftUpperArm => LeftClavicle,
            LeftForearm => LeftUpperArm,
            LeftHand => LeftForearm,
            LeftShin => LeftThigh,
            LeftFoot => LeftShin,
            RightUpperArm => RightClavicle,
            RightForearm => RightUpperArm,
            RightHand => RightForearm,
            RightShin => RightThigh,
            RightFoot => RightShin,
        })
    }

    /// The same segment of the other side; torso and head are their own.
    pub fn mirrored(self) -> Segment {
        let index = self as usize;
        match index {
            4..=10 => Segment::ALL[index + 7],
            11..=17 => Segment::ALL[index - 7],
            _ => self,
        }
    }
}

/// How a person stands: the orientation of every segment in the person's own space.
///
/// That space has y up, z forward and x to the person's left. The identity in every place is a
/// person who stands upright, arms hanging, palms against the thighs, toes forward. A limb points
/// along `turn * -Y`; its hinge (knee, elbow) is `turn * X`, positive angles bend the knee,
/// negative ones the elbow.
#[derive(Clone, Debug, PartialEq)]
pub struct Pose {
    /// Orientation of each segment, in the order of [`Segment::ALL`].
    pub turns: [Quat; SEGMENTS],
    /// How far the lowest point of the body is above the floor, in metres.
    pub lift: f32,
}

impl Default for Pose {
    fn default() -> Self {
        Pose {
            turns: [Quat::IDENTITY; SEGMENTS],
            lift: 0.0,
        }
    }
}

impl Pose {
    /// Composes a pose from rotations relative to the parent segment.
    pub fn from_local(local: &[Quat; SEGMENTS]) -> Pose {
        let mut pose = Pose::default();
        for segment in Segment::ALL {
            let parent = segment
                .parent()
                .map_or(Quat::IDENTITY, |p| pose.turns[p as usize]);
            pose.turns[segment as usize] = (parent * local[segment as usize]).normalize();
        }
        pose
    }

    /// Orientation of one segment.
    pub fn turn(&self, segment: Segment) -> Quat {
        self.turns[segment as usize]
    }

    /// The pose that this one shows in a mirror: left and right swapped.
    pub fn mirrored(&self) -> Pose {
        let mut pose = self.clone();
        for segment in Segment::ALL {
            let turn = self.turn(segment);
            pose.turns[segment.mirrored() as usize] =
                Quat::from_xyzw(turn.x, -turn.y, -turn.z, turn.w);
        }
        pose
    }
}

/// The orientation of a limb segment that points along `direction`, its hinge as near as possible
/// to `hinge` (both in the person's space; `direction` of unit length).
pub(crate) fn limb_turn(direction: Vec3, hinge: Vec3) -> Quat {
    let down = direction.normalize_or(Vec3::NEG_Y);
    let across = (hinge - down * hinge.dot(down)).try_normalize();
    match across {
        Some(x) => {
            let y = -down;
            let z = x.cross(y);
            Quat::from_mat3(&glam::Mat3::from_cols(x, y, z)).normalize()
        }
        None => Quat::from_rotation_arc(Vec3::NEG_Y, down),
    }
}

/// The resting orientation of a limb segment from its own direction and that of the next one:
/// the hinge is taken from the bend between them where there is one.
pub(crate) fn rest_turn(direction: Vec3, upper: Vec3, lower: Vec3) -> Quat {
    let direction = direction.normalize_or(Vec3::NEG_Y);
    // Where limbs are straight, the least rotation from the hanging limb carries the hinge.
    let carried = Quat::from_rotation_arc(Vec3::NEG_Y, direction) * Vec3::X;
    let bend = upper
        .normalize_or(Vec3::NEG_Y)
        .cross(lower.normalize_or(Vec3::NEG_Y));
    let hinge = if bend.length() > 0.25 {
        bend.normalize() * bend.dot(carried).signum()
    } else {
        carried
    };
    limb_turn(direction, hinge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::FRAC_PI_2;

    #[test]
    fn parents_come_before_children() {
        for segment in Segment::ALL {
            if let Some(parent) = segment.parent() {
                assert!((parent as usize) < segment as usize);
            }
            assert_eq!(segment.mirrored().mirrored(), segment);
        }
    }

    #[test]
    fn knees_bend_backwards_and_elbows_forwards() {
        let mut local = [Quat::IDENTITY; SEGMENTS];
        local[Segment::LeftShin as usize] = Quat::from_rotation_x(FRAC_PI_2);
        local[Segment::LeftForearm as usize] = Quat::from_rotation_x(-FRAC_PI_2);
        let pose = Pose::from_local(&local);
        let shin = pose.turn(Segment::LeftShin) * Vec3::NEG_Y;
        let forearm = pose.turn(Segment::LeftForearm) * Vec3::NEG_Y;
        assert!((shin - Vec3::NEG_Z).length() < 1e-6, "{shin}");
        assert!((forearm - Vec3::Z).length() < 1e-6, "{forearm}");
    }

    #[test]
    fn a_mirrored_pose_mirrors_directions() {
        let mut local = [Quat::IDENTITY; SEGMENTS];
        local[Segment::LeftUpperArm as usize] =
            Quat::from_euler(glam::EulerRot::XYZ, 0.3, -0.5, 1.1);
        let pose = Pose::from_local(&local);
        let left = pose.turn(Segment::LeftUpperArm) * Vec3::NEG_Y;
        let right = pose.mirrored().turn(Segment::RightUpperArm) * Vec3::NEG_Y;
        assert!((Vec3::new(-left.x, left.y, left.z) - right).length() < 1e-6);
    }

    #[test]
    fn limb_turn_gives_direction_and_hinge() {
        let direction = Vec3::new(0.6, -0.8, 0.0);
        let turn = limb_turn(direction, Vec3::new(0.2, 0.1, 0.9));
        assert!((turn * Vec3::NEG_Y - direction).length() < 1e-6);
        assert!((turn * Vec3::X).dot(direction).abs() < 1e-6);
        assert!((turn * Vec3::X).z > 0.8);
    }
}
