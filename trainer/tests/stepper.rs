//! Steps of whole networks: on the CPU engine, on burn, in parts and clipped.

#![allow(clippy::unwrap_used)]

use hourglass::{Batch, HourglassConfig, LayerWeights, Loss, LossKind, random_weights};
use trainer::{OptimizerKind, OptimizerSettings, Stepper, TrainDevice};

fn noise(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 3.4
    }
}

fn config() -> HourglassConfig {
    HourglassConfig {
        stacks: 1,
        channels: 8,
        keypoints: 4,
        ..HourglassConfig::tiny(4)
    }
}

fn start() -> Vec<LayerWeights> {
    random_weights(&config().graph(), &mut noise(3))
}

fn batch(pictures: usize, seed: u64) -> Batch {
    let mut next = noise(seed);
    let mut some = |len: usize| (0..len).map(|_| next()).collect::<Vec<f32>>();
    Batch {
        pictures,
        height: 64,
        width: 32,
        images: some(pictures * 64 * 32 * 3),
        targets: some(pictures * 16 * 8 * 4)
            .iter()
            .map(|v| v.max(0.0))
            .collect(),
        weights: (0..pictures * 4).map(|i| [1.0, 0.3, 0.0][i % 3]).collect(),
    }
}

/// Pictures `range` of a batch.
fn part(batch: &Batch, range: std::ops::Range<usize>) -> Batch {
    let of = |all: &[f32]| {
        let len = all.len() / batch.pictures;
        all[range.start * len..range.end * len].to_vec()
    };
    Batch {
        pictures: range.len(),
        height: batch.height,
        width: batch.width,
        images: of(&batch.images),
        targets: of(&batch.targets),
        weights: of(&batch.weights),
    }
}

fn stepper(device: &TrainDevice, optimizer: &OptimizerSettings, threads: usize) -> Stepper {
    Stepper::new(&config().graph(), start(), optimizer, device, threads).unwrap()
}

/// All trainable values in a row.
fn flat(weights: &[LayerWeights]) -> Vec<f32> {
    let layer = |layer: &LayerWeights| {
        let mut all = layer.weight.clone();
        all.extend(layer.bias.iter().flatten());
        if let Some(norm) = &layer.norm {
            all.extend(norm.gamma.iter().chain(&norm.beta));
        }
        all
    };
    weights.iter().flat_map(layer).collect()
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
    a.iter().zip(b).map(square).sum::<f64>().sqrt()
}

const SGD: OptimizerKind = OptimizerKind::Sgd;

#[test]
fn batches_in_parts_step_as_the_whole_batch_does() {
    // Two workers normalize their halves of six pictures as two batches of three are normalized.
    let whole = batch(6, 11);
    let optimizer = OptimizerSettings::new(SGD);
    let loss = Loss {
        foreground: 2.0,
        ..Loss::default()
    };
    let mut together = stepper(&TrainDevice::Cpu, &optimizer, 2);
    let mut losses = Vec::new();
    for _ in 0..3 {
        losses.push(together.step(&whole, loss, 0.05));
    }
    let expected = flat(together.weights());
    assert!(distance(&expected, &flat(&start())) > 0.1);
    // Between engine and autodiff single precision falls differently in places.
    for (device, tolerance) in [(TrainDevice::Cpu, 1e-4), (TrainDevice::Flex, 1e-2)] {
        let mut apart = stepper(&device, &optimizer, 1);
        for expected in &losses {
            apart.add(&part(&whole, 0..3), loss);
            apart.add(&part(&whole, 3..6), loss);
            let report = apart.apply(0.05);
            assert_eq!(report.losses.len(), 2);
            let error = (report.loss() - expected).abs() / expected;
            assert!(error < tolerance, "{device}: off by {error} of the loss");
        }
        let found = flat(apart.weights());
        let off = distance(&found, &expected) / distance(&expected, &flat(&start()));
        assert!(
            off < 10.0 * f64::from(tolerance),
            "{device}: off by {off} of the way"
        );
    }
}

#[test]
fn a_clipped_gradient_has_the_length_asked_for() {
    let optimizer = OptimizerSettings {
        momentum: 0.0,
        ..OptimizerSettings::new(SGD)
    };
    let before = flat(&start());
    for device in [TrainDevice::Cpu, TrainDevice::Flex] {
        let moved = |clip: Option<f32>| {
            let mut stepper = stepper(&device, &optimizer, 1).clip(clip);
            for seed in [5, 6] {
                stepper.add(&batch(3, seed), Loss::default());
            }
            let report = stepper.apply(1.0);
            let after = flat(stepper.weights());
            let step: Vec<f32> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
            (report.norm, step)
        };
        // At rate 1 the step is the gradient.
        let (_, free) = moved(None);
        let length = distance(&free, &vec![0.0; free.len()]);
        assert!(length > 0.01);
        let (norm, same) = moved(Some(2.0 * length as f32));
        assert!(
            (f64::from(norm.unwrap()) - length).abs() < 1e-3 * length,
            "{device}"
        );
        assert!(distance(&same, &free) < 1e-5 * length, "{device}");
        let (norm, short) = moved(Some(0.1 * length as f32));
        assert!(
            (f64::from(norm.unwrap()) - length).abs() < 1e-3 * length,
            "{device}"
        );
        // Ten times as long it is the whole one again: its direction stays.
        let tenfold: Vec<f32> = short.iter().map(|v| 10.0 * v).collect();
        let off = distance(&tenfold, &free);
        assert!(off < 1e-2 * length, "{device}: off by {off} of {length}");
    }
}

#[test]
fn a_batch_that_is_no_number_moves_nothing_on_the_engine() {
    let optimizer = OptimizerSettings::new(OptimizerKind::Adam);
    let mut stepper = stepper(&TrainDevice::Cpu, &optimizer, 2);
    let mut broken = batch(3, 5);
    broken.images[100] = f32::NAN;
    stepper.add(&batch(3, 4), Loss::default());
    stepper.add(&broken, Loss::default());
    stepper.add(&batch(3, 6), Loss::default());
    let report = stepper.apply(0.1);
    assert_eq!(report.fault().map(|(batch, _)| batch), Some(1));
    assert_eq!(flat(stepper.weights()), flat(&start()));
    // The next step knows nothing of it.
    let loss = stepper.step(&batch(3, 4), Loss::default(), 0.1);
    assert!(loss.is_finite());
    assert_ne!(flat(stepper.weights()), flat(&start()));
}

/// What every loss is for: after some steps it is lower.
#[test]
fn every_loss_falls_on_both_devices() {
    let batch = batch(4, 9);
    let optimizer = OptimizerSettings::new(OptimizerKind::Adam);
    for kind in LossKind::ALL {
        let loss = Loss {
            kind,
            hard_keypoints: 3,
            ..Loss::default()
        };
        let course = |device: &TrainDevice| {
            let mut stepper = stepper(device, &optimizer, 1);
            let step = |_| stepper.step(&batch, loss, 3e-3);
            (0..12).map(step).collect::<Vec<f32>>()
        };
        let (cpu, flex) = (course(&TrainDevice::Cpu), course(&TrainDevice::Flex));
        assert!(cpu[11] < 0.97 * cpu[0], "{kind}: {cpu:?}");
        for (cpu, flex) in cpu.iter().zip(&flex) {
            assert!((cpu - flex).abs() < 0.05 * cpu, "{kind}: {cpu} {flex}");
        }
    }
}
