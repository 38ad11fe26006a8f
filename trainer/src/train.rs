//! The training loop.

mod dashboard;
mod folder;
mod people;
mod progress;
mod report;
mod session;
mod sparkline;
mod window;

use std::path::PathBuf;

use serde::Serialize;

use crate::error::TrainError;
use crate::settings::TrainSettings;
use folder::RunFolder;
use report::Report;
use session::Session;

pub use folder::BEST;

/// What a training ended with.
#[derive(Clone, Debug, Serialize)]
pub struct TrainOutcome {
    /// Best validation PCK, percent.
    pub best: f32,
    /// The checkpoint that has it; none before the first validation.
    pub best_path: Option<PathBuf>,
    /// Steps done in all.
    pub steps: u64,
    /// Why it ended.
    pub end: TrainEnd,
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TrainEnd {
    /// All steps are done.
    Complete,
    /// Validation had not become better for as long as the settings allow.
    Patience,
    /// Somebody asked for the end; the number is that of the signal.
    Stopped(usize),
}

/// Trains and writes into the output folder: the best, the last and, on request, the most recent
/// checkpoints; `train.log` for people, `log.csv` and `val.txt` for programs, and TensorBoard
/// events.
///
/// # Errors
/// See [`TrainError`]; what was written before stays.
pub fn train(settings: &TrainSettings) -> Result<TrainOutcome, TrainError> {
    settings.check()?;
    let folder = RunFolder::open(settings)?;
    let mut report = Report::open(settings)?;
    let mut session = Session::start(settings, &folder, &mut report)?;
    let plan = session.plan();
    report.begin(plan, &session.title())?;
    let mut end = TrainEnd::Complete;
    while session.step() < plan.end {
        let done = session.advance()?;
        report.step(&done)?;
        let asked = settings.stop.asked();
        if done.step.is_multiple_of(plan.validate_every) || done.step == plan.end {
            let (record, better) =
                session.validate(|done, people| report.validating(done, people))?;
            session.save_validated(&folder, record.pck, better)?;
            report.epoch(&record)?;
        } else if asked.is_some() {
            session.save(&folder)?;
        }
        if let Some(signal) = asked.filter(|_| done.step < plan.end) {
            report.line(&format!(
                "stopped on request at step {}; --resume continues there",
                done.step
            ))?;
            end = TrainEnd::Stopped(signal);
            break;
        }
        let waited = session.validations_without_better();
        if settings.patience.is_some_and(|patience| waited >= patience) && done.step < plan.end {
            report.line(&format!(
                "ended early at step {}: the last {waited} validations were no better",
                done.step
            ))?;
            end = TrainEnd::Patience;
            break;
        }
    }
    Ok(TrainOutcome {
        best: session.best(),
        best_path: Some(folder.best()).filter(|path| path.exists()),
        steps: session.step(),
        end,
    })
}
