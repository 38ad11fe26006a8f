//! COCO's keypoint files (Lin et al., ECCV 2014): one JSON with photos, annotations, categories.

use crate::error::DatasetError;
use crate::load::{Mapping, Records, folder, read_file};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::record;
use crate::source::Source;
use pose::{KeypointSet, Rect};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

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
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    #[serde(default)]
    keypoints: Vec<String>,
}

#[derive(Deserialize)]
struct Annotation {
    id: u64,
    image_id: u64,
    #[serde(default)]
    category_id: Option<u64>,
    #[serde(default)]
    iscrowd: u8,
    bbox: [f64; 4],
    #[serde(default)]
    area: Option<f64>,
    #[serde(default)]
    keypoints: Vec<f64>,
}

pub(crate) fn read(source: &Source, target: &KeypointSet) -> Result<Records, DatasetError> {
    let path = source.root.clone();
    let bytes = read_file(&path)?;
    let file: File<'_> = serde_json::from_slice(&bytes).map_err(|source| DatasetError::Json {
        path: path.clone(),
        expected: "an object with the lists `images`, `annotations` and `categories`",
        source,
    })?;
    let images_folder = folder(images_folder(source), "photos")?;
    let mut records = Records::new(path.clone(), "image_id");
    let (category, set) = names(&file, &mut records);
    let mapping = Mapping::new(&path, &set, target)?;
    let mut images: HashMap<u64, String> = HashMap::new();
    for (index, raw) in file.images.iter().enumerate() {
        match record::parse::<Image>(raw) {
            Ok(image) => {
                images.insert(image.id, image.file_name);
            }
            Err((field, message)) => records.problem(index, format!("images.{field}"), message),
        }
    }
    let split = split_of(&path);
    for (index, raw) in file.annotations.iter().enumerate() {
        let annotation: Annotation = match record::parse(raw) {
            Ok(annotation) => annotation,
            Err((field, message)) => {
                records.problem(index, field, message);
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
        match person(&annotation, &images, &images_folder, &set, &mapping, split) {
            Ok(person) => records.people.push((index, person)),
            Err((field, message)) => records.problem(index, field, message),
        }
    }
    Ok(records)
}

/// `images` beside the JSON file if there is such a folder, the JSON's own folder otherwise.
fn images_folder(source: &Source) -> PathBuf {
    source.images.clone().unwrap_or_else(|| {
        let beside = source.root.with_file_name("images");
        match source.root.parent() {
            _ if beside.is_dir() => beside,
            Some(parent) if parent.as_os_str().is_empty() => ".".into(),
            Some(parent) => parent.to_owned(),
            None => beside,
        }
    })
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

/// The category with keypoints, and its names; COCO's 17 where the file names none.
fn names(file: &File<'_>, records: &mut Records) -> (Option<u64>, KeypointSet) {
    for (index, raw) in file.categories.iter().enumerate() {
        match record::parse::<Category>(raw) {
            Ok(category) if !category.keypoints.is_empty() => {
                let set = KeypointSet {
                    name: "coco".into(),
                    keypoints: category.keypoints,
                    flip_pairs: Vec::new(),
                    skeleton: Vec::new(),
                };
                return (Some(category.id), set);
            }
            Ok(_) => {}
            Err((field, message)) => {
                records.problem(index, format!("categories.{field}"), message);
            }
        }
    }
    (None, KeypointSet::coco())
}

fn person(
    annotation: &Annotation,
    images: &HashMap<u64, String>,
    images_folder: &Path,
    set: &KeypointSet,
    mapping: &Mapping,
    split: Split,
) -> Result<Person, (&'static str, String)> {
    let image = images.get(&annotation.image_id).ok_or_else(|| {
        (
            "image_id",
            format!("no record of `images` has the id {}", annotation.image_id),
        )
    })?;
    if annotation.keypoints.len() != set.len() * 3 {
        return Err((
            "keypoints",
            format!(
                "expected {} keypoints × 3 numbers, found {} numbers",
                set.len(),
                annotation.keypoints.len()
            ),
        ));
    }
    if let Some(at) = annotation.keypoints.iter().position(|v| v.abs() > 1e6) {
        return Err((
            "keypoints",
            format!("number {at} is more than a million pixels away"),
        ));
    }
    let [x, y, width, height] = annotation.bbox.map(|v| v as f32);
    let numbers = [x, y, width, height];
    if numbers.iter().any(|v| v.abs() > 1e6) || width <= 0.0 || height <= 0.0 {
        return Err((
            "bbox",
            format!(
                "expected x, y, width and height in pixels, the last two above 0, found {:?}",
                annotation.bbox
            ),
        ));
    }
    // Taken as they are: COCO counts from 0, and from the corner.
    let label = |joint: usize| {
        let k = &annotation.keypoints[joint * 3..joint * 3 + 3];
        let visibility = match k[2] {
            2.0.. => Visibility::Visible,
            1.0.. => Visibility::Occluded,
            _ => return LabelledKeypoint::MISSING,
        };
        LabelledKeypoint::new(k[0] as f32, k[1] as f32, visibility)
    };
    Ok(Person {
        image: images_folder.join(image),
        dataset: "coco".into(),
        id: format!("coco:{}", annotation.id),
        rect: Rect::new(x, y, width, height),
        keypoints: mapping.labels(label),
        head_size: None,
        area: annotation.area.map(|a| a as f32),
        split,
    })
}
