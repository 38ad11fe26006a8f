//! The share of keypoints that are right (PCK), joint by joint.

use crate::pck_report::PckReport;
use crate::pck_rule::{PckRule, PersonSize};
use crate::person::{LabelledKeypoint, Person};
use pose::{KeypointSet, Point, Pose};

/// What went wrong when a prediction was counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PckError {
    /// The rule needs a joint that the keypoint set does not have.
    #[error("{rule} needs the keypoint `{missing}`; the set has: {known}")]
    NoJoint {
        /// The rule.
        rule: String,
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

/// How one keypoint of one person was judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The keypoint's index in the set.
    pub joint: usize,
    /// Distance from the label over the largest distance that is right; not a number or infinite
    /// where nothing was found.
    pub distance: f64,
    /// Whether it is right.
    pub right: bool,
}

/// Counts which keypoints of one person after the other are right.
///
/// ```
/// use dataset::{LabelledKeypoint, Pck, PckRule, PersonSize, Visibility};
/// use pose::{KeypointSet, Point};
/// let set = KeypointSet::lsp();
/// let mut pck = Pck::new(&set, PckRule::LSP)?;
/// let truth: Vec<_> = (0..14)
///     .map(|i| LabelledKeypoint::new(10.0 * i as f32, 0.0, Visibility::Visible))
///     .collect();
/// let mut predicted: Vec<Point> = truth.iter().map(|t| t.point()).collect();
/// predicted[0].y = 20.0; // The torso is 70 long: 14 is the most that is right.
/// pck.add(&truth, &predicted, &PersonSize::default())?;
/// assert_eq!(pck.report().mean, Some(100.0 * 13.0 / 14.0));
/// # Ok::<(), dataset::PckError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pck {
    pub(crate) rule: PckRule,
    pub(crate) names: Vec<String>,
    /// The two joints whose distance is the norm, where it is one.
    segment: Option<(usize, usize)>,
    pub(crate) right: Vec<u64>,
    pub(crate) counted: Vec<u64>,
    pub(crate) people: u64,
    pub(crate) left_out: u64,
}

impl Pck {
    /// Nothing counted yet.
    ///
    /// # Errors
    /// When the rule is by the distance of two joints and the set does not have both.
    pub fn new(set: &KeypointSet, rule: PckRule) -> Result<Self, PckError> {
        let joint = |name: &'static str| {
            set.index_of(name).ok_or_else(|| PckError::NoJoint {
                rule: rule.to_string(),
                missing: name,
                known: set.keypoints.join(", "),
            })
        };
        let segment = match rule {
            PckRule::Torso { .. } => Some((joint("right_hip")?, joint("left_shoulder")?)),
            PckRule::HeadSegment { .. } => Some((joint("head_top")?, joint("upper_neck")?)),
            _ => None,
        };
        Ok(Self {
            rule,
            names: set.keypoints.clone(),
            segment,
            right: vec![0; set.len()],
            counted: vec![0; set.len()],
            people: 0,
            left_out: 0,
        })
    }

    /// Counts one person: every labelled joint, occluded ones too. Both slices are in the set's
    /// order and in the same coordinates: the photo's, or heatmap cells for
    /// [`PckRule::HeatmapCells`]. What `size` has to say depends on the rule; a torso, a head
    /// segment and cells need nothing of it. A prediction that is not finite is a keypoint that
    /// was not found: counted, and not right.
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
        size: &PersonSize,
    ) -> Result<bool, PckError> {
        let Some(judged) = self.judge(truth, predicted, size)? else {
            self.left_out += 1;
            return Ok(false);
        };
        self.people += 1;
        for Judged { joint, right, .. } in judged {
            self.counted[joint] += 1;
            self.right[joint] += u64::from(right);
        }
        Ok(true)
    }

    /// [`Pck::add`] for a person and the pose that was found, both in the photo's coordinates.
    ///
    /// # Errors
    /// When the pose or the person is of another keypoint set.
    pub fn add_pose(&mut self, person: &Person, found: &Pose) -> Result<bool, PckError> {
        self.add(&person.keypoints, &points(found), &person.into())
    }

    /// How each keypoint of a person that counts is judged, without counting it; nothing for a
    /// person that cannot be judged. The arguments are those of [`Pck::add`].
    ///
    /// # Errors
    /// As [`Pck::add`].
    pub fn judge(
        &self,
        truth: &[LabelledKeypoint],
        predicted: &[Point],
        size: &PersonSize,
    ) -> Result<Option<Vec<Judged>>, PckError> {
        for (what, found) in [("labels", truth.len()), ("predictions", predicted.len())] {
            if found != self.names.len() {
                return Err(PckError::Count {
                    what,
                    expected: self.names.len(),
                    found,
                });
            }
        }
        let Some(reach) = self.reach(truth, size) else {
            return Ok(None);
        };
        let pairs = truth.iter().zip(predicted).enumerate();
        let counted = pairs.filter(|(_, (label, _))| label.is_labelled() && self.counts(label));
        let judged = counted.map(|(joint, (label, found))| {
            let distance = f64::from(label.x - found.x).hypot(f64::from(label.y - found.y));
            Judged {
                joint,
                // A norm of 0 leaves only the label's own place.
                distance: if distance == 0.0 {
                    0.0
                } else {
                    distance / reach
                },
                right: match self.rule {
                    PckRule::HeatmapCells { .. } => distance < reach,
                    _ => distance <= reach,
                },
            }
        });
        Ok(Some(judged.collect()))
    }

    /// How far from its label a keypoint may be.
    fn reach(&self, truth: &[LabelledKeypoint], size: &PersonSize) -> Option<f64> {
        let norm = match self.rule {
            PckRule::Torso { .. } | PckRule::HeadSegment { .. } => {
                let (one, other) = self.segment?;
                let (one, other) = (&truth[one], &truth[other]);
                if !(one.is_labelled() && other.is_labelled()) {
                    return None;
                }
                f64::from(one.x - other.x).hypot(f64::from(one.y - other.y))
            }
            PckRule::Head { .. } => f64::from(size.head?),
            PckRule::BoxSide { .. } => size.rect.map(|r| f64::from(r.width.max(r.height)))?,
            PckRule::BoxDiagonal { .. } => size
                .rect
                .map(|r| f64::from(r.width).hypot(f64::from(r.height)))?,
            PckRule::HeatmapCells {
                input_width,
                input_height,
                ..
            } => 6.4 * ((input_width + input_height) as f64 / 2.0 / 256.0),
        };
        Some(f64::from(self.rule.threshold()) * norm)
    }

    /// The Keras projects count cells by their index, of which the first two are left out.
    fn counts(&self, label: &LabelledKeypoint) -> bool {
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

/// The places of a pose's keypoints.
pub(crate) fn points(pose: &Pose) -> Vec<Point> {
    let points = pose.keypoints.iter();
    points.map(|k| Point::new(k.x, k.y)).collect()
}
