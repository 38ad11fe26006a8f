//! Predictions of another network on training photos, to check labels against.

use crate::error::DatasetError;
use crate::load::read_file;
use pose::{KeypointSet, Point};
use std::collections::HashMap;
use std::path::Path;

/// Where another network sees a keypoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TeacherKeypoint {
    /// In continuous coordinates of the photo.
    pub point: Point,
    /// How sure it is, 0..=1.
    pub score: f32,
    /// How far its answers for the photo and for the mirrored photo lie apart, in pixels.
    pub flip_px: f32,
}

/// What a teacher says about each person it was asked about.
#[derive(Clone, Debug, Default)]
pub struct Teacher {
    poses: HashMap<String, Vec<Option<TeacherKeypoint>>>,
}

impl Teacher {
    /// Reads a table: a header `record,NAME_x,NAME_y,NAME_score,NAME_flip_px,…` with four columns
    /// for each of the teacher's keypoints, then one line a person. The names are mapped onto
    /// `target`'s; COCO's have no head top and no neck.
    ///
    /// `dataset` is the data set's name in [`Person::id`](crate::Person::id). A record is an index
    /// in the data set (`17`) or the name of a photo with its number in it (`im0017.jpg`): both
    /// belong to the person `dataset:17`.
    ///
    /// # Errors
    /// When the file cannot be read, or something in it is not as said: the error names the line.
    pub fn read(path: &Path, dataset: &str, target: &KeypointSet) -> Result<Self, DatasetError> {
        let text = String::from_utf8_lossy(&read_file(path)?).into_owned();
        Self::parse(&text, dataset, target).map_err(|(line, reason)| DatasetError::Table {
            path: path.to_owned(),
            line,
            reason,
        })
    }

    fn parse(text: &str, dataset: &str, target: &KeypointSet) -> Result<Self, (usize, String)> {
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(i, line)| (i + 1, line.trim()));
        let (_, header) = lines.next().unwrap_or((1, ""));
        let names = teacher_names(header).map_err(|reason| (1, reason))?;
        let from = KeypointSet {
            name: "teacher".into(),
            keypoints: names,
            flip_pairs: Vec::new(),
            skeleton: Vec::new(),
        };
        let map = target.map_from(&from);
        let mut poses = HashMap::new();
        for (line, record) in lines.filter(|(_, line)| !line.is_empty()) {
            let (name, keypoints) = parse_line(record, from.len()).map_err(|r| (line, r))?;
            let number = number_of(name)
                .ok_or_else(|| (line, format!("expected a number in the record `{name}`")))?;
            let pose = map.iter().map(|i| i.map(|i| keypoints[i])).collect();
            if poses.insert(format!("{dataset}:{number}"), pose).is_some() {
                return Err((line, format!("the record `{name}` is there twice")));
            }
        }
        Ok(Self { poses })
    }

    /// Adds what another table says; people in both take its word.
    pub fn extend(&mut self, other: Teacher) {
        self.poses.extend(other.poses);
    }

    /// Sets what the teacher says about the person `id`, in the target set's order: a model of our
    /// own can be a teacher too.
    pub fn insert(&mut self, id: impl Into<String>, pose: Vec<Option<TeacherKeypoint>>) {
        self.poses.insert(id.into(), pose);
    }

    /// What the teacher says about this person, in the target set's order; `None` for a keypoint
    /// that it does not know.
    pub fn pose(&self, id: &str) -> Option<&[Option<TeacherKeypoint>]> {
        self.poses.get(id).map(Vec::as_slice)
    }

    /// How many people it was asked about.
    pub fn len(&self) -> usize {
        self.poses.len()
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.poses.is_empty()
    }
}

/// The columns of one keypoint, after its name.
const COLUMNS: [&str; 4] = ["_x", "_y", "_score", "_flip_px"];

/// The keypoints' names, out of the header.
fn teacher_names(header: &str) -> Result<Vec<String>, String> {
    let mut columns = header.split(',').map(str::trim);
    if columns.next() != Some("record") {
        return Err("expected the header `record,NAME_x,NAME_y,NAME_score,NAME_flip_px,…`".into());
    }
    let columns: Vec<&str> = columns.collect();
    if columns.is_empty() || !columns.len().is_multiple_of(COLUMNS.len()) {
        return Err(format!(
            "expected four columns for each keypoint, found {} after `record`",
            columns.len()
        ));
    }
    columns
        .chunks(COLUMNS.len())
        .map(|four| {
            let name = four[0].strip_suffix(COLUMNS[0]).unwrap_or_default();
            let same = |(column, end): (&&str, &&str)| column.strip_suffix(*end) == Some(name);
            if name.is_empty() || !four.iter().zip(&COLUMNS).all(same) {
                return Err(format!(
                    "expected columns NAME_x, NAME_y, NAME_score, NAME_flip_px, found {}",
                    four.join(", ")
                ));
            }
            Ok(name.to_owned())
        })
        .collect()
}

fn parse_line(record: &str, keypoints: usize) -> Result<(&str, Vec<TeacherKeypoint>), String> {
    let (name, values) = record.split_once(',').unwrap_or((record, ""));
    let values = values
        .split(',')
        .map(|field| match field.trim().parse::<f32>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(format!("expected a number, found `{field}`")),
        })
        .collect::<Result<Vec<f32>, String>>()?;
    if values.len() != keypoints * COLUMNS.len() {
        return Err(format!(
            "expected {} numbers after the record, found {}",
            keypoints * COLUMNS.len(),
            values.len()
        ));
    }
    let keypoint = |v: &[f32]| TeacherKeypoint {
        point: Point::new(v[0], v[1]),
        score: v[2],
        flip_px: v[3],
    };
    let keypoints = values.chunks_exact(COLUMNS.len()).map(keypoint).collect();
    Ok((name.trim(), keypoints))
}

/// 17 in `17` and in `im0017.jpg`.
fn number_of(record: &str) -> Option<usize> {
    let stem = record.split_once('.').map_or(record, |(stem, _)| stem);
    stem.trim_start_matches(|c: char| !c.is_ascii_digit())
        .parse()
        .ok()
}
