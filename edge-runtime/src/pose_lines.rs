//! Poses that were written as JSON lines, read again.

use std::io::{BufRead, BufReader};
use std::path::Path;

use pose::{Keypoint, KeypointSet, Pose};
use serde::Deserialize;

use crate::error::RuntimeError;

/// A pose of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct PoseLine {
    /// Line of the file, from 1.
    pub line: usize,
    /// The keypoints in the order of the wanted set.
    pub pose: Pose,
}

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    keypoints: Vec<Point>,
    #[serde(default)]
    people: Vec<Person>,
}

#[derive(Deserialize)]
struct Person {
    keypoints: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    name: String,
    x: f32,
    y: f32,
    #[serde(default = "sure")]
    confidence: f32,
}

fn sure() -> f32 {
    1.0
}

/// Reads the poses of a file of JSON lines, such as `edge-runtime run --jsonl` writes: objects with
/// `keypoints`, each with `name`, `x`, `y` and `confidence` (1 where it is left out), or with
/// `people`, whose first has them. Names are matched with those of `set`; keypoints that a line
/// lacks have confidence 0. Lines without anybody are passed over.
///
/// # Errors
/// A file that cannot be read; a line that is no such object or has no name of the set.
pub fn load_pose_lines(path: &Path, set: &KeypointSet) -> Result<Vec<PoseLine>, RuntimeError> {
    let cannot_read = |source| RuntimeError::Read {
        path: path.into(),
        source,
    };
    let file = std::fs::File::open(path).map_err(cannot_read)?;
    let mut poses = Vec::new();
    for (index, text) in BufReader::new(file).lines().enumerate() {
        let (line, text) = (index + 1, text.map_err(cannot_read)?);
        if text.trim().is_empty() {
            continue;
        }
        let found = read_line(&text, set).map_err(|reason| {
            RuntimeError::Usage(format!("{}:{line}: {reason}", path.display()))
        })?;
        poses.extend(found.map(|pose| PoseLine { line, pose }));
    }
    Ok(poses)
}

fn read_line(text: &str, set: &KeypointSet) -> Result<Option<Pose>, String> {
    let record: Record = serde_json::from_str(text)
        .map_err(|e| format!("expected an object with `keypoints` or `people`: {e}"))?;
    let points = match record.people.into_iter().next() {
        Some(person) => person.keypoints,
        None => record.keypoints,
    };
    if points.is_empty() {
        return Ok(None);
    }
    let mut pose = Pose::new(vec![Keypoint::default(); set.len()]);
    let mut known = 0;
    for point in &points {
        let place = set.index_of(&point.name);
        if let Some(k) = place.and_then(|index| pose.keypoints.get_mut(index)) {
            *k = Keypoint::new(point.x, point.y, point.confidence);
            known += 1;
        }
    }
    if known == 0 {
        return Err(format!(
            "expected keypoints of the set {} ({}), found none of them",
            set.name,
            set.keypoints.join(", ")
        ));
    }
    pose.update_confidence();
    Ok(Some(pose))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Pose>, String> {
        read_line(text, &KeypointSet::coco())
    }

    #[test]
    fn names_find_their_places() {
        let point = r#"{"name": "left_hip", "x": 3, "y": 4.5, "confidence": 0.5}"#;
        for text in [
            format!(r#"{{"photo": "a.jpg", "keypoints": [{point}]}}"#),
            format!(r#"{{"people": [{{"id": 1, "keypoints": [{point}]}}]}}"#),
        ] {
            let pose = read(&text).unwrap().unwrap();
            assert_eq!(pose.keypoints[11], Keypoint::new(3.0, 4.5, 0.5));
            assert_eq!(pose.keypoints[0].confidence, 0.0);
        }
        assert_eq!(read(r#"{"people": []}"#), Ok(None));
    }

    #[test]
    fn broken_lines_are_refused() {
        assert!(read("[1]").unwrap_err().contains("expected an object"));
        let other = r#"{"keypoints": [{"name": "tail", "x": 1, "y": 2}]}"#;
        assert!(read(other).unwrap_err().contains("found none of them"));
    }
}
