//! The people that a training reads: to train on, and to validate on.

use dataset::Person;

use crate::data_spec::DataSpec;
use crate::error::TrainError;
use crate::settings::TrainSettings;
use crate::train::report::Report;

/// People to train on.
pub struct TrainingPeople {
    /// All of them, data set by data set.
    pub people: Vec<Person>,
    /// The index of a person once for every time that they come in an epoch.
    pub order: Vec<u32>,
}

/// Reads the training data and cleans its labels by the teachers.
///
/// # Errors
/// When a data set cannot be read or holds nobody with labels.
pub fn load_training(
    settings: &TrainSettings,
    report: &mut Report,
) -> Result<TrainingPeople, TrainError> {
    let mut people = Vec::new();
    let mut order = Vec::new();
    for spec in &settings.data {
        let mut loaded = load(spec, settings, report)?;
        for teacher in &settings.teachers {
            if let Some(done) = teacher.apply(&mut loaded, &settings.keypoints)? {
                report.line(&done)?;
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
    let weights = &settings.keypoint_weights;
    weights.apply(&mut people, &settings.keypoints)?;
    Ok(TrainingPeople { people, order })
}

/// Reads the validation data.
///
/// # Errors
/// As [`load_training`].
pub fn load_validation(
    settings: &TrainSettings,
    report: &mut Report,
) -> Result<Vec<Person>, TrainError> {
    let mut people = Vec::new();
    for spec in &settings.validation {
        people.extend(load(spec, settings, report)?);
    }
    if people.is_empty() {
        return Err(no_people("validation", &settings.validation));
    }
    Ok(people)
}

fn load(
    spec: &DataSpec,
    settings: &TrainSettings,
    report: &mut Report,
) -> Result<Vec<Person>, TrainError> {
    let mut warnings = Vec::new();
    let people = spec.load(&settings.keypoints, false, |warning| warnings.push(warning))?;
    for warning in warnings {
        report.line(&format!("{spec}: {warning}"))?;
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
