//! Random draws that depend on nothing but a seed.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Draw {
    rng: Pcg64,
    spare: Option<f32>,
}

impl Draw {
    /// The stream of one `purpose` (an epoch and a sample, say) under one seed. Equal arguments
    /// give equal streams on every machine.
    pub fn new(seed: u64, purpose: [u64; 2]) -> Self {
        let mut bytes = [0; 32];
        for (to, value) in bytes
            .chunks_exact_mut(8)
            .zip([seed, purpose[0], purpose[1], 1])
        {
            to.copy_from_slice(&value.to_le_bytes());
        }
        let mut rng = Pcg64::from_seed(bytes);
        // The first outputs of streams with similar seeds are alike.
        for _ in 0..4 {
            rng.next_u64();
        }
        Self { rng, spare: None }
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f32 {
        (self.rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in `low..high`.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Standard normal (Box–Muller).
    pub fn normal(&mut self) -> f32 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let angle = std::f32::consts::TAU * self.unit();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// Uniform in `0..end`.
    pub fn below(&mut self, end: usize) -> usize {
        ((self.rng.next_u64() as u128 * end as u128) >> 64) as usize
    }

    /// Puts a slice in random order (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
