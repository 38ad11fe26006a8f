//! What a training leaves to read: `train.log` for people, `log.csv` for programs.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::TrainError;

/// Figures between two validations.
#[derive(Clone, Copy, Debug)]
pub struct EpochRecord {
    /// Passes over the data so far.
    pub epoch: f32,
    /// Optimizer steps so far.
    pub step: u64,
    /// Samples so far.
    pub samples: u64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean loss of the training batches.
    pub loss: f32,
    /// Validation PCK@0.2, percent.
    pub pck: f32,
    /// Best validation PCK so far, percent.
    pub best: f32,
    /// Training speed with everything.
    pub samples_per_second: f32,
    /// Time for these steps.
    pub wall: Duration,
}

/// The files of one training.
pub struct TrainLog {
    text: (PathBuf, File),
    csv: (PathBuf, File),
}

const COLUMNS: &str = "epoch,step,samples,learning_rate,loss,pck,best,samples_per_second";

impl TrainLog {
    /// Opens the logs in `folder`, anew or to append.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn open(folder: &Path, append: bool) -> Result<Self, TrainError> {
        let open = |name: &str| {
            let path = folder.join(name);
            let mut options = OpenOptions::new();
            options.create(true).append(append).write(true);
            let file = options.truncate(!append).open(&path);
            match file {
                Ok(file) => Ok((path, file)),
                Err(source) => Err(TrainError::Io { path, source }),
            }
        };
        let mut log = Self {
            text: open("train.log")?,
            csv: open("log.csv")?,
        };
        if log.csv.1.metadata().is_ok_and(|data| data.len() == 0) {
            write_line(&mut log.csv, COLUMNS)?;
        }
        Ok(log)
    }

    /// Writes a line to the log and to standard error.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn line(&mut self, line: &str) -> Result<(), TrainError> {
        eprintln!("{line}");
        write_line(&mut self.text, line)
    }

    /// Writes one record to both files.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn epoch(&mut self, r: &EpochRecord) -> Result<(), TrainError> {
        self.line(&format!(
            "epoch {:6.2}  step {:6}  loss {:.6}  PCK@0.2 {:5.2} (best {:5.2})  rate {:.2e}  \
             {:5.1} samples/s  {:.0} s",
            r.epoch,
            r.step,
            r.loss,
            r.pck,
            r.best,
            r.learning_rate,
            r.samples_per_second,
            r.wall.as_secs_f32()
        ))?;
        let line = format!(
            "{:.4},{},{},{:.6e},{:.8},{:.3},{:.3},{:.2}",
            r.epoch,
            r.step,
            r.samples,
            r.learning_rate,
            r.loss,
            r.pck,
            r.best,
            r.samples_per_second
        );
        write_line(&mut self.csv, &line)
    }
}

fn write_line((path, file): &mut (PathBuf, File), line: &str) -> Result<(), TrainError> {
    writeln!(file, "{line}").map_err(|source| TrainError::Io {
        path: path.clone(),
        source,
    })
}
