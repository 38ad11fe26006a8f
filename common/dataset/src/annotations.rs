//! The list of records that MPII and custom data come in: `annotations.json`, as the stacked
//! hourglass projects write it.

use crate::error::DatasetError;
use crate::load::{Mapping, Records, folder, read_file};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::record;
use crate::source::Source;
use pose::{KeypointSet, Point, Rect, TextFile};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::path::Path;

/// The fields of a record that are used; the others may be absent or hold anything.
#[derive(Deserialize)]
struct Record {
    #[serde(default = "unnamed")]
    dataset: String,
    #[serde(default, rename = "isValidation", deserialize_with = "truth")]
    is_validation: bool,
    img_paths: String,
    objpos: [f64; 2],
    scale_provided: f64,
    joint_self: Vec<[f64; 3]>,
    /// Two corners of the head's box.
    #[serde(default)]
    headboxes: Option<[[f64; 2]; 2]>,
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

pub(crate) fn read(source: &Source, target: &KeypointSet) -> Result<Records, DatasetError> {
    let file = if source.root.is_dir() {
        source.root.join("annotations.json")
    } else {
        source.root.clone()
    };
    let bytes = read_file(&file)?;
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
    let mut records = Records::new(file, "img_paths");
    let mut names = match &source.names {
        Some(names) => Some(read_names(names)?),
        None => None,
    };
    let mut mapping = None;
    for (index, raw) in list.iter().enumerate() {
        let record: Record = match record::parse(raw) {
            Ok(record) => record,
            Err((field, message)) => {
                records.problem(index, field, message);
                continue;
            }
        };
        let found = record.joint_self.len();
        // Without names, the first record's number of keypoints tells which set it is.
        let set = match &mut names {
            Some(set) => set,
            none => none.insert(set_of(found).ok_or_else(|| DatasetError::UnknownKeypoints {
                path: records.file.clone(),
                record: index,
                found,
            })?),
        };
        if found != set.len() {
            let message = format!("expected {} keypoints, found {found}", set.len());
            records.problem(index, "joint_self", message);
            continue;
        }
        let mapping = match &mut mapping {
            Some(mapping) => mapping,
            none => none.insert(Mapping::new(&records.file, set, target)?),
        };
        match person(&record, index, &images, mapping) {
            Ok(person) => records.people.push((index, person)),
            Err((field, message)) => records.problem(index, field, message),
        }
    }
    Ok(records)
}

fn read_names(path: &Path) -> Result<KeypointSet, DatasetError> {
    let text = String::from_utf8_lossy(&read_file(path)?).into_owned();
    let path = path.display().to_string();
    let file = TextFile {
        path: &path,
        text: &text,
    };
    Ok(KeypointSet::parse("names", file, None, None)?)
}

fn set_of(keypoints: usize) -> Option<KeypointSet> {
    KeypointSet::BUILTIN
        .into_iter()
        .filter_map(KeypointSet::builtin)
        .find(|set| set.len() == keypoints)
}

/// Records are 1-based: MATLAB's pixel 1 has its centre at 0.5. Those converted from COCO have 1
/// added to coordinates that are taken as they are.
fn offset(dataset: &str) -> f64 {
    if dataset.starts_with("coco") {
        1.0
    } else {
        0.5
    }
}

fn person(
    record: &Record,
    index: usize,
    images: &Path,
    mapping: &Mapping,
) -> Result<Person, (&'static str, String)> {
    if !(record.scale_provided > 0.0 && record.scale_provided < 1e6) {
        return Err((
            "scale_provided",
            format!(
                "expected the person's height / 200 px, above 0, found {}",
                record.scale_provided
            ),
        ));
    }
    if let Some(joint) = record
        .joint_self
        .iter()
        .position(|j| j[..2].iter().any(|v| v.abs() > 1e6))
    {
        return Err((
            "joint_self",
            format!("keypoint {joint} is more than a million pixels away"),
        ));
    }
    let dataset = match record.dataset.to_ascii_lowercase().as_str() {
        "mpi" | "mpii" => "mpii".to_owned(),
        other => other.to_owned(),
    };
    let offset = offset(&dataset);
    let label = |joint: usize| {
        let [x, y, flag] = record.joint_self[joint];
        // [0, 0, 0] in MPII, [1, 1, 0] in what was converted from COCO: no label. Any other
        // place with flag 0 is a label of a joint that is hidden.
        let visibility = match (x, y) {
            _ if flag > 0.0 => Visibility::Visible,
            (0.0, 0.0) | (1.0, 1.0) => return LabelledKeypoint::MISSING,
            _ => Visibility::Occluded,
        };
        LabelledKeypoint::new((x - offset) as f32, (y - offset) as f32, visibility)
    };
    let keypoints = mapping.labels(label);
    let side = (record.scale_provided * 200.0) as f32;
    let [x, y] = record.objpos.map(|v| (v - offset) as f32);
    let rect = Rect::around(Point::new(x, y), side, side);
    let head_size = record
        .headboxes
        .map(|[a, b]| (0.6 * (a[0] - b[0]).hypot(a[1] - b[1])) as f32);
    Ok(Person {
        image: images.join(&record.img_paths),
        id: format!("{dataset}:{index}"),
        dataset,
        rect,
        keypoints,
        head_size,
        area: None,
        split: if record.is_validation {
            Split::Validation
        } else {
            Split::Train
        },
    })
}
