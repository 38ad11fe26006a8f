//! A data set as its files have it: before keypoints are mapped, with what training does not need.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pose::{KeypointSet, Rect, Size};
use serde::Serialize;

use crate::error::Problem;
use crate::person::{LabelledKeypoint, Person};

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The annotation file.
    pub file: Arc<Path>,
    /// The record's index in it from 0, or its line from 1.
    pub number: usize,
    /// What the number counts.
    pub unit: Unit,
}

/// How the records of a file are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Records, from 0.
    Record,
    /// Lines, from 1.
    Line,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Record => "record",
            Unit::Line => "line",
        })
    }
}

impl Place {
    /// The record of this index, from 0.
    pub(crate) fn record(file: &Arc<Path>, index: usize) -> Self {
        Self {
            file: file.clone(),
            number: index,
            unit: Unit::Record,
        }
    }

    /// The line of this number, from 1.
    pub(crate) fn line(file: &Arc<Path>, number: usize) -> Self {
        Self {
            file: file.clone(),
            number,
            unit: Unit::Line,
        }
    }

    /// A problem at this place.
    pub fn problem(&self, field: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem {
            file: self.file.to_path_buf(),
            record: self.number,
            unit: self.unit,
            field: field.into(),
            message: message.into(),
        }
    }
}

/// One record of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The person, with the keypoints of the data set in its own order.
    pub person: Person,
    /// Where the record stands.
    pub place: Place,
    /// The head's box.
    pub head: Option<Rect>,
    /// In clips, the number that a person keeps from frame to frame.
    pub track: Option<u64>,
    /// The photo's size, where the file states it.
    pub stated_size: Option<Size>,
}

impl Record {
    /// A record of a person and nothing else.
    pub fn new(person: Person, place: Place) -> Self {
        Self {
            person,
            place,
            head: None,
            track: None,
            stated_size: None,
        }
    }
}

/// A whole data set, keypoints as the files name them.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    /// The keypoints' names, flip pairs and skeleton as far as the files say them.
    pub keypoints: KeypointSet,
    /// The records, in the files' order.
    pub records: Vec<Record>,
    /// Records that were left out because something in them is wrong.
    pub problems: Vec<Problem>,
    /// The annotation file, or the folder of the annotation files.
    pub file: PathBuf,
    /// The field that names a photo.
    pub image_field: &'static str,
    /// The folder that the photos' names start from.
    pub images: PathBuf,
}

impl DataSet {
    /// An empty data set.
    pub(crate) fn new(keypoints: KeypointSet, file: &Path, images: &Path) -> Self {
        Self {
            keypoints,
            records: Vec::new(),
            problems: Vec::new(),
            file: file.to_owned(),
            image_field: "image",
            images: images.to_owned(),
        }
    }

    /// Adds a record, or says what is wrong with it.
    pub(crate) fn take(&mut self, place: &Place, record: Result<Record, FieldError>) {
        match record {
            Ok(record) => self.records.push(record),
            Err(FieldError { field, message }) => {
                self.problems.push(place.problem(field, message));
            }
        }
    }

    /// Moves the records whose photo is not there to the problems.
    pub fn drop_missing_photos(&mut self) {
        let mut known: HashMap<PathBuf, bool> = HashMap::new();
        let problems = &mut self.problems;
        let field = self.image_field;
        self.records.retain(|record| {
            let image = &record.person.image;
            let there = match known.get(image) {
                Some(&there) => there,
                None => {
                    let there = image.is_file();
                    known.insert(image.clone(), there);
                    there
                }
            };
            if !there {
                let message = format!("expected a photo at {}, found none", image.display());
                problems.push(record.place.problem(field, message));
            }
            there
        });
    }

    /// Gives keypoints other names; names that the data set does not have are passed over.
    pub fn rename_keypoints(&mut self, renames: &[(String, String)]) {
        for (old, new) in renames {
            for name in &mut self.keypoints.keypoints {
                if name == old {
                    name.clone_from(new);
                }
            }
        }
    }

    /// The same records with the keypoints of `target`, mapped by name: those that this data set
    /// does not have are missing.
    pub fn mapped(mut self, target: &KeypointSet) -> Self {
        let map = target.map_from(&self.keypoints);
        for record in &mut self.records {
            let person = &mut record.person;
            person.keypoints = mapped(&person.keypoints, &map);
        }
        self.keypoints = target.clone();
        self
    }
}

/// The labels in the order of a target set whose keypoints `map` gives as indices.
pub(crate) fn mapped(labels: &[LabelledKeypoint], map: &[Option<usize>]) -> Vec<LabelledKeypoint> {
    let of = |from: &Option<usize>| {
        from.and_then(|from| labels.get(from).copied())
            .unwrap_or(LabelledKeypoint::MISSING)
    };
    map.iter().map(of).collect()
}

/// What is wrong with one field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) field: String,
    pub(crate) message: String,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// A number that may be a position: finite and not absurdly far away.
pub(crate) fn is_position(value: f64) -> bool {
    value.abs() <= 1e6
}

/// A box from its corner and size.
pub(crate) fn checked_box(
    field: &str,
    [x, y, width, height]: [f64; 4],
) -> Result<Rect, FieldError> {
    let numbers = [x, y, width, height];
    if !numbers.into_iter().all(is_position) || width <= 0.0 || height <= 0.0 {
        return Err(FieldError::new(
            field,
            format!(
                "expected x, y, width and height in pixels, the last two above 0, found {numbers:?}"
            ),
        ));
    }
    Ok(Rect::new(x as f32, y as f32, width as f32, height as f32))
}

/// The box of a person who has none: that of the labelled joints.
pub(crate) fn box_of_labels(field: &str, labels: &[LabelledKeypoint]) -> Result<Rect, FieldError> {
    let labelled = labels.iter().filter(|k| k.is_labelled());
    Rect::from_points(labelled.map(LabelledKeypoint::point))
        .ok_or_else(|| FieldError::new(field, "no joint is labelled"))
}

/// The head's size as PCKh wants it: 0.6 × the diagonal of its box. `None` for an empty box.
pub(crate) fn head_size(head: Option<Rect>) -> Option<f32> {
    head.map(|head| (0.6 * f64::from(head.width).hypot(head.height.into())) as f32)
        .filter(|&size| size > 0.0)
}
