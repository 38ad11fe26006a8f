//! Reading a data set, whatever its format.

use crate::error::{DatasetError, Problem};
use crate::person::{LabelledKeypoint, Loaded, Person};
use crate::source::{Source, SourceKind};
use crate::{annotations, coco, leeds};
use pose::KeypointSet;
use std::path::{Path, PathBuf};

/// Reads a data set, with keypoints mapped by name onto `target`: those of `target` that the data
/// set does not have are [`Missing`](crate::Visibility::Missing).
///
/// People none of whose labels maps onto `target` are left out.
///
/// Records of all splits come back unless the source names one: whoever trains must leave
/// [`Split::Test`](crate::Split::Test) out.
///
/// # Errors
/// When a file cannot be read as a whole. A single record with something wrong in it (a field of
/// the wrong type, another number of keypoints, a photo that is not there) does not fail the rest:
/// it is left out and named in [`Loaded::problems`].
pub fn load(source: &Source, target: &KeypointSet) -> Result<Loaded, DatasetError> {
    let mut records = match source.kind {
        SourceKind::Lsp | SourceKind::Lspet => leeds::read(source, target),
        SourceKind::Annotations => annotations::read(source, target),
        SourceKind::Coco => coco::read(source, target),
    }?;
    records.people.retain(|(_, person)| {
        person.labelled() > 0 && source.split.is_none_or(|split| person.split == split)
    });
    let mut people: Vec<Person> = Vec::with_capacity(records.people.len());
    for (record, person) in records.people {
        // People of one photo mostly follow each other: look for it once.
        let known = people.last().is_some_and(|last| last.image == person.image);
        if known || person.image.is_file() {
            people.push(person);
        } else {
            records.problems.push(Problem {
                file: records.file.clone(),
                record,
                field: records.image_field.to_owned(),
                message: format!("expected a photo at {}, found none", person.image.display()),
            });
        }
    }
    Ok(Loaded {
        people,
        problems: records.problems,
    })
}

/// What a reader of one format makes of its file.
pub(crate) struct Records {
    /// The annotation file.
    pub(crate) file: PathBuf,
    /// The field of the file that names the photo.
    pub(crate) image_field: &'static str,
    /// Each with its record's index in the file.
    pub(crate) people: Vec<(usize, Person)>,
    /// Records that were left out.
    pub(crate) problems: Vec<Problem>,
}

impl Records {
    pub(crate) fn new(file: PathBuf, image_field: &'static str) -> Self {
        Self {
            file,
            image_field,
            people: Vec::new(),
            problems: Vec::new(),
        }
    }

    pub(crate) fn problem(&mut self, record: usize, field: impl Into<String>, message: String) {
        self.problems.push(Problem {
            file: self.file.clone(),
            record,
            field: field.into(),
            message,
        });
    }
}

/// From a data set's keypoints to those of the set that was asked for, by name.
pub(crate) struct Mapping(Vec<Option<usize>>);

impl Mapping {
    pub(crate) fn new(
        file: &Path,
        from: &KeypointSet,
        target: &KeypointSet,
    ) -> Result<Self, DatasetError> {
        let map = target.map_from(from);
        if map.iter().all(Option::is_none) {
            return Err(DatasetError::NothingInCommon {
                path: file.to_owned(),
                found: from.keypoints.join(", "),
                target: target.name.clone(),
                expected: target.keypoints.join(", "),
            });
        }
        Ok(Self(map))
    }

    /// The labels in the target's order; `label` gives that of the data set's keypoint.
    pub(crate) fn labels(
        &self,
        label: impl Fn(usize) -> LabelledKeypoint,
    ) -> Vec<LabelledKeypoint> {
        let of = |from: &Option<usize>| from.map_or(LabelledKeypoint::MISSING, &label);
        self.0.iter().map(of).collect()
    }
}

/// The content of a file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, DatasetError> {
    std::fs::read(path).map_err(|source| DatasetError::Io {
        path: path.to_owned(),
        source,
    })
}

/// The folder, if there is one.
pub(crate) fn folder(path: PathBuf, what: &'static str) -> Result<PathBuf, DatasetError> {
    if path.is_dir() {
        Ok(path)
    } else {
        Err(DatasetError::MissingFolder { path, what })
    }
}
