//! Annotated people as COCO's evaluation takes them: also crowds, and people without a labelled
//! keypoint, who are not missed when nobody finds them. [`load`](crate::load) leaves these out.

use crate::data_set::FieldError;
use crate::error::DatasetError;
use crate::formats;
use crate::json;
use crate::load::read_file;
use crate::names::read_names;
use crate::person::Person;
use crate::source::Source;
use pose::KeypointSet;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Part of a box that a body fills: for the area of people who come without one.
const FILLED: f64 = 0.53;

/// One annotated person.
#[derive(Clone, Debug, PartialEq)]
pub struct TruePose {
    /// The photo's number, see [`ImageIds`](crate::ImageIds).
    pub image_id: u64,
    /// 1 for people.
    pub category_id: u64,
    /// The person, as [`Person::id`](crate::Person::id) names them.
    pub person: String,
    /// x, y and, above 0, that there is a label.
    pub keypoints: Vec<[f64; 3]>,
    /// Left, top, width and height in pixels.
    pub bbox: [f64; 4],
    /// Area of the person in square pixels.
    pub area: f64,
    /// Whether the box holds many people, of whom nobody is labelled.
    pub crowd: bool,
    /// Whether nobody misses the person for another reason, no labelled keypoint for example.
    pub ignored: bool,
}

impl TruePose {
    /// A person as a data set's reader gives them. Without an area, it is 0.53 of the box from
    /// which crops are made.
    pub fn of_person(person: &Person, image_id: u64) -> TruePose {
        let rect = person.rect;
        let keypoints: Vec<[f64; 3]> = person
            .keypoints
            .iter()
            .map(|k| {
                let labelled = f64::from(u8::from(k.is_labelled()));
                [f64::from(k.x), f64::from(k.y), labelled]
            })
            .collect();
        let filled = || {
            let rect = person.crop_rect();
            FILLED * f64::from(rect.width) * f64::from(rect.height)
        };
        TruePose {
            image_id,
            category_id: 1,
            person: person.id.clone(),
            keypoints,
            bbox: [rect.x, rect.y, rect.width, rect.height].map(f64::from),
            area: person.area.map_or_else(filled, f64::from),
            crowd: false,
            ignored: person.labelled() == 0,
        }
    }

    /// Whether nobody misses this person.
    pub fn is_ignored(&self) -> bool {
        self.crowd || self.ignored
    }
}

/// A COCO file with everybody in it.
#[derive(Clone, Debug)]
pub struct CocoFile {
    /// The keypoints' names.
    pub keypoints: KeypointSet,
    /// The photos' numbers by their names.
    pub images: HashMap<String, u64>,
    /// The people of all categories, in the file's order.
    pub people: Vec<TruePose>,
}

/// The file's lists. Records are kept as text until their turn, because outlines of thousands of
/// people would fill the memory.
#[derive(Deserialize)]
struct Lists<'a> {
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
    #[serde(default)]
    bbox: Option<[f64; 4]>,
    #[serde(default)]
    area: Option<f64>,
    #[serde(default)]
    num_keypoints: Option<u64>,
    #[serde(default)]
    keypoints: Vec<f64>,
}

/// Reads the records of one list, each with its index.
fn records<T: DeserializeOwned>(
    path: &Path,
    list: &'static str,
    raw: &[&RawValue],
) -> Result<Vec<T>, DatasetError> {
    let record = |(index, raw): (usize, &&RawValue)| {
        json::parse(raw).map_err(|FieldError { field, message }| DatasetError::Entry {
            path: path.to_owned(),
            record: index,
            field: format!("{list}.{field}"),
            message,
        })
    };
    raw.iter().enumerate().map(record).collect()
}

impl CocoFile {
    /// The files of a COCO source, one or a folder's, with the keypoints' names as the source says.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn of(source: &Source) -> Result<Vec<CocoFile>, DatasetError> {
        let paths = if source.root.is_dir() {
            formats::coco::files(&source.root)?
        } else {
            vec![source.root.clone()]
        };
        let file = |path: &PathBuf| -> Result<CocoFile, DatasetError> {
            let mut file = CocoFile::read(path)?;
            if let Some(names) = &source.names {
                file.keypoints = read_names(names)?;
            }
            for name in &mut file.keypoints.keypoints {
                if let Some((_, new)) = source.renames.iter().find(|(old, _)| old == name) {
                    name.clone_from(new);
                }
            }
            Ok(file)
        };
        paths.iter().map(file).collect()
    }

    /// Reads a file. Photos are not looked for.
    ///
    /// # Errors
    /// When the file cannot be read, or a record in it is not as it should be: figures that leave
    /// somebody out would be of other people than the file says.
    pub fn read(path: &Path) -> Result<CocoFile, DatasetError> {
        let bytes = json::without_nan(read_file(path)?);
        let lists: Lists<'_> =
            serde_json::from_slice(&bytes).map_err(|source| DatasetError::Json {
                path: path.to_owned(),
                expected: "an object with the lists `images`, `annotations` and `categories`",
                source,
            })?;
        let categories: Vec<Category> = records(path, "categories", &lists.categories)?;
        let named = categories.into_iter().find(|c| !c.keypoints.is_empty());
        // A file that names no keypoints has COCO's.
        let (category, keypoints) = match named {
            Some(category) => {
                let set = KeypointSet {
                    name: "coco".into(),
                    keypoints: category.keypoints,
                    flip_pairs: Vec::new(),
                    skeleton: Vec::new(),
                };
                (Some(category.id), set)
            }
            None => (None, KeypointSet::coco()),
        };
        let images: Vec<Image> = records(path, "images", &lists.images)?;
        let images: HashMap<String, u64> = images
            .into_iter()
            .map(|image| (image.file_name, image.id))
            .collect();
        let known: HashSet<u64> = images.values().copied().collect();
        let annotations: Vec<Annotation> = records(path, "annotations", &lists.annotations)?;
        let mut people = Vec::new();
        for (index, annotation) in annotations.iter().enumerate() {
            let wrong = |field: &str, message: String| DatasetError::Entry {
                path: path.to_owned(),
                record: index,
                field: format!("annotations.{field}"),
                message,
            };
            let of_category = annotation.category_id.or(category).unwrap_or(1);
            if category.is_some_and(|category| category != of_category) {
                continue;
            }
            if !known.contains(&annotation.image_id) {
                let id = annotation.image_id;
                let message = format!("no record of `images` has the id {id}");
                return Err(wrong("image_id", message));
            }
            let person = of_annotation(annotation, of_category, keypoints.len())
                .map_err(|message| wrong("keypoints", message))?;
            people.push(person);
        }
        Ok(CocoFile {
            keypoints,
            images,
            people,
        })
    }

    /// The people with the keypoints of `set`, mapped by name, in its order. Who has none of them
    /// labelled is not missed.
    pub fn people_with(&self, set: &KeypointSet) -> Vec<TruePose> {
        let map = set.map_from(&self.keypoints);
        let unchanged = map.iter().enumerate().all(|(to, from)| *from == Some(to))
            && map.len() == self.keypoints.len();
        if unchanged {
            return self.people.clone();
        }
        let people = self.people.iter().map(|person| {
            let keypoint = |from: &Option<usize>| from.map_or([0.0; 3], |i| person.keypoints[i]);
            let keypoints: Vec<[f64; 3]> = map.iter().map(keypoint).collect();
            TruePose {
                ignored: person.ignored || keypoints.iter().all(|k| k[2] <= 0.0),
                keypoints,
                ..person.clone()
            }
        });
        people.collect()
    }
}

fn of_annotation(
    annotation: &Annotation,
    category_id: u64,
    keypoints: usize,
) -> Result<TruePose, String> {
    let numbers = &annotation.keypoints;
    // Crowds have no keypoints in some files.
    let labels: Vec<[f64; 3]> = match numbers.len() {
        0 => vec![[0.0; 3]; keypoints],
        found if found == 3 * keypoints => numbers.as_chunks::<3>().0.to_vec(),
        found => {
            return Err(format!(
                "expected {keypoints} keypoints × 3 numbers, found {found} numbers"
            ));
        }
    };
    let labelled: Vec<&[f64; 3]> = labels.iter().filter(|k| k[2] > 0.0).collect();
    let count = labelled.len() as u64;
    let extent = |axis: usize| {
        let (low, high) = labelled
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), k| {
                (low.min(k[axis]), high.max(k[axis]))
            });
        (low.min(high), (high - low).max(0.0))
    };
    let bbox = annotation.bbox.unwrap_or_else(|| {
        // The box of the labels; nowhere without any.
        let ((x, width), (y, height)) = (extent(0), extent(1));
        if count == 0 {
            [0.0; 4]
        } else {
            [x, y, width, height]
        }
    });
    Ok(TruePose {
        image_id: annotation.image_id,
        category_id,
        person: format!("coco:{}", annotation.id),
        bbox,
        area: annotation.area.unwrap_or(FILLED * bbox[2] * bbox[3]),
        crowd: annotation.iscrowd != 0,
        ignored: annotation.num_keypoints.unwrap_or(count) == 0,
        keypoints: labels,
    })
}
