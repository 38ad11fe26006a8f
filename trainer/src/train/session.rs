//! A training in progress: network, optimizer, data.

use std::sync::Arc;
use std::time::Instant;

use dataset::{PckReport, Person};
use edge_runtime::EvalSettings;
use hourglass::{Graph, random_weights};

use super::folder::RunFolder;
use super::people::{load_training, load_validation};
use super::progress::Progress;
use super::report::{Report, Title};
use super::window::Window;
use crate::average::Average;
use crate::checkpoint::CheckpointInfo;
use crate::data_spec::DataSpec;
use crate::device::TrainDevice;
use crate::distill::Tutor;
use crate::error::TrainError;
use crate::evaluate::{eval_settings, evaluate_weights};
use crate::import::Start;
use crate::loader::{Loader, LoaderSettings};
use crate::log::{EpochRecord, StepRecord};
use crate::photos::Photos;
use crate::random::Draw;
use crate::schedule::{Schedule, Span};
use crate::settings::TrainSettings;
use crate::state::TrainingState;
use crate::stepper::Stepper;

/// Network, optimizer and data between two steps.
pub struct Session<'a> {
    settings: &'a TrainSettings,
    graph: Graph,
    stepper: Stepper,
    average: Average,
    schedule: Schedule,
    loader: Loader,
    tutor: Option<Tutor>,
    validation: Vec<Person>,
    eval: EvalSettings,
    info: CheckpointInfo,
    plan: Plan,
    /// Learning rate of the last step.
    rate: f64,
    window: Window,
    waited: u64,
}

/// How long a training goes.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Steps already done.
    pub start: u64,
    /// Step after which it ends.
    pub end: u64,
    /// Steps of an epoch.
    pub epoch: u64,
    /// Steps between two validations.
    pub validate_every: u64,
}

impl<'a> Session<'a> {
    /// Reads data and weights; continues where the folder's training ended when the settings say
    /// so.
    ///
    /// # Errors
    /// See [`TrainError`].
    pub fn start(
        settings: &'a TrainSettings,
        folder: &RunFolder,
        report: &mut Report,
    ) -> Result<Self, TrainError> {
        let training = load_training(settings, report)?;
        let validation = load_validation(settings, report)?;
        let (people, order) = (training.people, training.order);

        let random = |graph: &Graph| {
            let mut draw = Draw::new(settings.seed, [u64::MAX, 0]);
            random_weights(graph, &mut || draw.normal())
        };
        let state = match settings.resume {
            true => Some(folder.state()?),
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
                    report.line(note)?;
                }
                (start.network, start.weights, start.samples)
            }
            (None, None) => {
                let weights = random(&settings.network.graph());
                (settings.network.clone(), weights, 0)
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
        let batches = (order.len() as u64).div_ceil(settings.batch as u64).max(1);
        let steps_per_epoch = batches.div_ceil(settings.accumulate as u64);
        let total = steps_per_epoch * settings.epochs;
        let mut info = CheckpointInfo {
            network: network.clone(),
            keypoints: settings.keypoints.clone(),
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
        .clip(settings.clip_norm)
        .with_precision(settings.precision);
        let mut average = Average::new(settings.average, weights);
        let mut progress = Progress::default();
        if let Some(state) = state {
            info.step = state.info.step;
            info.best = state.info.best;
            progress = Progress::read(&state.progress);
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
            threads: settings.loaders,
        };
        let (height, width) = (settings.shape.input.height, settings.shape.input.width);
        report.line(&format!(
            "{} on {}{}: {} parameters, {:.3} GMAC; {} people ({} samples an epoch), {} to \
             validate; {} epochs of {steps_per_epoch} steps of {}",
            network.model_type(height, width),
            settings.device,
            match settings.device {
                TrainDevice::Cpu => format!(" in {}", settings.precision),
                _ => String::new(),
            },
            graph.parameters(),
            graph.last_stack().0.macs(height, width) as f64 / 1e9,
            people.len(),
            order.len(),
            validation.len(),
            settings.epochs,
            settings.batch * settings.accumulate,
        ))?;
        let tutor = match &settings.distill {
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
            report.line(note)?;
        }
        let loader = Loader::start(
            Arc::new(people),
            order,
            Arc::new(Photos::new(settings.photo_memory)),
            loader_settings,
            info.step * settings.accumulate as u64,
        );
        Ok(Self {
            plan: Plan {
                start: info.step,
                end: settings.stop_after.map_or(total, |stop| stop.min(total)),
                epoch: steps_per_epoch,
                validate_every: settings.validate_every.unwrap_or(steps_per_epoch).max(1),
            },
            rate: schedule.rate(info.step.saturating_sub(1)),
            eval: eval_settings(&settings.shape, &settings.keypoints),
            settings,
            graph,
            stepper,
            average,
            schedule,
            loader,
            tutor,
            validation,
            info,
            window: progress.window,
            waited: progress.waited,
        })
    }

    /// How long the training goes.
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// What the training calls itself.
    pub fn title(&self) -> Title {
        let [height, width] = self.info.input;
        let mut datasets: Vec<&str> = Vec::new();
        for person in &self.validation {
            if !datasets.contains(&&*person.dataset) {
                datasets.push(&person.dataset);
            }
        }
        Title {
            model: self.info.network.model_type(height, width),
            dataset: datasets.join("+"),
            device: self.settings.device.to_string(),
            output: self.settings.output.display().to_string(),
        }
    }

    /// Optimizer steps so far.
    pub fn step(&self) -> u64 {
        self.info.step
    }

    /// Best validation PCK so far, percent.
    pub fn best(&self) -> f32 {
        self.info.best
    }

    /// Validations since the best one.
    pub fn validations_without_better(&self) -> u64 {
        self.waited
    }

    /// One optimizer step.
    ///
    /// # Errors
    /// When a photo cannot be read or the loss is not a number.
    pub fn advance(&mut self) -> Result<StepRecord, TrainError> {
        let mut loaded = self.loader.next_batch()?;
        let started = Instant::now();
        let rate = self.schedule.rate(self.info.step);
        let mut ids = Vec::with_capacity(self.settings.accumulate);
        for part in 0..self.settings.accumulate {
            if part > 0 {
                loaded = self.loader.next_batch()?;
            }
            if let Some(tutor) = &mut self.tutor {
                tutor.teach(&mut loaded.batch)?;
            }
            self.stepper.add(&loaded.batch, self.settings.loss);
            ids.push(std::mem::take(&mut loaded.ids));
        }
        let done = self.stepper.apply(rate);
        if let Some((batch, loss)) = done.fault() {
            return Err(TrainError::Diverged {
                loss,
                step: self.info.step,
                samples: ids[batch].join(", "),
            });
        }
        let (loss, samples) = (done.loss(), self.settings.batch * ids.len());
        self.average.update(self.stepper.weights());
        self.info.step += 1;
        self.info.samples += samples as u64;
        self.rate = rate;
        self.window.add(loss, samples, started.elapsed());
        Ok(StepRecord {
            step: self.info.step,
            loss,
            mean_loss: self.window.loss(),
            learning_rate: rate,
            samples_per_second: self.window.speed(),
        })
    }

    /// Measures the averaged weights on the validation people, and says whether they are the best
    /// so far. `progress` is told how many of how many people are done.
    ///
    /// # Errors
    /// When no photo can be read.
    pub fn validate(
        &mut self,
        progress: impl Fn(usize, usize) + Sync,
    ) -> Result<(EpochRecord, bool), TrainError> {
        let people = self.validation.len();
        let report = evaluate_weights(
            &self.graph,
            self.average.weights(),
            &self.validation,
            &self.eval,
            self.settings.threads,
            |done| progress(done, people),
        )?;
        let pck = report.mean.unwrap_or(0.0) as f32;
        let better = pck > self.info.best;
        self.info.best = self.info.best.max(pck);
        self.waited = if better { 0 } else { self.waited + 1 };
        let window = std::mem::take(&mut self.window);
        let record = EpochRecord {
            epoch: self.info.step as f32 / self.plan.epoch as f32,
            step: self.info.step,
            validation: self.info.step.div_ceil(self.plan.validate_every).max(1) - 1,
            samples: self.info.samples,
            learning_rate: self.rate,
            loss: window.loss(),
            pck,
            joints: joints(&report),
            best: self.info.best,
            samples_per_second: window.speed(),
            wall: window.wall(),
        };
        Ok((record, better))
    }

    /// Writes the checkpoints after a validation.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save_validated(
        &mut self,
        folder: &RunFolder,
        pck: f32,
        better: bool,
    ) -> Result<(), TrainError> {
        if better || !folder.best().exists() {
            folder.save_best(&self.info, &self.average)?;
        }
        folder.save_kept(&self.info, &self.average, pck)?;
        self.save(folder)
    }

    /// Writes what a resumed training reads.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&mut self, folder: &RunFolder) -> Result<(), TrainError> {
        let progress = Progress {
            waited: self.waited,
            window: self.window.clone(),
        };
        folder.save(&TrainingState {
            info: self.info.clone(),
            weights: self.stepper.weights().to_vec(),
            average: self.average.weights().to_vec(),
            optimizer: self.stepper.optimizer_state()?,
            progress: progress.write(),
        })
    }
}

/// PCK of every joint that was counted, percent.
fn joints(report: &PckReport) -> Vec<(String, f32)> {
    let joints = report.joints.iter();
    joints
        .filter_map(|joint| Some((joint.name.clone(), joint.pck? as f32)))
        .collect()
}
