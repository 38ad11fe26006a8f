//! Animal-Pose's `keypoints.json` (Cao et al., ICCV 2019): as COCO's files, but with photos as a
//! table of names, boxes by two corners and keypoints as a list of lists.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use pose::{Bone, KeypointSet, Rgb};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::data_set::{DataSet, FieldError, Place, Record, checked_box, is_position};
use crate::error::DatasetError;
use crate::formats::coco::triples;
use crate::json;
use crate::load::{folder, images_beside, read_file};
use crate::names::{set_of_names, write_names};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::source::Source;
use crate::write::{Output, save_json};

#[derive(Deserialize)]
struct File<'a> {
    /// From a photo's id to its name.
    images: HashMap<String, String>,
    #[serde(borrow)]
    annotations: Vec<&'a RawValue>,
    #[serde(default)]
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    keypoints: Vec<String>,
    /// Pairs of numbers from 0, unlike COCO's.
    #[serde(default)]
    skeleton: Vec<[usize; 2]>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    #[serde(default)]
    category_id: Option<u64>,
    /// Left, top, right, bottom.
    #[serde(default)]
    bbox: Option<[f64; 4]>,
    keypoints: Vec<[f64; 3]>,
    /// Not in the original, which has one split.
    #[serde(default)]
    split: Option<String>,
}

pub(crate) fn read(source: &Source) -> Result<DataSet, DatasetError> {
    let path = if source.root.is_dir() {
        source.root.join("keypoints.json")
    } else {
        source.root.clone()
    };
    let bytes = json::without_nan(read_file(&path)?);
    let file: File<'_> = serde_json::from_slice(&bytes).map_err(|source| DatasetError::Json {
        path: path.clone(),
        expected: "an object with `images` (names by id), `annotations` and `categories`",
        source,
    })?;
    let images = folder(images_beside(source, &path), "photos")?;
    let mut set = DataSet::new(KeypointSet::animal_pose(), &path, &images);
    set.image_field = "image_id";
    let path: Arc<Path> = path.into();
    for (index, category) in file.categories.iter().enumerate() {
        if category.keypoints.is_empty() {
            continue;
        }
        match set_of_names("animal_pose", &category.keypoints) {
            Ok(names) => set.keypoints = with_skeleton(names, &category.skeleton),
            Err(message) => {
                let error = FieldError::new("categories.keypoints", message);
                set.take(&Place::record(&path, index), Err(error));
            }
        }
        break;
    }
    let wanted = |id: Option<u64>| {
        let animal = file.categories.iter().find(|c| Some(c.id) == id);
        source.animals.is_empty() || animal.is_some_and(|c| source.animals.contains(&c.name))
    };
    let annotations: Vec<Result<Annotation, FieldError>> = file
        .annotations
        .iter()
        .map(|raw| json::parse(raw))
        .collect();
    // The original says 1 for every label. What we write tells hidden ones (1) from seen ones (2)
    // as COCO does.
    let mut flags = annotations.iter().flatten().flat_map(|a| &a.keypoints);
    let graded = flags.any(|k| k[2] >= 2.0);
    for (index, annotation) in annotations.into_iter().enumerate() {
        let place = Place::record(&path, index);
        match annotation {
            Err(error) => set.take(&place, Err(error)),
            Ok(annotation) => {
                let labelled = annotation.keypoints.iter().any(|k| k[2] > 0.0);
                if labelled && wanted(annotation.category_id) {
                    let record = record(&annotation, graded, &file, &set, &place);
                    set.take(&place, record);
                }
            }
        }
    }
    Ok(set)
}

fn with_skeleton(mut set: KeypointSet, pairs: &[[usize; 2]]) -> KeypointSet {
    if set.skeleton.is_empty() {
        let count = set.len();
        let inside = pairs.iter().filter(|p| p.iter().all(|&k| k < count));
        let bone = |&[start, end]: &[usize; 2]| Bone {
            start,
            end,
            color: Rgb::new(255, 0, 0),
        };
        set.skeleton = inside.map(bone).collect();
    }
    set
}

fn record(
    annotation: &Annotation,
    graded: bool,
    file: &File<'_>,
    set: &DataSet,
    place: &Place,
) -> Result<Record, FieldError> {
    let id = annotation.image_id;
    let image = file
        .images
        .get(&id.to_string())
        .ok_or_else(|| FieldError::new("image_id", format!("`images` has no entry `{id}`")))?;
    let (expected, found) = (set.keypoints.len(), annotation.keypoints.len());
    if found != expected {
        let message = format!("expected {expected} keypoints, found {found}");
        return Err(FieldError::new("keypoints", message));
    }
    let far = |k: &[f64; 3]| !k[..2].iter().all(|&v| is_position(v));
    if let Some(joint) = annotation.keypoints.iter().position(far) {
        let message = format!("keypoint {joint} is more than a million pixels away");
        return Err(FieldError::new("keypoints", message));
    }
    let label = |&[x, y, v]: &[f64; 3]| match v {
        _ if v <= 0.0 || v.is_nan() => LabelledKeypoint::MISSING,
        _ if graded && v < 2.0 => LabelledKeypoint::new(x as f32, y as f32, Visibility::Occluded),
        _ => LabelledKeypoint::new(x as f32, y as f32, Visibility::Visible),
    };
    let keypoints: Vec<LabelledKeypoint> = annotation.keypoints.iter().map(label).collect();
    let rect = match annotation.bbox {
        Some([left, top, right, bottom]) => {
            checked_box("bbox", [left, top, right - left, bottom - top])?
        }
        None => crate::data_set::box_of_labels("keypoints", &keypoints)?,
    };
    let split = match annotation.split.as_deref() {
        None => Split::Train,
        Some(name) => Split::of_name(name).ok_or_else(|| {
            let message = format!("expected train, validation or test, found `{name}`");
            FieldError::new("split", message)
        })?,
    };
    Ok(Record::new(
        Person {
            image: set.images.join(image),
            dataset: "animal_pose".into(),
            id: format!("animal_pose:{}", place.number),
            rect,
            keypoints,
            head_size: None,
            area: None,
            split,
        },
        place.clone(),
    ))
}

#[derive(Serialize)]
struct WrittenFile<'a> {
    images: BTreeMap<u64, String>,
    annotations: Vec<WrittenAnnotation>,
    categories: [WrittenCategory<'a>; 1],
}

#[derive(Serialize)]
struct WrittenAnnotation {
    image_id: u64,
    category_id: u64,
    bbox: [f32; 4],
    keypoints: Vec<[f32; 3]>,
    num_keypoints: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    split: Option<&'static str>,
}

#[derive(Serialize)]
struct WrittenCategory<'a> {
    id: u64,
    name: &'static str,
    supercategory: &'static str,
    keypoints: &'a [String],
    skeleton: Vec<[usize; 2]>,
}

/// Writes `keypoints.json` and the keypoint set's text files; photos lie in `images`.
pub(crate) fn write(output: &Output<'_>) -> Result<(), DatasetError> {
    let (name, supercategory) = if output.keypoints.name == "animal_pose" {
        ("animal", "animal")
    } else {
        ("person", "person")
    };
    let bones = output.keypoints.skeleton.iter();
    let mut file = WrittenFile {
        images: BTreeMap::new(),
        annotations: Vec::new(),
        categories: [WrittenCategory {
            id: 1,
            name,
            supercategory,
            keypoints: &output.keypoints.keypoints,
            skeleton: bones.map(|bone| [bone.start, bone.end]).collect(),
        }],
    };
    for (people, image_id) in output.photos().into_iter().zip(1..) {
        for record in people {
            let person = &record.person;
            let name = output.name(&person.image);
            file.images.entry(image_id).or_insert(name);
            let r = person.rect;
            file.annotations.push(WrittenAnnotation {
                image_id,
                category_id: 1,
                bbox: [r.x, r.y, r.x + r.width, r.y + r.height],
                keypoints: triples(&person.keypoints).collect(),
                num_keypoints: person.labelled(),
                split: (person.split != Split::Train).then_some(person.split.name()),
            });
        }
    }
    write_names(output.keypoints, output.root)?;
    save_json(&output.root.join("keypoints.json"), &file)
}
