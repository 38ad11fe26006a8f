//! A file that begins again when it ends.

use std::time::Duration;

use crate::error::RuntimeError;
use crate::stream::{Frame, FrameSource, StreamInfo};

/// Opens a source, again and again.
type Open = Box<dyn FnMut() -> Result<Box<dyn FrameSource>, RuntimeError> + Send>;

/// Plays a source again and again; numbers and times go on.
pub struct Repeat {
    open: Open,
    source: Box<dyn FrameSource>,
    info: StreamInfo,
    /// Number of the next frame.
    next: u64,
    /// Number and time of the first frame of this round.
    began: (u64, Duration),
    last: Duration,
    broken: u64,
}

impl Repeat {
    /// Opens the source for the first time.
    ///
    /// # Errors
    /// As opening it.
    pub fn new(
        mut open: impl FnMut() -> Result<Box<dyn FrameSource>, RuntimeError> + Send + 'static,
    ) -> Result<Repeat, RuntimeError> {
        let source = open()?;
        let info = StreamInfo {
            frames: None,
            ..source.info().clone()
        };
        Ok(Repeat {
            open: Box::new(open),
            source,
            info,
            next: 0,
            began: (0, Duration::ZERO),
            last: Duration::ZERO,
            broken: 0,
        })
    }

    /// How long the last frame of a round stands.
    fn interval(&self) -> Duration {
        let rate = self.info.rate.filter(|rate| *rate > 0.0).unwrap_or(25.0);
        Duration::from_secs_f64(1.0 / rate)
    }
}

impl FrameSource for Repeat {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        let mut came = self.source.next_frame()?;
        if came.is_none() && self.next > self.began.0 {
            self.broken += self.source.broken_frames();
            self.source = (self.open)()?;
            self.began = (self.next, self.last + self.interval());
            came = self.source.next_frame()?;
        }
        // A source without frames is not asked for ever.
        let Some(mut frame) = came else {
            return Ok(None);
        };
        frame.number += self.began.0;
        frame.time += self.began.1;
        self.next = frame.number + 1;
        self.last = frame.time;
        Ok(Some(frame))
    }

    fn broken_frames(&self) -> u64 {
        self.broken + self.source.broken_frames()
    }
}
