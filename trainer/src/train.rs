//! The training loop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hourglass::{HourglassConfig, LayerWeights, Loss, random_weights};
use indicatif::{ProgressBar, ProgressStyle};
use pose::{KeypointSet, Size};

use crate::average::Average;
use crate::checkpoint::{Checkpoint, CheckpointInfo};
use crate::data_spec::DataSpec;
use crate::device::TrainDevice;
use crate::distill::Tutor;
use crate::error::TrainError;
use crate::evaluate::{eval_settings, evaluate_weights};
use crate::loader::{Loader, LoaderSettings};
use crate::log::{EpochRecord, TrainLog};
use crate::photos::Photos;
use crate::random::Draw;
use crate::sample::{Augmentation, SampleShape};
use crate::schedule::CosineSchedule;
use crate::stepper::{OptimizerKind, Stepper};
use crate::teaching::Teaching;

/// Everything that decides the course of a training.
#[derive(Clone, Debug)]
pub struct TrainSettings {
    /// The network. Ignored when weights are loaded, which say it themselves.
    pub network: HourglassConfig,
    /// Names and flip pairs of the heatmaps.
    pub keypoints: KeypointSet,
    /// What to train on.
    pub data: Vec<DataSpec>,
    /// Predictions that training labels are cleaned by.
    pub teachers: Vec<Teaching>,
    /// What to choose the best checkpoint by.
    pub validation: Vec<DataSpec>,
    /// Shape of the samples.
    pub shape: SampleShape,
    /// Random changes of the samples.
    pub augmentation: Augmentation,
    /// What is minimized.
    pub loss: Loss,
    /// Samples of a step.
    pub batch: usize,
    /// Passes over the data.
    pub epochs: u64,
    /// Optimizer and weight decay (for AdamW).
    pub optimizer: (OptimizerKind, f32),
    /// Peak of the learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup: u64,
    /// Last learning rate as a fraction of the peak.
    pub final_rate: f64,
    /// Decay of the weights' moving average, 0 for none.
    pub average: f32,
    /// The seed of every random draw.
    pub seed: u64,
    /// Where to train.
    pub device: TrainDevice,
    /// Workers of the CPU engine.
    pub threads: usize,
    /// Bytes of decoded photos to keep.
    pub photo_memory: usize,
    /// Steps between two validations; an epoch when none is given.
    pub validate_every: Option<u64>,
    /// Steps after which to end early, before the schedule does.
    pub stop_after: Option<u64>,
    /// A larger network to learn from as well, and its share of the loss.
    pub distill: Option<(PathBuf, f32)>,
    /// Weights to start from.
    pub weights: Option<PathBuf>,
    /// Continue the training in `output`.
    pub resume: bool,
    /// Folder of checkpoints and logs.
    pub output: PathBuf,
}

/// What a training ended with.
#[derive(Clone, Debug)]
pub struct TrainOutcome {
    /// Best validation PCK, percent.
    pub best: f32,
    /// The checkpoint that has it.
    pub best_path: PathBuf,
    /// Steps done in all.
    pub steps: u64,
}

/// File of the best checkpoint in a training's folder.
pub const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
const LAST_AVERAGE: &str = "last-average.safetensors";
const OPTIMIZER: &str = "optimizer.bpk";

/// Trains and writes `best.safetensors`, `last.safetensors`, `log.csv` and `train.log` into the
/// output folder.
///
/// # Errors
/// See [`TrainError`]; what was written before stays.
pub fn train(settings: &TrainSettings) -> Result<TrainOutcome, TrainError> {
    check(settings)?;
    std::fs::create_dir_all(&settings.output).map_err(|source| TrainError::Io {
        path: settings.output.clone(),
        source,
    })?;
    let path = |name: &str| settings.output.join(name);
    if !settings.resume && path(LAST).exists() {
        return Err(TrainError::Setting(format!(
            "{} already holds a training; give --resume to continue it, or another --output",
            settings.output.display()
        )));
    }
    let mut log = TrainLog::open(&settings.output, settings.resume)?;
    let (people, order) = load_training(settings, &mut log)?;
    let validation = load_validation(settings, &mut log)?;
    let photos = Arc::new(Photos::new(settings.photo_memory));

    let start = match (settings.resume, &settings.weights) {
        (true, _) => Some(Checkpoint::load(&path(LAST))?),
        (false, Some(weights)) => Some(Checkpoint::load(weights)?),
        (false, None) => None,
    };
    let network = start
        .as_ref()
        .map_or(&settings.network, |start| &start.info.network)
        .clone();
    if network.keypoints != settings.keypoints.len() {
        return Err(TrainError::Setting(format!(
            "the weights have {} heatmaps, the keypoint set `{}` has {} names",
            network.keypoints,
            settings.keypoints.name,
            settings.keypoints.len()
        )));
    }
    let graph = network.graph();
    let weights = match &start {
        Some(start) => start.weights.clone(),
        None => {
            let mut draw = Draw::new(settings.seed, [u64::MAX, 0]);
            random_weights(&graph, &mut || draw.normal())
        }
    };
    let steps_per_epoch = (order.len() as u64).div_ceil(settings.batch as u64).max(1);
    let total = steps_per_epoch * settings.epochs;
    let mut info = CheckpointInfo {
        network: network.clone(),
        keypoints: settings.keypoints.name.clone(),
        input: [settings.shape.input.height, settings.shape.input.width],
        sigma: settings.shape.sigma,
        margin: settings.shape.margin,
        step: 0,
        samples: start.as_ref().map_or(0, |start| start.info.samples),
        epoch_samples: order.len() as u64,
        best: 0.0,
        data: settings.data.iter().map(DataSpec::label).collect(),
    };
    let mut stepper = Stepper::new(
        &graph,
        weights.clone(),
        settings.optimizer,
        &settings.device,
        settings.threads,
    )?;
    let mut average = Average::new(settings.average, weights);
    if settings.resume {
        let last = start.map(|start| start.info);
        info.step = last.as_ref().map_or(0, |info| info.step);
        info.best = last.as_ref().map_or(0.0, |info| info.best);
        stepper = stepper.load_optimizer(settings.optimizer, &path(OPTIMIZER))?;
        let kept = Checkpoint::load(&path(LAST_AVERAGE))?;
        average = Average::resume(settings.average, kept.weights, info.step);
    }
    let schedule = CosineSchedule {
        peak: settings.learning_rate,
        warmup: settings.warmup,
        total,
        floor: settings.final_rate,
    };
    let loader_settings = LoaderSettings {
        shape: settings.shape.clone(),
        augmentation: settings.augmentation.clone(),
        keypoints: settings.keypoints.clone(),
        batch: settings.batch,
        seed: settings.seed,
    };
    let (height, width) = (settings.shape.input.height, settings.shape.input.width);
    log.line(&format!(
        "{} on {}: {} parameters, {:.3} GMAC; {} people ({} samples an epoch), {} to validate; \
         {} epochs of {steps_per_epoch} steps of {}",
        network.model_type(height, width),
        settings.device,
        graph.parameters(),
        graph.last_stack().0.macs(height, width) as f64 / 1e9,
        people.len(),
        order.len(),
        validation.len(),
        settings.epochs,
        settings.batch,
    ))?;
    let mut tutor = match &settings.distill {
        Some((path, share)) => Some(Tutor::load(
            path,
            &settings.keypoints,
            &settings.shape,
            *share,
            &settings.device,
            settings.threads,
        )?),
        None => None,
    };
    for note in tutor.iter().flat_map(Tutor::notes) {
        log.line(note)?;
    }
    let mut loader = Loader::start(
        Arc::new(people),
        order,
        photos.clone(),
        loader_settings,
        info.step,
    );
    let eval = eval_settings(&settings.shape, &settings.keypoints);
    let end = settings.stop_after.map_or(total, |stop| stop.min(total));
    let bar = progress_bar(end, info.step);
    let interval = settings.validate_every.unwrap_or(steps_per_epoch);
    let mut window = Window::default();
    while info.step < end {
        let mut loaded = loader.next_batch()?;
        let started = Instant::now();
        if let Some(tutor) = &mut tutor {
            tutor.teach(&mut loaded.batch)?;
        }
        let rate = schedule.rate(info.step);
        let loss = stepper.step(&loaded.batch, settings.loss, rate);
        if !loss.is_finite() {
            return Err(TrainError::Diverged {
                loss,
                step: info.step,
                samples: loaded.ids.join(", "),
            });
        }
        average.update(stepper.weights());
        info.step += 1;
        info.samples += settings.batch as u64;
        window.add(loss, settings.batch, started.elapsed());
        bar.set_position(info.step);
        bar.set_message(format!(
            "loss {:.6}  {:.1}/s",
            window.loss(),
            window.speed()
        ));
        if info.step.is_multiple_of(interval) || info.step == end {
            let report = bar.suspend(|| {
                let weights = average.weights();
                evaluate_weights(
                    &graph,
                    weights,
                    &validation,
                    &eval,
                    settings.threads,
                    |_| (),
                )
            })?;
            let pck = report.mean.unwrap_or(0.0) as f32;
            let better = pck > info.best;
            info.best = info.best.max(pck);
            save(&settings.output, &info, &mut stepper, &average, better)?;
            bar.suspend(|| {
                log.epoch(&EpochRecord {
                    epoch: info.step as f32 / steps_per_epoch as f32,
                    step: info.step,
                    samples: info.samples,
                    learning_rate: rate,
                    loss: window.loss(),
                    pck,
                    best: info.best,
                    samples_per_second: window.speed(),
                    wall: window.wall(),
                })
            })?;
            window = Window::default();
        }
    }
    bar.finish_and_clear();
    Ok(TrainOutcome {
        best: info.best,
        best_path: path(BEST),
        steps: info.step,
    })
}

fn check(settings: &TrainSettings) -> Result<(), TrainError> {
    let Size { width, height } = settings.shape.input;
    let fail = |message: String| Err(TrainError::Setting(message));
    if width == 0 || height == 0 || width % 32 != 0 || height % 32 != 0 {
        return fail(format!(
            "input size {width}x{height}: both sides must be multiples of 32"
        ));
    }
    if settings.batch == 0 || settings.epochs == 0 {
        return fail("batch size and epochs must be 1 or more".to_owned());
    }
    if let Err(error) = settings.network.check() {
        return fail(error.to_string());
    }
    Ok(())
}

type Training = (Vec<dataset::Person>, Vec<u32>);

fn load_training(settings: &TrainSettings, log: &mut TrainLog) -> Result<Training, TrainError> {
    let mut people = Vec::new();
    let mut order = Vec::new();
    for spec in &settings.data {
        let mut loaded = load(spec, settings, log)?;
        for teacher in &settings.teachers {
            if let Some(done) = teacher.apply(&mut loaded, &settings.keypoints)? {
                log.line(&done)?;
            }
        }
        let first = people.len() as u32;
        let indices = first..first + loaded.len() as u32;
        for _ in 0..spec.repeat {
            order.extend(indices.clone());
        }
        people.extend(loaded);
    }
    if people.is_empty() {
        return Err(no_people("training", &settings.data));
    }
    Ok((people, order))
}

fn load_validation(
    settings: &TrainSettings,
    log: &mut TrainLog,
) -> Result<Vec<dataset::Person>, TrainError> {
    let mut people = Vec::new();
    for spec in &settings.validation {
        people.extend(load(spec, settings, log)?);
    }
    if people.is_empty() {
        return Err(no_people("validation", &settings.validation));
    }
    Ok(people)
}

fn load(
    spec: &DataSpec,
    settings: &TrainSettings,
    log: &mut TrainLog,
) -> Result<Vec<dataset::Person>, TrainError> {
    let mut warnings = Vec::new();
    let people = spec.load(&settings.keypoints, false, |warning| warnings.push(warning))?;
    for warning in warnings {
        log.line(&format!("{spec}: {warning}"))?;
    }
    Ok(people)
}

fn no_people(what: &'static str, specs: &[DataSpec]) -> TrainError {
    let sources: Vec<String> = specs.iter().map(ToString::to_string).collect();
    TrainError::NoPeople {
        what,
        sources: sources.join(", "),
    }
}

fn save(
    output: &Path,
    info: &CheckpointInfo,
    stepper: &mut Stepper,
    average: &Average,
    better: bool,
) -> Result<(), TrainError> {
    let checkpoint = |weights: &[LayerWeights]| Checkpoint {
        info: info.clone(),
        weights: weights.to_vec(),
    };
    let averaged = checkpoint(average.weights());
    if better {
        averaged.save(&output.join(BEST))?;
    }
    stepper.save_optimizer(&output.join(OPTIMIZER))?;
    averaged.save(&output.join(LAST_AVERAGE))?;
    checkpoint(stepper.weights()).save(&output.join(LAST))
}

fn progress_bar(total: u64, position: u64) -> ProgressBar {
    // indicatif draws nothing when standard error is not a terminal.
    let bar = ProgressBar::new(total).with_position(position);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} steps  {msg}  {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

/// Means since the last validation.
#[derive(Default)]
struct Window {
    loss: f64,
    steps: u32,
    samples: usize,
    busy: Duration,
    start: Option<Instant>,
}

impl Window {
    fn add(&mut self, loss: f32, samples: usize, busy: Duration) {
        self.start.get_or_insert_with(|| {
            let now = Instant::now();
            now.checked_sub(busy).unwrap_or(now)
        });
        self.loss += f64::from(loss);
        self.steps += 1;
        self.samples += samples;
        self.busy += busy;
    }

    fn loss(&self) -> f32 {
        (self.loss / f64::from(self.steps.max(1))) as f32
    }

    fn wall(&self) -> Duration {
        self.start.map_or(Duration::ZERO, |start| start.elapsed())
    }

    fn speed(&self) -> f32 {
        self.samples as f32 / self.wall().as_secs_f32().max(1e-6)
    }
}
