//! The files of a training's folder.

use std::path::{Path, PathBuf};

use hourglass::LayerWeights;
use onnx_graph::write_atomically;
use serde::{Deserialize, Serialize};

use super::window::Window;
use crate::average::Average;
use crate::checkpoint::{Checkpoint, CheckpointInfo};
use crate::error::TrainError;
use crate::settings::TrainSettings;
use crate::stepper::Stepper;

/// File of the best checkpoint in a training's folder.
pub const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
const LAST_AVERAGE: &str = "last-average.safetensors";
const OPTIMIZER: &str = "optimizer.bpk";
const CONFIG: &str = "config.toml";
const STATE: &str = "state.json";

/// Where a training leaves its checkpoints.
pub struct RunFolder {
    path: PathBuf,
    keep: usize,
}

/// What an interrupted training needs beside weights and optimizer to take the same course.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunState {
    /// Optimizer steps so far.
    pub step: u64,
    /// Validations since the best one.
    pub waited: u64,
    /// Figures since the last validation.
    pub window: Window,
}

impl RunFolder {
    /// Makes the folder.
    ///
    /// # Errors
    /// When it cannot be made, or holds a training that the settings do not continue.
    pub fn open(settings: &TrainSettings) -> Result<Self, TrainError> {
        let path = settings.output.clone();
        std::fs::create_dir_all(&path).map_err(|source| io_error(&path, source))?;
        if !settings.resume && path.join(LAST).exists() {
            return Err(TrainError::Setting(format!(
                "{} already holds a training; give --resume to continue it, or another --output",
                path.display()
            )));
        }
        if let Some(record) = &settings.record {
            let path = path.join(CONFIG);
            let written = write_atomically(&path, record.as_bytes());
            written.map_err(|source| io_error(&path, source))?;
        }
        Ok(Self {
            path,
            keep: settings.keep,
        })
    }

    /// The best checkpoint.
    pub fn best(&self) -> PathBuf {
        self.path.join(BEST)
    }

    /// The last checkpoint: the weights as the optimizer left them.
    pub fn last(&self) -> PathBuf {
        self.path.join(LAST)
    }

    /// The last moving average of the weights.
    pub fn last_average(&self) -> PathBuf {
        self.path.join(LAST_AVERAGE)
    }

    /// The optimizer's state.
    pub fn optimizer(&self) -> PathBuf {
        self.path.join(OPTIMIZER)
    }

    /// What [`save`](Self::save) wrote of the state at `step`; the start of one when the file is
    /// of another step or missing.
    pub fn state(&self, step: u64) -> RunState {
        let state = std::fs::read(self.path.join(STATE));
        let state = state
            .ok()
            .and_then(|bytes| serde_json::from_slice::<RunState>(&bytes).ok());
        state.filter(|state| state.step == step).unwrap_or_default()
    }

    /// Writes everything that a resumed training reads.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(
        &self,
        info: &CheckpointInfo,
        stepper: &mut Stepper,
        average: &Average,
        state: &RunState,
    ) -> Result<(), TrainError> {
        stepper.save_optimizer(&self.optimizer())?;
        checkpoint(info, average.weights()).save(&self.last_average())?;
        let path = self.path.join(STATE);
        // Numbers only: nothing in a state can fail to become JSON.
        let text = serde_json::to_vec(state).unwrap_or_default();
        write_atomically(&path, &text).map_err(|source| io_error(&path, source))?;
        checkpoint(info, stepper.weights()).save(&self.last())
    }

    /// Writes the best checkpoint.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_best(&self, info: &CheckpointInfo, average: &Average) -> Result<(), TrainError> {
        checkpoint(info, average.weights()).save(&self.best())
    }

    /// Writes a checkpoint whose name says step and PCK, and removes the oldest ones beyond the
    /// number to keep.
    ///
    /// # Errors
    /// When a file cannot be written or removed.
    pub fn save_kept(
        &self,
        info: &CheckpointInfo,
        average: &Average,
        pck: f32,
    ) -> Result<(), TrainError> {
        if self.keep == 0 {
            return Ok(());
        }
        let name = format!("step-{:06}-pck-{pck:.1}.safetensors", info.step);
        checkpoint(info, average.weights()).save(&self.path.join(name))?;
        let mut kept = self.kept()?;
        kept.sort();
        let extra = kept.len().saturating_sub(self.keep);
        for (_, path) in kept.into_iter().take(extra) {
            std::fs::remove_file(&path).map_err(|source| io_error(&path, source))?;
        }
        Ok(())
    }

    /// The kept checkpoints with their steps.
    fn kept(&self) -> Result<Vec<(u64, PathBuf)>, TrainError> {
        let entries = std::fs::read_dir(&self.path).map_err(|e| io_error(&self.path, e))?;
        let mut kept = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| io_error(&self.path, source))?;
            if let Some(step) = step_of(&entry.file_name().to_string_lossy()) {
                kept.push((step, entry.path()));
            }
        }
        Ok(kept)
    }
}

/// The step in a kept checkpoint's name.
fn step_of(name: &str) -> Option<u64> {
    let (step, pck) = name
        .strip_prefix("step-")?
        .strip_suffix(".safetensors")?
        .split_once("-pck-")?;
    pck.parse::<f32>().ok()?;
    step.parse().ok()
}

fn checkpoint(info: &CheckpointInfo, weights: &[LayerWeights]) -> Checkpoint {
    Checkpoint {
        info: info.clone(),
        weights: weights.to_vec(),
    }
}

fn io_error(path: &Path, source: std::io::Error) -> TrainError {
    TrainError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kept_checkpoints_have_a_step() {
        assert_eq!(step_of("step-000123-pck-61.2.safetensors"), Some(123));
        assert_eq!(step_of("step-1234567-pck-0.0.safetensors"), Some(1_234_567));
        for other in [
            "best.safetensors",
            "step-12.safetensors",
            "step-x-pck-1.0.safetensors",
            "step-12-pck-good.safetensors",
            "step-000123-pck-61.2.safetensors.bak",
        ] {
            assert_eq!(step_of(other), None, "{other}");
        }
    }
}
