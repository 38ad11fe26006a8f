//! People and found poses as COCO's evaluation and result files take them.

use std::collections::{HashMap, HashSet};

use dataset::{CocoFile, FoundPose, ImageIds, Person, Source, SourceKind, TruePose};
use pose::{KeypointSet, Pose};

use crate::error::RuntimeError;

/// What COCO's evaluation needs to know of the data beside the people to look for: the photos'
/// numbers, and who is in the files that nobody looks for.
#[derive(Debug, Default)]
pub struct CocoTruth {
    files: Vec<CocoFile>,
    ids: ImageIds,
}

impl CocoTruth {
    /// Reads the COCO files among `sources`.
    ///
    /// # Errors
    /// A COCO file with something wrong in it.
    pub fn read(sources: &[&Source]) -> Result<CocoTruth, RuntimeError> {
        let coco = sources.iter().filter(|s| s.kind == SourceKind::Coco);
        let files = coco
            .map(|source| CocoFile::of(source))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| RuntimeError::Dataset(e.to_string()))?;
        Ok(CocoTruth {
            files: files.concat(),
            ids: ImageIds::default(),
        })
    }

    /// With numbers for the photos of `people`.
    pub fn with_people(self, people: &[Person]) -> CocoTruth {
        CocoTruth {
            ids: ImageIds::new(people, &self.files),
            ..self
        }
    }

    /// The photos' numbers.
    pub fn image_ids(&self) -> &ImageIds {
        &self.ids
    }

    /// The people for COCO's evaluation of `set`: those of `people` for whom `looked_for` is true,
    /// as their COCO file has them if they come from one; and from the same files' photos whom
    /// nobody misses, crowds and unlabelled people.
    pub fn people(
        &self,
        people: &[Person],
        looked_for: impl Fn(usize) -> bool,
        set: &KeypointSet,
    ) -> Vec<TruePose> {
        let mut truth = Vec::new();
        // COCO's number of a photo, and the one that it has here.
        let mut photos: Vec<HashMap<u64, u64>> = vec![HashMap::new(); self.files.len()];
        let of_files: Vec<Vec<TruePose>> = self.files.iter().map(|f| f.people_with(set)).collect();
        let by_person: Vec<HashMap<&str, &TruePose>> = of_files
            .iter()
            .map(|people| people.iter().map(|p| (p.person.as_str(), p)).collect())
            .collect();
        for (index, person) in people.iter().enumerate() {
            let Some(image_id) = self.ids.get(&person.image).filter(|_| looked_for(index)) else {
                continue;
            };
            let known = (0..self.files.len()).find_map(|file| {
                let known = by_person[file].get(person.id.as_str())?;
                let images = &self.files[file].images;
                let photo = images
                    .iter()
                    .any(|(name, id)| *id == known.image_id && person.image.ends_with(name));
                photo.then_some((file, *known))
            });
            truth.push(match known {
                Some((file, known)) => {
                    photos[file].insert(known.image_id, image_id);
                    TruePose {
                        image_id,
                        ..known.clone()
                    }
                }
                None => TruePose::of_person(person, image_id),
            });
        }
        for (people, photos) in of_files.iter().zip(&photos) {
            for person in people.iter().filter(|person| person.is_ignored()) {
                if let Some(&image_id) = photos.get(&person.image_id) {
                    truth.push(TruePose {
                        image_id,
                        ..person.clone()
                    });
                }
            }
        }
        truth
    }

    /// Everybody in the files.
    pub fn everybody(&self, set: &KeypointSet) -> Vec<TruePose> {
        let files = self.files.iter();
        files.flat_map(|file| file.people_with(set)).collect()
    }

    /// Whether no two files have a photo of the same number: else nobody could say to whom a
    /// result belongs.
    pub fn numbers_are_unique(&self) -> bool {
        let ids = || self.files.iter().flat_map(|file| file.images.values());
        ids().collect::<HashSet<_>>().len() == ids().count()
    }

    /// The keypoints of the first file.
    pub fn file_keypoints(&self) -> Option<&KeypointSet> {
        self.files.first().map(|file| &file.keypoints)
    }
}

/// Poses in COCO's format of results, with the keypoints of `target`, mapped by name from those of
/// `set`. Places are rounded to a hundredth of a pixel. A keypoint that was not found, or that the
/// network does not know, is all zeros; a pose without any is left out.
pub fn found_poses(
    people: &[Person],
    poses: &[Option<Pose>],
    ids: &ImageIds,
    set: &KeypointSet,
    target: &KeypointSet,
) -> Vec<FoundPose> {
    let map = target.map_from(set);
    let round = |value: f32, steps: f64| (f64::from(value) * steps).round() / steps;
    let found = |(person, pose): (&Person, &Option<Pose>)| {
        let pose = pose.as_ref()?;
        let keypoint = |from: &Option<usize>| {
            let k = from.and_then(|from| pose.keypoints.get(from));
            k.filter(|k| k.x.is_finite() && k.y.is_finite())
                .map_or([0.0; 3], |k| {
                    [
                        round(k.x, 100.0),
                        round(k.y, 100.0),
                        round(k.confidence, 1e4),
                    ]
                })
        };
        let keypoints: Vec<[f64; 3]> = map.iter().map(keypoint).collect();
        if keypoints.iter().all(|k| *k == [0.0; 3]) {
            return None;
        }
        Some(FoundPose {
            image_id: ids.get(&person.image)?,
            category_id: 1,
            keypoints,
            score: round(pose.confidence, 1e6),
            bbox: None,
            person: Some(person.id.clone()),
        })
    };
    people.iter().zip(poses).filter_map(found).collect()
}
