//! COCO's keypoint files (Lin et al., ECCV 2014): one JSON with photos, annotations, categories.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pose::{Bone, KeypointSet, Point, Rect, Rgb, Size};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::data_set::{
    DataSet, FieldError, Place, Record, box_of_labels, checked_box, head_size, is_position,
};
use crate::error::DatasetError;
use crate::json;
use crate::load::{folder, images_beside, list, read_file};
use crate::names::{known_set, read_names, set_of_names, write_names};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::source::Source;
use crate::write::{Output, save_json};

/// The file's lists. Records are kept as text until their turn: outlines of thousands of people
/// would fill the memory.
#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    images: Vec<&'a RawValue>,
    #[serde(borrow)]
    annotations: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    categories: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
    #[serde(default)]
    width: Option<f64>,
    #[serde(default)]
    height: Option<f64>,
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    #[serde(default)]
    keypoints: Vec<String>,
    #[serde(default)]
    skeleton: Vec<[f64; 2]>,
}

#[derive(Deserialize)]
struct Annotation {
    id: u64,
    image_id: u64,
    #[serde(default)]
    category_id: Option<u64>,
    #[serde(default)]
    iscrowd: u8,
    #[serde(default)]
    bbox: Option<[f64; 4]>,
    #[serde(default)]
    area: Option<f64>,
    #[serde(default)]
    keypoints: Vec<f64>,
    #[serde(default)]
    track_id: Option<u64>,
    /// Not in COCO: x, y, width, height of the head.
    #[serde(default)]
    head_bbox: Option<[f64; 4]>,
}

pub(crate) fn read(source: &Source) -> Result<DataSet, DatasetError> {
    if !source.root.is_dir() {
        return read_one(source, &source.root);
    }
    let mut whole: Option<DataSet> = None;
    for file in files(&source.root)? {
        let set = read_one(source, &file)?;
        match &mut whole {
            None => whole = Some(set),
            Some(whole) => {
                let set = set.mapped(&whole.keypoints);
                whole.records.extend(set.records);
                whole.problems.extend(set.problems);
            }
        }
    }
    let mut whole = whole.ok_or_else(|| DatasetError::MissingFolder {
        path: source.root.join("person_keypoints_*.json"),
        what: "annotation files",
    })?;
    whole.file.clone_from(&source.root);
    Ok(whole)
}

/// The keypoint files in a folder or its `annotations`: those with `keypoints` in their names.
pub(crate) fn files(root: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let mut found = Vec::new();
    for folder in [root.to_owned(), root.join("annotations")] {
        if folder.is_dir() {
            found.extend(list(&folder)?.1.into_iter().filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.contains("keypoints") && name.ends_with(".json")
            }));
        }
    }
    Ok(found)
}

fn read_one(source: &Source, path: &Path) -> Result<DataSet, DatasetError> {
    let bytes = json::without_nan(read_file(path)?);
    let file: File<'_> = serde_json::from_slice(&bytes).map_err(|source| DatasetError::Json {
        path: path.to_owned(),
        expected: "an object with the lists `images`, `annotations` and `categories`",
        source,
    })?;
    let images_folder = folder(images_folder(source, path), "photos")?;
    let mut set = DataSet::new(KeypointSet::coco(), path, &images_folder);
    set.image_field = "image_id";
    let path: Arc<Path> = path.into();
    let category = names(&file, &path, &mut set);
    if let Some(names) = &source.names {
        set.keypoints = read_names(names)?;
    }
    let mut images: HashMap<u64, Image> = HashMap::new();
    for (index, raw) in file.images.iter().enumerate() {
        match json::parse::<Image>(raw) {
            Ok(image) => {
                images.insert(image.id, image);
            }
            Err(FieldError { field, message }) => {
                let place = Place::record(&path, index);
                set.take(
                    &place,
                    Err(FieldError::new(format!("images.{field}"), message)),
                );
            }
        }
    }
    let split = split_of(&path);
    for (index, raw) in file.annotations.iter().enumerate() {
        let place = Place::record(&path, index);
        let annotation: Annotation = match json::parse(raw) {
            Ok(annotation) => annotation,
            Err(error) => {
                set.take(&place, Err(error));
                continue;
            }
        };
        let other = matches!((category, annotation.category_id), (Some(a), Some(b)) if a != b);
        // Crowds, other things than people, and people without a labelled joint: nothing wrong.
        let labelled = annotation
            .keypoints
            .chunks(3)
            .any(|k| k.last() != Some(&0.0));
        if other || annotation.iscrowd != 0 || !labelled {
            continue;
        }
        let record = record(&annotation, &images, &set, &place, split).map(|mut record| {
            if source.limb_scale
                && let Some(rect) = limb_box(&set.keypoints, &record.person.keypoints)
            {
                record.person.rect = rect;
            }
            record
        });
        set.take(&place, record);
    }
    Ok(set)
}

/// The folder as the source says it; `images` beside the JSON, or beside its folder, or the
/// folder there that is named as the JSON (`train2017` for `person_keypoints_train2017.json`), if
/// there is such a folder; otherwise the JSON's own.
fn images_folder(source: &Source, path: &Path) -> PathBuf {
    let beside = images_beside(source, path);
    if source.images.is_some() || beside.ends_with("images") {
        return beside;
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let split = stem.trim_start_matches("person_keypoints_");
    let above = beside.join("..");
    [above.join("images"), above.join(split), beside.join(split)]
        .into_iter()
        .find(|folder| folder.is_dir())
        .unwrap_or(beside)
}

/// COCO's files say in their names what they are for: `person_keypoints_val2017.json`.
fn split_of(path: &Path) -> Split {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.contains("val") {
        Split::Validation
    } else if name.contains("test") {
        Split::Test
    } else {
        Split::Train
    }
}

/// Takes the names of the category with keypoints over, COCO's 17 where the file names none; the
/// category's id.
fn names(file: &File<'_>, path: &Arc<Path>, set: &mut DataSet) -> Option<u64> {
    for (index, raw) in file.categories.iter().enumerate() {
        let place = Place::record(path, index);
        let wrong = |field: String, message: String| {
            Err(FieldError::new(format!("categories.{field}"), message))
        };
        match json::parse::<Category>(raw) {
            Ok(category) if !category.keypoints.is_empty() => {
                match set_of_names("coco", &category.keypoints) {
                    Ok(names) => set.keypoints = with_skeleton(names, &category.skeleton),
                    Err(message) => {
                        set.take(&place, wrong("keypoints".into(), message));
                        continue;
                    }
                }
                return Some(category.id);
            }
            Ok(_) => {}
            Err(error) => set.take(&place, wrong(error.field, error.message)),
        }
    }
    None
}

/// Adds the bones that a file names by pairs of numbers from 1, red as the first hourglass
/// converter paints them, to a set that has none of its own.
fn with_skeleton(mut set: KeypointSet, pairs: &[[f64; 2]]) -> KeypointSet {
    if set.skeleton.is_empty() {
        let count = set.len();
        let index = |number: f64| {
            let index = number as usize;
            (index >= 1 && index <= count).then(|| index - 1)
        };
        let bones = pairs.iter().filter_map(|&[start, end]| {
            Some(Bone {
                start: index(start)?,
                end: index(end)?,
                color: Rgb::new(255, 0, 0),
            })
        });
        set.skeleton = bones.collect();
    }
    set
}

fn record(
    annotation: &Annotation,
    images: &HashMap<u64, Image>,
    set: &DataSet,
    place: &Place,
    split: Split,
) -> Result<Record, FieldError> {
    let image = images.get(&annotation.image_id).ok_or_else(|| {
        FieldError::new(
            "image_id",
            format!("no record of `images` has the id {}", annotation.image_id),
        )
    })?;
    let numbers = annotation.keypoints.len();
    if numbers != set.keypoints.len() * 3 {
        return Err(FieldError::new(
            "keypoints",
            format!(
                "expected {} keypoints × 3 numbers, found {numbers} numbers",
                set.keypoints.len()
            ),
        ));
    }
    if let Some(at) = annotation.keypoints.iter().position(|&v| !is_position(v)) {
        return Err(FieldError::new(
            "keypoints",
            format!("number {at} is more than a million pixels away"),
        ));
    }
    let head = match annotation.head_bbox {
        Some(head) => Some(checked_box("head_bbox", head)?),
        None => None,
    };
    // Taken as they are: COCO counts from 0, and from the corner.
    let label = |k: &[f64]| {
        let visibility = match k[2] {
            2.0.. => Visibility::Visible,
            1.0.. => Visibility::Occluded,
            _ => return LabelledKeypoint::MISSING,
        };
        LabelledKeypoint::new(k[0] as f32, k[1] as f32, visibility)
    };
    let keypoints: Vec<LabelledKeypoint> =
        annotation.keypoints.chunks_exact(3).map(label).collect();
    let rect = match annotation.bbox {
        Some(corner_and_size) => checked_box("bbox", corner_and_size)?,
        None => box_of_labels("keypoints", &keypoints)?,
    };
    let size = |v: Option<f64>| {
        v.filter(|&v| v >= 1.0 && is_position(v))
            .map(|v| v as usize)
    };
    Ok(Record {
        person: Person {
            image: set.images.join(&image.file_name),
            dataset: "coco".into(),
            id: format!("coco:{}", annotation.id),
            rect,
            keypoints,
            head_size: head_size(head),
            area: annotation.area.map(|a| a as f32),
            split,
        },
        place: place.clone(),
        head,
        track: annotation.track_id,
        stated_size: size(image.width)
            .zip(size(image.height))
            .map(|(width, height)| Size { width, height }),
    })
}

/// Limbs in the order in which the first hourglass converter looks for them, with their mean
/// lengths in pixels for MPII's people of scale 1.
const LIMBS: [(&str, &str, f32); 10] = [
    ("right_hip", "right_shoulder", 59.3535),
    ("left_shoulder", "left_hip", 60.4532),
    ("right_ankle", "right_knee", 52.18),
    ("right_knee", "right_hip", 53.7957),
    ("left_hip", "left_knee", 54.4153),
    ("left_knee", "left_ankle", 58.0402),
    ("right_wrist", "right_elbow", 27.0043),
    ("right_elbow", "right_shoulder", 32.8498),
    ("left_shoulder", "left_elbow", 33.1757),
    ("left_elbow", "left_wrist", 27.0978),
];

/// The square of 200 · scale around the mean of the labels, scale being the length of the first
/// limb with two labels over its mean length. `None` without such a limb.
fn limb_box(set: &KeypointSet, labels: &[LabelledKeypoint]) -> Option<Rect> {
    let label = |name: &str| {
        let label = labels.get(set.index_of(name)?)?;
        label.is_labelled().then(|| label.point())
    };
    let length = |&(from, to, mean): &(&str, &str, f32)| {
        let length = label(from)?.distance(label(to)?);
        Some(length / mean)
    };
    let scale = LIMBS.iter().find_map(length).filter(|&s| s > 0.0)?;
    let (mut sum, mut count) = (Point::new(0.0, 0.0), 0.0);
    for label in labels.iter().filter(|label| label.is_labelled()) {
        sum = Point::new(sum.x + label.x, sum.y + label.y);
        count += 1.0;
    }
    let side = 200.0 * scale;
    Some(Rect::around(
        Point::new(sum.x / count, sum.y / count),
        side,
        side,
    ))
}

#[derive(Serialize)]
struct WrittenFile<'a> {
    images: Vec<WrittenImage>,
    annotations: Vec<WrittenAnnotation>,
    categories: [WrittenCategory<'a>; 1],
}

#[derive(Serialize)]
struct WrittenImage {
    id: u64,
    file_name: String,
    width: usize,
    height: usize,
}

#[derive(Serialize)]
struct WrittenAnnotation {
    id: u64,
    image_id: u64,
    category_id: u64,
    iscrowd: u8,
    num_keypoints: usize,
    keypoints: Vec<f32>,
    bbox: [f32; 4],
    area: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    track_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_bbox: Option<[f32; 4]>,
}

#[derive(Serialize)]
struct WrittenCategory<'a> {
    id: u64,
    name: &'static str,
    supercategory: &'static str,
    keypoints: &'a [String],
    /// Pairs of numbers from 1.
    skeleton: Vec<[usize; 2]>,
}

/// x, y and COCO's v of every keypoint.
pub(crate) fn triples(keypoints: &[LabelledKeypoint]) -> impl Iterator<Item = [f32; 3]> {
    keypoints.iter().map(|k| match k.visibility {
        Visibility::Missing => [0.0; 3],
        Visibility::Occluded => [k.x, k.y, 1.0],
        Visibility::Visible => [k.x, k.y, 2.0],
    })
}

/// Writes `person_keypoints_train.json` and so on, and the keypoint set's text files, as the first
/// hourglass converter does; photos lie in `images`.
pub(crate) fn write(output: &Output<'_>) -> Result<(), DatasetError> {
    let mut next = 0;
    let mut image_id = 0;
    for (split, photos) in output.photos_by_split() {
        let mut file = WrittenFile {
            images: Vec::new(),
            annotations: Vec::new(),
            categories: [WrittenCategory {
                id: 1,
                name: "person",
                supercategory: "person",
                keypoints: &output.keypoints.keypoints,
                skeleton: output
                    .keypoints
                    .skeleton
                    .iter()
                    .map(|bone| [bone.start + 1, bone.end + 1])
                    .collect(),
            }],
        };
        for people in photos {
            image_id += 1;
            for (k, record) in people.into_iter().enumerate() {
                let person = &record.person;
                if k == 0 {
                    let size = output.size(&person.image)?;
                    file.images.push(WrittenImage {
                        id: image_id,
                        file_name: output.name(&person.image),
                        width: size.width,
                        height: size.height,
                    });
                }
                next += 1;
                let numbers = |r: Rect| [r.x, r.y, r.width, r.height];
                file.annotations.push(WrittenAnnotation {
                    id: next,
                    image_id,
                    category_id: 1,
                    iscrowd: 0,
                    num_keypoints: person.labelled(),
                    keypoints: triples(&person.keypoints).flatten().collect(),
                    bbox: numbers(person.rect),
                    // OKS wants the outline's area; the box's stands in for it.
                    area: person
                        .area
                        .unwrap_or(person.rect.width * person.rect.height),
                    track_id: record.track,
                    head_bbox: output.head(record).map(numbers),
                });
            }
        }
        let path = output.root.join(format!("person_keypoints_{split}.json"));
        save_json(&path, &file)?;
    }
    write_names(&known_set(output.keypoints.clone()), output.root)
}
