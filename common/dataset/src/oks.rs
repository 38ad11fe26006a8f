//! Object keypoint similarity (OKS): how near a pose is to the labels, as COCO measures it.

use pose::KeypointSet;
use serde::{Deserialize, Serialize};
use std::fmt;

/// COCO's keypoints and how far apart two people put each of them: standard deviations as parts
/// of the square root of the person's area, ten times (as pycocotools writes them).
const COCO_SIGMAS: [(&str, f64); 17] = [
    ("nose", 0.26),
    ("left_eye", 0.25),
    ("right_eye", 0.25),
    ("left_ear", 0.35),
    ("right_ear", 0.35),
    ("left_shoulder", 0.79),
    ("right_shoulder", 0.79),
    ("left_elbow", 0.72),
    ("right_elbow", 0.72),
    ("left_wrist", 0.62),
    ("right_wrist", 0.62),
    ("left_hip", 1.07),
    ("right_hip", 1.07),
    ("left_knee", 0.87),
    ("right_knee", 0.87),
    ("left_ankle", 0.89),
    ("right_ankle", 0.89),
];

/// The standard deviation of joints for which nobody has measured one: 1/16, as the Keras
/// hourglass projects take for all of MPII's.
pub const OTHER_SIGMA: f64 = 0.0625;

/// Which standard deviations OKS takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sigmas {
    /// COCO's where every labelled joint is one of COCO's, else [`Sigmas::Uniform`].
    #[default]
    Auto,
    /// COCO's by the joints' names, [`OTHER_SIGMA`] for other joints.
    Coco,
    /// [`OTHER_SIGMA`] for every joint.
    Uniform,
}

impl Sigmas {
    /// Standard deviations for the keypoints of `set`, in its order. `labelled` says which of
    /// them the data has labels for at all.
    pub fn of(self, set: &KeypointSet, labelled: impl Fn(usize) -> bool) -> Vec<f64> {
        match self.resolve(set, labelled) {
            Sigmas::Uniform => vec![OTHER_SIGMA; set.len()],
            _ => {
                let names = set.keypoints.iter();
                names
                    .map(|name| coco_sigma(name).unwrap_or(OTHER_SIGMA))
                    .collect()
            }
        }
    }

    /// What [`Sigmas::Auto`] comes to; the others are what they are.
    pub fn resolve(self, set: &KeypointSet, labelled: impl Fn(usize) -> bool) -> Sigmas {
        let known =
            |(index, name): (usize, &String)| coco_sigma(name).is_some() || !labelled(index);
        match self {
            Sigmas::Auto if set.keypoints.iter().enumerate().all(known) => Sigmas::Coco,
            Sigmas::Auto => Sigmas::Uniform,
            other => other,
        }
    }
}

impl fmt::Display for Sigmas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sigmas::Auto => "auto",
            Sigmas::Coco => "COCO's sigmas",
            Sigmas::Uniform => "sigma 0.0625",
        })
    }
}

fn coco_sigma(name: &str) -> Option<f64> {
    let entry = COCO_SIGMAS.iter().find(|(known, _)| *known == name)?;
    Some(entry.1 / 10.0)
}

/// How near one keypoint is to its label, 0..=1: `exp(−d² / (2 · area · (2σ)²))`, with the
/// squared distance `d²` and the person's area in square pixels.
pub fn keypoint_similarity(distance_squared: f64, area: f64, sigma: f64) -> f64 {
    let variance = (2.0 * sigma) * (2.0 * sigma);
    // pycocotools adds the smallest step above 1, so that an area of 0 divides by something.
    (-(distance_squared / variance / (area + f64::EPSILON) / 2.0)).exp()
}

/// OKS of a pose, 0..=1: the mean of [`keypoint_similarity`] over the labelled keypoints. Each
/// entry of `truth` and `found` is x, y and something else; of a label, above 0 where there is
/// one. None without labels.
pub fn oks(truth: &[[f64; 3]], found: &[[f64; 3]], area: f64, sigmas: &[f64]) -> Option<f64> {
    let mut sum = 0.0;
    let mut labelled = 0;
    for ((t, f), &sigma) in truth.iter().zip(found).zip(sigmas) {
        if t[2] > 0.0 {
            let (dx, dy) = (f[0] - t[0], f[1] - t[1]);
            sum += keypoint_similarity(dx * dx + dy * dy, area, sigma);
            labelled += 1;
        }
    }
    (labelled > 0).then(|| sum / f64::from(labelled))
}
