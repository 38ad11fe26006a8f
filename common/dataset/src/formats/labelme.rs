//! labelme's JSON files, one beside each photo: a point for each keypoint, labelled with its name;
//! a rectangle `person` for the box; `group_id` says which belong together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pose::{KeypointSet, Rect, Size};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::data_set::{DataSet, FieldError, Place, Record, box_of_labels, head_size, is_position};
use crate::error::DatasetError;
use crate::json;
use crate::load::{files_below, folder, read_file};
use crate::names::{classes_in, read_names, set_of_names, write_names};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::source::Source;
use crate::write::{Output, save_json};

/// Label of a person's rectangle, and of the head's.
const PERSON: &str = "person";
const HEAD: &str = "head";

/// Flag of a hidden keypoint.
const HIDDEN: &str = "occluded";

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    shapes: Vec<&'a RawValue>,
    #[serde(rename = "imagePath")]
    image_path: String,
    #[serde(default, rename = "imageHeight")]
    image_height: Option<f64>,
    #[serde(default, rename = "imageWidth")]
    image_width: Option<f64>,
    #[serde(default)]
    flags: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Shape {
    label: String,
    points: Vec<[f64; 2]>,
    #[serde(default)]
    group_id: Option<i64>,
    #[serde(default = "polygon")]
    shape_type: String,
    #[serde(default)]
    flags: BTreeMap<String, serde_json::Value>,
}

fn polygon() -> String {
    "polygon".into()
}

fn is_set(flags: &BTreeMap<String, serde_json::Value>, name: &str) -> bool {
    flags.get(name).and_then(serde_json::Value::as_bool) == Some(true)
}

/// A file's content before the keypoints' names are known.
struct Parsed {
    path: Arc<Path>,
    image: PathBuf,
    size: Option<Size>,
    split: Split,
    /// With the number of each shape in its file.
    shapes: Vec<(usize, Shape)>,
}

pub(crate) fn read(source: &Source) -> Result<DataSet, DatasetError> {
    let (root, paths) = if source.root.is_dir() {
        (source.root.clone(), files_below(&source.root, &["json"])?)
    } else {
        let root = source.root.parent().unwrap_or(Path::new("."));
        (root.to_owned(), vec![source.root.clone()])
    };
    let root = folder(root, "JSON files")?;
    let images = source.images.clone().unwrap_or_else(|| root.clone());
    let mut set = DataSet::new(KeypointSet::mpii(), &source.root, &images);
    set.image_field = "imagePath";
    let mut files = Vec::new();
    for path in paths {
        let bytes = json::without_nan(read_file(&path)?);
        match parse(&path, &bytes, source, &mut set) {
            Ok(file) => files.push(file),
            // Another JSON among many is nothing to stop at.
            Err(error) => set.take(
                &Place::record(&path.into(), 0),
                Err(FieldError::new(".", format!("no file of labelme: {error}"))),
            ),
        }
    }
    set.keypoints = names(source, &root, &files)?;
    for file in &files {
        people(file, &mut set);
    }
    Ok(set)
}

fn parse(
    path: &Path,
    bytes: &[u8],
    source: &Source,
    set: &mut DataSet,
) -> Result<Parsed, serde_json::Error> {
    let file: File<'_> = serde_json::from_slice(bytes)?;
    let path: Arc<Path> = path.into();
    let place = Place::record(&path, 0);
    let mut shapes = Vec::new();
    for (number, raw) in file.shapes.iter().enumerate() {
        match json::parse::<Shape>(raw) {
            Ok(shape) => shapes.push((number, shape)),
            Err(FieldError { field, message }) => {
                set.take(
                    &place,
                    Err(FieldError::new(
                        format!("shapes[{number}].{field}"),
                        message,
                    )),
                );
            }
        }
    }
    // labelme writes backslashes on Windows.
    let name = file.image_path.replace('\\', "/");
    let image = match &source.images {
        Some(images) => images.join(name),
        None => path.with_file_name(name),
    };
    let size = |v: Option<f64>| {
        v.filter(|&v| v >= 1.0 && is_position(v))
            .map(|v| v as usize)
    };
    let split = [Split::Validation, Split::Test]
        .into_iter()
        .find(|split| is_set(&file.flags, split.name()));
    Ok(Parsed {
        image,
        size: size(file.image_width)
            .zip(size(file.image_height))
            .map(|(width, height)| Size { width, height }),
        split: split.unwrap_or(Split::Train),
        shapes,
        path,
    })
}

/// The set that the labels are of: from the classes file; or the built-in set that has all of the
/// labels, the smallest one; or the labels in alphabetical order.
fn names(source: &Source, root: &Path, files: &[Parsed]) -> Result<KeypointSet, DatasetError> {
    if let Some(path) = source.names.clone().or_else(|| classes_in(root)) {
        return read_names(&path);
    }
    let shapes = files.iter().flat_map(|file| &file.shapes);
    let mut labels: Vec<String> = shapes
        .filter(|(_, shape)| shape.shape_type == "point")
        .map(|(_, shape)| shape.label.clone())
        .collect();
    labels.sort();
    labels.dedup();
    if labels.is_empty() {
        return Ok(KeypointSet::mpii());
    }
    let known = KeypointSet::BUILTIN
        .into_iter()
        .filter_map(KeypointSet::builtin)
        .filter(|set| labels.iter().all(|label| set.index_of(label).is_some()))
        .min_by_key(KeypointSet::len);
    match known {
        Some(set) => Ok(set),
        None => set_of_names("labelme", &labels).map_err(|reason| DatasetError::Table {
            path: root.to_owned(),
            line: 1,
            reason,
        }),
    }
}

/// Which person a shape belongs to: by group; without groups, to the only person there is.
fn people(file: &Parsed, set: &mut DataSet) {
    let mut groups: BTreeMap<Option<i64>, Vec<&(usize, Shape)>> = BTreeMap::new();
    for shape in &file.shapes {
        groups.entry(shape.1.group_id).or_default().push(shape);
    }
    for (group, shapes) in groups {
        let place = Place::record(&file.path, 0);
        // Shapes that are neither keypoints nor boxes of a person are somebody else's.
        let is_ours = |shape: &Shape| match shape.shape_type.as_str() {
            "point" => true,
            "rectangle" => shape.label == PERSON,
            _ => false,
        };
        if !shapes.iter().any(|(_, shape)| is_ours(shape)) {
            continue;
        }
        match person(file, &shapes, group, &set.keypoints, &place) {
            Ok(Some(record)) => set.records.push(record),
            Ok(None) => {}
            Err(error) => set.take(&place, Err(error)),
        }
    }
}

/// Names a person among all: by file, and by group where there are groups.
fn id(file: &Parsed, group: Option<i64>) -> String {
    let stem = file.path.file_stem().unwrap_or_default().to_string_lossy();
    match group {
        Some(group) => format!("labelme:{stem}/{group}"),
        None => format!("labelme:{stem}"),
    }
}

fn person(
    file: &Parsed,
    shapes: &[&(usize, Shape)],
    group: Option<i64>,
    set: &KeypointSet,
    place: &Place,
) -> Result<Option<Record>, FieldError> {
    let mut keypoints = vec![LabelledKeypoint::MISSING; set.len()];
    let (mut rect, mut head) = (None, None);
    for (number, shape) in shapes {
        let field = |name: &str| format!("shapes[{number}].{name}");
        let far = shape.points.iter().flatten().any(|&v| !is_position(v));
        if far {
            return Err(FieldError::new(
                field("points"),
                "a point is more than a million pixels away",
            ));
        }
        match shape.shape_type.as_str() {
            "point" => {
                let index = set.index_of(&shape.label).ok_or_else(|| {
                    FieldError::new(
                        field("label"),
                        format!("`{}` has no keypoint `{}`", set.name, shape.label),
                    )
                })?;
                let [[x, y]] = shape.points[..] else {
                    let message = format!("expected one point, found {}", shape.points.len());
                    return Err(FieldError::new(field("points"), message));
                };
                if keypoints[index].is_labelled() {
                    return Err(FieldError::new(
                        field("label"),
                        format!(
                            "`{}` is there twice; give each person's shapes a group_id of their own",
                            shape.label
                        ),
                    ));
                }
                let visibility = if is_set(&shape.flags, HIDDEN) {
                    Visibility::Occluded
                } else {
                    Visibility::Visible
                };
                // labelme's positions are continuous already.
                keypoints[index] = LabelledKeypoint::new(x as f32, y as f32, visibility);
            }
            "rectangle" if shape.label == PERSON || shape.label == HEAD => {
                let [a, b] = shape.points[..] else {
                    let message = format!("expected two corners, found {}", shape.points.len());
                    return Err(FieldError::new(field("points"), message));
                };
                let (x, y) = (a[0].min(b[0]), a[1].min(b[1]));
                let (width, height) = ((a[0] - b[0]).abs(), (a[1] - b[1]).abs());
                let corners =
                    crate::data_set::checked_box(&field("points"), [x, y, width, height])?;
                if shape.label == PERSON {
                    rect = Some(corners);
                } else {
                    head = Some(corners);
                }
            }
            _ => {}
        }
    }
    if !keypoints.iter().any(LabelledKeypoint::is_labelled) {
        return Ok(None);
    }
    let rect = match rect {
        Some(rect) => rect,
        None => box_of_labels("shapes", &keypoints)?,
    };
    Ok(Some(Record {
        person: Person {
            image: file.image.clone(),
            dataset: "labelme".into(),
            id: id(file, group),
            rect,
            keypoints,
            head_size: head_size(head),
            area: None,
            split: file.split,
        },
        place: place.clone(),
        head,
        track: group.and_then(|group| u64::try_from(group).ok()),
        stated_size: file.size,
    }))
}

#[derive(Serialize)]
struct WrittenFile {
    version: &'static str,
    flags: BTreeMap<&'static str, bool>,
    shapes: Vec<WrittenShape>,
    #[serde(rename = "imagePath")]
    image_path: String,
    #[serde(rename = "imageData")]
    image_data: Option<String>,
    #[serde(rename = "imageHeight")]
    image_height: usize,
    #[serde(rename = "imageWidth")]
    image_width: usize,
}

#[derive(Serialize)]
struct WrittenShape {
    label: String,
    points: Vec<[f32; 2]>,
    group_id: Option<u64>,
    description: &'static str,
    shape_type: &'static str,
    flags: BTreeMap<&'static str, bool>,
}

/// Writes a JSON file beside each photo, and the keypoint set's text files into the folder.
pub(crate) fn write(output: &Output<'_>) -> Result<(), DatasetError> {
    for people in output.photos() {
        let mut shapes = Vec::new();
        let mut photo: Option<(&Person, Size)> = None;
        // Track numbers make groups where everybody has one.
        let tracks: BTreeSet<u64> = people.iter().filter_map(|record| record.track).collect();
        let tracked = tracks.len() == people.len();
        for (k, record) in people.iter().enumerate() {
            let person = &record.person;
            if photo.is_none() {
                photo = Some((person, output.size(&person.image)?));
            }
            let group_id = record.track.filter(|_| tracked).or(Some(k as u64));
            let mut shape = |label: &str, shape_type, points, hidden: bool| {
                shapes.push(WrittenShape {
                    label: label.to_owned(),
                    points,
                    group_id,
                    description: "",
                    shape_type,
                    flags: hidden.then_some((HIDDEN, true)).into_iter().collect(),
                });
            };
            let corners = |r: Rect| vec![[r.x, r.y], [r.x + r.width, r.y + r.height]];
            shape(PERSON, "rectangle", corners(person.rect), false);
            if let Some(head) = output.head(record) {
                shape(HEAD, "rectangle", corners(head), false);
            }
            for (name, keypoint) in output.keypoints.keypoints.iter().zip(&person.keypoints) {
                if keypoint.is_labelled() {
                    let hidden = keypoint.visibility == Visibility::Occluded;
                    shape(name, "point", vec![[keypoint.x, keypoint.y]], hidden);
                }
            }
        }
        let Some((person, size)) = photo else {
            continue;
        };
        let name = person.image.file_name().unwrap_or_default();
        let split = person.split;
        let file = WrittenFile {
            version: "5.5.0",
            flags: (split != Split::Train)
                .then_some((split.name(), true))
                .into_iter()
                .collect(),
            shapes,
            image_path: name.to_string_lossy().into_owned(),
            image_data: None,
            image_height: size.height,
            image_width: size.width,
        };
        save_json(&person.image.with_extension("json"), &file)?;
    }
    write_names(output.keypoints, output.root)
}
