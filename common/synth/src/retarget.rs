//! How a recorded skeleton becomes a [`Pose`] of any body: by names and resting directions.

use crate::bvh::Clip;
use crate::segment::{Pose, Segment, limb_turn, rest_turn};
use glam::{Quat, Vec3};

impl Clip {
    /// Whether thighs, shins, upper arms and forearms were all found by name.
    pub fn fits_a_person(&self) -> bool {
        use Segment::*;
        [
            Pelvis,
            LeftUpperArm,
            LeftForearm,
            LeftThigh,
            LeftShin,
            Chest,
        ]
        .into_iter()
        .flat_map(|s| [s, s.mirrored()])
        .all(|s| self.carriers[s as usize].is_some())
    }

    /// The pose of one frame; frames beyond the end give the last one.
    ///
    /// Directions are those of the recording; where an elbow or a knee is bent, the bend gives the
    /// limb's roll, as recordings often have none of their own.
    pub fn pose(&self, frame: usize) -> Pose {
        let (turns, _) = self.global(frame);
        let mut pose = Pose::default();
        for segment in Segment::ALL {
            let k = segment as usize;
            pose.turns[k] = match (self.carriers[k], segment.parent()) {
                (Some(joint), _) => {
                    (self.upright * turns[joint] * self.upright.inverse() * self.rest[k])
                        .normalize()
                }
                (None, Some(parent)) => pose.turns[parent as usize],
                (None, None) => Quat::IDENTITY,
            };
        }
        for (upper, lower, end) in [
            (
                Segment::LeftUpperArm,
                Segment::LeftForearm,
                Segment::LeftHand,
            ),
            (Segment::LeftThigh, Segment::LeftShin, Segment::LeftFoot),
        ] {
            let sign = if upper == Segment::LeftThigh {
                1.0
            } else {
                -1.0
            };
            roll_by_bend(&mut pose, [upper, lower, end], sign);
            roll_by_bend(&mut pose, [upper, lower, end].map(Segment::mirrored), sign);
        }
        pose
    }

    /// Finds the joint of each segment by name, which way is up, and the segments' orientation in
    /// the file's rest pose.
    pub(crate) fn match_segments(&mut self) {
        let find = |names: &[&str]| {
            names.iter().find_map(|n| {
                self.joints
                    .iter()
                    .position(|j| j.name.eq_ignore_ascii_case(n))
            })
        };
        for segment in Segment::ALL {
            self.carriers[segment as usize] = find(names(segment));
        }
        let mut rest_places: Vec<Vec3> = Vec::new();
        for joint in &self.joints {
            let parent = joint.parent.map_or(Vec3::ZERO, |p| rest_places[p]);
            rest_places.push(parent + joint.offset);
        }
        let place = |s: Segment| self.carriers[s as usize].map(|j| rest_places[j]);
        let (Some(pelvis), Some(head)) = (
            place(Segment::Pelvis),
            place(Segment::Head).or(place(Segment::Neck)),
        ) else {
            return;
        };
        let spine = head - pelvis;
        if spine.z.abs() > spine.y.abs() {
            // z up and facing −y, as Blender exports.
            self.upright = Quat::from_rotation_x(-std::f32::consts::FRAC_PI_2);
        }
        let upright = self.upright;
        for [upper, lower, end] in [
            [
                Segment::LeftUpperArm,
                Segment::LeftForearm,
                Segment::LeftHand,
            ],
            [Segment::LeftThigh, Segment::LeftShin, Segment::LeftFoot],
        ] {
            for chain in [
                [upper, lower, end],
                [upper, lower, end].map(Segment::mirrored),
            ] {
                let [Some(a), Some(b)] = [place(chain[0]), place(chain[1])] else {
                    continue;
                };
                let first = upright * (b - a);
                let second = place(chain[2]).map_or(first, |c| upright * (c - b));
                let (u, l) = if upper == Segment::LeftThigh {
                    (first, second)
                } else {
                    (second, first)
                };
                self.rest[chain[0] as usize] = rest_turn(first, u, l);
                self.rest[chain[1] as usize] = rest_turn(second, u, l);
                if upper == Segment::LeftUpperArm {
                    self.rest[chain[2] as usize] = rest_turn(second, u, l);
                }
            }
        }
    }
}

/// Turns a limb about its own axes so that its hinge is that of its bend.
fn roll_by_bend(pose: &mut Pose, [upper, lower, end]: [Segment; 3], sign: f32) {
    let first = pose.turn(upper) * Vec3::NEG_Y;
    let second = pose.turn(lower) * Vec3::NEG_Y;
    let bend = first.cross(second) * sign;
    let carried = pose.turn(upper) * Vec3::X;
    // Full trust from 40 degrees of bend, none below 15.
    let trust = ((bend.length() - 0.26) / 0.38).clamp(0.0, 1.0);
    if trust == 0.0 || bend.dot(carried) < 0.0 {
        return;
    }
    let hinge = carried.lerp(bend.normalize(), trust);
    let hand = pose.turn(lower).inverse() * pose.turn(end);
    let is_arm = sign < 0.0;
    pose.turns[upper as usize] = limb_turn(first, hinge);
    pose.turns[lower as usize] = limb_turn(second, hinge);
    if is_arm {
        pose.turns[end as usize] = pose.turn(lower) * hand;
    }
}

/// Names that joints go by: CMU's, MakeHuman's old and new rigs, Mixamo's. The first that exists
/// counts; Mixamo calls the clavicle what CMU calls the upper arm, so its upper arm comes first.
fn names(segment: Segment) -> &'static [&'static str] {
    use Segment::*;
    match segment {
        Pelvis => &["Hips", "Root", "mixamorig:Hips", "Pelvis"],
        Chest => &[
            "Chest2",
            "Spine3",
            "spine01",
            "Spine2",
            "Chest",
            "mixamorig:Spine2",
            "Spine1",
            "Spine",
        ],
        Neck => &["Neck", "neck02", "neck01", "mixamorig:Neck"],
        Head => &["Head", "mixamorig:Head"],
        LeftClavicle => &[
            "LeftCollar",
            "Clavicle_L",
            "clavicle.L",
            "mixamorig:LeftShoulder",
        ],
        LeftUpperArm => &[
            "LeftArm",
            "UpArm_L",
            "upperarm01.L",
            "mixamorig:LeftArm",
            "LeftShoulder",
        ],
        LeftForearm => &[
            "LeftForeArm",
            "LoArm_L",
            "lowerarm01.L",
            "mixamorig:LeftForeArm",
            "LeftElbow",
        ],
        LeftHand => &[
            "LeftHand",
            "Hand_L",
            "wrist.L",
            "mixamorig:LeftHand",
            "LeftWrist",
        ],
        LeftThigh => &[
            "LeftUpLeg",
            "UpLeg_L",
            "upperleg01.L",
            "mixamorig:LeftUpLeg",
            "LeftHip",
        ],
        LeftShin => &[
            "LeftLeg",
            "LoLeg_L",
            "lowerleg01.L",
            "mixamorig:LeftLeg",
            "LeftKnee",
        ],
        LeftFoot => &[
            "LeftFoot",
            "Foot_L",
            "foot.L",
            "mixamorig:LeftFoot",
            "LeftAnkle",
        ],
        RightClavicle => &[
            "RightCollar",
            "Clavicle_R",
            "clavicle.R",
            "mixamorig:RightShoulder",
        ],
        RightUpperArm => &[
            "RightArm",
            "UpArm_R",
            "upperarm01.R",
            "mixamorig:RightArm",
            "RightShoulder",
        ],
        RightForearm => &[
            "RightForeArm",
            "LoArm_R",
            "lowerarm01.R",
            "mixamorig:RightForeArm",
            "RightElbow",
        ],
        RightHand => &[
            "RightHand",
            "Hand_R",
            "wrist.R",
            "mixamorig:RightHand",
            "RightWrist",
        ],
        RightThigh => &[
            "RightUpLeg",
            "UpLeg_R",
            "upperleg01.R",
            "mixamorig:RightUpLeg",
            "RightHip",
        ],
        RightShin => &[
            "RightLeg",
            "LoLeg_R",
            "lowerleg01.R",
            "mixamorig:RightLeg",
            "RightKnee",
        ],
        RightFoot => &[
            "RightFoot",
            "Foot_R",
            "foot.R",
            "mixamorig:RightFoot",
            "RightAnkle",
        ],
    }
}
