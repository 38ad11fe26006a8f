//! Means since the last validation.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Loss and speed since the last validation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Window {
    loss: f64,
    steps: u32,
    /// Samples since the program started: speed is the machine's, and not kept.
    #[serde(skip)]
    samples: usize,
    #[serde(skip)]
    start: Option<Instant>,
}

impl Window {
    /// Takes one step in, which took this long.
    pub fn add(&mut self, loss: f32, samples: usize, busy: Duration) {
        self.start.get_or_insert_with(|| {
            let now = Instant::now();
            now.checked_sub(busy).unwrap_or(now)
        });
        self.loss += f64::from(loss);
        self.steps += 1;
        self.samples += samples;
    }

    /// Mean loss.
    pub fn loss(&self) -> f32 {
        (self.loss / f64::from(self.steps.max(1))) as f32
    }

    /// Time since the first step.
    pub fn wall(&self) -> Duration {
        self.start.map_or(Duration::ZERO, |start| start.elapsed())
    }

    /// Samples a second.
    pub fn speed(&self) -> f32 {
        self.samples as f32 / self.wall().as_secs_f32().max(1e-6)
    }
}
