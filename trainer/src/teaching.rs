//! Cleaning of training labels by another network's predictions: `DATASET=FILE[,swaps]`.

use std::path::PathBuf;
use std::str::FromStr;

use dataset::{CleanSettings, Person, Teacher, clean};
use pose::KeypointSet;

use crate::error::TrainError;

/// Predictions of a teacher on one data set's training photos, see [`dataset::Teacher`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Teaching {
    dataset: String,
    path: PathBuf,
    repair_swaps: bool,
}

impl FromStr for Teaching {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (dataset, rest) = text
            .split_once('=')
            .filter(|(dataset, path)| !dataset.is_empty() && !path.is_empty())
            .ok_or_else(|| format!("`{text}`: expected DATASET=FILE or DATASET=FILE,swaps"))?;
        let (path, repair_swaps) = match rest.strip_suffix(",swaps") {
            Some(path) => (path, true),
            None => (rest, false),
        };
        Ok(Self {
            dataset: dataset.to_owned(),
            path: path.into(),
            repair_swaps,
        })
    }
}

impl Teaching {
    /// Lowers the weight of contradicted labels, takes sure predictions over where there is no
    /// label, and, where asked for, swaps left and right back. Returns what was done in words, or
    /// nothing when none of the people is of this data set.
    ///
    /// # Errors
    /// When the file cannot be read, or one of the people is in a test split.
    pub fn apply(
        &self,
        people: &mut [Person],
        keypoints: &KeypointSet,
    ) -> Result<Option<String>, TrainError> {
        if !people.iter().any(|person| person.dataset == self.dataset) {
            return Ok(None);
        }
        let teacher = Teacher::read(&self.path, &self.dataset, keypoints)?;
        let settings = CleanSettings {
            repair_swaps: self.repair_swaps,
            ..CleanSettings::default()
        };
        let report = clean(people, &teacher, keypoints, &settings)?;
        Ok(Some(format!("{} cleaned: {report}", self.dataset)))
    }
}
