//! How long a pose takes, stage by stage.

use std::time::{Duration, Instant};

use pose::{Crop, Pose, RgbView};
use serde::Serialize;

use crate::error::RuntimeError;
use crate::estimator::{Estimator, Timings};

/// How a benchmark runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenchSettings {
    /// Poses that are not measured: caches, frequencies and buffers settle.
    pub warm_up: usize,
    /// Poses that are measured.
    pub runs: usize,
}

impl Default for BenchSettings {
    fn default() -> BenchSettings {
        BenchSettings {
            warm_up: 10,
            runs: 100,
        }
    }
}

/// The times of one stage in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StageTimes {
    /// The shortest.
    pub min_ms: f64,
    /// Half of the runs were not longer.
    pub p50_ms: f64,
    /// 95 of 100 runs were not longer.
    pub p95_ms: f64,
}

/// What a benchmark measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchReport {
    /// Name of the model.
    pub model: String,
    /// Width and height of the network's input.
    pub input: [usize; 2],
    /// Width and height of the frame.
    pub frame: [usize; 2],
    /// Threads of the inference engine.
    pub threads: usize,
    /// Poses measured.
    pub runs: usize,
    /// Cutting, scaling, normalizing.
    pub preprocessing: StageTimes,
    /// The network.
    pub inference: StageTimes,
    /// Reading positions off the heatmaps.
    pub decoding: StageTimes,
    /// All of it.
    pub total: StageTimes,
}

/// Measures single looks at the whole frame.
///
/// # Errors
/// No runs; a failure of the network.
pub fn bench(
    estimator: &mut Estimator,
    frame: &RgbView<'_>,
    settings: BenchSettings,
    threads: usize,
) -> Result<BenchReport, RuntimeError> {
    if settings.runs == 0 {
        return Err(RuntimeError::Usage("0 runs measure nothing".into()));
    }
    let input = estimator.spec().input.size;
    let crop = Crop::letterbox(frame.size(), input);
    let mut pose = Pose::default();
    let mut stages: [Vec<Duration>; 4] = Default::default();
    for run in 0..settings.warm_up + settings.runs {
        let mut timings = Timings::default();
        let started = Instant::now();
        estimator.look(frame, &crop, &mut pose, &mut timings)?;
        let total = started.elapsed();
        if run >= settings.warm_up {
            let measured = [
                timings.preprocessing,
                timings.inference,
                timings.decoding,
                total,
            ];
            for (times, time) in stages.iter_mut().zip(measured) {
                times.push(time);
            }
        }
    }
    let [preprocessing, inference, decoding, total] = stages.map(StageTimes::of);
    Ok(BenchReport {
        model: estimator.spec().name.clone(),
        input: [input.width, input.height],
        frame: [frame.width, frame.height],
        threads: threads.max(1),
        runs: settings.runs,
        preprocessing,
        inference,
        decoding,
        total,
    })
}

impl StageTimes {
    fn of(mut times: Vec<Duration>) -> StageTimes {
        times.sort();
        // Nearest rank: the smallest time that is not shorter than `part` of all.
        let rank = |part: f64| {
            let index = (part * times.len() as f64).ceil() as usize;
            let time = times.get(index.saturating_sub(1)).copied();
            time.unwrap_or_default().as_secs_f64() * 1e3
        };
        StageTimes {
            min_ms: rank(0.0),
            p50_ms: rank(0.5),
            p95_ms: rank(0.95),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_ranks() {
        // NIST's definition of the nearest-rank method on 1..=20 ms, shuffled.
        let times = (1..=20).rev().map(Duration::from_millis).collect();
        let found = StageTimes::of(times);
        assert_eq!(
            (found.min_ms, found.p50_ms, found.p95_ms),
            (1.0, 10.0, 19.0)
        );
        let one = StageTimes::of(vec![Duration::from_millis(7)]);
        assert_eq!((one.min_ms, one.p50_ms, one.p95_ms), (7.0, 7.0, 7.0));
    }
}
