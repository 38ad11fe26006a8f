//! Finding MakeHuman's files in a folder.

use super::morph::Morph;
use super::shape::Shape;
use crate::bvh::Clip;
use crate::error::{SynthError, read_text};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The first of some places in `dir` where a file lies.
pub(super) fn find(dir: &Path, places: &[&str]) -> Result<PathBuf, SynthError> {
    places
        .iter()
        .map(|place| dir.join(place))
        .find(|path| path.is_file())
        .ok_or_else(|| SynthError::Missing {
            dir: dir.into(),
            wanted: places.join(", "),
        })
}

/// All files with `ending` in the first of `folders` that exists, and one level below it, by name.
fn files(dir: &Path, folders: &[&str], ending: &str) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|e| e.path()).collect();
        paths.sort();
        paths
    };
    let mut found = Vec::new();
    for folder in folders {
        for path in list(&dir.join(folder)) {
            if path.is_dir() {
                found.extend(list(&path));
            } else {
                found.push(path);
            }
        }
        found.retain(|p| p.extension().is_some_and(|e| e == ending));
        if !found.is_empty() {
            break;
        }
    }
    found
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// The morph targets by file name.
pub(super) fn read_morphs(
    dir: &Path,
    vertices: usize,
) -> Result<BTreeMap<String, Morph>, SynthError> {
    let mut morphs = BTreeMap::new();
    for path in files(dir, &["targets/macrodetails", "targets"], "target") {
        // MakeHuman has hundreds; sex, age, descent and build are the ones that `Shape` knows.
        let name = stem(&path);
        if !Shape::FAMILIES
            .iter()
            .any(|family| name.starts_with(family))
        {
            continue;
        }
        let morph = Morph::parse(&path, &read_text(&path)?, vertices)?;
        morphs.insert(name, morph);
    }
    Ok(morphs)
}

/// Motions whose joints cannot be matched with a person's (hands only, faces only) are left out.
pub(super) fn read_clips(dir: &Path) -> Result<Vec<Clip>, SynthError> {
    let mut clips = Vec::new();
    for path in files(dir, &["motions", "bvhs", "poses"], "bvh") {
        let clip = Clip::parse(&path, &read_text(&path)?)?;
        if clip.fits_a_person() {
            clips.push(clip);
        }
    }
    Ok(clips)
}
