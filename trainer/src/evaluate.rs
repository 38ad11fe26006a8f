//! Networks in training, and checkpoints, as predictors for the runtime's evaluation: what is
//! measured here and what is measured on an exported file differ in nothing but the arithmetic.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use dataset::{PckReport, Person};
use edge_runtime::{EvalSettings, HeatmapPredictor, RuntimeError, evaluate, predictor_from_fn};
use hourglass::{Engine, Graph, LayerWeights};
use pose::{Decoding, KeypointSet};

use crate::error::TrainError;
use crate::network::Network;
use crate::sample::{MEAN, STD, SampleShape};

/// Crops that run at once.
const BATCH: usize = 16;

/// Crops of bytes as the network takes them.
fn normalized(crops: &[u8]) -> Vec<f32> {
    crops.iter().map(|&v| (f32::from(v) - MEAN) / STD).collect()
}

/// What a network of this sample shape is measured with: the usual PCK, crops around each
/// person's joints, no flip test.
pub fn eval_settings(shape: &SampleShape, keypoints: &KeypointSet) -> EvalSettings {
    EvalSettings {
        keypoints: keypoints.clone(),
        input: shape.input,
        maps: pose::Size {
            width: shape.input.width / shape.stride,
            height: shape.input.height / shape.stride,
        },
        crop_margin: shape.margin,
        decoding: Decoding::Dark,
        flip_test: false,
        scales: vec![1.0],
        min_score: 0.0,
        rule: dataset::PckRule::usual(keypoints),
    }
}

/// Values of a graph as predictors on the CPU engine, one for each of `threads` threads.
pub fn weight_predictors(
    graph: &Graph,
    weights: &[LayerWeights],
    settings: &EvalSettings,
    threads: usize,
) -> Vec<impl HeatmapPredictor + Send + use<>> {
    let (graph, kept) = graph.last_stack();
    let kept = kept.iter().map(|&layer| weights[layer].clone());
    let weights: Arc<Vec<LayerWeights>> = Arc::new(kept.collect());
    let size = (settings.input.height, settings.input.width);
    let keypoints = settings.keypoints.len();
    let predictor = |_| {
        let mut engine = Engine::new(graph.clone(), 1);
        let weights = weights.clone();
        predictor_from_fn(BATCH, move |crops, count, maps| {
            let found = engine.forward(&weights, &normalized(crops), size);
            maps.clear();
            for picture in found.chunks_exact(found.len() / count.max(1)) {
                for keypoint in 0..keypoints {
                    maps.extend(picture.iter().skip(keypoint).step_by(keypoints));
                }
            }
            Ok(())
        })
    };
    (0..threads.max(1)).map(predictor).collect()
}

/// Values of a graph as a predictor on a burn device.
pub fn device_predictor(
    graph: &Graph,
    weights: &[LayerWeights],
    settings: &EvalSettings,
    device: &Device,
) -> impl HeatmapPredictor + Send + use<> {
    let network = Network::new(graph, weights, device);
    let device = device.clone();
    let (height, width) = (settings.input.height, settings.input.width);
    predictor_from_fn(BATCH, move |crops, count, maps| {
        let pictures = TensorData::new(normalized(crops), [count, height, width, 3]);
        let pictures = Tensor::<4>::from_data(pictures, &device).permute([0, 3, 1, 2]);
        let found = network.forward(pictures).pop();
        let found = found.ok_or_else(|| RuntimeError::Predictor("no heatmaps".into()))?;
        maps.clear();
        maps.extend(found.into_data().iter::<f32>());
        Ok(())
    })
}

/// Measures values of a graph with the CPU engine on `threads` threads.
///
/// # Errors
/// When no photo can be read, or the keypoint set has no torso.
pub fn evaluate_weights(
    graph: &Graph,
    weights: &[LayerWeights],
    people: &[Person],
    settings: &EvalSettings,
    threads: usize,
    progress: impl Fn(usize) + Sync,
) -> Result<PckReport, TrainError> {
    let predictors = weight_predictors(graph, weights, settings, threads);
    Ok(evaluate(people, settings, predictors, progress)?.report)
}

/// Measures values of a graph on a burn device.
///
/// # Errors
/// As [`evaluate_weights`].
pub fn evaluate_on_device(
    graph: &Graph,
    weights: &[LayerWeights],
    people: &[Person],
    settings: &EvalSettings,
    device: &Device,
    progress: impl Fn(usize) + Sync,
) -> Result<PckReport, TrainError> {
    let predictor = device_predictor(graph, weights, settings, device);
    Ok(evaluate(people, settings, vec![predictor], progress)?.report)
}
