//! All the measures of one evaluation.

use std::fmt;

use dataset::{
    CocoReport, FoundPose, PckReport, PckRule, Person, Sigmas, TruePose, coco_eval,
    keypoint_similarity, oks,
};
use pose::{KeypointSet, Pose};
use serde::Serialize;

use super::found::{CocoTruth, found_poses};
use super::{EvalSettings, count};
use crate::error::RuntimeError;

/// Which measures are asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measures {
    /// PCK, by the torso or another norm.
    pub pck: Option<PckRule>,
    /// PCK by the head.
    pub pckh: Option<PckRule>,
    /// PCK in heatmap cells.
    pub cells: Option<PckRule>,
    /// OKS and COCO's figures.
    pub oks: Option<Sigmas>,
    /// Whether measures that the data cannot give are left out instead of being an error.
    pub as_far_as_possible: bool,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// PCK, by the torso or another norm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pck: Option<PckReport>,
    /// PCK by the head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pckh: Option<PckReport>,
    /// PCK in heatmap cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cells: Option<PckReport>,
    /// OKS and COCO's figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oks: Option<OksReport>,
}

/// How near the poses are to the labels by COCO's measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OksReport {
    /// Which standard deviations were taken.
    pub sigmas: Sigmas,
    /// Mean OKS, 0..=1, of the people looked for, each with the pose that was found for them.
    pub mean_oks: Option<f64>,
    /// Joint by joint.
    pub joints: Vec<JointOks>,
    /// Average precision and recall.
    pub coco: CocoReport,
}

/// The similarity of one joint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JointOks {
    /// The joint's name.
    pub name: String,
    /// How many had a label.
    pub counted: u64,
    /// Mean similarity, 0..=1; none where nothing was counted.
    pub similarity: Option<f64>,
}

impl Measured {
    /// The reports of PCK, in the order in which they are told.
    pub fn pck_reports(&self) -> impl Iterator<Item = &PckReport> {
        [&self.pck, &self.pckh, &self.cells].into_iter().flatten()
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = self.pck_reports().map(ToString::to_string).collect();
        parts.extend(self.oks.as_ref().map(ToString::to_string));
        f.write_str(&parts.join("\n\n"))
    }
}

impl fmt::Display for OksReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure = |value: Option<f64>| value.map_or("–".into(), |v| format!("{v:.3}"));
        writeln!(f, "OKS ({})", self.sigmas)?;
        for joint in self.joints.iter().filter(|joint| joint.counted > 0) {
            let similarity = figure(joint.similarity);
            writeln!(
                f,
                "  {:<16} {similarity}   of {}",
                joint.name, joint.counted
            )?;
        }
        if self.mean_oks.is_some() {
            writeln!(f, "mean OKS {}", figure(self.mean_oks))?;
        }
        write!(f, "{}", self.coco)
    }
}

/// Measures poses that were found for `people`, in their order.
///
/// # Errors
/// Labels or poses of another keypoint set; a rule that needs a joint which the set does not have,
/// unless [`Measures::as_far_as_possible`].
pub fn measure(
    people: &[Person],
    poses: &[Option<Pose>],
    settings: &EvalSettings,
    measures: &Measures,
    truth: &CocoTruth,
) -> Result<Measured, RuntimeError> {
    let set = &settings.keypoints;
    let sigmas = measures.oks.map(|sigmas| {
        let looked_for = |index: usize| poses.get(index).is_some_and(Option::is_some);
        let truth_people = truth.people(people, looked_for, set);
        let found = found_poses(people, poses, truth.image_ids(), set, set);
        oks_report(sigmas, set, &truth_people, &found)
    });
    Ok(Measured {
        oks: sigmas,
        ..pck_measures(people, poses, settings, measures)?
    })
}

/// The measures of PCK alone.
pub(super) fn pck_measures(
    people: &[Person],
    poses: &[Option<Pose>],
    settings: &EvalSettings,
    measures: &Measures,
) -> Result<Measured, RuntimeError> {
    let report = |rule: Option<PckRule>| -> Result<Option<PckReport>, RuntimeError> {
        let Some(rule) = rule else { return Ok(None) };
        match count(people, poses, settings, rule) {
            Ok(report) if report.people == 0 && measures.as_far_as_possible => Ok(None),
            Ok(report) => Ok(Some(report)),
            Err(_) if measures.as_far_as_possible => Ok(None),
            Err(error) => Err(error),
        }
    };
    Ok(Measured {
        pck: report(measures.pck)?,
        pckh: report(measures.pckh)?,
        cells: report(measures.cells)?,
        oks: None,
    })
}

/// COCO's figures, and the similarities of the poses that say for whom they were found.
pub(super) fn oks_report(
    sigmas: Sigmas,
    set: &KeypointSet,
    truth: &[TruePose],
    found: &[FoundPose],
) -> OksReport {
    let labelled = |joint: usize| truth.iter().any(|t| t.keypoints[joint][2] > 0.0);
    let values = sigmas.of(set, labelled);
    let by_person: std::collections::HashMap<(&str, u64), &FoundPose> = found
        .iter()
        .filter_map(|f| Some(((f.person.as_deref()?, f.image_id), f)))
        .collect();
    let mut joints = vec![(0u64, 0.0); set.len()];
    let (mut people, mut sum) = (0u64, 0.0);
    for person in truth.iter().filter(|person| !person.is_ignored()) {
        let pose = by_person.get(&(person.person.as_str(), person.image_id));
        people += 1;
        sum += pose
            .and_then(|pose| oks(&person.keypoints, &pose.keypoints, person.area, &values))
            .unwrap_or(0.0);
        for (joint, label) in person.keypoints.iter().enumerate() {
            if label[2] > 0.0 {
                joints[joint].0 += 1;
                joints[joint].1 += pose.map_or(0.0, |pose| {
                    let [x, y, _] = pose.keypoints[joint];
                    let (dx, dy) = (x - label[0], y - label[1]);
                    keypoint_similarity(dx * dx + dy * dy, person.area, values[joint])
                });
            }
        }
    }
    // Results that others made do not say for whom they are.
    let paired = !by_person.is_empty() && people > 0;
    let joints = set.keypoints.iter().zip(joints);
    OksReport {
        sigmas: sigmas.resolve(set, labelled),
        mean_oks: paired.then(|| sum / people as f64),
        joints: joints
            .map(|(name, (counted, sum))| JointOks {
                name: name.clone(),
                counted: if paired { counted } else { 0 },
                similarity: (paired && counted > 0).then(|| sum / counted as f64),
            })
            .collect(),
        coco: coco_eval(truth, found, &values),
    }
}
