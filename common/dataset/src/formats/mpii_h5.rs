//! The HDF5 files that the first hourglass (Newell et al., ECCV 2016) trained on: `train.h5`,
//! `valid.h5` and `test.h5`, or one file with the array `istrain`. People × values:
//! `imgname` (texts, or characters as numbers), `part` (16 × [x, y]), `center`, `scale`,
//! `visible` (16), `normalize` (the head's size). Positions are MATLAB's, 0, 0 without a label.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hdf5_pure::{DType, Dataset, File};
use pose::{KeypointSet, Point, Rect};

use crate::data_set::{DataSet, FieldError, Place, Record, box_of_labels, is_position};
use crate::error::DatasetError;
use crate::load::{folder, images_beside, list, read_file};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::source::Source;

/// MATLAB's first pixel has its centre at 1.
const MATLAB: f64 = 0.5;

const KEYPOINTS: usize = 16;

pub(crate) fn read(source: &Source) -> Result<DataSet, DatasetError> {
    let files: Vec<PathBuf> = if source.root.is_dir() {
        let mut files = list(&source.root)?.1;
        files.retain(|path| path.extension().is_some_and(|e| e == "h5"));
        files
    } else {
        vec![source.root.clone()]
    };
    let first = files.first().ok_or_else(|| DatasetError::MissingFolder {
        path: source.root.join("*.h5"),
        what: "annotation files",
    })?;
    let images = folder(images_beside(source, first), "photos")?;
    let mut set = DataSet::new(KeypointSet::mpii(), &source.root, &images);
    set.image_field = "imgname";
    for file in &files {
        let bytes = read_file(file)?;
        let wrong = |reason| DatasetError::H5 {
            path: file.clone(),
            reason,
        };
        let arrays = Arrays::read(bytes).map_err(wrong)?;
        arrays.take(file, &mut set);
    }
    Ok(set)
}

/// The arrays of one file.
struct Arrays {
    names: Vec<String>,
    part: Vec<f64>,
    center: Option<Vec<f64>>,
    scale: Option<Vec<f64>>,
    visible: Option<Vec<f64>>,
    normalize: Option<Vec<f64>>,
    train: Option<Vec<f64>>,
}

impl Arrays {
    fn read(bytes: Vec<u8>) -> Result<Self, String> {
        let length = bytes.len() as u64;
        let file = File::from_bytes(bytes).map_err(|error| format!("no HDF5 file: {error}"))?;
        let expected = file.superblock().eof_address;
        if expected > length {
            return Err(format!("the file breaks off: {length} of {expected} bytes"));
        }
        let find = |name: &str| file.dataset(name).ok();
        let expect = |name: &str| {
            find(name).ok_or_else(|| format!("expected an array `{name}`, found none"))
        };
        let names = names(&expect("imgname")?)?;
        let people = names.len();
        let optional = |name: &str, each: usize| -> Result<Option<Vec<f64>>, String> {
            match find(name) {
                Some(array) => Ok(Some(numbers(&array, name, people * each)?)),
                None => Ok(None),
            }
        };
        let part = numbers(&expect("part")?, "part", people * KEYPOINTS * 2)?;
        Ok(Self {
            center: optional("center", 2)?,
            scale: optional("scale", 1)?,
            visible: optional("visible", KEYPOINTS)?,
            normalize: optional("normalize", 1)?,
            train: optional("istrain", 1)?,
            names,
            part,
        })
    }

    fn take(&self, file: &Path, set: &mut DataSet) {
        let named = file.file_stem().unwrap_or_default().to_string_lossy();
        let of_file = if named.contains("val") {
            Split::Validation
        } else if named.contains("test") {
            Split::Test
        } else {
            Split::Train
        };
        let shared: Arc<Path> = file.into();
        for index in 0..self.names.len() {
            let place = Place::record(&shared, index);
            let split = match self.train.as_ref().and_then(|train| train.get(index)) {
                Some(0.0) => Split::Validation,
                _ => of_file,
            };
            match self.record(index, &place, split, &set.images) {
                Ok(Some(record)) => set.records.push(record),
                Ok(None) => {}
                Err(error) => set.take(&place, Err(error)),
            }
        }
    }

    fn record(
        &self,
        index: usize,
        place: &Place,
        split: Split,
        images: &Path,
    ) -> Result<Option<Record>, FieldError> {
        let part = &self.part[index * KEYPOINTS * 2..][..KEYPOINTS * 2];
        if let Some(at) = part.iter().position(|&v| !is_position(v)) {
            let message = format!("keypoint {} is no place in a photo", at / 2);
            return Err(FieldError::new("part", message));
        }
        let visible = self
            .visible
            .as_ref()
            .map(|v| &v[index * KEYPOINTS..][..KEYPOINTS]);
        let keypoints: Vec<LabelledKeypoint> = part
            .chunks_exact(2)
            .enumerate()
            .map(|(k, p)| {
                let visibility = match (p[0] == 0.0 && p[1] == 0.0, visible) {
                    (true, _) => return LabelledKeypoint::MISSING,
                    (false, Some(visible)) if visible[k] <= 0.0 => Visibility::Occluded,
                    _ => Visibility::Visible,
                };
                LabelledKeypoint::new((p[0] - MATLAB) as f32, (p[1] - MATLAB) as f32, visibility)
            })
            .collect();
        if !keypoints.iter().any(LabelledKeypoint::is_labelled) {
            return Ok(None);
        }
        let rect = match (&self.center, &self.scale) {
            (Some(center), Some(scale)) => {
                let ([x, y], scale) = ([center[index * 2], center[index * 2 + 1]], scale[index]);
                let is_scale = scale > 0.0 && scale < 1e6;
                if !(is_scale && is_position(x) && is_position(y)) {
                    let message =
                        format!("expected a place and a height / 200 px, found {x}, {y}, {scale}");
                    return Err(FieldError::new("scale", message));
                }
                let side = (scale * 200.0) as f32;
                let center = Point::new((x - MATLAB) as f32, (y - MATLAB) as f32);
                Rect::around(center, side, side)
            }
            _ => box_of_labels("part", &keypoints)?,
        };
        let head_size = self.normalize.as_ref().map(|sizes| sizes[index] as f32);
        Ok(Some(Record::new(
            Person {
                image: images.join(&self.names[index]),
                dataset: "mpii".into(),
                id: format!("mpii-h5:{split}:{index}"),
                rect,
                keypoints,
                head_size: head_size.filter(|&size| size > 0.0),
                area: None,
                split,
            },
            place.clone(),
        )))
    }
}

/// The values of an array of as many numbers as expected.
fn numbers(array: &Dataset, name: &str, expected: usize) -> Result<Vec<f64>, String> {
    let wrong = |reason: String| format!("array `{name}`: {reason}");
    // The size first: a damaged one would fill the memory.
    let shape = array.shape().map_err(|error| wrong(error.to_string()))?;
    let count = shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d));
    if count != Some(expected as u64) {
        return Err(wrong(format!(
            "expected {expected} values, found {shape:?}"
        )));
    }
    let values = array.read_f64().map_err(|error| wrong(error.to_string()))?;
    if values.len() != expected {
        return Err(wrong(format!(
            "expected {expected} values, found {}",
            values.len()
        )));
    }
    Ok(values)
}

/// Far more people than any data set has; a damaged file must not fill the memory.
const MOST_PEOPLE: u64 = 10_000_000;

/// The photos' names: texts, or rows of character codes.
fn names(array: &Dataset) -> Result<Vec<String>, String> {
    let wrong = |reason: String| format!("array `imgname`: {reason}");
    let shape = array.shape().map_err(|error| wrong(error.to_string()))?;
    let dtype = array.dtype().map_err(|error| wrong(error.to_string()))?;
    if shape.iter().any(|&length| length > MOST_PEOPLE) {
        return Err(wrong(format!("the absurd size {shape:?}")));
    }
    if matches!(dtype, DType::String | DType::VariableLengthString) {
        return array
            .read_string()
            .map_err(|error| wrong(error.to_string()));
    }
    let [people, length] = shape[..] else {
        return Err(wrong(format!(
            "expected people × characters, found {shape:?}"
        )));
    };
    let (people, length) = (people as usize, length as usize);
    if length == 0 || length > 4096 {
        return Err(wrong(format!(
            "expected people × characters, found {shape:?}"
        )));
    }
    let codes = numbers(array, "imgname", people * length)?;
    let name = |row: &[f64]| {
        let codes = row
            .iter()
            .map(|&code| code as u8)
            .take_while(|&code| code != 0);
        String::from_utf8_lossy(&codes.collect::<Vec<u8>>())
            .trim()
            .to_owned()
    };
    Ok(codes.chunks_exact(length).map(name).collect())
}
