//! Angles of a body's joints.

use crate::body::is_sure;
use crate::geometry::Point;
use crate::keypoint_set::KeypointSet;
use crate::pose::Pose;
use alloc::vec::Vec;

/// Joint, and the three keypoints whose angle it is: the middle one is the vertex.
const JOINTS: [(&str, [&str; 3]); 8] = [
    ("left_shoulder", ["left_elbow", "left_shoulder", "left_hip"]),
    (
        "right_shoulder",
        ["right_elbow", "right_shoulder", "right_hip"],
    ),
    ("left_elbow", ["left_shoulder", "left_elbow", "left_wrist"]),
    (
        "right_elbow",
        ["right_shoulder", "right_elbow", "right_wrist"],
    ),
    ("left_hip", ["left_shoulder", "left_hip", "left_knee"]),
    ("right_hip", ["right_shoulder", "right_hip", "right_knee"]),
    ("left_knee", ["left_hip", "left_knee", "left_ankle"]),
    ("right_knee", ["right_hip", "right_knee", "right_ankle"]),
];

/// The angle of one joint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointAngle {
    /// The joint: `left_elbow`, `right_knee`, …
    pub name: &'static str,
    /// 0..=180 degrees as seen in the picture; 180 is straight, for shoulders an arm straight up.
    /// None where one of its keypoints is missing or two of them fall together.
    pub degrees: Option<f32>,
}

/// The angles of shoulders, elbows, hips and knees, left before right. Keypoints of less than the
/// confidence `minimum` count as missing.
///
/// ```
/// use pose::{KeypointSet, Keypoint, Pose, joint_angles};
/// let set = KeypointSet::coco();
/// let mut pose = Pose::new(vec![Keypoint::default(); set.len()]);
/// for (name, x, y) in [("left_hip", 0.0, 0.0), ("left_knee", 0.0, 5.0), ("left_ankle", 5.0, 5.0)] {
///     pose.keypoints[set.index_of(name).unwrap()] = Keypoint::new(x, y, 0.9);
/// }
/// let knee = joint_angles(&pose, &set, 0.2).into_iter().find(|a| a.name == "left_knee").unwrap();
/// assert_eq!(knee.degrees, Some(90.0));
/// ```
pub fn joint_angles(pose: &Pose, set: &KeypointSet, minimum: f32) -> Vec<JointAngle> {
    let point = |name: &str| {
        let k = pose.keypoints.get(set.index_of(name)?)?;
        is_sure(k, minimum).then_some(Point::new(k.x, k.y))
    };
    let degrees = |[a, vertex, b]: [&str; 3]| angle(point(a)?, point(vertex)?, point(b)?);
    JOINTS
        .iter()
        .map(|&(name, keypoints)| JointAngle {
            name,
            degrees: degrees(keypoints),
        })
        .collect()
}

/// The angle at `vertex` between the directions to `a` and `b`, 0..=180 degrees; none where one of
/// them has no direction.
pub fn angle(a: Point, vertex: Point, b: Point) -> Option<f32> {
    let (ax, ay) = (a.x - vertex.x, a.y - vertex.y);
    let (bx, by) = (b.x - vertex.x, b.y - vertex.y);
    if (ax == 0.0 && ay == 0.0) || (bx == 0.0 && by == 0.0) {
        return None;
    }
    // atan2 of cross and dot products is exact near 0 and 180 degrees, where acos is not.
    let radians = libm::atan2f(libm::fabsf(ax * by - ay * bx), ax * bx + ay * by);
    Some(radians.to_degrees())
}
