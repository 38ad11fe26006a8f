//! The CPU engine's loss, gradients and heatmaps against burn's autodiff on the same network.

#![recursion_limit = "256"]

use burn::optim::GradientsParams;
use burn::tensor::Device;
use hourglass::{
    Batch, Engine, Form, HourglassConfig, LayerWeights, Loss, LossKind, Residual, random_weights,
};
use trainer::{Network, tensors};

const LOSS: Loss = Loss {
    kind: LossKind::Mse,
    foreground: 0.4,
    delta: 1.0,
    hard_keypoints: 0,
};

fn noise(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 3.4
    }
}

/// Values far from the start, so that no term of a gradient vanishes.
fn weights(config: &HourglassConfig) -> Vec<LayerWeights> {
    let mut next = noise(7);
    let mut weights = random_weights(&config.graph(), &mut next);
    for layer in &mut weights {
        if let Some(norm) = &mut layer.norm {
            norm.gamma.iter_mut().for_each(|v| *v += 0.2 * next());
            norm.beta.iter_mut().for_each(|v| *v = 0.2 * next());
        }
        if let Some(bias) = &mut layer.bias {
            bias.iter_mut().for_each(|v| *v = 0.2 * next());
        }
    }
    weights
}

fn batch(config: &HourglassConfig, pictures: usize, height: usize, width: usize) -> Batch {
    let mut next = noise(11);
    let cells = height * width / 16;
    let mut some = |len: usize| (0..len).map(|_| next()).collect::<Vec<f32>>();
    Batch {
        pictures,
        height,
        width,
        images: some(pictures * height * width * 3),
        targets: some(pictures * cells * config.keypoints),
        weights: (0..pictures * config.keypoints)
            .map(|i| [1.0, 0.0, 0.3][i % 3])
            .collect(),
    }
}

/// Largest difference over the norm of the reference.
fn relative(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(
        &mut found
            .iter()
            .zip(expected)
            .map(|(f, e)| f64::from(*f) - f64::from(*e)),
    );
    difference / norm(&mut expected.iter().map(|e| f64::from(*e))).max(1e-6)
}

#[test]
fn engine_and_autodiff_agree() {
    for (mobile, form, residual) in [
        (true, Form::Lean, Residual::Linear),
        (false, Form::Lean, Residual::Linear),
        (true, Form::Classic, Residual::Relu),
    ] {
        let config = HourglassConfig {
            stacks: 2,
            channels: 16,
            mobile,
            keypoints: 5,
            form,
            residual,
            ..HourglassConfig::tiny(5)
        };
        let graph = config.graph();
        let weights = weights(&config);
        let batch = batch(&config, 3, 64, 96);

        let found = Engine::new(graph.clone(), 1).step(&weights, &batch, LOSS);

        let plain = Device::flex();
        let device = plain.clone().autodiff();
        let network = Network::new(&graph, &weights, &device);
        let (pictures, targets, masks) = tensors(&batch, &device);
        let loss = network.loss(pictures, targets, masks, LOSS);
        let expected = GradientsParams::from_grads(loss.backward(), &network);
        let loss = loss.into_data().iter::<f32>().next().unwrap();
        assert!(
            (found.loss - loss).abs() < 1e-4 * loss,
            "{config:?}: loss {} against {loss}",
            found.loss
        );
        // Both sides in the form in which an optimizer takes them.
        let found = network.gradients(&found.gradients, &plain);
        let mut checked = 0;
        let (mut all_found, mut all_expected) = (Vec::new(), Vec::new());
        let mut compare = |name: &str, found: Vec<f32>, expected: Vec<f32>| {
            let error = relative(&found, &expected);
            // A bias before a normalization has no gradient, and a scale before one nearly none:
            // there both sides are sums that cancel, in f32.
            let size = expected.iter().fold(0.0f32, |a, v| a.max(v.abs()));
            assert!(
                error < 3e-2 || size < 1e-6,
                "{config:?} {name}: relative error {error:e}, largest {size:e}"
            );
            checked += 1;
            all_found.extend(found);
            all_expected.extend(expected);
        };
        for (name, id, rank) in network.parameters() {
            let host = |data: burn::tensor::TensorData| data.try_to_vec::<f32>().unwrap();
            if rank == 4 {
                let pair = (found.get::<4>(id), expected.get::<4>(id));
                let (Some(found), Some(expected)) = pair else {
                    panic!("{name} has no gradient");
                };
                compare(&name, host(found.into_data()), host(expected.into_data()));
            } else {
                let pair = (found.get::<1>(id), expected.get::<1>(id));
                let (Some(found), Some(expected)) = pair else {
                    panic!("{name} has no gradient");
                };
                compare(&name, host(found.into_data()), host(expected.into_data()));
            }
        }
        assert!(checked > 150, "{checked} tensors compared");
        // Both sides compute in f32, where a value next to zero may fall on either side of a ReLU;
        // PyTorch's own f32 is up to 4.3e-3 from its f64 on such networks (tests/tools/README.md).
        let error = relative(&all_found, &all_expected);
        let bound = match residual {
            Residual::Relu => 5e-3,
            Residual::Linear => 1e-3,
        };
        assert!(
            error < bound,
            "{config:?}: relative error {error:e} over all"
        );

        // In use, with running statistics.
        let (pictures, _, _) = tensors(&batch, &plain);
        let network = Network::new(&graph, &weights, &plain);
        let maps = network.forward(pictures).pop().unwrap();
        let maps = maps.permute([0, 2, 3, 1]).into_data();
        let expected = maps.try_to_vec::<f32>().unwrap();
        let found = Engine::new(graph, 2).forward(&weights, &batch.images, (64, 96));
        assert!(relative(&found, &expected) < 1e-4);
    }
}

/// Loss and gradients of one batch by the engine and by autodiff, all parameters in a row.
fn both(config: &HourglassConfig, loss: Loss) -> [(f32, Vec<f32>); 2] {
    let graph = config.graph();
    let weights = weights(config);
    let mut batch = batch(config, 3, 32, 64);
    // Targets from 0 to 1, most of them 0, as heatmaps are.
    batch
        .targets
        .iter_mut()
        .for_each(|t| *t = t.clamp(0.0, 1.0));
    let engine = Engine::new(graph.clone(), 1).step(&weights, &batch, loss);
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let network = Network::new(&graph, &weights, &device);
    let (pictures, targets, masks) = tensors(&batch, &device);
    let value = network.loss(pictures, targets, masks, loss);
    let autodiff = GradientsParams::from_grads(value.backward(), &network);
    let value = value.into_data().iter::<f32>().next().expect("one value");
    let flat = |gradients: &GradientsParams| {
        let mut all = Vec::new();
        for (name, id, rank) in network.parameters() {
            let data = match rank {
                4 => gradients.get::<4>(id).map(|g| g.into_data()),
                _ => gradients.get::<1>(id).map(|g| g.into_data()),
            };
            let data = data.unwrap_or_else(|| panic!("{name} has no gradient"));
            all.extend(data.iter::<f32>());
        }
        all
    };
    let engine_gradients = network.gradients(&engine.gradients, &plain);
    [
        (engine.loss, flat(&engine_gradients)),
        (value, flat(&autodiff)),
    ]
}

#[test]
fn every_loss_is_the_same_on_the_engine_and_in_autodiff() {
    let config = HourglassConfig {
        stacks: 2,
        channels: 8,
        keypoints: 5,
        ..HourglassConfig::tiny(5)
    };
    for kind in LossKind::ALL {
        for (foreground, delta, hard_keypoints) in [(0.0, 1.0, 0), (3.0, 0.3, 2)] {
            let foreground = match kind {
                LossKind::Iou | LossKind::ForegroundMse => 0.0,
                _ => foreground,
            };
            let loss = Loss {
                kind,
                foreground,
                delta,
                hard_keypoints,
            };
            let [(engine, found), (autodiff, expected)] = both(&config, loss);
            assert!(
                (engine - autodiff).abs() < 1e-4 * autodiff,
                "{loss:?}: {engine} against {autodiff}"
            );
            let error = relative(&found, &expected);
            assert!(error < 1e-3, "{loss:?}: relative error {error:e}");
        }
    }
}
