//! Looking for mistakes in a data set: what a training would not notice and a measure would suffer
//! from.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use pose::{KeypointSet, Size};
use serde::Serialize;

use crate::data_set::{DataSet, Record};
use crate::error::{DatasetError, Problem};
use crate::person::Person;
use crate::photo::{decoded_size, photo_size};
use crate::suspicion::suspicions;

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A record that cannot be used: a field missing, of the wrong type, out of its range, or with
    /// a wrong number of keypoints.
    BadRecord,
    /// The photo is not there.
    MissingPhoto,
    /// The photo cannot be decoded.
    UnreadablePhoto,
    /// The photo is of another size than the file says.
    PhotoSize,
    /// A labelled keypoint lies outside of the photo.
    OutsidePhoto,
    /// The person's box does not touch the photo, or has no area.
    BadBox,
    /// The same person is there twice.
    Duplicate,
    /// Labels that are rarely right, by their geometry: see [`suspicions`].
    Suspicious,
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FindingKind::BadRecord => "records that cannot be used",
            FindingKind::MissingPhoto => "missing photos",
            FindingKind::UnreadablePhoto => "unreadable photos",
            FindingKind::PhotoSize => "photos of another size than stated",
            FindingKind::OutsidePhoto => "keypoints outside of the photo",
            FindingKind::BadBox => "boxes beside the photo or without area",
            FindingKind::Duplicate => "people who are there twice",
            FindingKind::Suspicious => "labels that are rarely right",
        })
    }
}

/// A mistake, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// Where, and what exactly.
    #[serde(flatten)]
    pub problem: Problem,
}

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckSettings {
    /// Decode every photo; otherwise only its size is read.
    pub decode: bool,
    /// Report what is rarely right, such as left and right that look swapped. Dancers and divers
    /// look so too.
    pub suspicious: bool,
    /// Threads that look at photos.
    pub threads: usize,
}

impl Default for CheckSettings {
    fn default() -> Self {
        Self {
            decode: true,
            suspicious: false,
            threads: std::thread::available_parallelism().map_or(1, NonZero::get),
        }
    }
}

/// What a look through a data set gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// People whose records can be used.
    pub people: usize,
    /// Photos that they are in.
    pub photos: usize,
    /// Labelled keypoints.
    pub labels: usize,
    /// People by split.
    pub splits: BTreeMap<&'static str, usize>,
    /// All mistakes, in the files' order.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// How many mistakes of each kind there are.
    pub fn counts(&self) -> BTreeMap<FindingKind, usize> {
        let mut counts = BTreeMap::new();
        for finding in &self.findings {
            *counts.entry(finding.kind).or_default() += 1;
        }
        counts
    }
}

/// Looks through a data set. `progress` is called with the number of photos done.
pub fn check(
    set: &DataSet,
    settings: &CheckSettings,
    progress: &(dyn Fn(usize) + Sync),
) -> CheckReport {
    let mut findings: Vec<Finding> = set
        .problems
        .iter()
        .map(|problem| Finding {
            kind: FindingKind::BadRecord,
            problem: problem.clone(),
        })
        .collect();
    let photos = look(set, settings, progress);
    let mut told: HashMap<&Path, ()> = HashMap::new();
    let mut seen: HashMap<Vec<u64>, &Record> = HashMap::new();
    for record in &set.records {
        let person = &record.person;
        let mut find = |kind, field: &str, message: String| {
            findings.push(Finding {
                kind,
                problem: record.place.problem(field, message),
            });
        };
        // What is wrong with a photo is said once.
        let first = told.insert(&person.image, ()).is_none();
        match photos.get(&person.image) {
            Some(Photo::Readable(size)) => {
                if let Some(stated) = record.stated_size.filter(|stated| first && stated != size) {
                    let message = format!(
                        "{} is {} × {} pixels, the file says {} × {}",
                        person.image.display(),
                        size.width,
                        size.height,
                        stated.width,
                        stated.height
                    );
                    find(FindingKind::PhotoSize, set.image_field, message);
                }
                outside(record, *size, &set.keypoints, &mut find);
            }
            Some(Photo::Missing) if first => find(
                FindingKind::MissingPhoto,
                set.image_field,
                format!("expected a photo at {}, found none", person.image.display()),
            ),
            Some(Photo::Unreadable(reason)) if first => {
                find(
                    FindingKind::UnreadablePhoto,
                    set.image_field,
                    reason.clone(),
                );
            }
            _ => {}
        }
        if let Some(other) = seen.insert(fingerprint(person), record) {
            let place = &other.place;
            let message = format!(
                "the same photo and the same labels as {} {} of {}",
                place.unit,
                place.number,
                place.file.display()
            );
            find(FindingKind::Duplicate, "keypoints", message);
        }
        if settings.suspicious {
            // What lies outside of the photo has been said.
            for suspicion in suspicions(person, &set.keypoints, None) {
                find(FindingKind::Suspicious, "keypoints", suspicion.reason);
            }
        }
    }
    let mut splits = BTreeMap::new();
    for record in &set.records {
        *splits.entry(record.person.split.name()).or_default() += 1;
    }
    CheckReport {
        people: set.records.len(),
        photos: photos.len(),
        labels: set.records.iter().map(|r| r.person.labelled()).sum(),
        splits,
        findings,
    }
}

enum Photo {
    Missing,
    Unreadable(String),
    Readable(Size),
}

/// Looks at every photo, on several threads.
fn look(
    set: &DataSet,
    settings: &CheckSettings,
    progress: &(dyn Fn(usize) + Sync),
) -> HashMap<PathBuf, Photo> {
    let mut paths: Vec<&Path> = Vec::new();
    let mut known: HashMap<&Path, ()> = HashMap::new();
    for record in &set.records {
        let path = record.person.image.as_path();
        if known.insert(path, ()).is_none() {
            paths.push(path);
        }
    }
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let found = Mutex::new(HashMap::with_capacity(paths.len()));
    let work = || {
        while let Some(&path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let photo = look_at(path, settings.decode);
            let mut found = found
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            found.insert(path.to_owned(), photo);
            drop(found);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..settings.threads.max(1) {
            scope.spawn(work);
        }
        work();
    });
    found
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn look_at(path: &Path, decode: bool) -> Photo {
    if !path.is_file() {
        return Photo::Missing;
    }
    let size = if decode {
        decoded_size(path)
    } else {
        photo_size(path)
    };
    match size {
        Ok(size) => Photo::Readable(size),
        Err(DatasetError::Photo { path, source }) => {
            Photo::Unreadable(format!("{}: {source}", path.display()))
        }
        Err(error) => Photo::Unreadable(error.to_string()),
    }
}

/// Labels a little beyond the edge are meant for what the frame cuts off: half a hundredth of the
/// photo is let pass.
const SLACK: f32 = 0.005;

fn outside(
    record: &Record,
    size: Size,
    set: &KeypointSet,
    find: &mut impl FnMut(FindingKind, &str, String),
) {
    let (width, height) = (size.width as f32, size.height as f32);
    let slack = 1.0 + SLACK * width.max(height);
    let person = &record.person;
    for (name, k) in set.keypoints.iter().zip(&person.keypoints) {
        let inside =
            (-slack..=width + slack).contains(&k.x) && (-slack..=height + slack).contains(&k.y);
        if k.is_labelled() && !inside {
            let message = format!(
                "at {:.1}, {:.1}, outside of the photo of {width} × {height} pixels",
                k.x, k.y
            );
            find(FindingKind::OutsidePhoto, name, message);
        }
    }
    let r = person.rect;
    let meets = r.x < width && r.y < height && r.x + r.width > 0.0 && r.y + r.height > 0.0;
    // The box of a single label has no size, and is none that anybody gave.
    let empty = (r.width <= 0.0 || r.height <= 0.0) && person.labelled() > 2;
    if !meets || empty {
        let message = format!(
            "{:.1}, {:.1}, {:.1} × {:.1} pixels in a photo of {width} × {height}",
            r.x, r.y, r.width, r.height
        );
        find(FindingKind::BadBox, "box", message);
    }
}

/// The photo and the labels.
fn fingerprint(person: &Person) -> Vec<u64> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    person.image.hash(&mut hasher);
    let labels = person.keypoints.iter().map(|k| {
        let flag = u64::from(k.is_labelled());
        (u64::from(k.x.to_bits()) << 32 | u64::from(k.y.to_bits())) ^ flag
    });
    std::iter::once(hasher.finish()).chain(labels).collect()
}
