//! The list of records that MPII and custom data come in: `annotations.json`, as the stacked
//! hourglass projects write it.

use std::path::Path;
use std::sync::Arc;

use pose::{KeypointSet, Point, Rect, Size};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::data_set::{
    DataSet, FieldError, Place, Record, box_of_labels, checked_box, head_size, is_position,
};
use crate::error::DatasetError;
use crate::json;
use crate::load::{folder, read_file};
use crate::names::{classes_in, read_names, write_names};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::source::Source;
use crate::write::{Output, save_json};

/// The fields of a record that are used; the others may be absent or hold anything.
#[derive(Deserialize)]
#[serde(expecting = "struct Record")]
struct Entry {
    #[serde(default = "unnamed")]
    dataset: String,
    #[serde(default, rename = "isValidation", deserialize_with = "truth")]
    is_validation: bool,
    /// Not in the original format, which knows no test split.
    #[serde(default)]
    split: Option<String>,
    img_paths: String,
    #[serde(default)]
    img_width: Option<f64>,
    #[serde(default)]
    img_height: Option<f64>,
    #[serde(default)]
    objpos: Option<[f64; 2]>,
    #[serde(default)]
    scale_provided: Option<f64>,
    /// Not in the original format: x, y of the box's corner, width, height in continuous
    /// coordinates.
    #[serde(default)]
    bbox: Option<[f64; 4]>,
    joint_self: Vec<[f64; 3]>,
    /// Two corners of the head's box.
    #[serde(default)]
    headboxes: Option<[[f64; 2]; 2]>,
    #[serde(default)]
    track_id: Option<u64>,
}

fn unnamed() -> String {
    "annotations".into()
}

/// `isValidation` is 0.0 or 1.0 where MATLAB wrote it, a truth value elsewhere.
fn truth<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected true, false or a number")]
    enum Truth {
        Bool(bool),
        Number(f64),
    }
    Ok(match Truth::deserialize(from)? {
        Truth::Bool(value) => value,
        Truth::Number(value) => value != 0.0,
    })
}

pub(crate) fn read(source: &Source) -> Result<DataSet, DatasetError> {
    let file = if source.root.is_dir() {
        source.root.join("annotations.json")
    } else {
        source.root.clone()
    };
    let bytes = json::without_nan(read_file(&file)?);
    let images = match &source.images {
        Some(images) => images.clone(),
        None => file.with_file_name("images"),
    };
    let images = folder(images, "photos")?;
    let list: Vec<&RawValue> =
        serde_json::from_slice(&bytes).map_err(|source| DatasetError::Json {
            path: file.clone(),
            expected: "a list of records",
            source,
        })?;
    let mut names = match &source.names {
        Some(names) => Some(read_names(names)?),
        None => None,
    };
    let mut set = DataSet::new(KeypointSet::mpii(), &file, &images);
    set.image_field = "img_paths";
    let file: Arc<Path> = file.into();
    for (index, raw) in list.iter().enumerate() {
        let place = Place::record(&file, index);
        let entry: Entry = match json::parse(raw) {
            Ok(entry) => entry,
            Err(error) => {
                set.take(&place, Err(error));
                continue;
            }
        };
        let found = entry.joint_self.len();
        // Without names, the first record's number of keypoints tells which set it is.
        let expected = match &names {
            Some(names) => names,
            None => names.insert(set_of(&file, index, found)?),
        };
        let record = if found == expected.len() {
            record(&entry, &place, &images)
        } else {
            let message = format!("expected {} keypoints, found {found}", expected.len());
            Err(FieldError::new("joint_self", message))
        };
        set.take(&place, record);
    }
    if let Some(names) = names {
        set.keypoints = names;
    }
    Ok(set)
}

/// The set with so many keypoints: that of a classes file beside the annotations, or a built-in
/// one.
fn set_of(file: &Path, record: usize, found: usize) -> Result<KeypointSet, DatasetError> {
    if let Some(classes) = classes_in(file.parent().unwrap_or(Path::new(""))) {
        let set = read_names(&classes)?;
        if set.len() == found {
            return Ok(set);
        }
    }
    KeypointSet::BUILTIN
        .into_iter()
        .filter_map(KeypointSet::builtin)
        .find(|set| set.len() == found)
        .ok_or_else(|| DatasetError::UnknownKeypoints {
            path: file.to_owned(),
            record,
            found,
        })
}

/// What is added to continuous coordinates. Records are 1-based: MATLAB's pixel 1 has its centre
/// at 0.5. Those converted from COCO have 1 added to coordinates that are taken as they are; those
/// from Animal-Pose nothing.
fn offset(dataset: &str) -> f64 {
    if dataset.starts_with("coco") {
        1.0
    } else if dataset.starts_with("animal") {
        0.0
    } else {
        0.5
    }
}

fn record(entry: &Entry, place: &Place, images: &Path) -> Result<Record, FieldError> {
    let dataset = match entry.dataset.to_ascii_lowercase().as_str() {
        "mpi" | "mpii" => "mpii".to_owned(),
        other => other.to_owned(),
    };
    let offset = offset(&dataset);
    if let Some(joint) = entry
        .joint_self
        .iter()
        .position(|j| !j[..2].iter().all(|&v| is_position(v)))
    {
        return Err(FieldError::new(
            "joint_self",
            format!("keypoint {joint} is more than a million pixels away"),
        ));
    }
    let label = |&[x, y, flag]: &[f64; 3]| {
        // [0, 0, 0] in MPII, [1, 1, 0] in what was converted from COCO: no label. Any other
        // place with flag 0 is a label of a joint that is hidden.
        let visibility = match (x, y) {
            _ if flag > 0.0 => Visibility::Visible,
            (0.0, 0.0) | (1.0, 1.0) => return LabelledKeypoint::MISSING,
            _ => Visibility::Occluded,
        };
        LabelledKeypoint::new((x - offset) as f32, (y - offset) as f32, visibility)
    };
    let keypoints: Vec<LabelledKeypoint> = entry.joint_self.iter().map(label).collect();
    let rect = match (entry.bbox, entry.objpos, entry.scale_provided) {
        (Some(corner_and_size), ..) => checked_box("bbox", corner_and_size)?,
        (None, Some(objpos), Some(scale)) => {
            if !(scale > 0.0 && scale < 1e6) {
                return Err(FieldError::new(
                    "scale_provided",
                    format!("expected the person's height / 200 px, above 0, found {scale}"),
                ));
            }
            let side = (scale * 200.0) as f32;
            let [x, y] = objpos.map(|v| (v - offset) as f32);
            Rect::around(Point::new(x, y), side, side)
        }
        (None, Some(_), None) => {
            return Err(FieldError::new(".", "missing field `scale_provided`"));
        }
        (None, None, Some(_)) => return Err(FieldError::new(".", "missing field `objpos`")),
        (None, None, None) => box_of_labels("joint_self", &keypoints)?,
    };
    let head = entry.headboxes.map(|[a, b]| {
        let corner = |c: [f64; 2]| c.map(|v| (v - offset) as f32);
        let (a, b) = (corner(a), corner(b));
        let (low, high) = (
            [a[0].min(b[0]), a[1].min(b[1])],
            [a[0].max(b[0]), a[1].max(b[1])],
        );
        Rect::new(low[0], low[1], high[0] - low[0], high[1] - low[1])
    });
    let split = match entry.split.as_deref().map(Split::of_name) {
        Some(Some(split)) => split,
        Some(None) => {
            let found = entry.split.as_deref().unwrap_or_default();
            let message = format!("expected train, validation or test, found `{found}`");
            return Err(FieldError::new("split", message));
        }
        None if entry.is_validation => Split::Validation,
        None => Split::Train,
    };
    let size = |v: Option<f64>| {
        v.filter(|&v| v >= 1.0 && is_position(v))
            .map(|v| v as usize)
    };
    Ok(Record {
        person: Person {
            image: images.join(&entry.img_paths),
            id: format!("{dataset}:{}", place.number),
            dataset,
            rect,
            keypoints,
            head_size: head_size(head),
            area: None,
            split,
        },
        place: place.clone(),
        head: head.filter(|head| head.width > 0.0 || head.height > 0.0),
        track: entry.track_id,
        stated_size: size(entry.img_width)
            .zip(size(entry.img_height))
            .map(|(width, height)| Size { width, height }),
    })
}

/// A record as MPII's converters write it, with a few fields more.
#[derive(Serialize)]
struct Written<'a> {
    dataset: &'a str,
    #[serde(rename = "isValidation")]
    is_validation: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    split: Option<&'static str>,
    img_paths: String,
    img_width: usize,
    img_height: usize,
    objpos: [f64; 2],
    joint_self: Vec<[f64; 3]>,
    scale_provided: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bbox: Option<[f32; 4]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headboxes: Option<[[f64; 2]; 2]>,
    joint_others: Vec<Vec<[f64; 3]>>,
    scale_provided_other: Vec<f64>,
    objpos_other: Vec<[f64; 2]>,
    #[serde(rename = "numOtherPeople")]
    other_people: f64,
    annolist_index: f64,
    people_index: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    track_id: Option<u64>,
}

/// A position in the format's own coordinates; shortest form, not that of the f32 widened.
fn placed(value: f32, offset: f64) -> f64 {
    // Ten thousandths of a pixel are below what any label means.
    ((f64::from(value) + offset) * 1e4).round() / 1e4
}

fn joints(person: &Person, offset: f64) -> Vec<[f64; 3]> {
    let missing = if offset == 1.0 {
        [1.0, 1.0, 0.0]
    } else {
        [0.0; 3]
    };
    let joint = |k: &LabelledKeypoint| {
        let (mut x, y) = (placed(k.x, offset), placed(k.y, offset));
        match k.visibility {
            Visibility::Missing => missing,
            Visibility::Visible => [x, y, 1.0],
            Visibility::Occluded => {
                // These two places would say that there is no label.
                if (x, y) == (0.0, 0.0) || (x, y) == (1.0, 1.0) {
                    x += 0.01;
                }
                [x, y, 0.0]
            }
        }
    };
    person.keypoints.iter().map(joint).collect()
}

/// What a record says of a person, once about themselves and once in the records of the others.
struct Parts<'a> {
    dataset: &'a str,
    offset: f64,
    objpos: [f64; 2],
    scale: f64,
    joints: Vec<[f64; 3]>,
}

fn parts(record: &Record) -> Parts<'_> {
    let person = &record.person;
    let dataset = match person.dataset.as_str() {
        "mpii" => "MPI",
        other => other,
    };
    let offset = offset(&dataset.to_ascii_lowercase());
    let center = person.rect.center();
    let side = person.rect.width.max(person.rect.height);
    Parts {
        dataset,
        offset,
        objpos: [placed(center.x, offset), placed(center.y, offset)],
        scale: f64::from(side) / 200.0,
        joints: joints(person, offset),
    }
}

/// Writes `annotations.json` and the keypoint set's text files; photos lie in `images`.
pub(crate) fn write(output: &Output<'_>) -> Result<(), DatasetError> {
    let mut list = Vec::with_capacity(output.records.len());
    for (photo, people) in output.photos().into_iter().enumerate() {
        for (k, &record) in people.iter().enumerate() {
            let person = &record.person;
            let Parts {
                dataset,
                offset,
                objpos,
                scale,
                joints,
            } = parts(record);
            let others: Vec<Parts<'_>> = people
                .iter()
                .enumerate()
                .filter(|&(other, _)| other != k)
                .map(|(_, &other)| parts(other))
                .collect();
            let Rect {
                x,
                y,
                width,
                height,
            } = person.rect;
            let size = output.size(&person.image)?;
            let corner = |x: f32, y: f32| [placed(x, offset), placed(y, offset)];
            list.push(Written {
                dataset,
                is_validation: f64::from(u8::from(person.split != Split::Train)),
                split: (person.split == Split::Test).then_some("test"),
                img_paths: output.name(&person.image),
                img_width: size.width,
                img_height: size.height,
                objpos,
                joint_self: joints,
                scale_provided: scale,
                bbox: (width != height).then_some([x, y, width, height]),
                headboxes: output.head(record).map(|head| {
                    let (right, low) = (head.x + head.width, head.y + head.height);
                    [corner(head.x, head.y), corner(right, low)]
                }),
                other_people: others.len() as f64,
                scale_provided_other: others.iter().map(|o| o.scale).collect(),
                objpos_other: others.iter().map(|o| o.objpos).collect(),
                joint_others: others.into_iter().map(|o| o.joints).collect(),
                annolist_index: photo as f64 + 1.0,
                people_index: k as f64 + 1.0,
                track_id: record.track,
            });
        }
    }
    write_names(output.keypoints, output.root)?;
    save_json(&output.root.join("annotations.json"), &list)
}
