//! The files of a training's folder.

use std::path::{Path, PathBuf};

use hourglass::LayerWeights;
use onnx_graph::write_atomically;

use crate::average::Average;
use crate::checkpoint::{Checkpoint, CheckpointInfo};
use crate::error::TrainError;
use crate::settings::TrainSettings;
use crate::state::{LAST, TrainingState};

/// File of the best checkpoint in a training's folder.
pub const BEST: &str = "best.safetensors";
const CONFIG: &str = "config.toml";

/// Where a training leaves its checkpoints.
pub struct RunFolder {
    path: PathBuf,
    keep: usize,
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

    /// What [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When there is nothing to continue, or it cannot be read.
    pub fn state(&self) -> Result<TrainingState, TrainError> {
        TrainingState::load(&self.path)
    }

    /// Writes everything that a resumed training reads.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, state: &TrainingState) -> Result<(), TrainError> {
        state.save(&self.path)
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
