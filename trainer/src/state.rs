//! What an interrupted training continues from.

use std::path::Path;

use hourglass::LayerWeights;
use safetensors::tensor::{Dtype, SafeTensors};

use crate::checkpoint::{
    Checkpoint, CheckpointInfo, Entry, entries, read_info, read_layers, write_entries,
};
use crate::error::TrainError;

/// File of the state in a training's folder.
pub const STATE: &str = "state.safetensors";
/// Weights of the last step.
pub const LAST: &str = "last.safetensors";
/// Moving average of the weights at the last step.
pub const LAST_AVERAGE: &str = "last-average.safetensors";
/// The optimizer's state in the folders of version 0.1, which kept the parts in files of their
/// own.
const OPTIMIZER: &str = "optimizer.bpk";

const AVERAGE: &str = "average/";
const OPTIMIZER_TENSOR: &str = "optimizer";
const PROGRESS_TENSOR: &str = "progress";

/// Everything that decides how a training goes on, beside its settings. One file holds it all, so
/// that its parts are always of the same step, whenever the machine loses its power.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    /// The network and how far the training is.
    pub info: CheckpointInfo,
    /// Weights of the last step.
    pub weights: Vec<LayerWeights>,
    /// Their moving average.
    pub average: Vec<LayerWeights>,
    /// The optimizer's state, see [`crate::Stepper::optimizer_state`].
    pub optimizer: Vec<u8>,
    /// What the loop counts, in its own words.
    pub progress: String,
}

impl TrainingState {
    /// Writes the file into a training's folder, and the weights and their average into files of
    /// their own for other use.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), TrainError> {
        let graph = self.info.network.graph();
        let weights = entries("", &graph, &self.weights);
        let average = entries("", &graph, &self.average);
        write_entries(&folder.join(LAST_AVERAGE), &self.info, &average)?;
        write_entries(&folder.join(LAST), &self.info, &weights)?;
        let mut all = weights;
        all.extend(average.into_iter().map(|entry| Entry {
            name: format!("{AVERAGE}{}", entry.name),
            ..entry
        }));
        all.push(Entry {
            name: OPTIMIZER_TENSOR.to_owned(),
            dtype: Dtype::U8,
            shape: vec![self.optimizer.len()],
            bytes: self.optimizer.clone(),
        });
        all.push(Entry {
            name: PROGRESS_TENSOR.to_owned(),
            dtype: Dtype::U8,
            shape: vec![self.progress.len()],
            bytes: self.progress.clone().into_bytes(),
        });
        write_entries(&folder.join(STATE), &self.info, &all)?;
        // The state that it replaces.
        match std::fs::remove_file(folder.join(OPTIMIZER)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(TrainError::Io {
                path: folder.join(OPTIMIZER),
                source: error,
            }),
            _ => Ok(()),
        }
    }

    /// Reads the state from a training's folder.
    ///
    /// # Errors
    /// When there is none, or it is incomplete.
    pub fn load(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(STATE);
        if !path.exists() {
            return Self::load_parts(folder);
        }
        let bytes = read(&path)?;
        let fail = |reason: String| TrainError::Checkpoint {
            path: path.clone(),
            reason,
        };
        let info = read_info(&bytes).map_err(fail)?;
        let info = info.ok_or_else(|| fail("holds no description".to_owned()))?;
        let graph = info.network.graph();
        let file = SafeTensors::deserialize(&bytes).map_err(|error| fail(error.to_string()))?;
        let part = |name: &str| match file.tensor(name) {
            Ok(tensor) => Ok(tensor.data().to_vec()),
            Err(_) => Err(fail(format!("lacks `{name}`"))),
        };
        Ok(Self {
            weights: read_layers(&file, "", &graph).map_err(fail)?,
            average: read_layers(&file, AVERAGE, &graph).map_err(fail)?,
            optimizer: part(OPTIMIZER_TENSOR)?,
            progress: String::from_utf8_lossy(&part(PROGRESS_TENSOR)?).into_owned(),
            info,
        })
    }

    fn load_parts(folder: &Path) -> Result<Self, TrainError> {
        let last = Checkpoint::load(&folder.join(LAST))?;
        let average = Checkpoint::load(&folder.join(LAST_AVERAGE))?;
        Ok(Self {
            info: last.info,
            weights: last.weights,
            average: average.weights,
            optimizer: read(&folder.join(OPTIMIZER))?,
            progress: String::new(),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TrainError> {
    std::fs::read(path).map_err(|source| TrainError::Io {
        path: path.to_owned(),
        source,
    })
}
