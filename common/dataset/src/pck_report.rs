//! The figures of PCK, joint by joint and as tables are published.

use crate::pck::Pck;
use crate::pck_rule::PckRule;
use serde::{Deserialize, Serialize};
use std::fmt;

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
    /// left and right. The head is the mean of head top and neck, in PCKh the head top alone.
    pub groups: Vec<GroupPck>,
    /// Mean over the joints of these groups and the neck, pelvis and thorax left out: the figure
    /// that is published for LSP and MPII. For bodies without any of these joints, the mean over
    /// all.
    pub mean: Option<f64>,
    /// The same without the head: the twelve limb joints.
    pub limb_mean: Option<f64>,
    /// Right of counted over everything that was counted: the figure that the Keras projects
    /// publish.
    pub total: Option<f64>,
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
    pub(crate) fn new(pck: &Pck) -> Self {
        let joints: Vec<JointPck> = (0..pck.names.len())
            .map(|i| JointPck {
                name: pck.names[i].clone(),
                right: pck.right[i],
                counted: pck.counted[i],
                pck: percent(pck.right[i], pck.counted[i]),
            })
            .collect();
        let figures = |names: &[&str]| -> Vec<f64> {
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
        let groups = GROUPS.iter().map(|(name, names)| {
            let names = match *name {
                "head" if pck.rule.is_by_head() => &names[..1],
                _ => &names[..],
            };
            GroupPck {
                name: (*name).to_owned(),
                pck: mean(&figures(names)),
            }
        });
        let limbs: Vec<f64> = GROUPS[1..].iter().flat_map(|(_, n)| figures(n)).collect();
        let all: Vec<f64> = GROUPS.iter().flat_map(|(_, n)| figures(n)).collect();
        // A body without any of these joints, an animal's: the mean of what there is.
        let any: Vec<f64> = joints.iter().filter_map(|joint| joint.pck).collect();
        Self {
            rule: pck.rule,
            people: pck.people,
            left_out: pck.left_out,
            groups: groups.filter(|group| group.pck.is_some()).collect(),
            mean: mean(&all).or_else(|| mean(&any)),
            limb_mean: mean(&limbs),
            total: percent(pck.right.iter().sum(), pck.counted.iter().sum()),
            joints,
        }
    }

    /// The one figure that is published of this measure: [`total`](Self::total) of heatmap cells,
    /// [`mean`](Self::mean) of every other rule.
    pub fn headline(&self) -> Option<f64> {
        match self.rule {
            PckRule::HeatmapCells { .. } => self.total,
            _ => self.mean,
        }
    }
}

fn percent(right: u64, counted: u64) -> Option<f64> {
    (counted > 0).then(|| 100.0 * right as f64 / counted as f64)
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
            write!(f, "{:>9}", capitalized(&group.name))?;
        }
        writeln!(f, "{:>9}{:>9}{:>9}", "Mean", "Limbs", "Total")?;
        for group in &self.groups {
            write!(f, "{:>9}", percent(group.pck))?;
        }
        let (mean, limbs, total) = (self.mean, self.limb_mean, self.total);
        write!(
            f,
            "{:>9}{:>9}{:>9}",
            percent(mean),
            percent(limbs),
            percent(total)
        )
    }
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}
