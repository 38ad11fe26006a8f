//! Smaller checkpoints from trained ones, with what the samples of a data set say about channels.

use std::sync::Arc;

use clap::ValueEnum;
use dataset::Person;
use hourglass::{
    Budget, Engine, Graph, HourglassConfig, LayerWeights, Loss, PruneError, PruneSettings,
    Sensitivity, choose_channels, cut_stacks, estimate_means, fold, keep_channels,
    scale_importance,
};
use pose::{KeypointSet, Size};
use serde::Serialize;

use crate::augmentation::Augmentation;
use crate::checkpoint::{Checkpoint, CheckpointInfo};
use crate::error::TrainError;
use crate::loader::{Loader, LoaderSettings};
use crate::photos::Photos;
use crate::sample::SampleShape;

/// What decides which channels go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Criterion {
    /// How much the loss on samples changes when a channel is replaced by its mean, to first order:
    /// gradient times activation (Molchanov et al. 2019).
    Taylor,
    /// The scale of its batch normalization (Liu et al. 2017); needs no samples.
    BnScale,
}

/// Samples that a network is measured on while it is pruned.
pub struct Calibration {
    /// Annotated people.
    pub people: Vec<Person>,
    /// Their keypoint set, the network's.
    pub keypoints: KeypointSet,
    /// Number of samples.
    pub samples: usize,
    /// Samples in a batch.
    pub batch: usize,
    /// Random changes of the samples; those of the training, so that statistics are alike.
    pub augmentation: Augmentation,
    /// What is minimized.
    pub loss: Loss,
    /// The seed of every random draw.
    pub seed: u64,
    /// Workers of the CPU engine.
    pub threads: usize,
}

/// How a checkpoint is pruned.
#[derive(Clone, Debug)]
pub struct PruneOptions {
    /// What decides.
    pub criterion: Criterion,
    /// Hourglasses that stay; all when none is given.
    pub stacks: Option<usize>,
    /// Budget relative to the whole network, and how to meet it; none to only take stacks away.
    pub channels: Option<PruneSettings>,
    /// Rounds, 1 or more, in which channels are measured anew and some go: what a channel is worth
    /// depends on which others are there.
    pub rounds: u32,
}

/// Size of a network as it is exported.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkSize {
    /// The model-type string.
    pub model: String,
    /// Weights and biases after folding.
    pub parameters: usize,
    /// Multiply-adds for one picture.
    pub macs: u64,
}

impl NetworkSize {
    /// Of a checkpoint's network at its input size.
    pub fn of(checkpoint: &Checkpoint) -> Self {
        let [height, width] = checkpoint.info.input;
        let graph = checkpoint.info.network.graph();
        let (folded, _) = fold(&graph, &checkpoint.weights);
        Self {
            model: checkpoint.info.network.model_type(height, width),
            parameters: folded.parameters(),
            macs: folded.macs(height, width),
        }
    }
}

fn failed(error: PruneError) -> TrainError {
    TrainError::Setting(error.to_string())
}

/// A checkpoint of a smaller network. With `calibration`, lost channels are replaced by their mean
/// on the samples, and the statistics of all normalizations are measured anew; without, means come
/// from the normalizations' scales and shifts.
///
/// # Errors
/// When the budget cannot be met, a photo cannot be read, or the criterion needs samples that are
/// not there.
pub fn prune_checkpoint(
    checkpoint: &Checkpoint,
    options: &PruneOptions,
    calibration: Option<&Calibration>,
) -> Result<Checkpoint, TrainError> {
    let info = &checkpoint.info;
    let whole = NetworkSize::of(checkpoint);
    let stacks = options.stacks.unwrap_or(info.network.stacks);
    let (mut network, mut weights) =
        cut_stacks(&info.network, &checkpoint.weights, stacks).map_err(failed)?;
    if let Some(settings) = &options.channels {
        let size = (info.input[0], info.input[1]);
        let share = settings.budget.share();
        if !(share > 0.0 && share <= 1.0) {
            return Err(TrainError::Setting(format!(
                "the share that stays is {share}: must be above 0 and at most 1"
            )));
        }
        // Every round takes the same share of what is there.
        let first = relative(settings.budget, &whole, &network, &weights, size).share();
        let rounds = options.rounds.max(1);
        for round in 1..=rounds {
            let left = first.powf(f64::from(round) / f64::from(rounds));
            let budget = settings.budget.with_share(share / first * left);
            let settings = PruneSettings {
                budget: relative(budget, &whole, &network, &weights, size),
                ..settings.clone()
            };
            (network, weights) = prune_once(
                info,
                network,
                weights,
                options.criterion,
                &settings,
                calibration,
            )?;
        }
    }
    if let Some(calibration) = calibration {
        let measured = measure(&network.graph(), &weights, info, calibration)?;
        measured.set_statistics(&mut weights);
    }
    Ok(Checkpoint {
        info: CheckpointInfo {
            network,
            step: 0,
            best: 0.0,
            ..info.clone()
        },
        weights,
    })
}

/// Takes channels away once.
fn prune_once(
    info: &CheckpointInfo,
    network: HourglassConfig,
    weights: Vec<LayerWeights>,
    criterion: Criterion,
    settings: &PruneSettings,
    calibration: Option<&Calibration>,
) -> Result<(HourglassConfig, Vec<LayerWeights>), TrainError> {
    let size = (info.input[0], info.input[1]);
    let graph = network.graph();
    let measured = calibration
        .map(|calibration| measure(&graph, &weights, info, calibration))
        .transpose()?;
    let importance = match (criterion, &measured) {
        (Criterion::BnScale, _) => scale_importance(&graph, &weights),
        (Criterion::Taylor, Some(measured)) => measured.importance(),
        (Criterion::Taylor, None) => {
            return Err(TrainError::Setting(
                "the Taylor criterion needs samples: give --data, or --criterion bn-scale"
                    .to_owned(),
            ));
        }
    };
    let kept = choose_channels(&graph, &importance, settings, size).map_err(failed)?;
    let means = match &measured {
        Some(measured) => measured.means(),
        None => estimate_means(&graph, &weights),
    };
    keep_channels(&network, &weights, &kept, Some(&means)).map_err(failed)
}

/// The budget as a share of what is left after stacks were taken away.
fn relative(
    budget: Budget,
    whole: &NetworkSize,
    network: &HourglassConfig,
    weights: &[LayerWeights],
    (height, width): (usize, usize),
) -> Budget {
    let (folded, _) = fold(&network.graph(), weights);
    let (all, left) = match budget {
        Budget::Macs(_) => (whole.macs as f64, folded.macs(height, width) as f64),
        Budget::Parameters(_) => (whole.parameters as f64, folded.parameters() as f64),
    };
    budget.with_share((budget.share() * all / left).min(1.0))
}

/// Runs the samples through a network.
fn measure(
    graph: &Graph,
    weights: &[LayerWeights],
    info: &CheckpointInfo,
    calibration: &Calibration,
) -> Result<Sensitivity, TrainError> {
    let [height, width] = info.input;
    let settings = LoaderSettings {
        shape: SampleShape {
            input: Size { width, height },
            stride: 4,
            sigma: info.sigma,
            margin: info.margin,
        },
        augmentation: calibration.augmentation.clone(),
        keypoints: calibration.keypoints.clone(),
        batch: calibration.batch,
        seed: calibration.seed,
        threads: 1,
    };
    let people = Arc::new(calibration.people.clone());
    let order = (0..people.len() as u32).collect();
    let photos = Arc::new(Photos::new(0));
    let mut loader = Loader::start(people, order, photos, settings, 0);
    let mut engine = Engine::new(graph.clone(), calibration.threads);
    let mut sensitivity = Sensitivity::new(graph);
    for _ in 0..calibration.samples.div_ceil(calibration.batch.max(1)) {
        let loaded = loader.next_batch()?;
        let loss = sensitivity.measure(&mut engine, weights, &loaded.batch, calibration.loss);
        if !loss.is_finite() {
            return Err(TrainError::Diverged {
                loss,
                step: 0,
                samples: loaded.ids.join(", "),
            });
        }
    }
    Ok(sensitivity)
}
