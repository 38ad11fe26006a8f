//! The training loop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hourglass::{Graph, HourglassConfig, Loss, random_weights};
use indicatif::{ProgressBar, ProgressStyle};
use pose::{KeypointSet, Size};

use crate::augmentation::Augmentation;
use crate::average::Average;
use crate::checkpoint::{Checkpoint, CheckpointInfo};
use crate::data_spec::DataSpec;
use crate::device::TrainDevice;
use crate::error::TrainError;
use crate::evaluate::{eval_settings, evaluate_weights};
use crate::import::Start;
use crate::keypoint_weights::KeypointWeights;
use crate::loader::{Loader, LoaderSettings};
use crate::log::{EpochRecord, TrainLog};
use crate::optimizer::OptimizerSettings;
use crate::photos::Photos;
use crate::random::Draw;
use crate::sample::SampleShape;
use crate::schedule::{Decay, Schedule, Span};
use crate::state::{LAST, TrainingState};
use crate::stepper::Stepper;
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
    /// Keypoints that count more or less than others.
    pub keypoint_weights: KeypointWeights,
    /// What is minimized.
    pub loss: Loss,
    /// Samples of a step.
    pub batch: usize,
    /// Passes over the data.
    pub epochs: u64,
    /// How gradients become steps.
    pub optimizer: OptimizerSettings,
    /// Batches of a step; their gradients are averaged.
    pub accumulate: usize,
    /// Length that gradients are shortened to.
    pub clip_norm: Option<f32>,
    /// Peak of the learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup: u64,
    /// How the rate falls.
    pub decay: Decay,
    /// Last learning rate of a cosine or polynomial decay, as a fraction of the peak.
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
    /// Weights to start from.
    pub weights: Option<PathBuf>,
    /// Take of the weights what fits.
    pub partial: bool,
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

    let random = |graph: &Graph| {
        let mut draw = Draw::new(settings.seed, [u64::MAX, 0]);
        random_weights(graph, &mut || draw.normal())
    };
    let state = match settings.resume {
        true => Some(TrainingState::load(&settings.output)?),
        false => None,
    };
    let (network, weights, trained) = match (&state, &settings.weights) {
        (Some(state), _) => {
            let info = &state.info;
            (info.network.clone(), state.weights.clone(), info.samples)
        }
        (None, Some(path)) => {
            let start = Start::from_file(path, settings.partial, &settings.network, random)?;
            if let Some(note) = &start.note {
                log.line(note)?;
            }
            (start.network, start.weights, start.samples)
        }
        (None, None) => {
            let network = settings.network.clone();
            let weights = random(&network.graph());
            (network, weights, 0)
        }
    };
    if network.keypoints != settings.keypoints.len() {
        return Err(TrainError::Setting(format!(
            "the weights have {} heatmaps, the keypoint set `{}` has {} names",
            network.keypoints,
            settings.keypoints.name,
            settings.keypoints.len()
        )));
    }
    let graph = network.graph();
    let batches_per_epoch = (order.len() as u64).div_ceil(settings.batch as u64).max(1);
    let steps_per_epoch = batches_per_epoch.div_ceil(settings.accumulate as u64);
    let total = steps_per_epoch * settings.epochs;
    let mut info = CheckpointInfo {
        network: network.clone(),
        keypoints: settings.keypoints.name.clone(),
        input: [settings.shape.input.height, settings.shape.input.width],
        sigma: settings.shape.sigma,
        margin: settings.shape.margin,
        step: 0,
        samples: trained,
        epoch_samples: order.len() as u64,
        best: 0.0,
        data: settings.data.iter().map(DataSpec::label).collect(),
    };
    let mut stepper = Stepper::new(
        &graph,
        weights.clone(),
        &settings.optimizer,
        &settings.device,
        settings.threads,
    )?
    .clip(settings.clip_norm);
    let mut average = Average::new(settings.average, weights);
    if let Some(state) = state {
        info.step = state.info.step;
        info.best = state.info.best;
        stepper = stepper.resume_optimizer(&settings.optimizer, state.optimizer)?;
        average = Average::resume(settings.average, state.average, info.step);
    }
    let schedule = Schedule {
        peak: settings.learning_rate,
        warmup: settings.warmup,
        floor: settings.final_rate,
        decay: settings.decay.clone(),
        span: Span {
            total,
            epoch: steps_per_epoch,
        },
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
        settings.batch * settings.accumulate,
    ))?;
    let mut loader = Loader::start(
        Arc::new(people),
        order,
        photos.clone(),
        loader_settings,
        info.step * settings.accumulate as u64,
    );
    let eval = eval_settings(&settings.shape, &settings.keypoints);
    let end = settings.stop_after.map_or(total, |stop| stop.min(total));
    let bar = progress_bar(end, info.step);
    let interval = settings.validate_every.unwrap_or(steps_per_epoch);
    let mut window = Window::default();
    while info.step < end {
        let mut loaded = loader.next_batch()?;
        let started = Instant::now();
        let rate = schedule.rate(info.step);
        let mut ids = Vec::with_capacity(settings.accumulate);
        for part in 0..settings.accumulate {
            if part > 0 {
                loaded = loader.next_batch()?;
            }
            stepper.add(&loaded.batch, settings.loss);
            ids.push(std::mem::take(&mut loaded.ids));
        }
        let report = stepper.apply(rate);
        if let Some((batch, loss)) = report.fault() {
            return Err(TrainError::Diverged {
                loss,
                step: info.step,
                samples: ids[batch].join(", "),
            });
        }
        let loss = report.loss();
        let samples = settings.batch * settings.accumulate;
        average.update(stepper.weights());
        info.step += 1;
        info.samples += samples as u64;
        window.add(loss, samples, started.elapsed());
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
    if settings.network.stacks == 0 || !settings.network.channels.is_multiple_of(4) {
        return fail(format!(
            "{} stacks of {} channels: stacks must be 1 or more, channels a multiple of 4",
            settings.network.stacks, settings.network.channels
        ));
    }
    if settings.accumulate == 0 {
        return fail("a step needs 1 batch or more".to_owned());
    }
    if let Some(clip) = settings.clip_norm.filter(|clip| !(*clip > 0.0)) {
        return fail(format!(
            "gradients shortened to {clip}: must be more than 0"
        ));
    }
    let augmentation = &settings.augmentation;
    let possible = augmentation.clone().for_keypoints(&settings.keypoints);
    if possible.vertical_flip < augmentation.vertical_flip {
        return fail(format!(
            "vertical flip: the keypoint set `{}` names no pair for it (`v` in its match points)",
            settings.keypoints.name
        ));
    }
    let faults = [
        settings.optimizer.fault(),
        settings.decay.fault(),
        augmentation.fault(),
        settings.loss.fault(settings.keypoints.len()),
    ];
    match faults.into_iter().flatten().next() {
        Some(fault) => fail(fault),
        None => Ok(()),
    }
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
    settings
        .keypoint_weights
        .apply(&mut people, &settings.keypoints)?;
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
    let state = TrainingState {
        info: info.clone(),
        weights: stepper.weights().to_vec(),
        average: average.weights().to_vec(),
        optimizer: stepper.optimizer_state()?,
    };
    if better {
        let best = Checkpoint {
            info: info.clone(),
            weights: state.average.clone(),
        };
        best.save(&output.join(BEST))?;
    }
    state.save(output)
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
