//! Weights and the state of a training on disk.
//!
//! Weights are safetensors files with names as in `hg0_conv_1x1_predict.weight`, `.bias`,
//! `.gamma`, `.beta`, `.mean`, `.variance`; the description of the network is JSON in the file's
//! metadata, so that a file alone says what it holds.

use std::collections::HashMap;
use std::path::Path;

use hourglass::{ConvLayer, Graph, HourglassConfig, LayerWeights, NormWeights};
use onnx_graph::write_atomically;
use pose::KeypointSet;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

const KEY: &str = "hourglass";

/// What a weights file says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointInfo {
    /// The network.
    pub network: HourglassConfig,
    /// What the heatmaps are of: in the file the name of a built-in set, or a whole set.
    #[serde(with = "keypoint_field")]
    pub keypoints: KeypointSet,
    /// Network input, `[height, width]` in pixels.
    pub input: [usize; 2],
    /// Standard deviation of the target Gaussians in heatmap cells.
    pub sigma: f32,
    /// The crop's side over the longer side of the person's box.
    pub margin: f32,
    /// Optimizer steps so far.
    pub step: u64,
    /// Training samples so far.
    pub samples: u64,
    /// People in an epoch.
    pub epoch_samples: u64,
    /// Best validation PCK so far, percent.
    pub best: f32,
    /// The data sets that were trained on.
    pub data: Vec<String>,
}

mod keypoint_field {
    use pose::KeypointSet;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Field {
        Name(String),
        Set(KeypointSet),
    }

    pub fn serialize<S: Serializer>(set: &KeypointSet, to: S) -> Result<S::Ok, S::Error> {
        match KeypointSet::builtin(&set.name).is_some_and(|builtin| builtin == *set) {
            true => set.name.serialize(to),
            false => set.serialize(to),
        }
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<KeypointSet, D::Error> {
        match Field::deserialize(from)? {
            Field::Set(set) => Ok(set),
            Field::Name(name) => KeypointSet::builtin(&name).ok_or_else(|| {
                D::Error::custom(format!(
                    "unknown keypoint set `{name}`; there are {}",
                    KeypointSet::BUILTIN.join(", ")
                ))
            }),
        }
    }
}

/// Weights with their description.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The description.
    pub info: CheckpointInfo,
    /// The values in the order of the graph's layers.
    pub weights: Vec<LayerWeights>,
}

/// Name, shape and values of every tensor of a layer.
pub(crate) fn tensors<'a>(
    layer: &'a ConvLayer,
    weights: &'a LayerWeights,
) -> Vec<(String, Vec<usize>, &'a [f32])> {
    let name = |part: &str| format!("{}.{part}", layer.name);
    let vector = vec![layer.outputs];
    let mut list = vec![(
        name("weight"),
        layer.weight_shape().to_vec(),
        &weights.weight[..],
    )];
    if let Some(bias) = &weights.bias {
        list.push((name("bias"), vector.clone(), bias));
    }
    if let Some(norm) = &weights.norm {
        list.push((name("gamma"), vector.clone(), &norm.gamma));
        list.push((name("beta"), vector.clone(), &norm.beta));
        list.push((name("mean"), vector.clone(), &norm.mean));
        list.push((name("variance"), vector, &norm.variance));
    }
    list
}

/// A tensor as it goes into a file.
pub(crate) struct Entry {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// The tensors of all layers, their names behind `prefix`.
pub(crate) fn entries(prefix: &str, graph: &Graph, weights: &[LayerWeights]) -> Vec<Entry> {
    let layers = graph.layers.iter().zip(weights);
    let entry = |(name, shape, values): (String, Vec<usize>, &[f32])| Entry {
        name: format!("{prefix}{name}"),
        dtype: Dtype::F32,
        shape,
        bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    };
    layers
        .flat_map(|(layer, weights)| tensors(layer, weights))
        .map(entry)
        .collect()
}

/// Writes the file; an existing one is replaced only when the new one is complete.
pub(crate) fn write_entries(
    path: &Path,
    info: &CheckpointInfo,
    entries: &[Entry],
) -> Result<(), TrainError> {
    let fail = |reason: String| TrainError::Checkpoint {
        path: path.to_owned(),
        reason,
    };
    let views = entries
        .iter()
        .map(|entry| {
            let view = TensorView::new(entry.dtype, entry.shape.clone(), &entry.bytes);
            view.map(|view| (entry.name.as_str(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| fail(error.to_string()))?;
    let info = serde_json::to_string(info).map_err(|error| fail(error.to_string()))?;
    let metadata = HashMap::from([(KEY.to_owned(), info)]);
    let bytes =
        safetensors::serialize(views, Some(metadata)).map_err(|error| fail(error.to_string()))?;
    write_atomically(path, &bytes).map_err(|source| TrainError::Io {
        path: path.to_owned(),
        source,
    })
}

/// The description in a file of this trainer; `None` in a safetensors file of another program.
pub(crate) fn read_info(bytes: &[u8]) -> Result<Option<CheckpointInfo>, String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|error| format!("not a safetensors file: {error}"))?;
    let info = metadata.metadata().as_ref().and_then(|map| map.get(KEY));
    info.map(|info| {
        serde_json::from_str(info).map_err(|error| format!("its `{KEY}` description: {error}"))
    })
    .transpose()
}

/// The values of all layers from tensors with names behind `prefix`.
pub(crate) fn read_layers(
    file: &SafeTensors<'_>,
    prefix: &str,
    graph: &Graph,
) -> Result<Vec<LayerWeights>, String> {
    let read = |name: String, shape: &[usize]| -> Result<Vec<f32>, String> {
        let name = format!("{prefix}{name}");
        let tensor = file
            .tensor(&name)
            .map_err(|_| format!("lacks tensor `{name}` of shape {shape:?}"))?;
        if tensor.shape() != shape || tensor.dtype() != Dtype::F32 {
            let (found, dtype) = (tensor.shape(), tensor.dtype());
            return Err(format!(
                "tensor `{name}`: expected F32 {shape:?}, found {dtype:?} {found:?}"
            ));
        }
        let chunks = tensor.data().as_chunks::<4>().0;
        Ok(chunks
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect())
    };
    let layer = |layer: &ConvLayer| -> Result<LayerWeights, String> {
        let vector = |part: &str| read(format!("{}.{part}", layer.name), &[layer.outputs]);
        Ok(LayerWeights {
            weight: read(format!("{}.weight", layer.name), &layer.weight_shape())?,
            bias: layer.bias.then(|| vector("bias")).transpose()?,
            norm: match layer.norm {
                true => Some(NormWeights {
                    gamma: vector("gamma")?,
                    beta: vector("beta")?,
                    mean: vector("mean")?,
                    variance: vector("variance")?,
                }),
                false => None,
            },
        })
    };
    graph.layers.iter().map(layer).collect()
}

impl Checkpoint {
    /// Writes the file; an existing one is replaced only when the new one is complete.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let graph = self.info.network.graph();
        write_entries(path, &self.info, &entries("", &graph, &self.weights))
    }

    /// Reads a file that [`Checkpoint::save`] wrote.
    ///
    /// # Errors
    /// When the file cannot be read, or lacks a tensor of the network that it describes; the
    /// message names the tensor.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        let bytes = std::fs::read(path).map_err(|source| TrainError::Io {
            path: path.to_owned(),
            source,
        })?;
        let fail = |reason: String| TrainError::Checkpoint {
            path: path.to_owned(),
            reason,
        };
        let info = read_info(&bytes).map_err(fail)?.ok_or_else(|| {
            fail(format!(
                "holds no `{KEY}` description; it was not written by this trainer"
            ))
        })?;
        info.network
            .check()
            .map_err(|error| fail(format!("its network: {error}")))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| fail(error.to_string()))?;
        let weights = read_layers(&file, "", &info.network.graph()).map_err(fail)?;
        Ok(Self { info, weights })
    }
}
