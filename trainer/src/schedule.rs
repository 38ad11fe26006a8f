//! The learning rate over a training.

/// Linear warm-up, then half a cosine down to a fraction of the peak (Loshchilov & Hutter 2017).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineSchedule {
    /// Highest rate.
    pub peak: f64,
    /// Steps until the peak.
    pub warmup: u64,
    /// All steps.
    pub total: u64,
    /// Last rate as a fraction of the peak.
    pub floor: f64,
}

impl CosineSchedule {
    /// The rate of step `step`, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let span = self.total.saturating_sub(self.warmup).max(1) as f64;
        let progress = ((step - self.warmup) as f64 / span).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.peak * (self.floor + (1.0 - self.floor) * cosine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_to_the_peak_and_falls_to_the_floor() {
        let schedule = CosineSchedule {
            peak: 2.0,
            warmup: 10,
            total: 110,
            floor: 0.1,
        };
        assert!((schedule.rate(0) - 0.2).abs() < 1e-12);
        assert!((schedule.rate(9) - 2.0).abs() < 1e-12);
        assert!((schedule.rate(10) - 2.0).abs() < 1e-12);
        assert!((schedule.rate(60) - 1.1).abs() < 1e-12);
        assert!((schedule.rate(110) - 0.2).abs() < 1e-12);
        assert!((schedule.rate(10_000) - 0.2).abs() < 1e-12);
    }
}
