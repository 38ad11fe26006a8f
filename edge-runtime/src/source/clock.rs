//! Numbers and times of the frames of files.

use std::time::{Duration, Instant};

use image::RgbImage;

use crate::stream::Frame;

/// Frames a second of streams that do not say.
pub(super) const DEFAULT_RATE: f64 = 25.0;

/// Counts frames that come at an even rate.
#[derive(Debug)]
pub(super) struct FileClock {
    number: u64,
    rate: f64,
}

impl FileClock {
    pub fn new(rate: Option<f64>) -> FileClock {
        FileClock {
            number: 0,
            rate: rate.unwrap_or(DEFAULT_RATE),
        }
    }

    /// The next frame's number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Passes over a frame that could not be used.
    pub fn skip(&mut self) {
        self.number += 1;
    }

    /// The next frame.
    pub fn frame(&mut self, picture: RgbImage, taken: Instant) -> Frame {
        let number = self.number;
        self.number += 1;
        let seconds = number as f64 / self.rate;
        let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Frame {
            picture,
            number,
            time,
            taken,
        }
    }
}
