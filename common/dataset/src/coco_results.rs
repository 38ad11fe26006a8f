//! Found poses in the form in which COCO takes results: a JSON list of
//! `{"image_id": 139, "category_id": 1, "keypoints": [x, y, score, …], "score": 0.9}`.
//!
//! Coordinates are COCO's own: pixels from the photo's left and top edge, 0 at the outer corner of
//! the first pixel. These are the continuous coordinates of everything here, so nothing is added.

use crate::error::DatasetError;
use crate::json;
use crate::load::read_file;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::path::Path;

/// One found pose.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundPose {
    /// The photo's number, see [`ImageIds`](crate::ImageIds).
    pub image_id: u64,
    /// 1, COCO's number for people, unless the labels have another.
    pub category_id: u64,
    /// x, y and how sure the network is, for each keypoint; zeros where nothing was found.
    pub keypoints: Vec<[f64; 3]>,
    /// How sure the network is of the whole pose: what the poses are ranked by.
    pub score: f64,
    /// Left, top, width and height, where the file has them.
    pub bbox: Option<[f64; 4]>,
    /// The labelled person that was looked for, [`Person::id`](crate::Person::id), where known:
    /// our own addition, which others pass over.
    pub person: Option<String>,
}

impl FoundPose {
    /// Area of the box in square pixels; without one, of the keypoints' box.
    pub fn area(&self) -> f64 {
        if let Some([_, _, width, height]) = self.bbox {
            return width * height;
        }
        let extent = |axis: usize| {
            let values = self.keypoints.iter().map(|k| k[axis]);
            let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
            (high - low).max(0.0)
        };
        extent(0) * extent(1)
    }
}

#[derive(Serialize, Deserialize)]
struct Entry {
    image_id: u64,
    category_id: u64,
    keypoints: Vec<f64>,
    score: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bbox: Option<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<String>,
}

/// Reads a file of results. All have the same number of keypoints.
///
/// # Errors
/// When the file cannot be read, or a result in it is not as said: the error names the result and
/// the field.
pub fn read_results(path: &Path) -> Result<Vec<FoundPose>, DatasetError> {
    let bytes = read_file(path)?;
    let list: Vec<&RawValue> =
        serde_json::from_slice(&bytes).map_err(|source| DatasetError::Json {
            path: path.to_owned(),
            expected: "a list of results, each with image_id, category_id, keypoints and score",
            source,
        })?;
    let wrong = |record: usize, field: &str, message: String| DatasetError::Entry {
        path: path.to_owned(),
        record,
        field: field.to_owned(),
        message,
    };
    let mut results: Vec<FoundPose> = Vec::with_capacity(list.len());
    // As pycocotools: the boxes count where the first result has one.
    let mut boxes = false;
    for (index, raw) in list.iter().enumerate() {
        let entry: Entry = json::parse(raw).map_err(|e| wrong(index, &e.field, e.message))?;
        let (keypoints, rest) = entry.keypoints.as_chunks::<3>();
        let expected = results
            .first()
            .map_or(keypoints.len(), |r| r.keypoints.len());
        if keypoints.is_empty() || !rest.is_empty() || keypoints.len() != expected {
            let message = format!(
                "expected x, y and score of {} keypoints, found {} numbers",
                if expected == 0 {
                    "one or more".to_owned()
                } else {
                    expected.to_string()
                },
                entry.keypoints.len()
            );
            return Err(wrong(index, "keypoints", message));
        }
        let bbox = match entry.bbox.as_deref() {
            None | Some([]) => None,
            Some(&[x, y, width, height]) => Some([x, y, width, height]),
            Some(other) => {
                let message = format!(
                    "expected x, y, width, height, found {} numbers",
                    other.len()
                );
                return Err(wrong(index, "bbox", message));
            }
        };
        if index == 0 {
            boxes = bbox.is_some();
        } else if boxes && bbox.is_none() {
            let message = "the first result has a box, this one has none".to_owned();
            return Err(wrong(index, "bbox", message));
        }
        results.push(FoundPose {
            image_id: entry.image_id,
            category_id: entry.category_id,
            keypoints: keypoints.to_vec(),
            score: entry.score,
            bbox: bbox.filter(|_| boxes),
            person: entry.person,
        });
    }
    Ok(results)
}

/// The file's content for these results.
pub fn results_json(results: &[FoundPose]) -> String {
    let entries: Vec<String> = results
        .iter()
        .map(|result| {
            let entry = Entry {
                image_id: result.image_id,
                category_id: result.category_id,
                keypoints: result.keypoints.concat(),
                score: result.score,
                bbox: result.bbox.map(Vec::from),
                person: result.person.clone(),
            };
            // Numbers and texts only: nothing in a result can fail to become JSON.
            serde_json::to_string(&entry).unwrap_or_default()
        })
        .collect();
    format!("[{}]\n", entries.join(",\n"))
}
