//! An annotated person, whatever file they come from.

use pose::{Point, Rect};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Whether a keypoint is labelled, and seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// No label: weight 0 in the loss, not counted in a metric.
    #[default]
    Missing,
    /// Labelled, but hidden behind something.
    Occluded,
    /// Labelled and seen.
    Visible,
}

/// A keypoint's label, in continuous coordinates of the photo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelledKeypoint {
    /// Pixels from the photo's left edge.
    pub x: f32,
    /// Pixels from the photo's top edge.
    pub y: f32,
    /// Whether there is a label.
    pub visibility: Visibility,
    /// 0..=1, multiplies the loss: 1 for a label unless a cleaning step lowered it, 0 where there
    /// is none.
    pub weight: f32,
}

impl LabelledKeypoint {
    /// No label.
    pub const MISSING: Self = Self {
        x: 0.0,
        y: 0.0,
        visibility: Visibility::Missing,
        weight: 0.0,
    };

    /// A label of full weight.
    pub const fn new(x: f32, y: f32, visibility: Visibility) -> Self {
        let weight = match visibility {
            Visibility::Missing => 0.0,
            _ => 1.0,
        };
        Self {
            x,
            y,
            visibility,
            weight,
        }
    }

    /// Whether there is a label.
    pub fn is_labelled(&self) -> bool {
        self.visibility != Visibility::Missing
    }

    /// The label's place.
    pub const fn point(&self) -> Point {
        Point::new(self.x, self.y)
    }
}

/// What a record may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// To train on.
    Train,
    /// To choose between models.
    Validation,
    /// To report figures of; never to train on.
    Test,
}

impl Split {
    /// `train`, `validation` or `test`.
    pub const fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }

    /// The split of this name; `val` and `valid` are known too.
    pub fn of_name(name: &str) -> Option<Split> {
        match name.to_ascii_lowercase().as_str() {
            "train" => Some(Split::Train),
            "validation" | "valid" | "val" => Some(Split::Validation),
            "test" => Some(Split::Test),
            _ => None,
        }
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One person in one photo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The photo.
    pub image: PathBuf,
    /// The data set: `lsp`, `lspet`, `mpii`, `coco`, or the name in the file.
    pub dataset: String,
    /// Names the person among all data sets: the data set and the photo's number (`lsp:1001`),
    /// the index in the list (`mpii:0`) or the annotation's id (`coco:183`).
    pub id: String,
    /// The person's box in the photo: as given, or a square of 200 · scale around the given
    /// centre, or the box of the labelled joints.
    pub rect: Rect,
    /// In the order of the keypoint set that was asked for.
    pub keypoints: Vec<LabelledKeypoint>,
    /// Size of the head in pixels, 0.6 × the diagonal of its box, as PCKh wants it.
    pub head_size: Option<f32>,
    /// Area of the person in square pixels, as OKS wants it.
    pub area: Option<f32>,
    /// What the record may be used for.
    pub split: Split,
}

impl Person {
    /// The box of the labelled joints; `None` when no joint is labelled.
    pub fn joints_rect(&self) -> Option<Rect> {
        let labelled = self.keypoints.iter().filter(|k| k.is_labelled());
        Rect::from_points(labelled.map(|k| k.point()))
    }

    /// The box that a crop is made from: that of the labelled joints, as a tracker that runs on
    /// found poses has it, or [`rect`](Self::rect) where fewer than six joints are labelled.
    pub fn crop_rect(&self) -> Rect {
        const JOINTS_FOR_BOX: usize = 6;
        match self.joints_rect() {
            Some(rect) if self.labelled() >= JOINTS_FOR_BOX => rect,
            _ => self.rect,
        }
    }

    /// How many joints are labelled.
    pub fn labelled(&self) -> usize {
        self.keypoints.iter().filter(|k| k.is_labelled()).count()
    }
}

/// What came out of reading a data set.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The people, in the file's order.
    pub people: Vec<Person>,
    /// Records that were left out because something in them is wrong. A caller that wants to be
    /// strict fails when there is one.
    pub problems: Vec<crate::error::Problem>,
}
