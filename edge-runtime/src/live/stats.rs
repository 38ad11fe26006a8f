//! How a run goes: frames a second, milliseconds a stage, frames that were dropped.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Frames that medians and rates are taken over.
const WINDOW: usize = 120;

/// The parts of a frame's way that are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From when the frame was taken until somebody looked for poses in it.
    Wait,
    /// Finding the poses.
    Find,
    /// Drawing them, where a window is open.
    Draw,
    /// Bringing the picture to the screen.
    Show,
    /// All of it: from when the frame was taken until its poses are on the screen, or, without a
    /// window, are known.
    Age,
}

impl Stage {
    /// All of them, in the order of a frame's way.
    pub const ALL: [Stage; 5] = [
        Stage::Wait,
        Stage::Find,
        Stage::Draw,
        Stage::Show,
        Stage::Age,
    ];

    /// Its name in a status line.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Wait => "wait",
            Stage::Find => "find",
            Stage::Draw => "draw",
            Stage::Show => "show",
            Stage::Age => "age",
        }
    }
}

/// Milliseconds of one stage over the last frames; zeros before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StageTime {
    /// Half of the frames took less.
    pub median: f32,
    /// 95 of 100 frames took less.
    pub p95: f32,
}

/// How a run goes at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveStats {
    /// Frames that poses were looked for in.
    pub frames: u64,
    /// Frames a second, over the last of them.
    pub fps: f32,
    /// Times of the stages, in the order of [`Stage::ALL`].
    pub stages: [StageTime; 5],
    /// Frames of the source that came too fast and were never looked at.
    pub dropped: u64,
    /// Frames that were left out on request.
    pub skipped: u64,
    /// Frames that could not be used.
    pub broken: u64,
}

impl LiveStats {
    /// The times of one stage.
    pub fn stage(&self, stage: Stage) -> StageTime {
        self.stages[stage as usize]
    }
}

/// Takes the times.
#[derive(Debug)]
pub(crate) struct Meter {
    pub frames: u64,
    pub dropped: u64,
    /// Of these, what the source itself dropped.
    pub lost: u64,
    pub skipped: u64,
    pub broken: u64,
    ends: VecDeque<Instant>,
    stages: [VecDeque<f32>; 5],
    /// Room for sorting.
    sorted: Vec<f32>,
}

impl Meter {
    pub fn new() -> Meter {
        Meter {
            frames: 0,
            dropped: 0,
            lost: 0,
            skipped: 0,
            broken: 0,
            ends: VecDeque::with_capacity(WINDOW),
            stages: std::array::from_fn(|_| VecDeque::with_capacity(WINDOW)),
            sorted: Vec::with_capacity(WINDOW),
        }
    }

    pub fn add(&mut self, stage: Stage, time: Duration) {
        let milliseconds = 1e3 * time.as_secs_f32();
        push(&mut self.stages[stage as usize], milliseconds);
    }

    /// One more frame is done.
    pub fn frame_done(&mut self, at: Instant) {
        self.frames += 1;
        push(&mut self.ends, at);
    }

    pub fn stats(&mut self) -> LiveStats {
        let fps = match (self.ends.front(), self.ends.back()) {
            (Some(first), Some(last)) if last > first => {
                (self.ends.len() - 1) as f32 / (*last - *first).as_secs_f32()
            }
            _ => 0.0,
        };
        let sorted = &mut self.sorted;
        let stages = std::array::from_fn(|index| {
            sorted.clear();
            sorted.extend(&self.stages[index]);
            sorted.sort_by(f32::total_cmp);
            let at = |part: f32| {
                let last = sorted.len().saturating_sub(1);
                let index = (part * last as f32).round() as usize;
                sorted.get(index).copied().unwrap_or_default()
            };
            StageTime {
                median: at(0.5),
                p95: at(0.95),
            }
        });
        LiveStats {
            frames: self.frames,
            fps,
            stages,
            dropped: self.dropped,
            skipped: self.skipped,
            broken: self.broken,
        }
    }
}

fn push<T>(window: &mut VecDeque<T>, value: T) {
    if window.len() == WINDOW {
        window.pop_front();
    }
    window.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_rates_are_those_of_the_last_frames() {
        let mut meter = Meter::new();
        assert_eq!(meter.stats(), LiveStats::default());
        let start = Instant::now();
        // A slow first frame leaves the window; then 1 to 100 ms, and 20 frames of 200 ms.
        let times = std::iter::once(5000).chain(1..=100).chain([200; 20]);
        for (index, time) in times.enumerate() {
            meter.add(Stage::Find, Duration::from_millis(time));
            meter.frame_done(start + Duration::from_millis(40 * index as u64));
        }
        let stats = meter.stats();
        assert_eq!(stats.frames, 121);
        assert!((stats.fps - 25.0).abs() < 1e-3, "{}", stats.fps);
        let find = stats.stage(Stage::Find);
        assert!((60.0..=61.0).contains(&find.median), "{find:?}");
        assert_eq!(find.p95, 200.0);
        assert_eq!(stats.stage(Stage::Age), StageTime::default());
    }
}
