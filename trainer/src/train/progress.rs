//! What an interrupted training counts beside its steps.

use serde::{Deserialize, Serialize};

use super::window::Window;

/// Kept with the weights, so that a resumed training reports as one that was never interrupted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Validations since the best one.
    pub waited: u64,
    /// Figures since the last validation.
    pub window: Window,
}

impl Progress {
    /// What [`Progress::write`] wrote; the start of a training for anything else.
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As JSON.
    pub fn write(&self) -> String {
        // Numbers only: nothing in it can fail to become JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}
