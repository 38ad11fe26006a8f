//! How fast a run goes where it is held back.

use std::thread;
use std::time::{Duration, Instant};

use crate::live::run::LiveSettings;
use crate::stop::Stop;
use crate::stream::Frame;

/// How often threads that sleep look for a request to end.
const NAP: Duration = Duration::from_millis(20);
/// A file that is shown lags behind its clock by this much: the clock is set anew.
const LATE: Duration = Duration::from_millis(500);

/// When the next frame's turn is.
#[derive(Default)]
pub(crate) struct Pace {
    /// For `max_fps`.
    turn: Option<Instant>,
    /// When a frame of time 0 was or would have been shown.
    start: Option<Instant>,
}

impl Pace {
    /// Waits until another frame may be taken; false when the end is asked for.
    pub fn wait_for_turn(&mut self, settings: &LiveSettings, stop: &Stop) -> bool {
        let Some(fps) = settings.max_fps.filter(|fps| *fps > 0.0) else {
            return !stop.is_asked();
        };
        let interval = Duration::from_secs_f64(1.0 / fps);
        let now = Instant::now();
        // A turn that was missed is not made up for.
        let turn = self.turn.map_or(now, |turn| turn.max(now));
        self.turn = Some(turn + interval);
        sleep_until(turn, stop)
    }

    /// Waits for the moment to show this frame; false when the end is asked for.
    pub fn wait_for(&mut self, frame: &Frame, settings: &LiveSettings, stop: &Stop) -> bool {
        if !settings.real_time {
            return !stop.is_asked();
        }
        let now = Instant::now();
        let from = |start: Instant| start + frame.time;
        let due = match self.start.map(from) {
            Some(due) if now < due + LATE => due,
            // The first frame, or after a pause.
            _ => {
                self.start = now.checked_sub(frame.time);
                now
            }
        };
        sleep_until(due, stop)
    }
}

fn sleep_until(when: Instant, stop: &Stop) -> bool {
    while !stop.is_asked() {
        let left = when.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(NAP));
    }
    false
}
