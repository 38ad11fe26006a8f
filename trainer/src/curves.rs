//! Reading what trainings leave behind: our own logs, those of the earlier projects, TensorBoard.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::error::TrainError;
use crate::tensorboard::{PREFIX, read_events};

/// What a curve shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// Validation accuracy, percent.
    Pck,
    /// Loss of the training batches.
    Loss,
    /// Loss of the validation set.
    ValidationLoss,
    /// Learning rate.
    LearningRate,
}

/// What lies along the horizontal axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Axis {
    /// Training samples seen, over all trainings that made the weights.
    Samples,
    /// Optimizer steps.
    Steps,
    /// Passes over the data.
    Epochs,
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Samples => "samples",
            Self::Steps => "steps",
            Self::Epochs => "epochs",
        })
    }
}

/// One value of a curve, with where it stands as far as the file says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CurvePoint {
    /// Training samples.
    pub samples: Option<f64>,
    /// Optimizer steps.
    pub steps: Option<f64>,
    /// Passes over the data.
    pub epochs: Option<f64>,
    /// The value.
    pub value: f64,
}

impl CurvePoint {
    /// Where it stands on an axis.
    pub fn at(&self, axis: Axis) -> Option<f64> {
        match axis {
            Axis::Samples => self.samples,
            Axis::Steps => self.steps,
            Axis::Epochs => self.epochs,
        }
    }
}

/// The curves of one training.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    /// What to call it.
    pub label: String,
    /// Where it was read from.
    pub path: PathBuf,
    /// The curves.
    pub curves: BTreeMap<Quantity, Vec<CurvePoint>>,
}

impl Curves {
    /// Reads a training's folder, or one of: `log.csv` (also of Keras' `CSVLogger`), `log.txt`
    /// with tabs, `val.txt`, a TensorBoard event file.
    ///
    /// # Errors
    /// A file that cannot be read or is none of these; the message names the line.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let mut curves = if path.is_dir() {
            Self::read_folder(path)?
        } else {
            Self::read_file(path)?
        };
        curves.path = path.to_owned();
        if curves.curves.values().all(Vec::is_empty) {
            return Err(wrong(path, "holds no curve: no loss, accuracy or rate"));
        }
        if curves.label.is_empty() {
            curves.label = label(path);
        }
        Ok(curves)
    }

    /// Whether every curve has positions on an axis.
    pub fn has(&self, axis: Axis) -> bool {
        let points = self.curves.values().flatten();
        points.into_iter().all(|point| point.at(axis).is_some())
    }

    fn read_folder(folder: &Path) -> Result<Self, TrainError> {
        for name in ["log.csv", "log.txt"] {
            if folder.join(name).is_file() {
                return Self::read_file(&folder.join(name));
            }
        }
        let entries = std::fs::read_dir(folder).map_err(|source| TrainError::Io {
            path: folder.to_owned(),
            source,
        })?;
        let mut events: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| is_events(path))
            .collect();
        events.sort();
        if events.is_empty() {
            return Self::read_file(&folder.join("val.txt")).map_err(|_| {
                wrong(
                    folder,
                    "holds no log.csv, log.txt, val.txt or TensorBoard event file",
                )
            });
        }
        let mut all = Self::default();
        for path in events {
            all.add_events(&path)?;
        }
        Ok(all)
    }

    fn read_file(path: &Path) -> Result<Self, TrainError> {
        let mut curves = Self::default();
        if is_events(path) {
            curves.add_events(path)?;
            return Ok(curves);
        }
        let text = std::fs::read_to_string(path).map_err(|source| TrainError::Io {
            path: path.to_owned(),
            source,
        })?;
        let head = text.lines().find(|line| !line.trim().is_empty());
        let head = head.unwrap_or_default();
        if head.starts_with("model:") || head.starts_with("Epoch ") && head.contains(':') {
            curves.add_val_text(path, &text)?;
        } else {
            curves.add_table(path, &text)?;
        }
        Ok(curves)
    }

    /// `model:TYPE;dataset:NAME`, then `Epoch N:ACCURACY` with N from 0 and ACCURACY from 0 to 1.
    fn add_val_text(&mut self, path: &Path, text: &str) -> Result<(), TrainError> {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some((model, dataset)) = line
                .strip_prefix("model:")
                .and_then(|rest| rest.split_once(";dataset:"))
            {
                // A continued training repeats its head.
                self.label = format!("{model} {dataset}");
                continue;
            }
            let numbers = line
                .strip_prefix("Epoch ")
                .and_then(|rest| rest.split_once(':'))
                .and_then(|(n, a)| Some((n.trim().parse().ok()?, a.trim().parse().ok()?)));
            let Some((epoch, accuracy)): Option<(f64, f64)> = numbers else {
                if line.is_empty() {
                    continue;
                }
                return Err(wrong_line(path, index, "expected `Epoch N:ACCURACY`"));
            };
            self.push(
                Quantity::Pck,
                CurvePoint {
                    epochs: Some(epoch + 1.0),
                    value: 100.0 * accuracy,
                    ..CurvePoint::default()
                },
            );
        }
        Ok(())
    }

    /// A table with a head, with tabs or commas between its fields.
    fn add_table(&mut self, path: &Path, text: &str) -> Result<(), TrainError> {
        let mut lines = text.lines().enumerate();
        let head = lines.next().unwrap_or_default().1;
        let separator = if head.contains('\t') { '\t' } else { ',' };
        let columns: Vec<Column> = head.split(separator).map(Column::named).collect();
        if !columns.iter().any(|c| matches!(c, Column::Curve(..))) {
            let reason = "no column `loss`, `pck` or `learning_rate`; is this a training's log?";
            return Err(wrong_line(path, 0, reason));
        }
        let names: Vec<&str> = head.split(separator).collect();
        // Keras counts epochs from 0, everybody else from 1.
        let keras = names.contains(&"val_loss") && !names.contains(&"lr") && !head.contains('\t');
        for (index, line) in lines {
            if line.trim().is_empty() {
                continue;
            }
            let fields: Vec<&str> = line.trim_end_matches('\t').split(separator).collect();
            let mut place = CurvePoint::default();
            let mut values = Vec::new();
            for (column, (kind, name)) in columns.iter().zip(&names).enumerate() {
                if matches!(kind, Column::Other) {
                    continue;
                }
                let field = fields.get(column).map(|field| field.trim());
                let number: f64 = field.and_then(|field| field.parse().ok()).ok_or_else(|| {
                    wrong_line(
                        path,
                        index,
                        &format!("column `{}` is no number", name.trim()),
                    )
                })?;
                match kind {
                    Column::Samples => place.samples = Some(number),
                    Column::Steps => place.steps = Some(number),
                    Column::Epochs => place.epochs = Some(number + f64::from(u8::from(keras))),
                    Column::Curve(quantity, factor) => values.push((*quantity, number * factor)),
                    Column::Other => {}
                }
            }
            for (quantity, value) in values {
                self.push(quantity, CurvePoint { value, ..place });
            }
        }
        Ok(())
    }

    fn add_events(&mut self, path: &Path) -> Result<(), TrainError> {
        for scalar in read_events(path)? {
            let Column::Curve(quantity, factor) = Column::named(&scalar.tag) else {
                continue;
            };
            self.push(
                quantity,
                CurvePoint {
                    steps: Some(scalar.step as f64),
                    value: f64::from(scalar.value) * factor,
                    ..CurvePoint::default()
                },
            );
        }
        for points in self.curves.values_mut() {
            // A continued training starts a new file, maybe from an earlier step.
            points.sort_by(|a, b| {
                a.steps
                    .partial_cmp(&b.steps)
                    .unwrap_or(std::cmp::Ordering::Equal)
            });
        }
        Ok(())
    }

    fn push(&mut self, quantity: Quantity, point: CurvePoint) {
        if point.value.is_finite() {
            self.curves.entry(quantity).or_default().push(point);
        }
    }
}

/// What a column or a TensorBoard tag holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Column {
    Samples,
    Steps,
    Epochs,
    /// A quantity, and what to multiply it by.
    Curve(Quantity, f64),
    Other,
}

impl Column {
    fn named(name: &str) -> Self {
        let name = name.trim().to_ascii_lowercase().replace(' ', "_");
        match &*name {
            "samples" => Self::Samples,
            "step" => Self::Steps,
            "epoch" => Self::Epochs,
            "pck" | "pck/validation" => Self::Curve(Quantity::Pck, 1.0),
            "val_acc" | "val_accuracy" | "epoch_val_acc" | "val_pck" => {
                Self::Curve(Quantity::Pck, 100.0)
            }
            "loss" | "loss/train" | "train_loss" | "train/loss" | "epoch_loss" | "batch_loss" => {
                Self::Curve(Quantity::Loss, 1.0)
            }
            "val_loss" | "loss/validation" | "epoch_val_loss" | "validation_loss" => {
                Self::Curve(Quantity::ValidationLoss, 1.0)
            }
            "learning_rate" | "lr" | "epoch_learning_rate" | "epoch_lr" => {
                Self::Curve(Quantity::LearningRate, 1.0)
            }
            _ => Self::Other,
        }
    }
}

fn is_events(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(PREFIX) || name.contains("tfevents")
}

/// A training is known by its folder.
fn label(path: &Path) -> String {
    let named = |path: Option<&Path>| {
        let name = path.and_then(Path::file_name);
        name.map(|name| name.to_string_lossy().into_owned())
    };
    if path.is_dir() {
        named(Some(path))
    } else {
        named(path.parent()).or_else(|| named(Some(path)))
    }
    .unwrap_or_else(|| "training".to_owned())
}

fn wrong(path: &Path, reason: &str) -> TrainError {
    TrainError::Setting(format!("{}: {reason}", path.display()))
}

fn wrong_line(path: &Path, index: usize, reason: &str) -> TrainError {
    wrong(path, &format!("line {}: {reason}", index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Curves, TrainError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Curves::read(&path)
    }

    fn values(curves: &Curves, quantity: Quantity) -> Vec<f64> {
        curves.curves[&quantity].iter().map(|p| p.value).collect()
    }

    #[test]
    fn reads_val_text_as_the_earlier_projects_write_it() {
        // The example in the comment of tf-keras-stacked-hourglass-keypoint-detection's
        // tools/misc/draw_train_curve.py.
        let text = "model:hg_s2_mobile_tiny_192_192;dataset:MPI\n\
                    Epoch 0:0.03907726641313506\nEpoch 1:0.3704370004326737\n";
        let curves = read("val.txt", text).unwrap();
        assert_eq!(curves.label, "hg_s2_mobile_tiny_192_192 MPI");
        assert_eq!(
            values(&curves, Quantity::Pck),
            [3.907726641313506, 37.04370004326737]
        );
        assert_eq!(curves.curves[&Quantity::Pck][1].epochs, Some(2.0));
        assert!(curves.has(Axis::Epochs) && !curves.has(Axis::Samples));
        let error = read("val.txt", "Epoch 0:0.5\nEpoch x:0.1\n").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn reads_tables_of_the_earlier_projects() {
        // pytorch-stacked-hourglass (bearpaw's Logger): tabs, one at the end of each line.
        let text = "Epoch\tLR\tTrain Loss\tVal Loss\tTrain Acc\tVal Acc\t\n\
                    1.000000\t0.000250\t0.001300\t0.000900\t0.230000\t0.410000\t\n\
                    2.000000\t0.000250\t0.000800\t0.000700\t0.520000\t0.600000\t\n";
        let curves = read("log.txt", text).unwrap();
        assert_eq!(values(&curves, Quantity::Pck), [41.0, 60.0]);
        assert_eq!(values(&curves, Quantity::Loss), [0.0013, 0.0008]);
        assert_eq!(values(&curves, Quantity::ValidationLoss), [0.0009, 0.0007]);
        assert_eq!(values(&curves, Quantity::LearningRate), [0.00025, 0.00025]);
        assert_eq!(curves.curves[&Quantity::Loss][0].epochs, Some(1.0));
        // Keras' CSVLogger counts from 0.
        let text = "epoch,loss,val_loss\n0,0.5,0.6\n1,0.25,0.3\n";
        let curves = read("log_E2.csv", text).unwrap();
        assert_eq!(curves.curves[&Quantity::Loss][0].epochs, Some(1.0));
        assert_eq!(values(&curves, Quantity::ValidationLoss), [0.6, 0.3]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let head = "epoch,step,samples,learning_rate,loss,pck,best,samples_per_second\n";
        let error = read("log.csv", &format!("{head}1,10,many,1e-3,0.5,20,20,9\n")).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("line 2") && error.contains("samples"),
            "{error}"
        );
        let error = read("log.csv", "a,b\n1,2\n").unwrap_err().to_string();
        assert!(
            error.contains("line 1") && error.contains("loss"),
            "{error}"
        );
        let error = read("log.csv", head).unwrap_err().to_string();
        assert!(error.contains("no curve"), "{error}");
    }
}
