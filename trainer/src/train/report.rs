//! Who is told how a training goes: files, and the terminal.

use std::time::{Duration, Instant};

use super::dashboard::{Dashboard, duration};
use super::session::Plan;
use crate::error::TrainError;
use crate::log::{EpochRecord, StepRecord, TrainLog};
use crate::settings::TrainSettings;
use crate::stop::StopRequest;
use crate::tensorboard::EventWriter;

/// Time between two plain lines about steps.
const PAUSE: Duration = Duration::from_secs(60);

/// Logs and screen of one training.
pub struct Report {
    log: TrainLog,
    events: Option<EventWriter>,
    screen: Screen,
    /// No dashboard even on a terminal.
    plain: bool,
    stop: StopRequest,
}

/// What people see on standard error.
enum Screen {
    /// Lines that stay.
    Lines {
        plan: Option<Plan>,
        began: Instant,
        last: Instant,
    },
    /// Lines that renew themselves, below those that stay.
    Dashboard(Box<Dashboard>),
}

impl Report {
    /// Opens the logs in the output folder, anew or to append.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn open(settings: &TrainSettings) -> Result<Self, TrainError> {
        let events = settings
            .tensorboard
            .then(|| EventWriter::create(&settings.output));
        Ok(Self {
            log: TrainLog::open(&settings.output, settings.resume)?,
            events: events.transpose()?,
            screen: Screen::lines(None),
            plain: settings.plain,
            stop: settings.stop.clone(),
        })
    }

    /// The steps begin: of a model type of the earlier projects, with validation on these data
    /// sets.
    ///
    /// # Errors
    /// When a log cannot be written.
    pub fn begin(&mut self, plan: Plan, title: &Title) -> Result<(), TrainError> {
        self.log.begin(&title.model, &title.dataset)?;
        let words = format!("{} on {}: {}", title.model, title.device, title.output);
        self.screen = match self.plain {
            true => None,
            false => Dashboard::open(words, plan),
        }
        .map_or_else(
            || Screen::lines(Some(plan)),
            |dashboard| Screen::Dashboard(Box::new(dashboard)),
        );
        Ok(())
    }

    /// A message for people.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn line(&mut self, line: &str) -> Result<(), TrainError> {
        match &self.screen {
            Screen::Lines { .. } => eprintln!("{line}"),
            Screen::Dashboard(dashboard) => dashboard.suspend(|| eprintln!("{line}")),
        }
        self.log.line(line)
    }

    /// One step is done.
    ///
    /// # Errors
    /// When a log cannot be written.
    pub fn step(&mut self, record: &StepRecord) -> Result<(), TrainError> {
        if let Some(events) = &mut self.events {
            let scalars = [
                ("loss/train", record.loss),
                ("learning_rate", record.learning_rate as f32),
            ];
            events.scalars(record.step, scalars)?;
        }
        match &mut self.screen {
            Screen::Dashboard(dashboard) => dashboard.step(record),
            Screen::Lines { plan, began, last } => {
                if let Some(plan) = plan
                    && last.elapsed() >= PAUSE
                {
                    eprintln!("{}", step_line(record, plan, *began));
                    *last = Instant::now();
                    if let Some(events) = &mut self.events {
                        events.flush()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A validation has got so far.
    pub fn validating(&self, done: usize, people: usize) {
        if let Screen::Dashboard(dashboard) = &self.screen {
            let then = match self.stop.asked() {
                Some(_) => ", then stops",
                None => "",
            };
            dashboard.draw_when_due(&format!("validating {done}/{people}{then}"));
        }
    }

    /// One validation is done.
    ///
    /// # Errors
    /// When a log cannot be written.
    pub fn epoch(&mut self, record: &EpochRecord) -> Result<(), TrainError> {
        self.line(&record.to_string())?;
        self.log.row(record)?;
        if let Some(events) = &mut self.events {
            let joints = record.joints.iter();
            let scalars = joints
                .map(|(name, pck)| (format!("PCK/{name}"), *pck))
                .chain([
                    ("PCK/validation".to_owned(), record.pck),
                    ("loss/train_mean".to_owned(), record.loss),
                    ("samples_per_second".to_owned(), record.samples_per_second),
                ]);
            events.scalars(record.step, scalars)?;
            events.flush()?;
        }
        match &mut self.screen {
            Screen::Dashboard(dashboard) => dashboard.epoch(record),
            Screen::Lines { last, .. } => *last = Instant::now(),
        }
        Ok(())
    }
}

/// What a training calls itself.
#[derive(Clone, Debug)]
pub struct Title {
    /// Model type, as the earlier projects write it.
    pub model: String,
    /// Names of the validation data sets.
    pub dataset: String,
    /// Where it trains.
    pub device: String,
    /// Folder of the training.
    pub output: String,
}

impl Screen {
    fn lines(plan: Option<Plan>) -> Self {
        Self::Lines {
            plan,
            began: Instant::now(),
            last: Instant::now(),
        }
    }
}

fn step_line(record: &StepRecord, plan: &Plan, began: Instant) -> String {
    let done = record.step.saturating_sub(plan.start).max(1);
    let left = plan.end.saturating_sub(record.step);
    let seconds = began.elapsed().as_secs_f64() / done as f64 * left as f64;
    format!(
        "step {}/{}  loss {:.6}  rate {:.2e}  {:.1} samples/s  {} left",
        record.step,
        plan.end,
        record.mean_loss,
        record.learning_rate,
        record.samples_per_second,
        duration(seconds)
    )
}
