//! The names of a body's keypoints, which of them swap in a mirror, and how to draw them.

use crate::text_files::{self, KeypointSetError, TextFile};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A colour, 0..=255 for each part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rgb {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
}

impl Rgb {
    /// The colour of these three parts.
    pub const fn new(r: u8, g: u8, b: u8) -> Self {
        Self { r, g, b }
    }
}

/// The direction in which an image is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlipAxis {
    /// Left and right change places (`h` in the match-point file).
    Horizontal,
    /// Top and bottom change places (`v` in the match-point file).
    Vertical,
}

/// Two keypoints that change names when the image is mirrored; indices into the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlipPair {
    /// The one, as it stands first in the file.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// The mirroring in which they do.
    pub axis: FlipAxis,
}

/// A line of the skeleton; indices into the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bone {
    /// Where the line starts.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Its colour.
    pub color: Rgb,
}

/// Names, flip pairs and skeleton of one kind of body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeypointSet {
    /// What the set is called, `mpii` for example.
    pub name: String,
    /// The keypoints' names, in the order of the network's outputs.
    pub keypoints: Vec<String>,
    /// Which of them swap in a mirror.
    pub flip_pairs: Vec<FlipPair>,
    /// The lines to draw.
    pub skeleton: Vec<Bone>,
}

/// Names that different data sets use for the same keypoint.
const ALIASES: [(&str, &str); 2] = [("pelvis", "plevis"), ("neck", "upper_neck")];

macro_rules! built_in {
    ($name:literal) => {
        [
            TextFile {
                path: concat!("assets/keypoints/", $name, "_classes.txt"),
                text: include_str!(concat!("../../../assets/keypoints/", $name, "_classes.txt")),
            },
            TextFile {
                path: concat!("assets/keypoints/", $name, "_match_point.txt"),
                text: include_str!(concat!(
                    "../../../assets/keypoints/",
                    $name,
                    "_match_point.txt"
                )),
            },
            TextFile {
                path: concat!("assets/keypoints/", $name, "_skeleton.txt"),
                text: include_str!(concat!(
                    "../../../assets/keypoints/",
                    $name,
                    "_skeleton.txt"
                )),
            },
        ]
    };
}

impl KeypointSet {
    /// The names of the sets that [`KeypointSet::builtin`] knows.
    pub const BUILTIN: [&'static str; 4] = ["mpii", "coco", "lsp", "animal_pose"];

    /// Reads a set from its text files: the names; if given, which swap in a mirror; if given, the
    /// lines to draw. One record a line, blank lines are skipped:
    ///
    /// | file | a line | letters |
    /// |---|---|---|
    /// | classes | `name` | |
    /// | match points | `name,name,axis` | `h` left-right, `v` top-bottom |
    /// | skeleton | `start,end,colour` | `r`, `g`, `b` |
    ///
    /// # Errors
    /// A duplicated, empty or unknown name, a wrong number of fields, a bad letter, a keypoint in
    /// two pairs of one axis: the error names the file, the line and the word.
    pub fn parse(
        name: &str,
        classes: TextFile<'_>,
        match_points: Option<TextFile<'_>>,
        skeleton: Option<TextFile<'_>>,
    ) -> Result<KeypointSet, KeypointSetError> {
        let mut set = KeypointSet {
            name: name.to_owned(),
            keypoints: text_files::classes(classes)?,
            flip_pairs: Vec::new(),
            skeleton: Vec::new(),
        };
        if let Some(file) = match_points {
            set.flip_pairs = text_files::match_points(&set, file)?;
        }
        if let Some(file) = skeleton {
            set.skeleton = text_files::skeleton(&set, file)?;
        }
        Ok(set)
    }

    /// The shipped set of this name (see [`KeypointSet::BUILTIN`]).
    pub fn builtin(name: &str) -> Option<KeypointSet> {
        let [classes, match_points, skeleton] = match name {
            "mpii" => built_in!("mpii"),
            "coco" => built_in!("coco"),
            "lsp" => built_in!("lsp"),
            "animal_pose" => built_in!("animal_pose"),
            _ => return None,
        };
        KeypointSet::parse(name, classes, Some(match_points), Some(skeleton)).ok()
    }

    /// MPII's 16 keypoints, which the shipped models use.
    pub fn mpii() -> KeypointSet {
        Self::shipped("mpii")
    }

    /// COCO's 17 keypoints.
    pub fn coco() -> KeypointSet {
        Self::shipped("coco")
    }

    /// The 14 keypoints of Leeds Sports Pose and its extension.
    pub fn lsp() -> KeypointSet {
        Self::shipped("lsp")
    }

    /// The 20 keypoints of Animal-Pose.
    pub fn animal_pose() -> KeypointSet {
        Self::shipped("animal_pose")
    }

    fn shipped(name: &str) -> KeypointSet {
        // The files are compiled in, and a test reads each of them: this cannot fail at run time.
        Self::builtin(name).expect("assets/keypoints holds a valid set of this name")
    }

    /// The number of keypoints.
    pub fn len(&self) -> usize {
        self.keypoints.len()
    }

    /// Whether there is no keypoint.
    pub fn is_empty(&self) -> bool {
        self.keypoints.is_empty()
    }

    /// The index of the keypoint with this name. Spellings that mean the same keypoint are known:
    /// `pelvis` and MPII's `plevis`, `neck` and `upper_neck`.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        let find = |wanted: &str| self.keypoints.iter().position(|k| k == wanted);
        find(name).or_else(|| {
            ALIASES.iter().find_map(|&(a, b)| match name {
                _ if name == a => find(b),
                _ if name == b => find(a),
                _ => None,
            })
        })
    }

    /// For every keypoint of this set, in order, its index in `other`, matched by name.
    pub fn map_from(&self, other: &KeypointSet) -> Vec<Option<usize>> {
        self.keypoints.iter().map(|k| other.index_of(k)).collect()
    }

    /// For every keypoint, the index of the one that takes its place in an image mirrored along
    /// `axis`. Applying it twice changes nothing. A pair that points outside the set (possible in
    /// a set that was not read by [`KeypointSet::parse`]) is passed over.
    pub fn mirror_permutation(&self, axis: FlipAxis) -> Vec<usize> {
        let mut permutation: Vec<usize> = (0..self.keypoints.len()).collect();
        for pair in self.flip_pairs.iter().filter(|p| p.axis == axis) {
            if pair.first < permutation.len() && pair.second < permutation.len() {
                permutation.swap(pair.first, pair.second);
            }
        }
        permutation
    }
}
