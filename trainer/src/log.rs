//! What a training leaves to read: `train.log` for people, `log.csv` for programs, `val.txt` for
//! the earlier projects' programs.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::TrainError;

/// Figures of one step.
#[derive(Clone, Copy, Debug)]
pub struct StepRecord {
    /// Optimizer steps so far.
    pub step: u64,
    /// Loss of this step's batch.
    pub loss: f32,
    /// Mean loss since the last validation.
    pub mean_loss: f32,
    /// Learning rate.
    pub learning_rate: f64,
    /// Training speed since the last validation.
    pub samples_per_second: f32,
}

/// Figures between two validations.
#[derive(Clone, Debug)]
pub struct EpochRecord {
    /// Passes over the data so far.
    pub epoch: f32,
    /// Optimizer steps so far.
    pub step: u64,
    /// Validations before this one.
    pub validation: u64,
    /// Samples so far.
    pub samples: u64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean loss of the training batches.
    pub loss: f32,
    /// Validation PCK@0.2, percent.
    pub pck: f32,
    /// Validation PCK@0.2 of each joint, percent.
    pub joints: Vec<(String, f32)>,
    /// Best validation PCK so far, percent.
    pub best: f32,
    /// Training speed with everything.
    pub samples_per_second: f32,
    /// Time for these steps.
    pub wall: Duration,
}

impl fmt::Display for EpochRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "epoch {:6.2}  step {:6}  loss {:.6}  PCK@0.2 {:5.2} (best {:5.2})  rate {:.2e}  \
             {:5.1} samples/s  {:.0} s",
            self.epoch,
            self.step,
            self.loss,
            self.pck,
            self.best,
            self.learning_rate,
            self.samples_per_second,
            self.wall.as_secs_f32()
        )
    }
}

/// The files of one training.
pub struct TrainLog {
    text: (PathBuf, File),
    csv: (PathBuf, File),
    validation: (PathBuf, File),
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
            validation: open("val.txt")?,
        };
        if log.csv.1.metadata().is_ok_and(|data| data.len() == 0) {
            write_line(&mut log.csv, COLUMNS)?;
        }
        Ok(log)
    }

    /// Writes a line for people.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn line(&mut self, line: &str) -> Result<(), TrainError> {
        write_line(&mut self.text, line)
    }

    /// Names model type and validation data at the top of `val.txt`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(&mut self, model: &str, dataset: &str) -> Result<(), TrainError> {
        if self
            .validation
            .1
            .metadata()
            .is_ok_and(|data| data.len() == 0)
        {
            let head = format!("model:{model};dataset:{dataset}");
            write_line(&mut self.validation, &head)?;
        }
        Ok(())
    }

    /// Writes a row for programs, and a line of `val.txt`: the PCK as a fraction.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn row(&mut self, r: &EpochRecord) -> Result<(), TrainError> {
        let accuracy = f64::from(r.pck) / 100.0;
        let line = format!("Epoch {}:{accuracy}", r.validation);
        write_line(&mut self.validation, &line)?;
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
