//! Learning from a larger network's heatmaps (Hinton et al. 2015; for poses Zhang et al. 2019,
//! "Fast Human Pose Estimation").

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use edge_runtime::{HeatmapPredictor, ModelOptions, ModelPredictor, PoseModel};
use hourglass::{Batch, Engine, Graph, LayerWeights, fold};
use pose::{KeypointSet, Size};

use crate::checkpoint::Checkpoint;
use crate::device::TrainDevice;
use crate::error::TrainError;
use crate::network::Network;
use crate::sample::{MEAN, STD, SampleShape};

/// A trained network that gives heatmaps for the crops of a batch.
pub struct Tutor {
    runner: Runner,
    /// Per keypoint of the network in training, the tutor's heatmap.
    channels: Vec<Option<usize>>,
    /// Number of the tutor's heatmaps.
    keypoints: usize,
    /// The tutor's input.
    input: Size,
    /// Its heatmaps.
    maps: Size,
    share: f32,
    notes: Vec<String>,
}

enum Runner {
    Engine {
        engine: Box<Engine>,
        weights: Vec<LayerWeights>,
    },
    Burn {
        network: Box<Network>,
        device: Device,
    },
    Onnx(Vec<ModelPredictor>),
}

impl Tutor {
    /// A checkpoint, or an ONNX file with keypoints of any names: heatmaps are matched by name.
    /// `share` is the tutor's part in the loss, the labels' is the rest.
    ///
    /// Checkpoints run on `device`, ONNX files on `threads` threads of the CPU. The crops of a
    /// batch are resized to the tutor's own input.
    ///
    /// # Errors
    /// A file that cannot be read, a tutor without any of the keypoints, or a share outside 0..1.
    pub fn load(
        path: &Path,
        keypoints: &KeypointSet,
        shape: &SampleShape,
        share: f32,
        device: &TrainDevice,
        threads: usize,
    ) -> Result<Self, TrainError> {
        if !(0.0..=1.0).contains(&share) {
            return Err(TrainError::Setting(format!(
                "the tutor's share of the loss is {share}: must be between 0 and 1"
            )));
        }
        let (runner, own, input, maps, sigma, margin) =
            match path.extension().is_some_and(|e| e == "onnx") {
                true => load_onnx(path, threads)?,
                false => load_checkpoint(path, device, threads)?,
            };
        let channels = keypoints.map_from(&own);
        let known = channels.iter().flatten().count();
        if known == 0 {
            return Err(TrainError::Setting(format!(
                "{} has none of the keypoints of the set `{}`",
                path.display(),
                keypoints.name
            )));
        }
        let mut notes = vec![format!(
            "{} teaches {known} of {} keypoints at {}x{}, share {share}",
            path.display(),
            keypoints.len(),
            input.width,
            input.height
        )];
        let cells = shape.input.height as f32 / shape.stride as f32;
        let ratio = sigma.map(|sigma| (sigma / maps.height as f32) / (shape.sigma / cells));
        if let Some(ratio) = ratio.filter(|ratio| !(0.8..=1.25).contains(ratio)) {
            notes.push(format!(
                "the tutor's peaks are {ratio:.2} times as wide as the labels'; --sigma {:.2} \
                 would make them equal",
                shape.sigma * ratio
            ));
        }
        if (margin / shape.margin - 1.0).abs() > 0.1 {
            notes.push(format!(
                "the tutor was trained on crops of {margin} times the person's box, these are {}",
                shape.margin
            ));
        }
        Ok(Self {
            runner,
            channels,
            keypoints: own.len(),
            input,
            maps,
            share,
            notes,
        })
    }

    /// What the log should say: who teaches what, and what fits badly.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Mixes the tutor's heatmaps into the targets of a batch.
    ///
    /// With m the weight of a label, t its target, s the tutor's heatmap and a the tutor's share,
    /// a target becomes `((1 - a) m t + a s) / w` with the weight `w = (1 - a) m + a`: for squared
    /// errors this has the gradient of `(1 - a) m (y - t)² + a (y - s)²`. Keypoints without a label
    /// (m = 0) learn from the tutor alone; those that it does not know keep their label as it is.
    ///
    /// # Errors
    /// When the tutor cannot run.
    pub fn teach(&mut self, batch: &mut Batch) -> Result<(), TrainError> {
        let maps = self.heatmaps(batch)?;
        let keypoints = self.channels.len();
        let (rows, columns) = (batch.height / 4, batch.width / 4);
        let share = self.share;
        let per_picture = rows * columns * keypoints;
        let pictures = batch
            .targets
            .chunks_exact_mut(per_picture)
            .zip(batch.weights.chunks_exact_mut(keypoints))
            .zip(maps.chunks_exact(rows * columns * self.keypoints));
        for ((targets, weights), maps) in pictures {
            for (k, channel) in self.channels.iter().enumerate() {
                let Some(channel) = *channel else { continue };
                let label = (1.0 - share) * weights[k];
                let whole = label + share;
                if whole <= 0.0 {
                    continue;
                }
                let cells = targets
                    .chunks_exact_mut(keypoints)
                    .zip(maps.chunks_exact(self.keypoints));
                for (target, map) in cells {
                    target[k] = (label * target[k] + share * map[channel]) / whole;
                }
                weights[k] = whole;
            }
        }
        Ok(())
    }

    /// The tutor's heatmaps at the batch's heatmap size, `[pictures, rows, columns, keypoints]`.
    fn heatmaps(&mut self, batch: &Batch) -> Result<Vec<f32>, TrainError> {
        let size = |size: Size| (size.height, size.width);
        let input = size(self.input);
        let images = resample(&batch.images, (batch.height, batch.width), input, 3);
        let found = match &mut self.runner {
            Runner::Engine { engine, weights } => engine.forward(weights, &images, input),
            Runner::Burn { network, device } => {
                let data = TensorData::new(images, [batch.pictures, input.0, input.1, 3]);
                let pictures = Tensor::<4>::from_data(data, &*device).permute([0, 3, 1, 2]);
                let maps = network.forward(pictures).pop();
                maps.map_or(Vec::new(), |maps| {
                    let last = maps.permute([0, 2, 3, 1]);
                    last.into_data().iter::<f32>().collect()
                })
            }
            Runner::Onnx(predictors) => run_onnx(predictors, &images, self.keypoints)?,
        };
        let to = (batch.height / 4, batch.width / 4);
        Ok(resample(&found, size(self.maps), to, self.keypoints))
    }
}

/// Runner, keypoints, input, heatmaps, sigma where it is known, crop margin.
type Loaded = (Runner, KeypointSet, Size, Size, Option<f32>, f32);

fn load_checkpoint(
    path: &Path,
    device: &TrainDevice,
    threads: usize,
) -> Result<Loaded, TrainError> {
    let checkpoint = Checkpoint::load(path)?;
    let info = &checkpoint.info;
    let keypoints = KeypointSet::builtin(&info.keypoints).ok_or_else(|| {
        TrainError::Setting(format!(
            "keypoint set `{}` of {} is unknown; there are mpii, coco, lsp, animal_pose",
            info.keypoints,
            path.display()
        ))
    })?;
    let (graph, weights) = folded(&info.network.graph(), &checkpoint.weights);
    let runner = match device.burn()? {
        None => Runner::Engine {
            engine: Box::new(Engine::new(graph, threads)),
            weights,
        },
        Some(device) => Runner::Burn {
            network: Box::new(Network::new(&graph, &weights, &device)),
            device,
        },
    };
    let [height, width] = info.input;
    let maps = Size {
        width: width / 4,
        height: height / 4,
    };
    let input = Size { width, height };
    Ok((
        runner,
        keypoints,
        input,
        maps,
        Some(info.sigma),
        info.margin,
    ))
}

/// The network as it runs.
fn folded(graph: &Graph, weights: &[LayerWeights]) -> (Graph, Vec<LayerWeights>) {
    let (graph, layers) = fold(graph, weights);
    let layers = layers.into_iter().map(|layer| LayerWeights {
        weight: layer.weight,
        bias: Some(layer.bias),
        norm: None,
    });
    (graph, layers.collect())
}

fn load_onnx(path: &Path, threads: usize) -> Result<Loaded, TrainError> {
    let mut sigma = None;
    let mut load = |_| -> Result<ModelPredictor, TrainError> {
        let model = PoseModel::load(path, &ModelOptions::default())?;
        sigma = model.card().map(|card| card.output.sigma);
        Ok(ModelPredictor::new(model)?)
    };
    let predictors = (0..threads.max(1))
        .map(&mut load)
        .collect::<Result<Vec<_>, _>>()?;
    let spec = predictors[0].spec();
    let (input, maps) = (spec.input.size, spec.maps.size);
    let keypoints = spec.keypoints.clone();
    let margin = spec.crop_margin;
    Ok((
        Runner::Onnx(predictors),
        keypoints,
        input,
        maps,
        sigma,
        margin,
    ))
}

/// Heatmaps of an ONNX model, channels last; pictures are shared among the predictors.
fn run_onnx(
    predictors: &mut [ModelPredictor],
    images: &[f32],
    keypoints: usize,
) -> Result<Vec<f32>, TrainError> {
    let size = predictors[0].spec().input.size;
    let len = size.width * size.height * 3;
    let pictures = images.len() / len;
    let workers = predictors.len();
    let parts: Vec<Result<Vec<f32>, TrainError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = predictors
            .iter_mut()
            .enumerate()
            .map(|(index, predictor)| {
                let share = pictures * index / workers..pictures * (index + 1) / workers;
                let images = &images[share.start * len..share.end * len];
                scope.spawn(move || {
                    let mut all = Vec::new();
                    let mut maps = Vec::new();
                    for image in images.chunks_exact(len) {
                        let bytes: Vec<u8> = image
                            .iter()
                            .map(|v| (v * STD + MEAN).round().clamp(0.0, 255.0) as u8)
                            .collect();
                        predictor.predict(&bytes, 1, &mut maps)?;
                        let cells = maps.len() / keypoints;
                        for cell in 0..cells {
                            all.extend((0..keypoints).map(|k| maps[k * cells + cell]));
                        }
                    }
                    Ok(all)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    Ok(parts.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

/// Channels-last maps at another size, bilinear between the centres of cells.
fn resample(
    maps: &[f32],
    (height, width): (usize, usize),
    (to_height, to_width): (usize, usize),
    channels: usize,
) -> Vec<f32> {
    if (height, width) == (to_height, to_width) {
        return maps.to_vec();
    }
    // Per row or column of the result: the two of the source, and the share of the second.
    let taps = |from: usize, to: usize| -> Vec<(usize, usize, f32)> {
        (0..to)
            .map(|i| {
                let at = (i as f32 + 0.5) * from as f32 / to as f32 - 0.5;
                let at = at.clamp(0.0, (from - 1) as f32);
                let first = at as usize;
                (first, (first + 1).min(from - 1), at - first as f32)
            })
            .collect()
    };
    let (rows, columns) = (taps(height, to_height), taps(width, to_width));
    let per_picture = height * width * channels;
    let mut result = Vec::with_capacity(maps.len() / per_picture * to_height * to_width * channels);
    for picture in maps.chunks_exact(per_picture) {
        let cell = |row: usize, column: usize| {
            let start = (row * width + column) * channels;
            &picture[start..start + channels]
        };
        for &(top, bottom, v) in &rows {
            for &(left, right, h) in &columns {
                let (a, b) = (cell(top, left), cell(top, right));
                let (c, d) = (cell(bottom, left), cell(bottom, right));
                result.extend((0..channels).map(|k| {
                    let upper = a[k] + h * (b[k] - a[k]);
                    let lower = c[k] + h * (d[k] - c[k]);
                    upper + v * (lower - upper)
                }));
            }
        }
    }
    result
}
