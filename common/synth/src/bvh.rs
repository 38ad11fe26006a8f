//! Motion capture in BVH.

use crate::error::SynthError;
use crate::segment::SEGMENTS;
use glam::{Quat, Vec3};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Position(usize),
    Rotation(usize),
}

/// One joint of the file's skeleton.
#[derive(Clone, Debug)]
pub(crate) struct Joint {
    pub(crate) name: String,
    pub(crate) parent: Option<usize>,
    pub(crate) offset: Vec3,
    channels: Vec<Channel>,
}

/// A recorded motion.
#[derive(Clone, Debug)]
pub struct Clip {
    /// File name without its ending.
    pub name: String,
    path: PathBuf,
    pub(crate) joints: Vec<Joint>,
    /// Numbers per frame.
    width: usize,
    /// Frame after frame.
    values: Vec<f32>,
    frame_seconds: f32,
    /// Turns the file's axes (y or z up) into ours.
    pub(crate) upright: Quat,
    /// The joint that carries each segment.
    pub(crate) carriers: [Option<usize>; SEGMENTS],
    pub(crate) rest: [Quat; SEGMENTS],
}

impl Clip {
    /// Reads a BVH file. `path` is for the name and for messages.
    ///
    /// # Errors
    /// When a line is not what BVH says, with its number.
    pub fn parse(path: &Path, text: &str) -> Result<Clip, SynthError> {
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(k, line)| (k + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty());
        let mut joints: Vec<Joint> = Vec::new();
        // Open braces: the joint each belongs to, none for an end site.
        let mut open: Vec<Option<usize>> = Vec::new();
        let mut current: Option<usize> = None;
        let mut last = 0;
        for (number, line) in lines.by_ref() {
            last = number;
            let bad = |expected| SynthError::text(path, number, expected, line);
            let mut words = line.split_ascii_whitespace();
            match words.next().unwrap_or_default() {
                "HIERARCHY" => {}
                "ROOT" | "JOINT" => {
                    let parent = open.last().copied().flatten();
                    joints.push(Joint {
                        name: words.next().unwrap_or_default().into(),
                        parent,
                        offset: Vec3::ZERO,
                        channels: Vec::new(),
                    });
                    current = Some(joints.len() - 1);
                }
                "End" => current = None,
                "{" => open.push(current),
                "}" => {
                    open.pop()
                        .ok_or_else(|| bad("as many `}` as `{`, not more"))?;
                }
                "OFFSET" => {
                    let offset =
                        super::body::three(&mut words).ok_or_else(|| bad("`OFFSET x y z`"))?;
                    if let Some(Some(joint)) = open.last().copied() {
                        joints[joint].offset = offset;
                    }
                }
                "CHANNELS" => {
                    let joint = open
                        .last()
                        .copied()
                        .flatten()
                        .ok_or_else(|| bad("`CHANNELS` inside a joint"))?;
                    let channels: Option<Vec<Channel>> = words.skip(1).map(channel).collect();
                    joints[joint].channels =
                        channels.ok_or_else(|| bad("channels such as `Xposition Zrotation`"))?;
                }
                "MOTION" => break,
                _ => return Err(bad("ROOT, JOINT, End, OFFSET, CHANNELS or MOTION")),
            }
        }
        let mut header = |key: &'static str| -> Result<f32, SynthError> {
            let (number, line) = lines.next().unwrap_or((last, ""));
            let value = line.strip_prefix(key).map(str::trim);
            value
                .and_then(|v| v.parse::<f32>().ok())
                .ok_or_else(|| SynthError::text(path, number, key, line))
        };
        let frames = header("Frames:")? as usize;
        let frame_seconds = header("Frame Time:")?;
        let width: usize = joints.iter().map(|j| j.channels.len()).sum();
        let mut values = Vec::new();
        for (number, line) in lines {
            let before = values.len();
            for word in line.split_ascii_whitespace() {
                let value = word.parse::<f32>().ok().filter(|v| v.is_finite());
                values.push(value.ok_or_else(|| SynthError::text(path, number, "a number", word))?);
            }
            if values.len() - before != width {
                let expected = "one number per channel of the hierarchy";
                return Err(SynthError::text(path, number, expected, line));
            }
        }
        // More frames than announced do no harm.
        values.truncate(width.saturating_mul(frames));
        if values.is_empty() || values.len() != width.saturating_mul(frames) {
            let found = values.len() / width.max(1);
            let what = format!("expected {frames} frames after `Frames:`, found {found}");
            return Err(SynthError::content(path, what));
        }
        let name = path.file_stem().unwrap_or_default();
        let mut clip = Clip {
            name: name.to_string_lossy().into_owned(),
            path: path.into(),
            joints,
            width,
            values,
            frame_seconds,
            upright: Quat::IDENTITY,
            carriers: [None; SEGMENTS],
            rest: [Quat::IDENTITY; SEGMENTS],
        };
        clip.match_segments();
        Ok(clip)
    }

    /// The file the motion came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.values.len() / self.width
    }

    /// Seconds from one frame to the next.
    pub fn frame_seconds(&self) -> f32 {
        self.frame_seconds
    }
    /// Global rotation and position of every joint, in the file's axes.
    pub(crate) fn global(&self, frame: usize) -> (Vec<Quat>, Vec<Vec3>) {
        let frame = frame.min(self.frames().saturating_sub(1));
        let mut values = self.values[frame * self.width..][..self.width].iter();
        let mut turns: Vec<Quat> = Vec::with_capacity(self.joints.len());
        let mut places: Vec<Vec3> = Vec::with_capacity(self.joints.len());
        for joint in &self.joints {
            let mut turn = Quat::IDENTITY;
            let mut offset = joint.offset;
            let mut moved = Vec3::ZERO;
            let mut positioned = false;
            // Rotations apply in the order of the channels: v' = R1 · R2 · R3 · v.
            for (channel, &value) in joint.channels.iter().zip(values.by_ref()) {
                match *channel {
                    Channel::Position(axis) => {
                        moved[axis] = value;
                        positioned = true;
                    }
                    Channel::Rotation(axis) => {
                        let axis = [Vec3::X, Vec3::Y, Vec3::Z][axis];
                        turn *= Quat::from_axis_angle(axis, value.to_radians());
                    }
                }
            }
            if positioned {
                offset = moved;
            }
            let (parent_turn, parent_place) = joint
                .parent
                .map_or((Quat::IDENTITY, Vec3::ZERO), |p| (turns[p], places[p]));
            turns.push((parent_turn * turn).normalize());
            places.push(parent_place + parent_turn * offset);
        }
        (turns, places)
    }
}

fn channel(word: &str) -> Option<Channel> {
    let axis = match word.as_bytes().first()?.to_ascii_uppercase() {
        b'X' => 0,
        b'Y' => 1,
        b'Z' => 2,
        _ => return None,
    };
    match word.get(1..)?.to_ascii_lowercase().as_str() {
        "position" => Some(Channel::Position(axis)),
        "rotation" => Some(Channel::Rotation(axis)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Segment;
    use std::fmt::Write;

    /// A stick figure in CMU's names: legs and arms hang straight down.
    fn text(frame: &[(&str, [f32; 3])]) -> String {
        let joints: [(&str, usize, [f32; 3]); 15] = [
            ("Hips", 0, [0.0, 0.0, 0.0]),
            ("LeftHip", 1, [1.0, 0.0, 0.0]),
            ("LeftKnee", 2, [0.0, -4.0, 0.0]),
            ("LeftAnkle", 3, [0.0, -4.0, 0.0]),
            ("RightHip", 1, [-1.0, 0.0, 0.0]),
            ("RightKnee", 2, [0.0, -4.0, 0.0]),
            ("RightAnkle", 3, [0.0, -4.0, 0.0]),
            ("Chest", 1, [0.0, 3.0, 0.0]),
            ("Head", 2, [0.0, 3.0, 0.0]),
            ("LeftShoulder", 2, [2.0, 2.0, 0.0]),
            ("LeftElbow", 3, [0.0, -3.0, 0.0]),
            ("LeftWrist", 4, [0.0, -3.0, 0.0]),
            ("RightShoulder", 2, [-2.0, 2.0, 0.0]),
            ("RightElbow", 3, [0.0, -3.0, 0.0]),
            ("RightWrist", 4, [0.0, -3.0, 0.0]),
        ];
        let mut out = String::from("HIERARCHY\n");
        let mut depth = 0;
        for (name, level, [x, y, z]) in joints {
            while depth > level {
                out.push_str("}\n");
                depth -= 1;
            }
            let kind = if level == 0 { "ROOT" } else { "JOINT" };
            let positions = if level == 0 {
                "6 Xposition Yposition Zposition"
            } else {
                "3"
            };
            writeln!(out, "{kind} {name}\n{{\nOFFSET {x} {y} {z}").unwrap();
            writeln!(out, "CHANNELS {positions} Zrotation Xrotation Yrotation").unwrap();
            depth = level + 1;
        }
        out.push_str(&"}\n".repeat(depth));
        out.push_str("MOTION\nFrames: 1\nFrame Time: 0.04\n0 10 0");
        for (name, ..) in joints {
            let turn = frame.iter().find(|(n, _)| *n == name);
            let [z, x, y] = turn.map_or([0.0; 3], |(_, turn)| *turn);
            write!(out, " {z} {x} {y}").unwrap();
        }
        out.push('\n');
        out
    }

    fn clip(frame: &[(&str, [f32; 3])]) -> Clip {
        Clip::parse(Path::new("stick.bvh"), &text(frame)).unwrap()
    }

    #[test]
    fn the_rest_pose_is_the_upright_pose() {
        let clip = clip(&[]);
        assert!(clip.fits_a_person());
        assert_eq!((clip.frames(), clip.name.as_str()), (1, "stick"));
        for turn in clip.pose(0).turns {
            assert!(turn.angle_between(Quat::IDENTITY) < 1e-3, "{turn}");
        }
    }

    #[test]
    fn rotations_apply_in_channel_order() {
        // Zrotation 90, then Xrotation 90: v' = Rz · Rx · v; −Y → Rx → −Z → Rz → −Z.
        let pose = clip(&[("LeftShoulder", [90.0, 90.0, 0.0])]).pose(0);
        let arm = pose.turn(Segment::LeftUpperArm) * Vec3::NEG_Y;
        assert!((arm - Vec3::NEG_Z).length() < 1e-5, "{arm}");
        // Alone, Zrotation 90 lifts the left arm to the side, and the forearm with it.
        let pose = clip(&[("LeftShoulder", [90.0, 0.0, 0.0])]).pose(0);
        for segment in [Segment::LeftUpperArm, Segment::LeftForearm] {
            let arm = pose.turn(segment) * Vec3::NEG_Y;
            assert!((arm - Vec3::X).length() < 1e-5, "{arm}");
        }
        let right = pose.turn(Segment::RightUpperArm) * Vec3::NEG_Y;
        assert!((right - Vec3::NEG_Y).length() < 1e-5);
    }

    #[test]
    fn a_bent_knee_keeps_its_hinge_sideways() {
        let pose = clip(&[("RightKnee", [0.0, 60.0, 0.0])]).pose(0);
        let shin = pose.turn(Segment::RightShin) * Vec3::NEG_Y;
        let (sin, cos) = 60.0f32.to_radians().sin_cos();
        assert!(
            (shin - Vec3::new(0.0, -cos, -sin)).length() < 1e-5,
            "{shin}"
        );
        let hinge = pose.turn(Segment::RightThigh) * Vec3::X;
        assert!((hinge - Vec3::X).length() < 1e-5, "{hinge}");
    }

    #[test]
    fn z_up_files_are_set_upright() {
        // The same figure as Blender writes it: (x, y, z) becomes (x, −z, y).
        let text = text(&[]);
        let turned: Vec<String> = text
            .lines()
            .map(|line| match line.strip_prefix("OFFSET ") {
                Some(rest) => {
                    let v: Vec<f32> = rest.split(' ').map(|w| w.parse().unwrap()).collect();
                    format!("OFFSET {} {} {}", v[0], -v[2], v[1])
                }
                None => line.to_owned(),
            })
            .collect();
        let clip = Clip::parse(Path::new("z.bvh"), &turned.join("\n")).unwrap();
        for turn in clip.pose(0).turns {
            assert!(turn.angle_between(Quat::IDENTITY) < 1e-3, "{turn}");
        }
    }

    #[test]
    fn broken_files_name_the_line() {
        for (from, to, line) in [
            ("OFFSET 1 0 0", "OFFSET 1 0", ":8:"),
            ("Frames: 1", "Frames: x", ":"),
            ("0 10 0", "0 ten 0", ":"),
        ] {
            let broken = text(&[]).replacen(from, to, 1);
            let error = Clip::parse(Path::new("b.bvh"), &broken)
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("b.bvh:") && error.contains(line),
                "{error}"
            );
        }
        let short = text(&[]).replace("Frames: 1", "Frames: 2");
        let error = Clip::parse(Path::new("b.bvh"), &short)
            .unwrap_err()
            .to_string();
        assert!(error.contains("expected 2 frames"), "{error}");
        assert!(Clip::parse(Path::new("b.bvh"), "").is_err());
        assert!(Clip::parse(Path::new("b.bvh"), "}").is_err());
    }
}
