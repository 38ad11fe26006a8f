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
    /// A COCO keypoint JSON file.
    Coco,
}

impl SourceKind {
    const ALL: [(&'static str, SourceKind); 4] = [
        ("lsp", SourceKind::Lsp),
        ("lspet", SourceKind::Lspet),
        ("annotations", SourceKind::Annotations),
        ("coco", SourceKind::Coco),
    ];
}

/// A data set to read: `kind:PATH[,IMAGES][?option=value[&option=value]…]`.
///
/// | kind | path | images, if not named |
/// |---|---|---|
/// | `lsp`, `lspet` | folder | `PATH/images` |
/// | `annotations` | folder with `annotations.json`, or the JSON file | `images` beside the JSON |
/// | `coco` | JSON file | `images` beside the JSON, or the JSON's folder |
///
/// Options: `split=train|validation|test|all` (all), `names=FILE`: the classes file of an
/// annotations file whose keypoints are none of the built-in sets.
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
                Some(("names", file)) if kind == SourceKind::Annotations => {
                    source.names = Some(file.into());
                }
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
        let mut separator = '?';
        if let Some(split) = self.split {
            let split = match split {
                Split::Train => "train",
                Split::Validation => "validation",
                Split::Test => "test",
            };
            write!(f, "{separator}split={split}")?;
            separator = '&';
        }
        if let Some(names) = &self.names {
            write!(f, "{separator}names={}", names.display())?;
        }
        Ok(())
    }
}
