//! The share of keypoints that are right (PCK), joint by joint.

use crate::person::{LabelledKeypoint, Person};
use pose::{KeypointSet, Point, Pose};
use serde::{Deserialize, Serialize};
use std::fmt;

/// When a keypoint is right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum PckRule {
    /// Not farther from the label than `threshold` × the torso, which is the distance from the
    /// right hip to the left shoulder (0.2 in the figures published for LSP).
    Torso {
        /// Part of the torso.
        threshold: f32,
    },
    /// PCKh: not farther than `threshold` × the head size (0.5 in the figures for MPII).
    Head {
        /// Part of the head size.
        threshold: f32,
    },
    /// The measure of the Keras hourglass projects: labels and predictions in heatmap cells,
    /// nearer than 0.5 × 6.4 · ((H + W) / 2 / 256) for an input of H × W, labels in the map's
    /// first two rows and columns not counted.
    HeatmapCells {
        /// Width of the network's input.
        input_width: usize,
        /// Height of the network's input.
        input_height: usize,
    },
}

impl PckRule {
    /// PCK@0.2 by the torso.
    pub const LSP: PckRule = PckRule::Torso { threshold: 0.2 };
}

impl fmt::Display for PckRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PckRule::Torso { threshold } => write!(f, "PCK@{threshold} (torso)"),
            PckRule::Head { threshold } => write!(f, "PCKh@{threshold}"),
            PckRule::HeatmapCells {
                input_width,
                input_height,
            } => write!(f, "PCK@0.5 (heatmap cells of {input_width}×{input_height})"),
        }
    }
}

/// What went wrong when a prediction was counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PckError {
    /// The rule needs a joint that the keypoint set does not have.
    #[error("PCK by the torso needs the keypoint `{missing}`; the set has: {known}")]
    NoTorso {
        /// The joint's name.
        missing: &'static str,
        /// The names that there are.
        known: String,
    },
    /// Labels or predictions of another keypoint set.
    #[error("expected {expected} {what}, found {found}")]
    Count {
        /// Labels or predictions.
        what: &'static str,
        /// Keypoints in the set.
        expected: usize,
        /// Keypoints found.
        found: usize,
    },
}

/// Counts which keypoints of one person after the other are right.
///
/// ```
/// use dataset::{LabelledKeypoint, Pck, PckRule, Visibility};
/// use pose::{KeypointSet, Point};
/// let set = KeypointSet::lsp();
/// let mut pck = Pck::new(&set, PckRule::LSP)?;
/// let truth: Vec<_> = (0..14)
///     .map(|i| LabelledKeypoint::new(10.0 * i as f32, 0.0, Visibility::Visible))
///     .collect();
/// let mut predicted: Vec<Point> = truth.iter().map(|t| t.point()).collect();
/// predicted[0].y = 20.0; // The torso is 70 long: 14 is the most that is right.
/// pck.add(&truth, &predicted, None)?;
/// assert_eq!(pck.report().mean, Some(100.0 * 13.0 / 14.0));
/// # Ok::<(), dataset::PckError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pck {
    rule: PckRule,
    names: Vec<String>,
    torso: (usize, usize),
    right: Vec<u64>,
    counted: Vec<u64>,
    people: u64,
    left_out: u64,
}

impl Pck {
    /// Nothing counted yet.
    ///
    /// # Errors
    /// When the rule is by the torso and the set has no right hip or left shoulder.
    pub fn new(set: &KeypointSet, rule: PckRule) -> Result<Self, PckError> {
        let joint = |name: &'static str| {
            set.index_of(name).ok_or_else(|| PckError::NoTorso {
                missing: name,
                known: set.keypoints.join(", "),
            })
        };
        let torso = match rule {
            PckRule::Torso { .. } => (joint("right_hip")?, joint("left_shoulder")?),
            _ => (0, 0),
        };
        Ok(Self {
            rule,
            names: set.keypoints.clone(),
            torso,
            right: vec![0; set.len()],
            counted: vec![0; set.len()],
            people: 0,
            left_out: 0,
        })
    }

    /// Counts one person: every labelled joint, occluded ones too. Both slices are in the set's
    /// order and in the same coordinates: the photo's, or heatmap cells for
    /// [`PckRule::HeatmapCells`]. `head_size` is needed by [`PckRule::Head`] only.
    ///
    /// A person whose torso is not labelled, or whose head size is not known, cannot be judged:
    /// returns false, and counts them as left out.
    ///
    /// # Errors
    /// When there is another number of labels or predictions than the set has keypoints.
    pub fn add(
        &mut self,
        truth: &[LabelledKeypoint],
        predicted: &[Point],
        head_size: Option<f32>,
    ) -> Result<bool, PckError> {
        for (what, found) in [("labels", truth.len()), ("predictions", predicted.len())] {
            if found != self.names.len() {
                return Err(PckError::Count {
                    what,
                    expected: self.names.len(),
                    found,
                });
            }
        }
        let Some(reach) = self.reach(truth, head_size) else {
            self.left_out += 1;
            return Ok(false);
        };
        self.people += 1;
        for (joint, (label, found)) in truth.iter().zip(predicted).enumerate() {
            if !label.is_labelled() || !self.is_judged(label) {
                continue;
            }
            self.counted[joint] += 1;
            let distance = f64::from(label.x - found.x).hypot(f64::from(label.y - found.y));
            let right = match self.rule {
                PckRule::HeatmapCells { .. } => distance < reach,
                _ => distance <= reach,
            };
            self.right[joint] += u64::from(right);
        }
        Ok(true)
    }

    /// [`Pck::add`] for a person and the pose that was found, both in the photo's coordinates.
    ///
    /// # Errors
    /// When the pose or the person is of another keypoint set.
    pub fn add_pose(&mut self, person: &Person, found: &Pose) -> Result<bool, PckError> {
        let points: Vec<Point> = found
            .keypoints
            .iter()
            .map(|k| Point::new(k.x, k.y))
            .collect();
        self.add(&person.keypoints, &points, person.head_size)
    }

    /// How far from its label a keypoint may be.
    fn reach(&self, truth: &[LabelledKeypoint], head_size: Option<f32>) -> Option<f64> {
        match self.rule {
            PckRule::Torso { threshold } => {
                let (hip, shoulder) = (&truth[self.torso.0], &truth[self.torso.1]);
                if !(hip.is_labelled() && shoulder.is_labelled()) {
                    return None;
                }
                let torso = f64::from(hip.x - shoulder.x).hypot(f64::from(hip.y - shoulder.y));
                Some(f64::from(threshold) * torso)
            }
            PckRule::Head { threshold } => head_size.map(|h| f64::from(threshold) * f64::from(h)),
            PckRule::HeatmapCells {
                input_width,
                input_height,
            } => Some(0.5 * 6.4 * ((input_width + input_height) as f64 / 2.0 / 256.0)),
        }
    }

    /// The Keras projects count cells by their index, of which the first two are left out.
    fn is_judged(&self, label: &LabelledKeypoint) -> bool {
        match self.rule {
            PckRule::HeatmapCells { .. } => label.x - 0.5 > 1.0 && label.y - 0.5 > 1.0,
            _ => true,
        }
    }

    /// The figures so far.
    pub fn report(&self) -> PckReport {
        PckReport::new(self)
    }
}

/// How many of one joint were right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JointPck {
    /// The joint's name.
    pub name: String,
    /// How many were right.
    pub right: u64,
    /// How many had a label.
    pub counted: u64,
    /// Right of counted in percent; none where nothing was counted.
    pub pck: Option<f64>,
}

/// The mean over the joints of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupPck {
    /// `head`, or the joints' name without its side.
    pub name: String,
    /// Mean of the joints' figures, in percent.
    pub pck: Option<f64>,
}

/// The figures of an evaluation, in percent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PckReport {
    /// When a keypoint was right.
    pub rule: PckRule,
    /// People counted.
    pub people: u64,
    /// People who could not be judged: without a labelled torso, or a head size.
    pub left_out: u64,
    /// Joint by joint, in the set's order.
    pub joints: Vec<JointPck>,
    /// Head, shoulder, elbow, wrist, hip, knee and ankle, as far as the set has them: the mean of
    /// left and right, for the head of head top and neck.
    pub groups: Vec<GroupPck>,
    /// Mean over the joints of these groups: the figure that is published.
    pub mean: Option<f64>,
    /// The same without the head: the twelve limb joints.
    pub limb_mean: Option<f64>,
}

/// The groups of a published table and the joints in each.
const GROUPS: [(&str, [&str; 2]); 7] = [
    ("head", ["head_top", "upper_neck"]),
    ("shoulder", ["right_shoulder", "left_shoulder"]),
    ("elbow", ["right_elbow", "left_elbow"]),
    ("wrist", ["right_wrist", "left_wrist"]),
    ("hip", ["right_hip", "left_hip"]),
    ("knee", ["right_knee", "left_knee"]),
    ("ankle", ["right_ankle", "left_ankle"]),
];

impl PckReport {
    fn new(pck: &Pck) -> Self {
        let joints: Vec<JointPck> = (0..pck.names.len())
            .map(|i| JointPck {
                name: pck.names[i].clone(),
                right: pck.right[i],
                counted: pck.counted[i],
                pck: (pck.counted[i] > 0)
                    .then(|| 100.0 * pck.right[i] as f64 / pck.counted[i] as f64),
            })
            .collect();
        let figures = |names: &[&str; 2]| -> Vec<f64> {
            names
                .iter()
                .filter_map(|&name| {
                    let same = |joint: &&JointPck| {
                        joint.name == name || (name == "upper_neck" && joint.name == "neck")
                    };
                    joints.iter().find(same)?.pck
                })
                .collect()
        };
        let limbs: Vec<f64> = GROUPS[1..].iter().flat_map(|(_, n)| figures(n)).collect();
        let all: Vec<f64> = GROUPS.iter().flat_map(|(_, n)| figures(n)).collect();
        // A body without any of these joints, an animal's: the mean of what there is.
        let any: Vec<f64> = joints.iter().filter_map(|joint| joint.pck).collect();
        Self {
            rule: pck.rule,
            people: pck.people,
            left_out: pck.left_out,
            groups: GROUPS
                .iter()
                .map(|(name, names)| GroupPck {
                    name: (*name).to_owned(),
                    pck: mean(&figures(names)),
                })
                .filter(|group| group.pck.is_some())
                .collect(),
            mean: mean(&all).or_else(|| mean(&any)),
            limb_mean: mean(&limbs),
            joints,
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

impl fmt::Display for PckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |value: Option<f64>| value.map_or("–".into(), |v| format!("{v:.1}"));
        write!(f, "{}, {} people", self.rule, self.people)?;
        if self.left_out > 0 {
            write!(f, " ({} could not be judged)", self.left_out)?;
        }
        writeln!(f)?;
        for joint in self.joints.iter().filter(|joint| joint.counted > 0) {
            writeln!(
                f,
                "  {:<16} {:>5}   {} of {}",
                joint.name,
                percent(joint.pck),
                joint.right,
                joint.counted
            )?;
        }
        for group in &self.groups {
            write!(f, "{:>9}", group.name)?;
        }
        writeln!(f, "{:>9}{:>9}", "mean", "limbs")?;
        for group in &self.groups {
            write!(f, "{:>9}", percent(group.pck))?;
        }
        write!(f, "{:>9}{:>9}", percent(self.mean), percent(self.limb_mean))
    }
}
