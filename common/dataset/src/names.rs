//! The three text files of a keypoint set beside a data set: `NAME_classes.txt`,
//! `NAME_match_point.txt`, `NAME_skeleton.txt`.

use std::path::{Path, PathBuf};

use pose::{FlipAxis, KeypointSet, Rgb, TextFile};

use crate::error::DatasetError;
use crate::load::{list, read_text};

const CLASSES: &str = "_classes.txt";
const MATCH_POINTS: &str = "_match_point.txt";
const SKELETON: &str = "_skeleton.txt";

/// Reads a classes file; the match points and the skeleton come from the files beside it whose
/// names differ only in the ending (`hand_classes.txt`, `hand_match_point.txt`,
/// `hand_skeleton.txt`), where there are such, or from the built-in set of the same names.
///
/// # Errors
/// When a file cannot be read, or something in it is wrong.
pub fn read_names(path: &Path) -> Result<KeypointSet, DatasetError> {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = file_name.strip_suffix(CLASSES);
    let beside = |ending: &str| -> Result<Option<(String, String)>, DatasetError> {
        let Some(stem) = stem else { return Ok(None) };
        let path = path.with_file_name(format!("{stem}{ending}"));
        if !path.is_file() {
            return Ok(None);
        }
        Ok(Some((path.display().to_string(), read_text(&path)?)))
    };
    let (match_points, skeleton) = (beside(MATCH_POINTS)?, beside(SKELETON)?);
    let classes = (path.display().to_string(), read_text(path)?);
    fn file((path, text): &(String, String)) -> TextFile<'_> {
        TextFile { path, text }
    }
    let set = KeypointSet::parse(
        stem.unwrap_or("names"),
        file(&classes),
        match_points.as_ref().map(file),
        skeleton.as_ref().map(file),
    )?;
    Ok(if match_points.is_none() && skeleton.is_none() {
        known_set(set)
    } else {
        set
    })
}

/// The classes file in a folder; `None` when there is none, or several, which say nothing then.
pub(crate) fn classes_in(folder: &Path) -> Option<PathBuf> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let (_, files) = list(folder).ok()?;
    let mut classes = files.into_iter().filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(CLASSES) || name == "classes.txt"
    });
    classes.next().filter(|_| classes.next().is_none())
}

/// The built-in set with these names in this order, or else the set itself.
pub(crate) fn known_set(set: KeypointSet) -> KeypointSet {
    KeypointSet::BUILTIN
        .into_iter()
        .filter_map(KeypointSet::builtin)
        .find(|known| known.keypoints == set.keypoints)
        .unwrap_or(set)
}

/// A set of these names; flip pairs and skeleton come from the built-in set that has the same
/// names, otherwise the pairs are those whose names differ in `left` and `right` only.
///
/// # Errors
/// With what is wrong when a name is empty, doubled, or has a comma or white space in it.
pub(crate) fn set_of_names(name: &str, names: &[String]) -> Result<KeypointSet, String> {
    if names
        .iter()
        .any(|name| name.trim() != name || name.lines().count() != 1)
    {
        return Err("a keypoint's name is empty or has white space around it".into());
    }
    let text = names.join("\n");
    let file = TextFile {
        path: "keypoint names",
        text: &text,
    };
    let set = KeypointSet::parse(name, file, None, None).map_err(|error| error.to_string())?;
    let mut set = known_set(set);
    if set.flip_pairs.is_empty() {
        set.flip_pairs = pairs_by_name(&set.keypoints);
    }
    Ok(set)
}

fn pairs_by_name(names: &[String]) -> Vec<pose::FlipPair> {
    let find = |wanted: &str| names.iter().position(|name| name == wanted);
    let pair = |(first, name): (usize, &String)| {
        let second = find(&name.replacen("right", "left", 1)).filter(|&k| k != first)?;
        name.contains("right").then_some(pose::FlipPair {
            first,
            second,
            axis: FlipAxis::Horizontal,
        })
    };
    names.iter().enumerate().filter_map(pair).collect()
}

/// Writes a set's three files into a folder. A file that would be empty is not written. Colours
/// become the nearest of red, green and blue.
///
/// # Errors
/// When a file cannot be written.
pub fn write_names(set: &KeypointSet, folder: &Path) -> Result<(), DatasetError> {
    let name = |index: usize| set.keypoints.get(index).map_or("", String::as_str);
    let classes: String = set.keypoints.iter().map(|k| format!("{k}\n")).collect();
    let pair = |pair: &pose::FlipPair| {
        let axis = match pair.axis {
            FlipAxis::Horizontal => 'h',
            FlipAxis::Vertical => 'v',
        };
        format!("{},{},{axis}\n", name(pair.first), name(pair.second))
    };
    let pairs: String = set.flip_pairs.iter().map(pair).collect();
    let bone = |bone: &pose::Bone| {
        let letter = letter(bone.color);
        format!("{},{},{letter}\n", name(bone.start), name(bone.end))
    };
    let skeleton: String = set.skeleton.iter().map(bone).collect();
    for (ending, text) in [
        (CLASSES, classes),
        (MATCH_POINTS, pairs),
        (SKELETON, skeleton),
    ] {
        if text.is_empty() {
            continue;
        }
        let path = folder.join(format!("{}{ending}", set.name));
        std::fs::write(&path, text).map_err(|source| DatasetError::Io { path, source })?;
    }
    Ok(())
}

fn letter(Rgb { r, g, b }: Rgb) -> char {
    if g > r && g > b {
        'g'
    } else if b > r {
        'b'
    } else {
        'r'
    }
}
