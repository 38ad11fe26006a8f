//! MakeHuman's rig (`default.mhskel`) and skin weights (`default_weights.mhw`), both JSON.

use crate::error::{SynthError, read_text};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
struct SkeletonJson {
    bones: BTreeMap<String, BoneJson>,
    joints: BTreeMap<String, Vec<usize>>,
}

#[derive(Deserialize)]
struct BoneJson {
    head: String,
    tail: String,
    parent: Option<String>,
}

#[derive(Deserialize)]
struct WeightsJson {
    weights: BTreeMap<String, Vec<(usize, f32)>>,
}

/// A bone whose ends are the means of vertices of the base mesh.
#[derive(Debug, Clone)]
pub(crate) struct FileBone {
    pub(crate) name: String,
    pub(crate) parent: Option<usize>,
    pub(crate) head: Vec<usize>,
    pub(crate) tail: Vec<usize>,
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, SynthError> {
    serde_json::from_str(&read_text(path)?)
        .map_err(|e| SynthError::content(path, format!("not the JSON expected: {e}")))
}

/// Reads the rig; parents come before children in the result.
pub(crate) fn read_bones(path: &Path, vertices: usize) -> Result<Vec<FileBone>, SynthError> {
    let file: SkeletonJson = read_json(path)?;
    let joint = |name: &str| -> Result<Vec<usize>, SynthError> {
        let joint = file.joints.get(name).filter(|v| !v.is_empty());
        match joint {
            Some(v) if v.iter().all(|&k| k < vertices) => Ok(v.clone()),
            _ => Err(SynthError::content(
                path,
                format!("joint `{name}` lacks vertices of a base mesh of {vertices}"),
            )),
        }
    };
    let mut bones: Vec<FileBone> = Vec::with_capacity(file.bones.len());
    // Each round takes the bones whose parents are there; a circle ends in a round without any.
    let mut waiting: Vec<(&String, &BoneJson)> = file.bones.iter().collect();
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut later = Vec::new();
        for (name, bone) in waiting {
            let parent = match &bone.parent {
                None => None,
                Some(parent) => match bones.iter().position(|b| b.name == *parent) {
                    Some(index) => Some(index),
                    None => {
                        later.push((name, bone));
                        continue;
                    }
                },
            };
            bones.push(FileBone {
                name: name.clone(),
                parent,
                head: joint(&bone.head)?,
                tail: joint(&bone.tail)?,
            });
        }
        if later.len() == before {
            let names: Vec<_> = later.iter().map(|(n, _)| n.as_str()).take(5).collect();
            return Err(SynthError::content(
                path,
                format!("bones without a way to the root: {}", names.join(", ")),
            ));
        }
        waiting = later;
    }
    Ok(bones)
}

/// Reads the weights: for every vertex its (bone index, weight) pairs.
pub(crate) fn read_weights(
    path: &Path,
    vertices: usize,
    bones: &[FileBone],
) -> Result<Vec<Vec<(usize, f32)>>, SynthError> {
    let file: WeightsJson = read_json(path)?;
    let mut influences = vec![Vec::new(); vertices];
    for (name, pairs) in &file.weights {
        let Some(bone) = bones.iter().position(|b| b.name == *name) else {
            return Err(SynthError::content(
                path,
                format!("weights of bone `{name}`, which the rig lacks: files of two versions?"),
            ));
        };
        for &(vertex, weight) in pairs {
            if let Some(list) = influences.get_mut(vertex) {
                list.push((bone, weight));
            }
        }
    }
    Ok(influences)
}
