//! A reference clip, and where in it a live person is.

use crate::compare::{CompareSettings, Comparison, compare_poses};
use crate::keypoint_set::KeypointSet;
use crate::pose::Pose;
use alloc::vec::Vec;

/// The most by which somebody is faster than the reference.
const FASTEST: f64 = 2.0;
/// How much the past counts after a second.
const MEMORY: f64 = 0.3;
/// What a pose costs that cannot be compared.
const UNKNOWN: f64 = 1.0;

/// Poses over time, of one person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReferenceClip {
    /// Seconds, rising, and the pose at that time.
    pub poses: Vec<(f64, Pose)>,
}

impl ReferenceClip {
    /// The pose of the clip that is most like `pose`, between two times in seconds: its index and
    /// how it compares. None where nothing there can be compared.
    pub fn nearest(
        &self,
        pose: &Pose,
        times: core::ops::RangeInclusive<f64>,
        set: &KeypointSet,
        settings: &CompareSettings,
    ) -> Option<(usize, Comparison)> {
        let inside = self.poses.iter().enumerate();
        inside
            .filter(|(_, (time, _))| times.contains(time))
            .filter_map(|(k, (_, reference))| {
                Some((k, compare_poses(pose, reference, set, settings)?))
            })
            .max_by(|a, b| a.1.score.total_cmp(&b.1.score))
    }
}

/// Follows a live person through a reference clip by dynamic time warping (H. Sakoe, S. Chiba,
/// IEEE ASSP 26(1), 1978) with an open start and end. With the cost `c(k) = 1 − score` of the live
/// pose against pose k of the clip, for every live pose:
///
/// ```text
/// D(k) = c(k) + memory · min D'(j)   over  time(k) − 2·Δt ≤ time(j) ≤ time(k)
/// ```
///
/// so that the person may stand still or be twice as fast as the reference, but not go back; what
/// is long past counts less and less.
#[derive(Clone, Debug, Default)]
pub struct ClipFollower {
    costs: Vec<f64>,
    time: Option<f64>,
}

impl ClipFollower {
    /// Starts anew: the next pose may be anywhere in the clip.
    pub fn reset(&mut self) {
        self.costs.clear();
        self.time = None;
    }

    /// Where in the clip the person is, whose pose at `time` (in seconds by any clock) this is:
    /// the index of the clip's pose and how it compares. None for a pose or a clip that cannot be
    /// compared.
    pub fn update(
        &mut self,
        clip: &ReferenceClip,
        pose: &Pose,
        time: f64,
        set: &KeypointSet,
        settings: &CompareSettings,
    ) -> Option<(usize, Comparison)> {
        let seconds = self.time.map_or(0.0, |last| (time - last).max(0.0));
        let mut compared: Vec<Option<Comparison>> = clip
            .poses
            .iter()
            .map(|(_, reference)| compare_poses(pose, reference, set, settings))
            .collect();
        if compared.iter().all(Option::is_none) {
            return None;
        }
        let anew = self.costs.len() != clip.poses.len();
        let memory = libm::pow(MEMORY, seconds);
        let mut costs = Vec::with_capacity(clip.poses.len());
        // Poses of the clip may be further apart than the person comes in one frame: one step is
        // always allowed.
        let mut first = 0;
        for (k, (at, _)) in clip.poses.iter().enumerate() {
            let cost = compared.get(k).and_then(Option::as_ref);
            let cost = cost.map_or(UNKNOWN, |c| 1.0 - f64::from(c.score));
            let reach = at - FASTEST * seconds;
            while clip.poses.get(first).is_some_and(|(from, _)| *from < reach) && first + 1 < k {
                first += 1;
            }
            let before = if anew {
                0.0
            } else {
                let range = self.costs.get(first..=k).unwrap_or_default();
                range.iter().copied().fold(f64::INFINITY, f64::min)
            };
            costs.push(cost + memory * before);
        }
        self.costs = costs;
        self.time = Some(time);
        let ends = self.costs.iter().enumerate();
        let (best, _) = ends.min_by(|a, b| a.1.total_cmp(b.1))?;
        Some((best, compared.get_mut(best)?.take()?))
    }
}
