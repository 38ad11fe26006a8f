//! Weights and the state of a training on disk.
//!
//! Weights are safetensors files with names as in `hg0_conv_1x1_predict.weight`, `.bias`,
//! `.gamma`, `.beta`, `.mean`, `.variance`; the description of the network is JSON in the file's
//! metadata, so that a file alone says what it holds.

use std::collections::HashMap;
use std::path::Path;

use hourglass::{ConvLayer, HourglassConfig, LayerWeights, NormWeights};
use onnx_graph::write_atomically;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

const KEY: &str = "hourglass";

/// What a weights file says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointInfo {
    /// The network.
    pub network: HourglassConfig,
    /// Keypoint set, by its name.
    pub keypoints: String,
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

/// Weights with their description.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The description.
    pub info: CheckpointInfo,
    /// The values in the order of the graph's layers.
    pub weights: Vec<LayerWeights>,
}

/// Name, shape and values of every tensor of a layer.
fn tensors<'a>(
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

impl Checkpoint {
    /// Writes the file; an existing one is replaced only when the new one is complete.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let fail = |reason: String| TrainError::Checkpoint {
            path: path.to_owned(),
            reason,
        };
        let graph = self.info.network.graph();
        let owned: Vec<(String, Vec<usize>, Vec<u8>)> = graph
            .layers
            .iter()
            .zip(&self.weights)
            .flat_map(|(layer, weights)| tensors(layer, weights))
            .map(|(name, shape, values)| {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                (name, shape, bytes)
            })
            .collect();
        let views = owned
            .iter()
            .map(|(name, shape, bytes)| {
                let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
                view.map(|view| (name.as_str(), view))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| fail(error.to_string()))?;
        let info = serde_json::to_string(&self.info).map_err(|error| fail(error.to_string()))?;
        let metadata = HashMap::from([(KEY.to_owned(), info)]);
        let bytes = safetensors::serialize(views, Some(metadata))
            .map_err(|error| fail(error.to_string()))?;
        write_atomically(path, &bytes).map_err(|source| TrainError::Io {
            path: path.to_owned(),
            source,
        })
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
        let (_, metadata) = SafeTensors::read_metadata(&bytes)
            .map_err(|error| fail(format!("not a safetensors file: {error}")))?;
        let info = metadata
            .metadata()
            .as_ref()
            .and_then(|map| map.get(KEY))
            .ok_or_else(|| {
                fail(format!(
                    "holds no `{KEY}` description; it was not written by this trainer"
                ))
            })?;
        let info: CheckpointInfo = serde_json::from_str(info)
            .map_err(|error| fail(format!("its `{KEY}` description: {error}")))?;
        info.network
            .check()
            .map_err(|error| fail(format!("its network: {error}")))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| fail(error.to_string()))?;
        let read = |name: String, shape: &[usize]| -> Result<Vec<f32>, TrainError> {
            let tensor = file
                .tensor(&name)
                .map_err(|_| fail(format!("lacks tensor `{name}` of shape {shape:?}")))?;
            if tensor.shape() != shape || tensor.dtype() != Dtype::F32 {
                let (found, dtype) = (tensor.shape(), tensor.dtype());
                return Err(fail(format!(
                    "tensor `{name}`: expected F32 {shape:?}, found {dtype:?} {found:?}"
                )));
            }
            let chunks = tensor.data().as_chunks::<4>().0;
            Ok(chunks
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect())
        };
        let layer = |layer: &ConvLayer| -> Result<LayerWeights, TrainError> {
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
        let graph = info.network.graph();
        let weights = graph.layers.iter().map(layer).collect::<Result<_, _>>()?;
        Ok(Self { info, weights })
    }
}
