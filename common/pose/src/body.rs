//! Where a pose's torso is, and how large its body.

use crate::geometry::{Point, Rect};
use crate::keypoint_set::KeypointSet;
use crate::pose::{Keypoint, Pose};
use alloc::vec::Vec;

/// Body heights in a torso's length from mid-shoulders to mid-hips: the torso is 0.29 of a person's
/// height (Drillis and Contini 1966).
const HEIGHTS_IN_TORSO: f32 = 1.0 / 0.29;

/// Which keypoints of a set make the torso. Without shoulders or hips (animals, hands) there is
/// none, and boxes say what there is to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Torso {
    shoulders: [Option<usize>; 2],
    hips: [Option<usize>; 2],
    spine: [Option<usize>; 2],
}

impl Torso {
    /// The torso of a set, by the names `left_shoulder`, `right_shoulder`, `left_hip`, `right_hip`.
    pub fn of(set: &KeypointSet) -> Torso {
        Torso {
            shoulders: [
                set.index_of("left_shoulder"),
                set.index_of("right_shoulder"),
            ],
            hips: [set.index_of("left_hip"), set.index_of("right_hip")],
            spine: [set.index_of("thorax"), set.index_of("upper_neck")],
        }
    }

    /// How sure a pose is that a body is there at all, 0..=1: the mean confidence of shoulders,
    /// hips, thorax and upper neck, as far as the set has them. Networks that see a body in a table
    /// are sure of its legs, hardly ever of its trunk; and arms and legs may be hidden. Without
    /// shoulders and hips in the set, the mean of all keypoints.
    pub fn sureness(&self, pose: &Pose) -> f32 {
        let trunk = [self.shoulders, self.hips, self.spine];
        let trunk = trunk.as_flattened().iter().flatten();
        let found: Vec<f32> = trunk
            .filter_map(|&index| pose.keypoints.get(index))
            .map(|k| k.confidence)
            .collect();
        if found.is_empty() {
            return pose.keypoints.iter().map(|k| k.confidence).sum::<f32>()
                / pose.keypoints.len().max(1) as f32;
        }
        found.iter().sum::<f32>() / found.len() as f32
    }

    /// Middle of the sure shoulders and middle of the sure hips; none where neither of a pair has
    /// at least the confidence `minimum`.
    pub fn ends(&self, pose: &Pose, minimum: f32) -> Option<(Point, Point)> {
        let middle = |pair: &[Option<usize>; 2]| {
            let sure: Vec<Point> = pair
                .iter()
                .filter_map(|index| pose.keypoints.get((*index)?))
                .filter(|k| is_sure(k, minimum))
                .map(|k| Point::new(k.x, k.y))
                .collect();
            Rect::from_points(sure).map(|r| r.center())
        };
        Some((middle(&self.shoulders)?, middle(&self.hips)?))
    }

    /// The torso's length in pixels, from mid-shoulders to mid-hips.
    pub fn length(&self, pose: &Pose, minimum: f32) -> Option<f32> {
        let (shoulders, hips) = self.ends(pose, minimum)?;
        Some(shoulders.distance(hips))
    }

    /// The body's size in pixels, about the height of the person standing: the larger of the
    /// longer side of the box around the sure keypoints and what the torso's length says. None
    /// without two sure keypoints apart.
    pub fn body_size(&self, pose: &Pose, minimum: f32) -> Option<f32> {
        let rect = sure_box(pose, minimum)?;
        let torso = self.length(pose, minimum).unwrap_or(0.0);
        let size = rect.width.max(rect.height).max(torso * HEIGHTS_IN_TORSO);
        (size > 0.0).then_some(size)
    }
}

/// The box around the keypoints of at least the confidence `minimum`; none without any.
pub fn sure_box(pose: &Pose, minimum: f32) -> Option<Rect> {
    let sure = pose.keypoints.iter().filter(|k| is_sure(k, minimum));
    Rect::from_points(sure.map(|k| Point::new(k.x, k.y)))
}

pub(crate) fn is_sure(k: &Keypoint, minimum: f32) -> bool {
    k.confidence >= minimum && k.x.is_finite() && k.y.is_finite()
}
