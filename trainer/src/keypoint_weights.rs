//! Keypoints that count more or less than others: `wrist=1.5,ankle=1.5`.

use std::fmt;
use std::str::FromStr;

use dataset::Person;
use pose::KeypointSet;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// Factors of the loss by keypoint; `wrist` stands for the left and the right one. What is not
/// named counts once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeypointWeights(Vec<(String, f32)>);

impl FromStr for KeypointWeights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').filter(|part| !part.trim().is_empty());
        let pair = |part: &str| {
            let (name, factor) = part.split_once('=')?;
            let factor = factor.trim().parse::<f32>().ok()?;
            let fine = !name.trim().is_empty() && factor >= 0.0 && factor.is_finite();
            fine.then(|| (name.trim().to_owned(), factor))
        };
        let pairs = parts.map(|part| {
            pair(part).ok_or_else(|| format!("`{part}`: expected NAME=FACTOR, such as wrist=1.5"))
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for KeypointWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self
            .0
            .iter()
            .map(|(name, factor)| format!("{name}={factor}"));
        f.write_str(&parts.collect::<Vec<_>>().join(","))
    }
}

impl TryFrom<String> for KeypointWeights {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<KeypointWeights> for String {
    fn from(weights: KeypointWeights) -> Self {
        weights.to_string()
    }
}

impl KeypointWeights {
    /// The factor of every keypoint of a set.
    ///
    /// # Errors
    /// [`TrainError::Setting`] for a name that is none of the set's.
    pub fn factors(&self, set: &KeypointSet) -> Result<Vec<f32>, TrainError> {
        let mut factors = vec![1.0; set.len()];
        for (name, factor) in &self.0 {
            let sides = [
                name.clone(),
                format!("left_{name}"),
                format!("right_{name}"),
            ];
            let indices: Vec<usize> = sides.iter().filter_map(|n| set.index_of(n)).collect();
            if indices.is_empty() {
                return Err(TrainError::Setting(format!(
                    "keypoint weight `{name}={factor}`: the set `{}` has no such keypoint; it has {}",
                    set.name,
                    set.keypoints.join(", ")
                )));
            }
            for index in indices {
                factors[index] = *factor;
            }
        }
        Ok(factors)
    }

    /// Multiplies the weights of people's labels.
    ///
    /// # Errors
    /// As [`KeypointWeights::factors`].
    pub fn apply(&self, people: &mut [Person], set: &KeypointSet) -> Result<(), TrainError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let factors = self.factors(set)?;
        for person in people {
            for (keypoint, factor) in person.keypoints.iter_mut().zip(&factors) {
                keypoint.weight *= factor;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_both_sides() {
        let set = KeypointSet::mpii();
        let weights: KeypointWeights = "wrist=1.5, left_ankle=2,head_top=0".parse().unwrap();
        assert_eq!(weights.to_string(), "wrist=1.5,left_ankle=2,head_top=0");
        let factors = weights.factors(&set).unwrap();
        let of = |name: &str| factors[set.index_of(name).unwrap()];
        assert_eq!((of("left_wrist"), of("right_wrist")), (1.5, 1.5));
        assert_eq!((of("left_ankle"), of("right_ankle")), (2.0, 1.0));
        assert_eq!(of("head_top"), 0.0);
        assert_eq!(factors.iter().filter(|f| **f == 1.0).count(), 12);
        let unknown: KeypointWeights = "tail=2".parse().unwrap();
        let error = unknown.factors(&set).unwrap_err().to_string();
        assert!(
            error.contains("tail") && error.contains("left_wrist"),
            "{error}"
        );
        for text in ["wrist", "wrist=", "=2", "wrist=-1", "wrist=x"] {
            assert!(text.parse::<KeypointWeights>().is_err(), "{text}");
        }
        assert_eq!(
            "".parse::<KeypointWeights>(),
            Ok(KeypointWeights::default())
        );
    }
}
