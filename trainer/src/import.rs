//! Weights from files of this and other programs: safetensors and PyTorch's `state_dict`.
//!
//! A tensor is found by its layer's name and its part, in the words of this trainer
//! (`LAYER.weight`, `.bias`, `.gamma`, `.beta`, `.mean`, `.variance`) or of PyTorch
//! (`LAYER.conv.weight`, `LAYER.norm.weight`, `.bias`, `.running_mean`, `.running_var`), behind
//! any of the prefixes that wrappers put there (`module.`, `model.`, `state_dict.`).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use hourglass::{Graph, HourglassConfig, LayerWeights};
use pytorch_reader::{DType, PytorchReader};
use safetensors::tensor::{Dtype, SafeTensors};

use crate::checkpoint::{CheckpointInfo, read_info, tensors};
use crate::error::TrainError;

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileTensor {
    /// Its name in the file.
    pub name: String,
    /// Its extents.
    pub shape: Vec<usize>,
    /// Its values, row by row.
    pub values: Vec<f32>,
}

/// The tensors of a weights file.
#[derive(Clone, Debug)]
pub struct WeightFile {
    path: PathBuf,
    format: &'static str,
    /// The description, in files of this trainer.
    pub info: Option<CheckpointInfo>,
    /// By layer and part in the words of this trainer.
    tensors: BTreeMap<(String, String), FileTensor>,
    /// Those whose names say nothing.
    others: Vec<FileTensor>,
}

/// What came of loading a file into a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fit {
    /// Tensors that were taken over.
    pub loaded: usize,
    /// Tensors of the network that the file lacks, with their shapes.
    pub missing: Vec<(String, Vec<usize>)>,
    /// Name, shape in the network, shape in the file.
    pub mismatched: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Tensors of the file that the network lacks.
    pub unused: Vec<(String, Vec<usize>)>,
}

impl Fit {
    /// Whether every tensor found its counterpart.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.mismatched.is_empty() && self.unused.is_empty()
    }
}

/// Names that a message spells out of each kind.
const NAMED: usize = 5;

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.loaded + self.missing.len() + self.mismatched.len();
        write!(f, "{} of {total} tensors fit", self.loaded)?;
        let mut list = |what: &str, names: Vec<String>| {
            if names.is_empty() {
                return Ok(());
            }
            write!(
                f,
                "; {} {what}: {}",
                names.len(),
                names[..names.len().min(NAMED)].join(", ")
            )?;
            match names.len() > NAMED {
                true => write!(f, ", and {} more", names.len() - NAMED),
                false => Ok(()),
            }
        };
        let shaped = |(name, shape): &(String, Vec<usize>)| format!("`{name}` {shape:?}");
        list(
            "with another shape",
            self.mismatched
                .iter()
                .map(|(name, wanted, found)| format!("`{name}` is {found:?} instead of {wanted:?}"))
                .collect(),
        )?;
        list("missing", self.missing.iter().map(shaped).collect())?;
        list(
            "that the network lacks",
            self.unused.iter().map(shaped).collect(),
        )
    }
}

/// What stands before the names in the checkpoints of many programs.
const PREFIXES: [&str; 7] = [
    "state_dict.",
    "model_state_dict.",
    "_orig_mod.",
    "module.",
    "model.",
    "network.",
    "net.",
];

/// Layer and part of a tensor, in the words of this trainer; `None` for what is no layer's.
fn place(name: &str) -> Option<(String, String)> {
    let mut name = name;
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = rest;
    }
    let (layer, rest) = name.split_once('.')?;
    let part = match rest {
        "weight" | "conv.weight" => "weight",
        "bias" | "conv.bias" => "bias",
        "gamma" | "norm.weight" | "norm.gamma" | "bn.weight" => "gamma",
        "beta" | "norm.bias" | "norm.beta" | "bn.bias" => "beta",
        "mean" | "norm.running_mean" | "bn.running_mean" => "mean",
        "variance" | "norm.running_var" | "bn.running_var" => "variance",
        _ => return None,
    };
    Some((layer.to_owned(), part.to_owned()))
}

impl WeightFile {
    /// Reads a safetensors file, or what `torch.save` wrote of a `state_dict` or of a dictionary
    /// that holds one.
    ///
    /// # Errors
    /// When the file cannot be read or is neither.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let bytes = std::fs::read(path).map_err(|source| TrainError::Io {
            path: path.to_owned(),
            source,
        })?;
        let fail = |reason: String| TrainError::Checkpoint {
            path: path.to_owned(),
            reason,
        };
        // A safetensors file begins with the length of its header, which begins with a brace.
        let (format, info, list) = if bytes.get(8) == Some(&b'{') {
            let info = read_info(&bytes).map_err(fail)?;
            ("safetensors", info, safetensors_list(&bytes).map_err(fail)?)
        } else {
            drop(bytes);
            ("PyTorch", None, pytorch_list(path).map_err(fail)?)
        };
        let mut file = Self {
            path: path.to_owned(),
            format,
            info,
            tensors: BTreeMap::new(),
            others: Vec::new(),
        };
        // Beside its weights a checkpoint often holds the state of an optimizer.
        let nested = ["state_dict.", "model_state_dict."];
        let nested = nested
            .into_iter()
            .find(|prefix| list.iter().any(|tensor| tensor.name.starts_with(prefix)));
        for tensor in list {
            let foreign = nested.is_some_and(|prefix| !tensor.name.starts_with(prefix));
            let counter = tensor.name.ends_with("num_batches_tracked");
            // In this trainer's own state files.
            let state = file.info.is_some() && tensor.name.starts_with("average/");
            if foreign || counter || state {
                continue;
            }
            match place(&tensor.name) {
                Some(place) => {
                    file.tensors.insert(place, tensor);
                }
                None => file.others.push(tensor),
            }
        }
        if file.tensors.is_empty() && file.others.is_empty() {
            return Err(fail(format!("this {format} file holds no tensors")));
        }
        Ok(file)
    }

    /// Takes over what fits the layers of `graph` by name and shape; the rest of `weights` stays.
    pub fn fit(&self, graph: &Graph, weights: &mut [LayerWeights]) -> Fit {
        let mut fit = Fit::default();
        let mut used = 0;
        let mut left: BTreeMap<_, _> = self.tensors.iter().collect();
        for (layer, weights) in graph.layers.iter().zip(weights) {
            let wanted: Vec<(String, Vec<usize>)> = tensors(layer, weights)
                .into_iter()
                .map(|(name, shape, _)| (name, shape))
                .collect();
            for (name, shape) in wanted {
                let part = name.rsplit('.').next().unwrap_or_default().to_owned();
                let Some(found) = left.remove(&(layer.name.clone(), part.clone())) else {
                    fit.missing.push((name, shape));
                    continue;
                };
                if found.shape != shape {
                    fit.mismatched.push((name, shape, found.shape.clone()));
                    continue;
                }
                used += 1;
                let into = match (part.as_str(), &mut weights.bias, &mut weights.norm) {
                    ("weight", _, _) => Some(&mut weights.weight),
                    ("bias", Some(bias), _) => Some(bias),
                    ("gamma", _, Some(norm)) => Some(&mut norm.gamma),
                    ("beta", _, Some(norm)) => Some(&mut norm.beta),
                    ("mean", _, Some(norm)) => Some(&mut norm.mean),
                    ("variance", _, Some(norm)) => Some(&mut norm.variance),
                    _ => None,
                };
                if let Some(into) = into {
                    into.clone_from(&found.values);
                }
            }
        }
        fit.loaded = used;
        let unused = left.into_values().chain(&self.others);
        fit.unused = unused
            .map(|tensor| (tensor.name.clone(), tensor.shape.clone()))
            .collect();
        fit
    }
}

fn safetensors_list(bytes: &[u8]) -> Result<Vec<FileTensor>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut list = Vec::new();
    for (name, tensor) in file.iter() {
        let kind = match tensor.dtype() {
            Dtype::F32 => Number::F32,
            Dtype::F64 => Number::F64,
            Dtype::F16 => Number::F16,
            Dtype::BF16 => Number::Bf16,
            // Counters and the like.
            _ => continue,
        };
        list.push(FileTensor {
            name: name.to_owned(),
            shape: tensor.shape().to_vec(),
            values: kind.values(tensor.data()),
        });
    }
    Ok(list)
}

fn pytorch_list(path: &Path) -> Result<Vec<FileTensor>, String> {
    let reader = PytorchReader::new(path)
        .map_err(|error| format!("neither a safetensors file nor one of PyTorch: {error}"))?;
    let mut list = Vec::new();
    for (name, tensor) in reader.tensors() {
        let kind = match tensor.dtype() {
            DType::F32 => Number::F32,
            DType::F64 => Number::F64,
            DType::F16 => Number::F16,
            DType::BF16 => Number::Bf16,
            _ => continue,
        };
        let mut bytes = tensor.read().map_err(|error| error.to_string())?;
        // The reader gives the machine's own order.
        if cfg!(target_endian = "big") {
            let size = tensor.dtype().size();
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        list.push(FileTensor {
            name: name.clone(),
            shape: tensor.shape().to_vec(),
            values: kind.values(&bytes),
        });
    }
    list.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(list)
}

/// Kinds of numbers that weights come in.
#[derive(Clone, Copy)]
enum Number {
    F32,
    F64,
    F16,
    Bf16,
}

impl Number {
    /// The numbers in little-endian `bytes`.
    fn values(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => numbers(bytes, f32::from_le_bytes),
            Self::F64 => numbers(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
            Self::F16 => numbers(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Self::Bf16 => numbers(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        }
    }
}

fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|b| number(*b))
        .collect()
}

/// A network with the values that its training starts from.
#[derive(Clone, Debug)]
pub struct Start {
    /// The network.
    pub network: HourglassConfig,
    /// Its values.
    pub weights: Vec<LayerWeights>,
    /// Samples that the weights were trained on before.
    pub samples: u64,
    /// What the log should say, if anything.
    pub note: Option<String>,
}

impl Start {
    /// The weights of a file. A file of this trainer says itself which network they are for; with
    /// `partial`, and with files of other programs, it is `network`. `random` gives the values
    /// that the file does not.
    ///
    /// # Errors
    /// When the file cannot be read, or a tensor does not fit and not `partial`: the message names
    /// tensors with their shapes. With `partial`, when none fits.
    pub fn from_file(
        path: &Path,
        partial: bool,
        network: &HourglassConfig,
        random: impl FnOnce(&Graph) -> Vec<LayerWeights>,
    ) -> Result<Self, TrainError> {
        let file = WeightFile::read(path)?;
        let network = match &file.info {
            Some(info) if !partial => &info.network,
            _ => network,
        };
        let graph = network.graph();
        let mut weights = random(&graph);
        let fit = file.fit(&graph, &mut weights);
        let fail = |hint: &str| TrainError::Checkpoint {
            path: file.path.clone(),
            reason: format!(
                "the weights in this {} file are not those of {} stacks of {} channels{}: {fit}; {hint}",
                file.format,
                network.stacks,
                network.channels,
                if network.mobile { ", mobile" } else { "" },
            ),
        };
        if fit.loaded == 0 {
            return Err(fail(
                "docs/weights.md tells the names that tensors must have",
            ));
        }
        if !partial && !fit.is_complete() {
            return Err(fail(
                "choose the network that they are of, or load what fits with --partial",
            ));
        }
        let note = (!fit.is_complete() || file.info.is_none())
            .then(|| format!("{} ({}): {fit}", path.display(), file.format));
        Ok(Self {
            samples: file.info.as_ref().map_or(0, |info| info.samples),
            network: network.clone(),
            weights,
            note,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_several_programs_mean_the_same() {
        for (name, part) in [
            ("hg0_conv_1x1_1.weight", "weight"),
            ("module.hg0_conv_1x1_1.conv.weight", "weight"),
            ("state_dict.module.hg0_conv_1x1_1.conv.bias", "bias"),
            ("model.hg0_conv_1x1_1.norm.weight", "gamma"),
            ("hg0_conv_1x1_1.bn.running_var", "variance"),
            ("hg0_conv_1x1_1.mean", "mean"),
        ] {
            let expected = ("hg0_conv_1x1_1".to_owned(), part.to_owned());
            assert_eq!(place(name), Some(expected), "{name}");
        }
        assert_eq!(place("layer1.0.bn1.weight"), None);
        assert_eq!(place("epoch"), None);
    }

    #[test]
    fn numbers_of_every_kind_are_read() {
        let bits = [0x3c00u16, 0xc000, 0x3555, 0x0001, 0x7bff, 0x8000];
        let bytes: Vec<u8> = bits.iter().flat_map(|v| v.to_le_bytes()).collect();
        // Examples of the Wikipedia article on the format.
        let expected = [1.0, -2.0, 0.333_251_95, 5.960_464_5e-8, 65504.0, -0.0];
        assert_eq!(Number::F16.values(&bytes), expected);
        let bytes = [0x80, 0x3f, 0x49, 0x40];
        assert_eq!(Number::Bf16.values(&bytes), [1.0, 3.140_625]);
        assert_eq!(Number::F32.values(&1.5f32.to_le_bytes()), [1.5]);
        assert_eq!(Number::F64.values(&(-0.1f64).to_le_bytes()), [-0.1]);
    }
}
