//! Writing a data set in a format of choice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pose::{KeypointSet, Point, Rect, Size};
use serde::Serialize;

use crate::data_set::{DataSet, Record};
use crate::error::DatasetError;
use crate::formats::{animal_pose, annotations, coco, labelme, leeds, table, yolo};
use crate::person::{Split, Visibility};
use crate::photo::{photo_size, transfer};

/// A format that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `annotations.json`, photos in `images/`.
    Annotations,
    /// COCO's `person_keypoints_train.json` and the like, photos in `images/`.
    Coco,
    /// A JSON file of labelme's beside each photo.
    Labelme,
    /// `data.yaml`, photos in `images/train/`, labels in `labels/train/`.
    Yolo,
    /// Animal-Pose's `keypoints.json`, photos in `images/`.
    AnimalPose,
    /// `people.csv`, photos in `images/`.
    Csv,
    /// `joints.mat` as Leeds Sports Pose Extended has it, photos in `images/im00001.jpg` …
    Lspet,
}

impl Format {
    /// The names by which a command line knows the formats.
    pub const ALL: [(&'static str, Format); 7] = [
        ("annotations", Format::Annotations),
        ("coco", Format::Coco),
        ("labelme", Format::Labelme),
        ("yolo", Format::Yolo),
        ("animal-pose", Format::AnimalPose),
        ("csv", Format::Csv),
        ("lspet", Format::Lspet),
    ];

    /// The name on a command line.
    pub fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(_, format)| *format == self);
        named.map_or("", |(name, _)| name)
    }

    /// The folder of a split's photos, below the data set's.
    pub fn images(self, split: Split) -> &'static str {
        match (self, split) {
            (Format::Labelme, _) => "",
            (Format::Yolo, Split::Train) => "images/train",
            (Format::Yolo, Split::Validation) => "images/val",
            (Format::Yolo, Split::Test) => "images/test",
            _ => "images",
        }
    }

    /// A file that is there when a data set of this format is.
    fn sign(self) -> &'static str {
        match self {
            Format::Annotations => "annotations.json",
            Format::Coco => "person_keypoints_train.json",
            Format::Labelme => "",
            Format::Yolo => "data.yaml",
            Format::AnimalPose => "keypoints.json",
            Format::Csv => "people.csv",
            Format::Lspet => "joints.mat",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.iter().find(|(name, _)| *name == text);
        named.map(|&(_, format)| format).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("unknown format `{text}`; there are {}", names.join(", "))
        })
    }
}

/// Where to write a data set, and how: `FORMAT:FOLDER`.
///
/// ```
/// use dataset::{Format, Target};
/// let target: Target = "yolo:people-yolo".parse()?;
/// assert_eq!(target.format, Format::Yolo);
/// # Ok::<(), dataset::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The format.
    pub format: Format,
    /// The folder.
    pub root: PathBuf,
}

impl FromStr for Target {
    type Err = DatasetError;

    fn from_str(text: &str) -> Result<Self, DatasetError> {
        let wrong = |reason: String| DatasetError::Target {
            text: text.to_owned(),
            reason,
        };
        let (format, root) = text
            .split_once(':')
            .ok_or_else(|| wrong("expected a format and a colon before the folder".into()))?;
        if root.is_empty() {
            return Err(wrong("expected a folder after the colon".into()));
        }
        Ok(Self {
            format: format.parse().map_err(wrong)?,
            root: root.into(),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.format, self.root.display())
    }
}

impl Target {
    /// Whether there is nothing in the way.
    ///
    /// # Errors
    /// [`DatasetError::Exists`] when there is such a data set already.
    pub fn check_free(&self) -> Result<(), DatasetError> {
        let path = self.root.join(self.format.sign());
        let taken = if self.format == Format::Labelme {
            // Its files are beside the photos: nothing else may be there.
            std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some())
        } else {
            path.exists()
        };
        if taken {
            return Err(DatasetError::Exists { path });
        }
        Ok(())
    }

    /// Where a photo of this name belongs.
    pub fn photo(&self, split: Split, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(self.format.images(split)).join(name)
    }
}

/// What becomes of the photos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PhotoMode {
    /// They are copied.
    #[default]
    Copy,
    /// Links to them are made (symbolic ones; hard ones on Windows).
    Link,
    /// They lie where the format wants them already.
    InPlace,
}

/// What was written, and what the format could not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WriteReport {
    /// How many people.
    pub people: usize,
    /// How many photos.
    pub photos: usize,
    /// What is lost: a sentence each.
    pub lost: Vec<String>,
}

/// Writes a data set. `progress` is called with the number of photos done.
///
/// # Errors
/// When the folder holds such a data set already, a photo cannot be read, or a file cannot be
/// written.
pub fn write(
    set: &DataSet,
    target: &Target,
    photos: PhotoMode,
    progress: &mut dyn FnMut(usize),
) -> Result<WriteReport, DatasetError> {
    if photos != PhotoMode::InPlace {
        target.check_free()?;
    }
    create(&target.root)?;
    for split in [Split::Train, Split::Validation, Split::Test] {
        if set.records.iter().any(|r| r.person.split == split) {
            create(&target.root.join(target.format.images(split)))?;
        }
    }
    let records = match photos {
        PhotoMode::InPlace => set.records.clone(),
        _ => place(set, target, photos, progress)?,
    };
    let mut output = Output {
        target,
        root: &target.root,
        keypoints: &set.keypoints,
        records: &records,
        sizes: HashMap::new(),
    };
    for record in &records {
        let image = &record.person.image;
        if !output.sizes.contains_key(image) {
            output.sizes.insert(image.clone(), photo_size(image)?);
        }
    }
    match target.format {
        Format::Annotations => annotations::write(&output),
        Format::Coco => coco::write(&output),
        Format::Labelme => labelme::write(&output),
        Format::Yolo => yolo::write(&output),
        Format::AnimalPose => animal_pose::write(&output),
        Format::Csv => table::write(&output),
        Format::Lspet => leeds::write(&output),
    }?;
    Ok(WriteReport {
        people: records.len(),
        photos: output.sizes.len(),
        lost: lost(&output),
    })
}

/// Brings the photos to where the format wants them; the records that name these places.
fn place(
    set: &DataSet,
    target: &Target,
    photos: PhotoMode,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Record>, DatasetError> {
    let mut places: HashMap<(PathBuf, Split), PathBuf> = HashMap::new();
    let mut taken: HashSet<PathBuf> = HashSet::new();
    let mut done = 0;
    let mut records = Vec::with_capacity(set.records.len());
    for (index, record) in set.records.iter().enumerate() {
        let mut record = record.clone();
        let person = &mut record.person;
        // Where splits share a folder, a photo of several is there once.
        let folder = match target.format {
            Format::Yolo => person.split,
            _ => Split::Train,
        };
        let key = (person.image.clone(), folder);
        let place = match places.get(&key) {
            // One photo for each person there.
            Some(place) if target.format != Format::Lspet => place.clone(),
            _ => {
                let place = if target.format == Format::Lspet {
                    let name = format!("im{:05}.jpg", index + 1);
                    target.photo(person.split, name)
                } else {
                    let image = &person.image;
                    free_place(set, target, image, person.split, &person.dataset, &taken)
                };
                if let Some(folder) = place.parent() {
                    create(folder)?;
                }
                transfer(&person.image, &place, photos)?;
                taken.insert(taken_key(target.format, &place));
                places.insert(key, place.clone());
                done += 1;
                progress(done);
                place
            }
        };
        person.image = place;
        records.push(record);
    }
    Ok(records)
}

/// Where a photo goes: its name in the data set, or with the data set's name and a number before
/// it where another photo has the name.
fn free_place(
    set: &DataSet,
    target: &Target,
    image: &Path,
    split: Split,
    dataset: &str,
    taken: &HashSet<PathBuf>,
) -> PathBuf {
    let within = image.strip_prefix(&set.images).ok();
    let plain = |path: &&Path| {
        let mut parts = path.components();
        parts.all(|part| matches!(part, std::path::Component::Normal(_)))
    };
    let name = within
        .filter(plain)
        .unwrap_or_else(|| Path::new(image.file_name().unwrap_or_default()));
    let place = target.photo(split, name);
    let is_free = |place: &PathBuf| !taken.contains(&taken_key(target.format, place));
    if is_free(&place) {
        return place;
    }
    let file = name.file_name().unwrap_or_default().to_string_lossy();
    let numbers = std::iter::once(format!("{dataset}_{file}"))
        .chain((2..).map(|number| format!("{dataset}_{number}_{file}")));
    let mut places = numbers.map(|file| target.photo(split, name.with_file_name(file)));
    // The numbers do not end before a name is free.
    places.find(is_free).unwrap_or(place)
}

/// What two photos must not have in common: where each has a file of labels of the same name, the
/// name without its ending.
fn taken_key(format: Format, place: &Path) -> PathBuf {
    match format {
        Format::Labelme | Format::Yolo => place.with_extension(""),
        _ => place.to_owned(),
    }
}

/// What a format's writer needs.
pub(crate) struct Output<'a> {
    pub(crate) target: &'a Target,
    pub(crate) root: &'a Path,
    pub(crate) keypoints: &'a KeypointSet,
    /// Their photos lie where the format wants them.
    pub(crate) records: &'a [Record],
    sizes: HashMap<PathBuf, Size>,
}

impl Output<'_> {
    /// The people of each photo, photos in the order of their first person.
    pub(crate) fn photos(&self) -> Vec<Vec<&Record>> {
        let mut index: HashMap<&Path, usize> = HashMap::new();
        let mut photos: Vec<Vec<&Record>> = Vec::new();
        for record in self.records {
            let at = *index.entry(&record.person.image).or_insert(photos.len());
            match photos.get_mut(at) {
                Some(people) => people.push(record),
                None => photos.push(vec![record]),
            }
        }
        photos
    }

    /// The people of each photo, by split.
    pub(crate) fn photos_by_split(&self) -> BTreeMap<&'static str, Vec<Vec<&Record>>> {
        let mut splits: BTreeMap<&'static str, Vec<Vec<&Record>>> = BTreeMap::new();
        for people in self.photos() {
            let mut by_split: BTreeMap<&'static str, Vec<&Record>> = BTreeMap::new();
            for person in people {
                let name = match person.person.split {
                    Split::Validation => "val",
                    split => split.name(),
                };
                by_split.entry(name).or_default().push(person);
            }
            for (split, people) in by_split {
                splits.entry(split).or_default().push(people);
            }
        }
        splits
    }

    /// The photo's size.
    pub(crate) fn size(&self, image: &Path) -> Result<Size, DatasetError> {
        match self.sizes.get(image) {
            Some(size) => Ok(*size),
            None => photo_size(image),
        }
    }

    /// The photo's name as the annotation file has it: below the format's folder for photos, with
    /// slashes on every system.
    pub(crate) fn name(&self, image: &Path) -> String {
        let folder = match self.target.format {
            // Each split has a folder of its own there.
            Format::Yolo => self.root.join("images"),
            format => self.root.join(format.images(Split::Train)),
        };
        let name = image.strip_prefix(folder).unwrap_or(image);
        let parts: Vec<_> = name
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        parts.join("/")
    }

    /// The head's box: as given, or of the given size around the middle of the head.
    pub(crate) fn head(&self, record: &Record) -> Option<Rect> {
        record.head.or_else(|| {
            let side = record.person.head_size? / 0.6 / std::f32::consts::SQRT_2;
            let at = |name: &str| {
                let index = self.keypoints.index_of(name)?;
                let keypoint = record.person.keypoints.get(index)?;
                keypoint.is_labelled().then(|| keypoint.point())
            };
            let (top, neck) = (at("head_top")?, at("upper_neck")?);
            let center = Point::new(0.5 * (top.x + neck.x), 0.5 * (top.y + neck.y));
            Some(Rect::around(center, side, side))
        })
    }
}

/// What a format cannot hold of these records.
fn lost(output: &Output<'_>) -> Vec<String> {
    let mut lost = Vec::new();
    let mut count = |is_lost: &dyn Fn(&Record) -> bool, what: &str| {
        let count = output.records.iter().filter(|r| is_lost(r)).count();
        if count > 0 {
            lost.push(format!("{count} {what}"));
        }
    };
    let format = output.target.format;
    if matches!(format, Format::Yolo | Format::AnimalPose | Format::Lspet) {
        let heads = |r: &Record| r.head.is_some() || r.person.head_size.is_some();
        count(&heads, "people's head boxes, by which PCKh is measured");
        count(&|r| r.track.is_some(), "people's track numbers");
    }
    if !matches!(format, Format::Coco | Format::Csv) {
        count(
            &|r| r.person.area.is_some(),
            "people's areas, by which OKS is measured",
        );
    }
    if format == Format::Lspet {
        let hidden = |r: &Record| {
            let mut keypoints = r.person.keypoints.iter();
            keypoints.any(|k| k.visibility == Visibility::Occluded)
        };
        count(
            &hidden,
            "people's marks of hidden joints: they count as seen",
        );
        let other = |r: &Record| r.person.split != Split::Train;
        count(
            &other,
            "people's marks that they are not for training: convert each split by itself",
        );
    }
    lost
}

fn create(folder: &Path) -> Result<(), DatasetError> {
    std::fs::create_dir_all(folder).map_err(|source| DatasetError::Io {
        path: folder.to_owned(),
        source,
    })
}

/// Writes a value as a JSON file.
pub(crate) fn save_json(path: &Path, value: &impl Serialize) -> Result<(), DatasetError> {
    let io = |source| DatasetError::Io {
        path: path.to_owned(),
        source,
    };
    let mut file = BufWriter::new(std::fs::File::create(path).map_err(io)?);
    serde_json::to_writer(&mut file, value).map_err(|error| io(error.into()))?;
    file.write_all(b"\n")
        .and_then(|()| file.flush())
        .map_err(io)
}

/// Writes a text file.
pub(crate) fn save_text(path: &Path, text: &str) -> Result<(), DatasetError> {
    std::fs::write(path, text).map_err(|source| DatasetError::Io {
        path: path.to_owned(),
        source,
    })
}
