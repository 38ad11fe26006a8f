//! Which keypoints a model finds: from its card, a built-in set, or the three text files.

use std::fs;
use std::path::{Path, PathBuf};

use onnx_graph::ModelCard;
use pose::{KeypointSet, TextFile};

use crate::error::RuntimeError;

/// What the caller says about keypoints; everything left out comes from the model card.
#[derive(Clone, Debug, Default)]
pub struct KeypointChoice {
    /// Name of a built-in set, see [`KeypointSet::BUILTIN`].
    pub builtin: Option<String>,
    /// File of names, one a line.
    pub classes: Option<PathBuf>,
    /// File of pairs that change places in a mirror.
    pub match_points: Option<PathBuf>,
    /// File of lines to draw.
    pub skeleton: Option<PathBuf>,
}

impl KeypointChoice {
    /// The keypoint set, none when neither the card nor the caller names the keypoints.
    ///
    /// # Errors
    /// An unknown built-in set, a file that cannot be read, or one that is wrong, with the line.
    pub fn resolve(&self, card: Option<&ModelCard>) -> Result<Option<KeypointSet>, RuntimeError> {
        let base = match (&self.builtin, &self.classes) {
            (_, Some(path)) => Some(parse(path)?),
            (Some(name), None) => Some(KeypointSet::builtin(name).ok_or_else(|| {
                RuntimeError::Usage(format!(
                    "no built-in keypoint set is called `{name}`; there are {}",
                    KeypointSet::BUILTIN.join(", ")
                ))
            })?),
            (None, None) => card.map(ModelCard::keypoint_set).transpose()?,
        };
        let Some(mut set) = base else {
            return Ok(None);
        };
        if self.match_points.is_some() || self.skeleton.is_some() {
            let names = set.keypoints.join("\n");
            let match_points = self.match_points.as_deref().map(Text::read).transpose()?;
            let skeleton = self.skeleton.as_deref().map(Text::read).transpose()?;
            let with_files = KeypointSet::parse(
                &set.name,
                TextFile {
                    path: "the model's keypoints",
                    text: &names,
                },
                match_points.as_ref().map(Text::file),
                skeleton.as_ref().map(Text::file),
            )?;
            if self.match_points.is_some() {
                set.flip_pairs = with_files.flip_pairs;
            }
            if self.skeleton.is_some() {
                set.skeleton = with_files.skeleton;
            }
        }
        Ok(Some(set))
    }
}

fn parse(path: &Path) -> Result<KeypointSet, RuntimeError> {
    let text = Text::read(path)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix("_classes").unwrap_or(&name);
    Ok(KeypointSet::parse(name, text.file(), None, None)?)
}

/// A text file in memory, with the path for messages.
struct Text {
    path: String,
    text: String,
}

impl Text {
    fn read(path: &Path) -> Result<Text, RuntimeError> {
        let text = fs::read_to_string(path).map_err(|source| RuntimeError::Read {
            path: path.into(),
            source,
        })?;
        Ok(Text {
            path: path.display().to_string(),
            text,
        })
    }

    fn file(&self) -> TextFile<'_> {
        TextFile {
            path: &self.path,
            text: &self.text,
        }
    }
}
