//! A pose beside a reference pose: how alike, and what to change.

use crate::body::{Torso, is_sure};
use crate::geometry::{Affine, Point};
use crate::keypoint_set::KeypointSet;
use crate::pose::{Keypoint, Pose};
use alloc::vec::Vec;
use core::f32::consts::PI;
use core::fmt;

/// Limb, where it starts, and where it ends: the end moves.
const LIMBS: [(&str, [&str; 2]); 9] = [
    ("left upper arm", ["left_shoulder", "left_elbow"]),
    ("right upper arm", ["right_shoulder", "right_elbow"]),
    ("left forearm", ["left_elbow", "left_wrist"]),
    ("right forearm", ["right_elbow", "right_wrist"]),
    ("left thigh", ["left_hip", "left_knee"]),
    ("right thigh", ["right_hip", "right_knee"]),
    ("left shin", ["left_knee", "left_ankle"]),
    ("right shin", ["right_knee", "right_ankle"]),
    ("head", ["upper_neck", "head_top"]),
];

/// Fewer keypoints than these fit any reference.
const LEAST_COMMON: usize = 4;
/// A body's area in units of its squared size.
const AREA: f32 = 0.3;

/// How poses are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompareSettings {
    /// Keypoints of at least this confidence count, 0..=1.
    pub min_confidence: f32,
    /// Standard deviation of the score for every keypoint, in units of the square root of the
    /// body's area, halved, as in OKS: 0.0625 lets a wrist be 12 cm off before it counts 0.6.
    pub sigma: f32,
    /// By how much the reference may be turned to fit, in radians, 0..=π.
    pub max_rotation: f32,
    /// Limbs that are off by less, in degrees, get no hint.
    pub least_hint: f32,
}

impl Default for CompareSettings {
    fn default() -> Self {
        CompareSettings {
            min_confidence: 0.2,
            sigma: 0.0625,
            max_rotation: PI,
            least_hint: 15.0,
        }
    }
}

/// How a pose compares with a reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// 0..=1, 1 is the same: the mean similarity of the keypoints that both have.
    pub score: f32,
    /// The similarity of each keypoint, 0..=1; none where one of the poses lacks it.
    pub keypoints: Vec<Option<f32>>,
    /// Lays the reference over the pose: moves, turns, scales; never mirrors.
    pub alignment: Affine,
    /// What to change, the most wrong limb first.
    pub hints: Vec<LimbHint>,
}

/// Where the end of a limb is, compared with the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// Too low in the picture.
    Low,
    /// Too high in the picture.
    High,
    /// Too near to the body's middle.
    Inward,
    /// Too far from the body's middle.
    Outward,
}

/// What to change about a limb. Its text reads like `left forearm 25° too low`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimbHint {
    /// The limb: `left forearm`, the person's own left.
    pub limb: &'static str,
    /// The angle between the limb and the reference's, in degrees, 0..=180.
    pub degrees: f32,
    /// To which side.
    pub deviation: Deviation,
}

impl fmt::Display for LimbHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.deviation {
            Deviation::Low => "too low",
            Deviation::High => "too high",
            Deviation::Inward => "too far in",
            Deviation::Outward => "too far out",
        };
        write!(f, "{} {:.0}° {way}", self.limb, self.degrees)
    }
}

/// Compares a pose with a reference pose of the same keypoint set. None where they have fewer than
/// four keypoints in common, or the reference would have to be mirrored or shrunk to nothing to fit.
///
/// The reference is laid over the pose by the similarity transform with the least squared distance
/// (Procrustes analysis without reflection: S. Umeyama, "Least-squares estimation of transformation
/// parameters between two point patterns", IEEE PAMI 13(4), 1991). With points as complex numbers
/// about their means, `a` of the reference and `b` of the pose:
///
/// ```text
/// scale · e^(i·rotation) = Σ conj(a)·b / Σ |a|²
/// ```
pub fn compare_poses(
    pose: &Pose,
    reference: &Pose,
    set: &KeypointSet,
    settings: &CompareSettings,
) -> Option<Comparison> {
    let minimum = settings.min_confidence;
    let common = |(p, r): (&Keypoint, &Keypoint)| {
        let both = is_sure(p, minimum) && is_sure(r, minimum);
        both.then_some((Point::new(p.x, p.y), Point::new(r.x, r.y)))
    };
    let pairs: Vec<Option<(Point, Point)>> = pose
        .keypoints
        .iter()
        .zip(&reference.keypoints)
        .map(common)
        .collect();
    let alignment = align(pairs.iter().flatten(), settings.max_rotation)?;
    let size = Torso::of(set).body_size(reference, minimum)? * alignment.scale_factor();
    let variance = 4.0 * settings.sigma * settings.sigma * AREA * size * size;
    let similarity = |&(p, r): &(Point, Point)| {
        let d = alignment.apply(r).distance(p);
        libm::expf(-d * d / (2.0 * variance))
    };
    let keypoints: Vec<Option<f32>> = pairs
        .iter()
        .map(|pair| pair.as_ref().map(similarity))
        .collect();
    let compared: Vec<f32> = keypoints.iter().flatten().copied().collect();
    let score = compared.iter().sum::<f32>() / compared.len().max(1) as f32;
    let mut hints: Vec<LimbHint> = LIMBS
        .iter()
        .filter_map(|(limb, ends)| hint(limb, ends, &pairs, &alignment, set))
        .filter(|hint| hint.degrees >= settings.least_hint)
        .collect();
    hints.sort_by(|a, b| b.degrees.total_cmp(&a.degrees));
    Some(Comparison {
        score,
        keypoints,
        alignment,
        hints,
    })
}

/// The similarity transform that takes the second points nearest to the first.
fn align<'a>(
    pairs: impl Iterator<Item = &'a (Point, Point)> + Clone,
    max_rotation: f32,
) -> Option<Affine> {
    let count = pairs.clone().count();
    if count < LEAST_COMMON {
        return None;
    }
    let mean = |of: fn(&(Point, Point)) -> Point| {
        let (x, y) = pairs.clone().map(of).fold((0.0f64, 0.0f64), |sum, p| {
            (sum.0 + f64::from(p.x), sum.1 + f64::from(p.y))
        });
        (x / count as f64, y / count as f64)
    };
    let (to, from) = (mean(|pair| pair.0), mean(|pair| pair.1));
    // Σ conj(a)·b, and Σ |a|².
    let (mut re, mut im, mut spread) = (0.0f64, 0.0f64, 0.0f64);
    for (b, a) in pairs {
        let (ax, ay) = (f64::from(a.x) - from.0, f64::from(a.y) - from.1);
        let (bx, by) = (f64::from(b.x) - to.0, f64::from(b.y) - to.1);
        re += ax * bx + ay * by;
        im += ax * by - ay * bx;
        spread += ax * ax + ay * ay;
    }
    let limit = f64::from(max_rotation.clamp(0.0, PI));
    let rotation = libm::atan2(im, re).clamp(-limit, limit);
    let (sin, cos) = libm::sincos(rotation);
    // The best scale for this rotation.
    let scale = (cos * re + sin * im) / spread;
    if !(scale.is_finite() && scale > 0.0) {
        return None;
    }
    let (c, s) = (scale * cos, scale * sin);
    let (x, y) = (
        to.0 - c * from.0 + s * from.1,
        to.1 - s * from.0 - c * from.1,
    );
    Some(Affine {
        m: [c, -s, x, s, c, y].map(|v| v as f32),
    })
}

/// How a limb's direction differs.
fn hint(
    limb: &'static str,
    ends: &[&str; 2],
    pairs: &[Option<(Point, Point)>],
    alignment: &Affine,
    set: &KeypointSet,
) -> Option<LimbHint> {
    let pair = |name: &str| *pairs.get(set.index_of(name)?)?;
    let ((start, from), (end, to)) = (pair(ends[0])?, pair(ends[1])?);
    let (from, to) = (alignment.apply(from), alignment.apply(to));
    let (dx, dy) = (end.x - start.x, end.y - start.y);
    let (rx, ry) = (to.x - from.x, to.y - from.y);
    let lengths = (libm::hypotf(dx, dy), libm::hypotf(rx, ry));
    if !(lengths.0 > 0.0 && lengths.1 > 0.0) {
        return None;
    }
    let degrees = libm::atan2f(libm::fabsf(dx * ry - dy * rx), dx * rx + dy * ry).to_degrees();
    // Where the end is, against where it would be in the reference's direction.
    let off = Point::new(
        dx / lengths.0 - rx / lengths.1,
        dy / lengths.0 - ry / lengths.1,
    );
    let deviation = if libm::fabsf(off.y) >= libm::fabsf(off.x) {
        if off.y > 0.0 {
            Deviation::Low
        } else {
            Deviation::High
        }
    } else {
        let seen = pairs.iter().flatten();
        let count = seen.clone().count().max(1) as f32;
        let middle = seen.map(|(p, _)| p.x).sum::<f32>() / count;
        // Outward is away from the middle, as the limb would end in the reference's direction.
        let wanted = start.x + rx / lengths.1 * lengths.0;
        if (wanted - middle) * off.x > 0.0 {
            Deviation::Outward
        } else {
            Deviation::Inward
        }
    };
    Some(LimbHint {
        limb,
        degrees,
        deviation,
    })
}
