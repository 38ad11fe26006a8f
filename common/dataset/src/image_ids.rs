//! Numbers for photos, as COCO's results name them.

use crate::coco_truth::CocoFile;
use crate::person::Person;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The number of every photo: the one that a COCO file gives it, else the digits at the end of
/// its name (`im1001.jpg` is 1001, `000000000139.jpg` 139). Where that does not give every photo a
/// number of its own, the photos' places among the people, from 1.
#[derive(Clone, Debug, Default)]
pub struct ImageIds {
    ids: HashMap<PathBuf, u64>,
    counted: bool,
}

impl ImageIds {
    /// Numbers for the photos of `people`, of whom some may be from `files`.
    pub fn new(people: &[Person], files: &[CocoFile]) -> ImageIds {
        let mut photos: Vec<&Path> = Vec::new();
        let mut seen: HashSet<&Path> = HashSet::new();
        for person in people {
            if seen.insert(&person.image) {
                photos.push(&person.image);
            }
        }
        // COCO's photos lie in one folder: the last part of the path tells them apart.
        let by_name: HashMap<&OsStr, u64> = files
            .iter()
            .flat_map(|file| &file.images)
            .filter_map(|(name, id)| Some((Path::new(name).file_name()?, *id)))
            .collect();
        let number = |photo: &Path| match by_name.get(photo.file_name()?) {
            Some(id) => Some(*id),
            None => digits(photo.file_stem()?.to_str()?),
        };
        let numbers: Option<Vec<u64>> = photos.iter().map(|photo| number(photo)).collect();
        let unique =
            |numbers: &Vec<u64>| numbers.iter().collect::<HashSet<_>>().len() == photos.len();
        let numbers = numbers.filter(unique);
        let counted = numbers.is_none();
        let numbers = numbers.unwrap_or_else(|| (1..=photos.len() as u64).collect());
        let photos = photos.into_iter().map(Path::to_owned);
        ImageIds {
            ids: photos.zip(numbers).collect(),
            counted,
        }
    }

    /// The photo's number; none for a photo that nobody is on.
    pub fn get(&self, photo: &Path) -> Option<u64> {
        self.ids.get(photo).copied()
    }

    /// Whether the photos were counted, because their names do not number them.
    pub fn are_counted(&self) -> bool {
        self.counted
    }
}

/// The number at the end of a name.
fn digits(stem: &str) -> Option<u64> {
    let start = stem
        .char_indices()
        .rev()
        .take_while(|(_, c)| c.is_ascii_digit())
        .last()?
        .0;
    stem[start..].parse().ok()
}
