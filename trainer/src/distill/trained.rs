//! A trained network, wherever it comes from, as something that gives heatmaps for pictures.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use edge_runtime::{HeatmapPredictor, ModelOptions, ModelPredictor, PoseModel};
use hourglass::{Engine, LayerWeights, fold};
use pose::{KeypointSet, Size};

use crate::checkpoint::Checkpoint;
use crate::device::TrainDevice;
use crate::error::TrainError;
use crate::network::Network;
use crate::sample::{MEAN, STD};

/// A trained network with what is known of it.
pub(super) struct Trained {
    runner: Runner,
    /// Its keypoints.
    pub keypoints: KeypointSet,
    /// Its input.
    pub input: Size,
    /// Its heatmaps.
    pub maps: Size,
    /// Standard deviation of the Gaussians that it was trained on in heatmap cells, where known.
    pub sigma: Option<f32>,
    /// Its crops' side over the longer side of a person's box.
    pub margin: f32,
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

impl Trained {
    /// A checkpoint, to run on `device`.
    pub fn checkpoint(
        path: &Path,
        device: &TrainDevice,
        threads: usize,
    ) -> Result<Self, TrainError> {
        let checkpoint = Checkpoint::load(path)?;
        let info = &checkpoint.info;
        let keypoints = info.keypoints.clone();
        // As it is exported, with normalizations folded.
        let (graph, layers) = fold(&info.network.graph(), &checkpoint.weights);
        let weights: Vec<LayerWeights> = layers
            .into_iter()
            .map(|layer| LayerWeights {
                weight: layer.weight,
                bias: Some(layer.bias),
                norm: None,
            })
            .collect();
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
        Ok(Self {
            runner,
            keypoints,
            input: Size { width, height },
            maps: Size {
                width: width / 4,
                height: height / 4,
            },
            sigma: Some(info.sigma),
            margin: info.margin,
        })
    }

    /// An ONNX file, to run on `threads` threads.
    pub fn onnx(path: &Path, threads: usize) -> Result<Self, TrainError> {
        let mut sigma = None;
        let load = |_| -> Result<ModelPredictor, TrainError> {
            let model = PoseModel::load(path, &ModelOptions::default())?;
            sigma = model.card().map(|card| card.output.sigma);
            Ok(ModelPredictor::new(model)?)
        };
        let predictors = (0..threads.max(1))
            .map(load)
            .collect::<Result<Vec<_>, _>>()?;
        let spec = predictors[0].spec();
        Ok(Self {
            keypoints: spec.keypoints.clone(),
            input: spec.input.size,
            maps: spec.maps.size,
            margin: spec.crop_margin,
            sigma,
            runner: Runner::Onnx(predictors),
        })
    }

    /// Heatmaps `[pictures, rows, columns, keypoints]` of normalized pictures
    /// `[pictures, height, width, 3]` of the network's input size.
    pub fn heatmaps(&mut self, images: Vec<f32>) -> Result<Vec<f32>, TrainError> {
        let Size { width, height } = self.input;
        match &mut self.runner {
            Runner::Engine { engine, weights } => {
                Ok(engine.forward(weights, &images, (height, width)))
            }
            Runner::Burn { network, device } => {
                let pictures = images.len() / (height * width * 3);
                let data = TensorData::new(images, [pictures, height, width, 3]);
                let pictures = Tensor::<4>::from_data(data, &*device).permute([0, 3, 1, 2]);
                let maps = network.forward(pictures).pop();
                Ok(maps.map_or(Vec::new(), |maps| {
                    let last = maps.permute([0, 2, 3, 1]);
                    last.into_data().iter::<f32>().collect()
                }))
            }
            Runner::Onnx(predictors) => run_onnx(predictors, &images, self.keypoints.len()),
        }
    }
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
                scope.spawn(move || run_share(predictor, images, len, keypoints))
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

fn run_share(
    predictor: &mut ModelPredictor,
    images: &[f32],
    len: usize,
    keypoints: usize,
) -> Result<Vec<f32>, TrainError> {
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
}
