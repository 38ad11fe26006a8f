//! Labels checked against a teacher: training data only.

use crate::error::DatasetError;
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::teacher::{Teacher, TeacherKeypoint};
use pose::{FlipAxis, KeypointSet};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How far to trust a teacher, and what to do. Lengths are parts of the person's size, about a
/// torso: the longer of the labelled diagonals hip–opposite shoulder, but at least a quarter of
/// the longer side of the labels' box; 0.35 of that side where no diagonal is labelled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CleanSettings {
    /// The teacher is sure of a keypoint when its score is above this …
    pub min_score: f32,
    /// … and its answers for the photo and the mirrored photo are nearer than this.
    pub max_flip: f32,
    /// A label agrees with the teacher when it is nearer than this.
    pub agreement: f32,
    /// A label contradicts the teacher when it is farther than this.
    pub contradiction: f32,
    /// Whether plain left-right swaps are repaired. Worth it where the labels are worse than the
    /// teacher, as LSPET's are; where they are good (LSP, MPII), what looks like a swap is mostly
    /// a teacher who took a back for a front.
    pub repair_swaps: bool,
    /// The highest weight of a label that contradicts a sure teacher; 1 to leave weights alone.
    pub contradicted_weight: f32,
    /// The weight of a label taken over from a sure teacher where there is none; 0 for never.
    pub filled_weight: f32,
}

impl Default for CleanSettings {
    fn default() -> Self {
        Self {
            min_score: 0.3,
            max_flip: 0.2,
            agreement: 0.3,
            contradiction: 0.5,
            repair_swaps: true,
            contradicted_weight: 0.1,
            filled_weight: 0.5,
        }
    }
}

/// What a cleaning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanReport {
    /// People looked at.
    pub people: usize,
    /// Those whom the teacher knows.
    pub matched: usize,
    /// Labels of joints where the teacher is sure.
    pub compared: usize,
    /// Those that agreed before anything was changed.
    pub agreed_before: usize,
    /// Those that agreed once swaps were repaired.
    pub agreed_after: usize,
    /// People whose left and right were swapped as a whole.
    pub swapped_bodies: usize,
    /// People whose left and right arms, with the shoulders, were swapped, but not the legs.
    pub swapped_arms: usize,
    /// People whose left and right legs, with the hips, were swapped, but not the arms.
    pub swapped_legs: usize,
    /// Labels whose weight was lowered.
    pub lowered: usize,
    /// Labels taken over from the teacher.
    pub filled: usize,
}

impl fmt::Display for CleanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |n: usize| 100.0 * n as f64 / self.compared.max(1) as f64;
        write!(
            f,
            "{} of {} people known to the teacher; it is sure of {} of their labels, and {:.1} % of \
             these agreed before, {:.1} % after left and right were swapped back (whole bodies {}, \
             arms {}, legs {}); {} labels weigh less, {} taken over",
            self.matched,
            self.people,
            self.compared,
            share(self.agreed_before),
            share(self.agreed_after),
            self.swapped_bodies,
            self.swapped_arms,
            self.swapped_legs,
            self.lowered,
            self.filled
        )
    }
}

/// Checks labels against a teacher and changes those that it is sure are wrong:
///
/// ```text
/// for each person whom the teacher knows, by id:
///     swap left and right arms, and legs, where at least two labels agree swapped and
///         contradict as they are, and none the other way round; the other half of the body
///         follows where it lies nearer to the teacher swapped
///     lower the weight of labels that contradict the sure teacher
///     take over sure predictions where there is no label, as occluded, if most of the
///         person's labels agree: else the teacher may look at somebody else
/// ```
///
/// `set` is the keypoint set of people and teacher. A label keeps its weight when it is swapped.
///
/// # Errors
/// When one of the people is a test person: nobody is changed then.
pub fn clean(
    people: &mut [Person],
    teacher: &Teacher,
    set: &KeypointSet,
    settings: &CleanSettings,
) -> Result<CleanReport, DatasetError> {
    if let Some(person) = people.iter().find(|p| p.split == Split::Test) {
        return Err(DatasetError::TestPerson {
            id: person.id.clone(),
        });
    }
    let body = Body::new(set);
    let mut report = CleanReport {
        people: people.len(),
        ..CleanReport::default()
    };
    for person in people {
        let Some(pose) = teacher.pose(&person.id) else {
            continue;
        };
        report.matched += 1;
        if let Some(size) = body.size(person) {
            let check = Check {
                pose,
                settings,
                size,
            };
            check.clean(&mut person.keypoints, &body, &mut report);
        }
    }
    Ok(report)
}

/// The joints of arms and legs that a keypoint set has.
struct Body {
    /// Every joint's partner on the other side.
    mirror: Vec<usize>,
    arms: Vec<usize>,
    legs: Vec<usize>,
    /// Hip and opposite shoulder, both ways.
    diagonals: Vec<[usize; 2]>,
}

impl Body {
    fn new(set: &KeypointSet) -> Self {
        let joints = |names: [&str; 3]| -> Vec<usize> {
            let sides = ["right", "left"].into_iter();
            sides
                .flat_map(|side| names.map(|name| format!("{side}_{name}")))
                .filter_map(|name| set.index_of(&name))
                .collect()
        };
        let diagonal =
            |hip: &str, shoulder: &str| Some([set.index_of(hip)?, set.index_of(shoulder)?]);
        Self {
            mirror: set.mirror_permutation(FlipAxis::Horizontal),
            arms: joints(["shoulder", "elbow", "wrist"]),
            legs: joints(["hip", "knee", "ankle"]),
            diagonals: [
                diagonal("right_hip", "left_shoulder"),
                diagonal("left_hip", "right_shoulder"),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }

    /// About a torso's length. Both its measures can be too short where the body is seen along
    /// its axis, or a label is wrong: the longer one counts.
    fn size(&self, person: &Person) -> Option<f32> {
        let rect = person.joints_rect()?;
        let longer = rect.width.max(rect.height);
        let diagonal = self
            .diagonals
            .iter()
            .filter_map(|pair| {
                let [hip, shoulder] = pair.map(|joint| person.keypoints.get(joint));
                let (hip, shoulder) = (hip?, shoulder?);
                let labelled = hip.is_labelled() && shoulder.is_labelled();
                labelled.then(|| hip.point().distance(shoulder.point()))
            })
            .reduce(f32::max);
        let size = diagonal.map_or(0.35 * longer, |d| d.max(0.25 * longer));
        (size > 0.0).then_some(size)
    }
}

/// Fewer labels that speak for a swap are not enough for one.
const FEWEST_VOTES: usize = 2;

/// Below this number of agreeing labels, or this part of the compared ones, the teacher may look
/// at somebody else: nothing is taken over.
const FEWEST_AGREEING: usize = 3;
const AGREEING_PART: f32 = 0.6;

/// One person's labels against the teacher's pose.
struct Check<'a> {
    pose: &'a [Option<TeacherKeypoint>],
    settings: &'a CleanSettings,
    size: f32,
}

impl Check<'_> {
    fn clean(&self, labels: &mut [LabelledKeypoint], body: &Body, report: &mut CleanReport) {
        let (compared, agreed) = self.agreement(labels);
        report.compared += compared;
        report.agreed_before += agreed;
        if self.settings.repair_swaps {
            self.repair_swaps(labels, body, report);
        }
        let (_, agreed) = self.agreement(labels);
        report.agreed_after += agreed;
        let trusted = agreed >= FEWEST_AGREEING && agreed as f32 >= AGREEING_PART * compared as f32;
        for (joint, label) in labels.iter_mut().enumerate() {
            let Some(teacher) = self.sure(joint) else {
                continue;
            };
            if label.is_labelled() {
                if self.distance(label, teacher) > self.settings.contradiction
                    && label.weight > self.settings.contradicted_weight
                {
                    label.weight = self.settings.contradicted_weight;
                    report.lowered += 1;
                }
            } else if trusted && self.settings.filled_weight > 0.0 {
                *label = LabelledKeypoint {
                    x: teacher.point.x,
                    y: teacher.point.y,
                    visibility: Visibility::Occluded,
                    weight: self.settings.filled_weight,
                };
                report.filled += 1;
            }
        }
    }

    /// The teacher's keypoint, if it is sure of it.
    fn sure(&self, joint: usize) -> Option<&TeacherKeypoint> {
        let keypoint = self.pose.get(joint)?.as_ref()?;
        let sure = keypoint.score > self.settings.min_score
            && keypoint.flip_px < self.settings.max_flip * self.size;
        sure.then_some(keypoint)
    }

    /// In parts of the person's size.
    fn distance(&self, label: &LabelledKeypoint, teacher: &TeacherKeypoint) -> f32 {
        label.point().distance(teacher.point) / self.size
    }

    /// How many labels can be compared, and how many of them agree.
    fn agreement(&self, labels: &[LabelledKeypoint]) -> (usize, usize) {
        let mut counts = (0, 0);
        for (joint, label) in labels.iter().enumerate().filter(|(_, l)| l.is_labelled()) {
            if let Some(teacher) = self.sure(joint) {
                counts.0 += 1;
                counts.1 += usize::from(self.distance(label, teacher) < self.settings.agreement);
            }
        }
        counts
    }

    fn repair_swaps(&self, labels: &mut [LabelledKeypoint], body: &Body, report: &mut CleanReport) {
        let arms = self.votes(labels, &body.arms, &body.mirror);
        let legs = self.votes(labels, &body.legs, &body.mirror);
        let follows = |votes: Votes, joints: &[usize]| {
            votes.as_it_is == 0 && self.nearer_swapped(labels, joints, &body.mirror)
        };
        let (swap_arms, swap_legs) = match (arms.for_swap(), legs.for_swap()) {
            (true, false) => (true, follows(legs, &body.legs)),
            (false, true) => (follows(arms, &body.arms), true),
            both => both,
        };
        let mut swap = |joints: &[usize]| {
            for &joint in joints {
                let partner = body.mirror[joint];
                if joint < partner && partner < labels.len() {
                    labels.swap(joint, partner);
                }
            }
        };
        if swap_arms {
            swap(&body.arms);
        }
        if swap_legs {
            swap(&body.legs);
        }
        match (swap_arms, swap_legs) {
            (true, true) => report.swapped_bodies += 1,
            (true, false) => report.swapped_arms += 1,
            (false, true) => report.swapped_legs += 1,
            (false, false) => {}
        }
    }

    /// Distances of a joint's label and of its partner's label from the teacher's joint, if both
    /// sides are labelled.
    fn both_ways(
        &self,
        labels: &[LabelledKeypoint],
        mirror: &[usize],
        joint: usize,
        teacher: &TeacherKeypoint,
    ) -> Option<(f32, f32)> {
        let (own, other) = (labels.get(joint)?, labels.get(*mirror.get(joint)?)?);
        (own.is_labelled() && other.is_labelled())
            .then(|| (self.distance(own, teacher), self.distance(other, teacher)))
    }

    fn votes(&self, labels: &[LabelledKeypoint], joints: &[usize], mirror: &[usize]) -> Votes {
        let (near, far) = (self.settings.agreement, self.settings.contradiction);
        let mut votes = Votes::default();
        for &joint in joints {
            let Some(teacher) = self.sure(joint) else {
                continue;
            };
            if let Some((own, other)) = self.both_ways(labels, mirror, joint, teacher) {
                votes.swapped += usize::from(other < near && own > far);
                votes.as_it_is += usize::from(own < near && other > far);
            }
        }
        votes
    }

    /// Whether the labels, swapped, are nearer to the teacher on the whole, be it sure or not.
    fn nearer_swapped(
        &self,
        labels: &[LabelledKeypoint],
        joints: &[usize],
        mirror: &[usize],
    ) -> bool {
        let mut gain = 0.0;
        for &joint in joints {
            if let Some(Some(teacher)) = self.pose.get(joint)
                && let Some((own, other)) = self.both_ways(labels, mirror, joint, teacher)
            {
                gain += own - other;
            }
        }
        gain > 0.0
    }
}

/// Labels that tell left from right.
#[derive(Clone, Copy, Default)]
struct Votes {
    swapped: usize,
    as_it_is: usize,
}

impl Votes {
    fn for_swap(self) -> bool {
        self.swapped >= FEWEST_VOTES && self.as_it_is == 0
    }
}
