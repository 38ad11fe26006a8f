//! Checkpoints of larger networks that give the same heatmaps.

use hourglass::{Engine, HourglassConfig, grow};

use crate::checkpoint::{Checkpoint, CheckpointInfo};
use crate::error::TrainError;
use crate::random::Draw;
use crate::sample::{MEAN, STD};

/// Largest difference between a heatmap of the grown network and of the one that it was grown
/// from.
pub const GROWTH_TOLERANCE: f32 = 1e-4;

/// How to grow a network.
#[derive(Clone, Debug)]
pub struct GrowSettings {
    /// The larger network.
    pub network: HourglassConfig,
    /// How unequal the copies of a channel are, 0..1; see [`hourglass::grow`].
    pub noise: f32,
    /// The seed of every random draw.
    pub seed: u64,
}

/// A larger network with the heatmaps of a checkpoint's, and the largest difference between the
/// two on a picture of noise.
///
/// # Errors
/// [`TrainError::Setting`] when the larger network is not larger, or its heatmaps differ by more
/// than [`GROWTH_TOLERANCE`].
pub fn grow_checkpoint(
    checkpoint: &Checkpoint,
    settings: &GrowSettings,
) -> Result<(Checkpoint, f32), TrainError> {
    if !(0.0..=1.0).contains(&settings.noise) {
        let noise = settings.noise;
        return Err(TrainError::Setting(format!(
            "noise is {noise}: must be between 0 and 1"
        )));
    }
    let from = &checkpoint.info.network;
    let mut draw = Draw::new(settings.seed, [u64::MAX, 1]);
    let weights = grow(
        from,
        &checkpoint.weights,
        &settings.network,
        settings.noise,
        &mut || draw.unit(),
    )
    .map_err(|error| TrainError::Setting(error.to_string()))?;
    let grown = Checkpoint {
        info: CheckpointInfo {
            network: settings.network.clone(),
            step: 0,
            best: 0.0,
            ..checkpoint.info.clone()
        },
        weights,
    };
    let difference = largest_difference(checkpoint, &grown);
    // A NaN is no small difference.
    if difference <= GROWTH_TOLERANCE {
        return Ok((grown, difference));
    }
    Err(TrainError::Setting(format!(
        "the grown network's heatmaps differ by {difference}, more than {GROWTH_TOLERANCE}; are \
         the checkpoint's values numbers?"
    )))
}

/// Largest difference between the heatmaps that two checkpoints give for a picture of noise.
fn largest_difference(a: &Checkpoint, b: &Checkpoint) -> f32 {
    let [height, width] = a.info.input;
    let mut draw = Draw::new(0, [u64::MAX, 2]);
    let picture: Vec<f32> = (0..height * width * 3)
        .map(|_| (draw.below(256) as f32 - MEAN) / STD)
        .collect();
    let maps = |checkpoint: &Checkpoint| {
        Engine::new(checkpoint.info.network.graph(), 1).forward(
            &checkpoint.weights,
            &picture,
            (height, width),
        )
    };
    let (a, b) = (maps(a), maps(b));
    // Not `max`, which passes over NaN.
    let worse = |worst: f32, difference: f32| match difference <= worst {
        true => worst,
        false => difference,
    };
    // In units of the heatmaps' size, where that is more than 1.
    let size = a.iter().fold(1.0f32, |m, v| m.max(v.abs()));
    let differences = a.iter().zip(&b).map(|(a, b)| (a - b).abs() / size);
    differences.fold(0.0, worse)
}
