//! Reading a data set, whatever its format.

use crate::data_set::{DataSet, mapped};
use crate::error::DatasetError;
use crate::formats;
use crate::person::Loaded;
use crate::source::{Source, SourceKind};
use pose::KeypointSet;
use std::path::{Path, PathBuf};

/// Reads a data set as its files have it: its own keypoints in its own order, records without a
/// photo too.
///
/// # Errors
/// When a file cannot be read as a whole. A single record with something wrong in it (a field of
/// the wrong type, another number of keypoints) does not fail the rest: it is left out and named
/// in [`DataSet::problems`].
pub fn read(source: &Source) -> Result<DataSet, DatasetError> {
    let mut set = match source.kind {
        SourceKind::Lsp | SourceKind::Lspet => formats::leeds::read(source),
        SourceKind::Annotations => formats::annotations::read(source),
        SourceKind::Coco => formats::coco::read(source),
        SourceKind::Mpii => formats::mpii_mat::read(source),
        SourceKind::MpiiH5 => formats::mpii_h5::read(source),
        SourceKind::Labelme => formats::labelme::read(source),
        SourceKind::Yolo => formats::yolo::read(source),
        SourceKind::AnimalPose => formats::animal_pose::read(source),
        SourceKind::Csv => formats::table::read(source),
        SourceKind::Htf => formats::htf::read(source),
    }?;
    if let Some(split) = source.split {
        set.records.retain(|record| record.person.split == split);
    }
    set.rename_keypoints(&source.renames);
    Ok(set)
}

/// Reads a data set, with keypoints mapped by name onto `target`: those of `target` that the data
/// set does not have are [`Missing`](crate::Visibility::Missing).
///
/// People none of whose labels maps onto `target` are left out.
///
/// Records of all splits come back unless the source names one: whoever trains must leave
/// [`Split::Test`](crate::Split::Test) out.
///
/// # Errors
/// When a file cannot be read as a whole. A single record with something wrong in it (a field of
/// the wrong type, another number of keypoints, a photo that is not there) does not fail the rest:
/// it is left out and named in [`Loaded::problems`].
pub fn load(source: &Source, target: &KeypointSet) -> Result<Loaded, DatasetError> {
    let mut set = read(source)?;
    let map = target.map_from(&set.keypoints);
    if map.iter().all(Option::is_none) && !set.records.is_empty() {
        return Err(DatasetError::NothingInCommon {
            path: set.file,
            found: set.keypoints.keypoints.join(", "),
            target: target.name.clone(),
            expected: target.keypoints.join(", "),
        });
    }
    for record in &mut set.records {
        let person = &mut record.person;
        person.keypoints = mapped(&person.keypoints, &map);
    }
    set.records.retain(|record| record.person.labelled() > 0);
    set.drop_missing_photos();
    Ok(Loaded {
        people: set.records.into_iter().map(|r| r.person).collect(),
        problems: set.problems,
    })
}

/// The content of a file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, DatasetError> {
    std::fs::read(path).map_err(|source| DatasetError::Io {
        path: path.to_owned(),
        source,
    })
}

/// The content of a text file; what is not UTF-8 is replaced.
pub(crate) fn read_text(path: &Path) -> Result<String, DatasetError> {
    let bytes = read_file(path)?;
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    // Editors on Windows put a byte order mark in front.
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// The folder, if there is one.
pub(crate) fn folder(path: PathBuf, what: &'static str) -> Result<PathBuf, DatasetError> {
    if path.is_dir() {
        Ok(path)
    } else {
        Err(DatasetError::MissingFolder { path, what })
    }
}

/// The photos' folder: as the source says, else `images` beside the annotation file if there is
/// such a folder, else the annotation file's own.
pub(crate) fn images_beside(source: &Source, file: &Path) -> PathBuf {
    source.images.clone().unwrap_or_else(|| {
        let beside = file.with_file_name("images");
        match file.parent() {
            _ if beside.is_dir() => beside,
            Some(parent) if parent.as_os_str().is_empty() => ".".into(),
            Some(parent) => parent.to_owned(),
            None => beside,
        }
    })
}

/// The entries of a folder by name, folders and files apart.
pub(crate) fn list(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DatasetError> {
    let io = |source| DatasetError::Io {
        path: folder.to_owned(),
        source,
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        entries.push(entry.map_err(io)?.path());
    }
    entries.sort();
    Ok(entries.into_iter().partition(|path| path.is_dir()))
}

/// All files with one of the endings in a folder and the folders in it, by name.
pub(crate) fn files_below(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, DatasetError> {
    let (folders, files) = list(folder)?;
    let mut found: Vec<PathBuf> = files
        .into_iter()
        .filter(|path| {
            let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
            endings.iter().any(|e| ending == *e)
        })
        .collect();
    for inner in folders {
        // A link to a folder above would lead round in circles.
        if !inner.is_symlink() {
            found.extend(files_below(&inner, endings)?);
        }
    }
    Ok(found)
}
