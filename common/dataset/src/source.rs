//! Which data set to read, as it is written on a command line.

use crate::error::DatasetError;
use crate::person::Split;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The format of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// Leeds Sports Pose: a folder with `joints.mat` and `images/im0001.jpg` …
    Lsp,
    /// Leeds Sports Pose Extended: a folder with `joints.mat` and `images/im00001.jpg` …
    Lspet,
    /// A folder with `annotations.json` and `images/`, or that JSON file.
    Annotations,
    /// A COCO keypoint JSON file, or a folder of such.
    Coco,
    /// MPII's own `mpii_human_pose_v1_u12_1.mat`.
    Mpii,
    /// The arrays that the first hourglass trained on: `train.h5`, `valid.h5`.
    MpiiH5,
    /// A folder of labelme's JSON files beside their photos.
    Labelme,
    /// A folder with `data.yaml`, `images/` and `labels/`, or that YAML file.
    Yolo,
    /// Animal-Pose's `keypoints.json`.
    AnimalPose,
    /// A table, with this project's columns or those of hourglasstensorflow 1.
    Csv,
    /// `dataset.txt` of hourglasstensorflow 0.
    Htf,
}

impl SourceKind {
    const ALL: [(&'static str, SourceKind); 11] = [
        ("lsp", SourceKind::Lsp),
        ("lspet", SourceKind::Lspet),
        ("annotations", SourceKind::Annotations),
        ("coco", SourceKind::Coco),
        ("mpii", SourceKind::Mpii),
        ("mpii-h5", SourceKind::MpiiH5),
        ("labelme", SourceKind::Labelme),
        ("yolo", SourceKind::Yolo),
        ("animal-pose", SourceKind::AnimalPose),
        ("csv", SourceKind::Csv),
        ("htf", SourceKind::Htf),
    ];

    /// Whether the keypoints' names may come from a classes file.
    fn takes_names(self) -> bool {
        use SourceKind::{Annotations, Coco, Csv, Labelme, Yolo};
        matches!(self, Annotations | Coco | Csv | Labelme | Yolo)
    }
}

/// A data set to read: `kind:PATH[,IMAGES][?option=value[&option=value]…]`.
///
/// | kind | path | images, if not named |
/// |---|---|---|
/// | `annotations` | folder with `annotations.json`, or the JSON file | `images` beside the JSON |
/// | `coco` | JSON file, or folder of JSON files (also in `annotations/`) | `images`, `../images` or `../SPLIT` beside the JSON, or the JSON's folder |
/// | `mpii` | MPII's `.mat` file | `images` beside the file, or its folder |
/// | `mpii-h5` | `.h5` file, or folder with `train.h5` and `valid.h5` | `images` beside the file, or its folder |
/// | `lsp`, `lspet` | folder | `PATH/images` |
/// | `labelme` | folder of JSON files | as the files say |
/// | `yolo` | `data.yaml`, or its folder | as the file says |
/// | `animal-pose` | JSON file | `images` beside the JSON, or the JSON's folder |
/// | `csv`, `htf` | table | `images` beside the table, or the table's folder |
///
/// Options: `split=train|validation|test|all` (all); `names=FILE`, the classes file of data whose
/// keypoints are none of the built-in sets; `rename=OLD:NEW,…`, other names for keypoints;
/// `scale=limbs` for COCO, a square box as its first hourglass converter makes it from the length
/// of a limb; `animals=dog,cat` for Animal-Pose; `people=single` for MPII, those who stand apart.
///
/// ```
/// use dataset::{Source, SourceKind, Split};
/// let source: Source = "lsp:data/lsp?split=test".parse()?;
/// assert_eq!(source.kind, SourceKind::Lsp);
/// assert_eq!(source.split, Some(Split::Test));
/// # Ok::<(), dataset::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The format.
    pub kind: SourceKind,
    /// The folder or file.
    pub root: PathBuf,
    /// The folder of the photos, if it is not where the format puts it.
    pub images: Option<PathBuf>,
    /// Only records of this split; `None` for all.
    pub split: Option<Split>,
    /// A classes file with the names of the keypoints.
    pub names: Option<PathBuf>,
    /// Other names for keypoints: old and new.
    pub renames: Vec<(String, String)>,
    /// For COCO: boxes from the length of a limb instead of the given ones.
    pub limb_scale: bool,
    /// For Animal-Pose: only animals of these kinds; all when empty.
    pub animals: Vec<String>,
    /// For MPII: only people who stand apart from others.
    pub single: bool,
}

impl Source {
    /// All records of a data set at its usual place.
    pub fn new(kind: SourceKind, root: impl Into<PathBuf>) -> Self {
        Self {
            kind,
            root: root.into(),
            images: None,
            split: None,
            names: None,
            renames: Vec::new(),
            limb_scale: false,
            animals: Vec::new(),
            single: false,
        }
    }

    /// The same source, with only the records of one split.
    pub fn only(mut self, split: Split) -> Self {
        self.split = Some(split);
        self
    }
}

impl FromStr for Source {
    type Err = DatasetError;

    fn from_str(text: &str) -> Result<Self, DatasetError> {
        let wrong = |reason: String| DatasetError::Source {
            text: text.to_owned(),
            reason,
        };
        let (kind, rest) = text
            .split_once(':')
            .ok_or_else(|| wrong("expected a kind and a colon before the path".into()))?;
        let kind = SourceKind::ALL
            .iter()
            .find(|(name, _)| *name == kind)
            .map(|&(_, kind)| kind)
            .ok_or_else(|| wrong(format!("unknown kind `{kind}`")))?;
        let (paths, options) = match rest.split_once('?') {
            Some((paths, options)) => (paths, Some(options)),
            None => (rest, None),
        };
        let (root, images) = match paths.split_once(',') {
            Some((root, images)) => (root, Some(PathBuf::from(images))),
            None => (paths, None),
        };
        if root.is_empty() {
            return Err(wrong("expected a path after the colon".into()));
        }
        let mut source = Source {
            images,
            ..Source::new(kind, root)
        };
        for option in options.into_iter().flat_map(|o| o.split('&')) {
            match option.split_once('=') {
                Some(("split", "train")) => source.split = Some(Split::Train),
                Some(("split", "validation" | "val")) => source.split = Some(Split::Validation),
                Some(("split", "test")) => source.split = Some(Split::Test),
                Some(("split", "all")) => source.split = None,
                Some(("split", other)) => return Err(wrong(format!("unknown split `{other}`"))),
                Some(("names", file)) if kind.takes_names() => {
                    source.names = Some(file.into());
                }
                Some(("rename", pairs)) => {
                    for pair in pairs.split(',') {
                        let (old, new) = pair.split_once(':').ok_or_else(|| {
                            wrong(format!("expected OLD:NEW after rename=, found `{pair}`"))
                        })?;
                        source.renames.push((old.into(), new.into()));
                    }
                }
                Some(("scale", "limbs")) if kind == SourceKind::Coco => source.limb_scale = true,
                Some(("animals", names)) if kind == SourceKind::AnimalPose => {
                    source.animals = names.split(',').map(str::to_owned).collect();
                }
                Some(("people", "single")) if kind == SourceKind::Mpii => source.single = true,
                _ => return Err(wrong(format!("unknown option `{option}` for this kind"))),
            }
        }
        Ok(source)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = SourceKind::ALL.iter().find(|(_, kind)| *kind == self.kind);
        write!(f, "{}:{}", kind.map_or("", |(n, _)| n), self.root.display())?;
        if let Some(images) = &self.images {
            write!(f, ",{}", images.display())?;
        }
        let mut options: Vec<String> = Vec::new();
        if let Some(split) = self.split {
            options.push(format!("split={split}"));
        }
        if let Some(names) = &self.names {
            options.push(format!("names={}", names.display()));
        }
        if !self.renames.is_empty() {
            let pairs = self.renames.iter().map(|(old, new)| format!("{old}:{new}"));
            options.push(format!("rename={}", pairs.collect::<Vec<_>>().join(",")));
        }
        if self.limb_scale {
            options.push("scale=limbs".into());
        }
        if !self.animals.is_empty() {
            options.push(format!("animals={}", self.animals.join(",")));
        }
        if self.single {
            options.push("people=single".into());
        }
        for (k, option) in options.iter().enumerate() {
            write!(f, "{}{option}", if k == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}
