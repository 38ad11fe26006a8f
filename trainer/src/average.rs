//! An exponential moving average of the weights: smoother than the last step's, and better.

use hourglass::LayerWeights;

/// The average, which starts as a copy.
pub struct Average {
    decay: f32,
    updates: u64,
    weights: Vec<LayerWeights>,
}

impl Average {
    /// Starts from these values. `decay` is the share that stays at each update; 0 switches the
    /// average off.
    pub fn new(decay: f32, weights: Vec<LayerWeights>) -> Self {
        Self {
            decay,
            updates: 0,
            weights,
        }
    }

    /// Continues an average that was kept in a checkpoint after so many updates.
    pub fn resume(decay: f32, weights: Vec<LayerWeights>, updates: u64) -> Self {
        Self {
            updates,
            ..Self::new(decay, weights)
        }
    }

    /// Takes one step's values in. The first updates weigh more, so that the random start is
    /// forgotten soon.
    pub fn update(&mut self, weights: &[LayerWeights]) {
        let warm = (1 + self.updates) as f32 / (10 + self.updates) as f32;
        let keep = self.decay.min(warm);
        self.updates += 1;
        let blend = |into: &mut [f32], from: &[f32]| {
            for (i, f) in into.iter_mut().zip(from) {
                *i += (1.0 - keep) * (f - *i);
            }
        };
        for (into, from) in self.weights.iter_mut().zip(weights) {
            blend(&mut into.weight, &from.weight);
            if let (Some(into), Some(from)) = (&mut into.bias, &from.bias) {
                blend(into, from);
            }
            if let (Some(into), Some(from)) = (&mut into.norm, &from.norm) {
                blend(&mut into.gamma, &from.gamma);
                blend(&mut into.beta, &from.beta);
                blend(&mut into.mean, &from.mean);
                blend(&mut into.variance, &from.variance);
            }
        }
    }

    /// The average.
    pub fn weights(&self) -> &[LayerWeights] {
        &self.weights
    }
}
