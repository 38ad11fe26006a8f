//! YOLO-pose folders, as Ultralytics documents them: `data.yaml` says where the photos of each
//! split are; for every photo in `images/…/x.jpg` there is `labels/…/x.txt` with a line for each
//! person: class, box centre, box size, then x, y and visibility of every keypoint, as shares of
//! the photo's size.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use pose::{FlipAxis, FlipPair, KeypointSet, Rect, Size};
use serde::Deserialize;

use crate::data_set::{DataSet, FieldError, Place, Record};
use crate::error::DatasetError;
use crate::load::{files_below, read_text};
use crate::names::{classes_in, read_names, set_of_names, write_names};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::photo::photo_size;
use crate::source::Source;
use crate::write::{Output, save_text};

const PHOTOS: [&str; 5] = ["jpg", "jpeg", "png", "bmp", "webp"];

#[derive(Deserialize)]
struct Yaml {
    #[serde(default)]
    path: Option<PathBuf>,
    #[serde(default)]
    train: Option<Paths>,
    #[serde(default)]
    val: Option<Paths>,
    #[serde(default)]
    test: Option<Paths>,
    /// How many keypoints, and 2 or 3 numbers for each.
    kpt_shape: [usize; 2],
    #[serde(default)]
    flip_idx: Vec<usize>,
    /// For each class the keypoints' names.
    #[serde(default)]
    kpt_names: Option<KeypointNames>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Paths {
    One(PathBuf),
    Many(Vec<PathBuf>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum KeypointNames {
    ByClass(BTreeMap<u64, Vec<String>>),
    Plain(Vec<String>),
}

pub(crate) fn read(source: &Source) -> Result<DataSet, DatasetError> {
    let file = if source.root.is_dir() {
        source.root.join("data.yaml")
    } else {
        source.root.clone()
    };
    let wrong = |reason: String| DatasetError::Table {
        path: file.clone(),
        line: 1,
        reason,
    };
    let text = read_text(&file)?;
    let yaml: Yaml = yaml_serde::from_str(&text)
        .map_err(|error| wrong(format!("expected a pose data set's description: {error}")))?;
    let [keypoints, numbers] = yaml.kpt_shape;
    if !(1..=1000).contains(&keypoints) || !(2..=3).contains(&numbers) {
        let reason =
            format!("expected `kpt_shape: [KEYPOINTS, 2 or 3]`, found [{keypoints}, {numbers}]");
        return Err(wrong(reason));
    }
    let beside = file.parent().unwrap_or(Path::new(""));
    let set = names(source, &yaml, beside).map_err(|error| match error {
        NamesError::Wrong(reason) => wrong(reason),
        NamesError::File(error) => error,
    })?;
    let root = root(&yaml, beside);
    let mut set = DataSet::new(set, &file, &root.join("images"));
    set.image_field = "labels";
    let splits = [
        (Split::Train, &yaml.train),
        (Split::Validation, &yaml.val),
        (Split::Test, &yaml.test),
    ];
    let mut found = false;
    for (split, paths) in splits {
        let paths = match paths {
            None => continue,
            Some(Paths::One(path)) => std::slice::from_ref(path),
            Some(Paths::Many(paths)) => paths,
        };
        for path in paths.iter().filter(|path| !path.as_os_str().is_empty()) {
            found = true;
            let path = root.join(path);
            for photo in photos(&path, &root)? {
                read_labels(&photo, split, numbers, &mut set);
            }
        }
    }
    if !found {
        return Err(wrong(
            "expected `train`, `val` or `test`: folders of photos".into(),
        ));
    }
    Ok(set)
}

/// The folder that paths start from: `path` where it leads somewhere, the YAML's folder otherwise.
fn root(yaml: &Yaml, beside: &Path) -> PathBuf {
    let named = yaml.path.as_ref().map(|path| beside.join(path));
    named
        .filter(|path| path.is_dir())
        .unwrap_or_else(|| beside.to_owned())
}

/// The photos of a folder, or those that a text file lists.
fn photos(path: &Path, root: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    if path.extension().is_some_and(|e| e == "txt") {
        let text = read_text(path)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        return Ok(lines.map(|line| root.join(line)).collect());
    }
    files_below(&crate::load::folder(path.to_owned(), "photos")?, &PHOTOS)
}

/// Where a photo's labels are: the last folder `images` on the way becomes `labels`.
fn labels_of(photo: &Path) -> PathBuf {
    let parts: Vec<Component<'_>> = photo.components().collect();
    let images = Component::Normal("images".as_ref());
    let at = parts.iter().rposition(|part| *part == images);
    let path: PathBuf = parts
        .iter()
        .enumerate()
        .map(|(k, part)| match at {
            Some(at) if at == k => Component::Normal("labels".as_ref()),
            _ => *part,
        })
        .collect();
    path.with_extension("txt")
}

enum NamesError {
    Wrong(String),
    File(DatasetError),
}

fn names(source: &Source, yaml: &Yaml, beside: &Path) -> Result<KeypointSet, NamesError> {
    let count = yaml.kpt_shape[0];
    let named = match &yaml.kpt_names {
        Some(KeypointNames::Plain(names)) => Some(names),
        Some(KeypointNames::ByClass(classes)) => classes.values().next(),
        None => None,
    };
    let mut set = if let Some(path) = &source.names {
        read_names(path).map_err(NamesError::File)?
    } else if let Some(names) = named {
        set_of_names("yolo", names).map_err(NamesError::Wrong)?
    } else if let Some(path) = classes_in(beside) {
        read_names(&path).map_err(NamesError::File)?
    } else {
        let known = KeypointSet::BUILTIN.into_iter();
        known
            .filter_map(KeypointSet::builtin)
            .find(|set| set.len() == count)
            .ok_or_else(|| {
                NamesError::Wrong(format!(
                    "no known set has {count} keypoints; name them with `kpt_names` or `?names=CLASSES_FILE`"
                ))
            })?
    };
    if set.len() != count {
        return Err(NamesError::Wrong(format!(
            "`kpt_shape` says {count} keypoints, but {} are named",
            set.len()
        )));
    }
    if set.flip_pairs.is_empty() && yaml.flip_idx.len() == count {
        let pairs = yaml.flip_idx.iter().enumerate();
        set.flip_pairs = pairs
            .filter(|&(first, &second)| first < second && second < count)
            .map(|(first, &second)| FlipPair {
                first,
                second,
                axis: FlipAxis::Horizontal,
            })
            .collect();
    }
    Ok(set)
}

/// Takes the people of one photo. A photo without a labels file has none.
fn read_labels(photo: &Path, split: Split, numbers: usize, set: &mut DataSet) {
    let file: Arc<Path> = labels_of(photo).into();
    if !file.is_file() && photo.is_file() {
        return;
    }
    let whole = Place::line(&file, 1);
    let text = match read_text(&file) {
        Ok(text) => text,
        Err(error) => {
            set.take(&whole, Err(FieldError::new(".", error.to_string())));
            return;
        }
    };
    let size = match photo_size(photo) {
        Ok(size) => size,
        Err(error) => {
            if !text.trim().is_empty() {
                let error = FieldError::new("photo", format!("{error}, which the shares are of"));
                set.take(&whole, Err(error));
            }
            return;
        }
    };
    for (index, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            let place = Place::line(&file, index + 1);
            let record = record(line, photo, size, numbers, set, &place);
            match record {
                Ok(Some(mut record)) => {
                    record.person.split = split;
                    set.records.push(record);
                }
                Ok(None) => {}
                Err(error) => set.take(&place, Err(error)),
            }
        }
    }
}

fn record(
    line: &str,
    photo: &Path,
    size: Size,
    numbers: usize,
    set: &DataSet,
    place: &Place,
) -> Result<Option<Record>, FieldError> {
    let mut values = Vec::new();
    for (k, word) in line.split_ascii_whitespace().enumerate() {
        let value: f64 = word
            .parse()
            .ok()
            .filter(|v: &f64| v.is_finite())
            .ok_or_else(|| {
                let word: String = word.chars().take(30).collect();
                FieldError::new(
                    format!("number {}", k + 1),
                    format!("expected a number, found `{word}`"),
                )
            })?;
        values.push(value);
    }
    let expected = 5 + set.keypoints.len() * numbers;
    if values.len() != expected {
        return Err(FieldError::new(
            "keypoints",
            format!(
                "expected {expected} numbers (class, box, {} keypoints × {numbers}), found {}",
                set.keypoints.len(),
                values.len()
            ),
        ));
    }
    let (width, height) = (size.width as f64, size.height as f64);
    let share = |k: usize, name: &str| {
        let value = values[k];
        if (-1.0..=2.0).contains(&value) {
            return Ok(value);
        }
        let message = format!("expected a share of the photo's size, 0 to 1, found {value}");
        Err(FieldError::new(name, message))
    };
    let (x, y) = (share(1, "x")? * width, share(2, "y")? * height);
    let (w, h) = (share(3, "width")? * width, share(4, "height")? * height);
    let rect = crate::data_set::checked_box("width", [x - 0.5 * w, y - 0.5 * h, w, h])?;
    let mut keypoints = Vec::with_capacity(set.keypoints.len());
    for (k, name) in set.keypoints.keypoints.iter().enumerate() {
        let at = 5 + k * numbers;
        let (x, y) = (share(at, name)?, share(at + 1, name)?);
        let visibility = match values.get(at + 2).filter(|_| numbers == 3) {
            Some(&v) if v >= 2.0 => Visibility::Visible,
            Some(&v) if v >= 1.0 => Visibility::Occluded,
            Some(_) => Visibility::Missing,
            // Without a third number the corner means that there is no label.
            None if x == 0.0 && y == 0.0 => Visibility::Missing,
            None => Visibility::Visible,
        };
        keypoints.push(match visibility {
            Visibility::Missing => LabelledKeypoint::MISSING,
            seen => LabelledKeypoint::new((x * width) as f32, (y * height) as f32, seen),
        });
    }
    if !keypoints.iter().any(LabelledKeypoint::is_labelled) {
        return Ok(None);
    }
    let stem = photo.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Some(Record::new(
        Person {
            image: photo.to_owned(),
            dataset: "yolo".into(),
            id: format!("yolo:{stem}/{}", place.number),
            rect,
            keypoints,
            head_size: None,
            area: None,
            split: Split::Train,
        },
        place.clone(),
    )))
}

/// Writes `data.yaml` and a labels file for each photo; photos lie in `images/train` and so on.
pub(crate) fn write(output: &Output<'_>) -> Result<(), DatasetError> {
    let splits = output.photos_by_split();
    for people in splits.values().flatten() {
        let mut text = String::new();
        let mut labels = None;
        for record in people {
            let person = &record.person;
            let size = output.size(&person.image)?;
            let (width, height) = (size.width as f64, size.height as f64);
            let Rect {
                x,
                y,
                width: w,
                height: h,
            } = person.rect;
            let line = [
                f64::from(x + 0.5 * w) / width,
                f64::from(y + 0.5 * h) / height,
                f64::from(w) / width,
                f64::from(h) / height,
            ];
            // Writing into a String cannot fail.
            let _ = write!(text, "0");
            for share in line {
                let _ = write!(text, " {share:.7}");
            }
            for k in &person.keypoints {
                let v = match k.visibility {
                    Visibility::Missing => 0,
                    Visibility::Occluded => 1,
                    Visibility::Visible => 2,
                };
                let _ = if v == 0 {
                    write!(text, " 0 0 0")
                } else {
                    let (x, y) = (f64::from(k.x) / width, f64::from(k.y) / height);
                    write!(text, " {x:.7} {y:.7} {v}")
                };
            }
            text.push('\n');
            labels = Some(labels_of(&person.image));
        }
        if let Some(labels) = labels {
            if let Some(folder) = labels.parent() {
                std::fs::create_dir_all(folder).map_err(|source| DatasetError::Io {
                    path: folder.to_owned(),
                    source,
                })?;
            }
            save_text(&labels, &text)?;
        }
    }
    let set = output.keypoints;
    let names: String = set
        .keypoints
        .iter()
        .map(|name| format!("    - {name}\n"))
        .collect();
    let mut yaml = String::from("# A pose data set as Ultralytics' trainers read it.\npath: .\n");
    for split in ["train", "val", "test"] {
        if splits.contains_key(split) {
            let _ = writeln!(yaml, "{split}: images/{split}");
        }
    }
    if !splits.contains_key("val") {
        yaml.push_str("# val: Ultralytics' trainers want a folder of validation photos here\n");
    }
    let _ = write!(
        yaml,
        "kpt_shape: [{}, 3]\nflip_idx: {:?}\nnames:\n  0: person\nkpt_names:\n  0:\n{names}",
        set.len(),
        set.mirror_permutation(FlipAxis::Horizontal),
    );
    write_names(set, output.root)?;
    save_text(&output.root.join("data.yaml"), &yaml)
}
