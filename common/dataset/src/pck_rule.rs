//! When a keypoint is right.

use crate::person::Person;
use pose::{KeypointSet, Rect};
use serde::{Deserialize, Serialize};
use std::fmt;

/// When a keypoint is right. Distances are between a label and its prediction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum PckRule {
    /// Not farther than `threshold` × the torso, which is the distance from the right hip to the
    /// left shoulder (0.2 in the figures published for LSP).
    Torso {
        /// Part of the torso.
        threshold: f32,
    },
    /// PCKh: not farther than `threshold` × the head size, which is 0.6 × the diagonal of the
    /// head's box (0.5 in the figures for MPII).
    Head {
        /// Part of the head size.
        threshold: f32,
    },
    /// PCKh without head boxes: not farther than `threshold` × the distance from the upper neck to
    /// the top of the head.
    HeadSegment {
        /// Part of the segment.
        threshold: f32,
    },
    /// Not farther than `threshold` × the longer side of the person's box.
    BoxSide {
        /// Part of the side.
        threshold: f32,
    },
    /// Not farther than `threshold` × the diagonal of the person's box.
    BoxDiagonal {
        /// Part of the diagonal.
        threshold: f32,
    },
    /// The measure of the Keras hourglass projects: labels and predictions in heatmap cells,
    /// nearer than `threshold` × 6.4 · ((H + W) / 2 / 256) for an input of H × W (0.5 in their
    /// figures), labels in the map's first two rows and columns not counted.
    HeatmapCells {
        /// Part of the norm.
        threshold: f32,
        /// Width of the network's input.
        input_width: usize,
        /// Height of the network's input.
        input_height: usize,
    },
}

impl PckRule {
    /// PCK@0.2 by the torso.
    pub const LSP: PckRule = PckRule::Torso { threshold: 0.2 };

    /// PCKh@0.5 by the head's box.
    pub const MPII: PckRule = PckRule::Head { threshold: 0.5 };

    /// The usual rule for these keypoints: PCK@0.2 by the torso; where they have none, 5 % of the
    /// longer side of the person's box.
    pub fn usual(keypoints: &KeypointSet) -> PckRule {
        let torso = ["right_hip", "left_shoulder"];
        match torso.iter().all(|name| keypoints.index_of(name).is_some()) {
            true => PckRule::LSP,
            false => PckRule::BoxSide { threshold: 0.05 },
        }
    }

    /// PCK@0.5 in heatmap cells for an input of this size.
    pub const fn cells(input: pose::Size) -> PckRule {
        PckRule::HeatmapCells {
            threshold: 0.5,
            input_width: input.width,
            input_height: input.height,
        }
    }

    /// The part of the norm that a keypoint may be away.
    pub const fn threshold(&self) -> f32 {
        match *self {
            PckRule::Torso { threshold }
            | PckRule::Head { threshold }
            | PckRule::HeadSegment { threshold }
            | PckRule::BoxSide { threshold }
            | PckRule::BoxDiagonal { threshold }
            | PckRule::HeatmapCells { threshold, .. } => threshold,
        }
    }

    /// The same rule with another threshold.
    pub const fn with_threshold(mut self, part: f32) -> PckRule {
        match &mut self {
            PckRule::Torso { threshold }
            | PckRule::Head { threshold }
            | PckRule::HeadSegment { threshold }
            | PckRule::BoxSide { threshold }
            | PckRule::BoxDiagonal { threshold }
            | PckRule::HeatmapCells { threshold, .. } => *threshold = part,
        }
        self
    }

    /// Whether the rule is one of PCKh, whose tables have the top of the head alone as head.
    pub const fn is_by_head(&self) -> bool {
        matches!(self, PckRule::Head { .. } | PckRule::HeadSegment { .. })
    }
}

impl fmt::Display for PckRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PckRule::Torso { threshold } => write!(f, "PCK@{threshold} (torso)"),
            PckRule::Head { threshold } => write!(f, "PCKh@{threshold}"),
            PckRule::HeadSegment { threshold } => {
                write!(f, "PCKh@{threshold} (head top to neck)")
            }
            PckRule::BoxSide { threshold } => write!(f, "PCK@{threshold} (box side)"),
            PckRule::BoxDiagonal { threshold } => write!(f, "PCK@{threshold} (box diagonal)"),
            PckRule::HeatmapCells {
                threshold,
                input_width,
                input_height,
            } => write!(
                f,
                "PCK@{threshold} (heatmap cells of {input_width}×{input_height})"
            ),
        }
    }
}

/// What a rule may measure a person by, beside the labels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PersonSize {
    /// Size of the head in pixels: 0.6 × the diagonal of its box.
    pub head: Option<f32>,
    /// The person's box.
    pub rect: Option<Rect>,
}

impl From<&Person> for PersonSize {
    fn from(person: &Person) -> PersonSize {
        PersonSize {
            head: person.head_size,
            rect: Some(person.rect),
        }
    }
}
