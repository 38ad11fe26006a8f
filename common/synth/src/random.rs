//! The one source of chance: seeded, the same on every machine.

use rand::Rng;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

/// A seeded stream of random numbers (PCG).
#[derive(Clone, Debug)]
pub struct Random(Pcg64Mcg);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Random {
        Random(Pcg64Mcg::seed_from_u64(seed))
    }

    /// A stream of its own for one part of the work, so that a change in one part leaves the
    /// others as they were.
    pub fn fork(&mut self) -> Random {
        Random::new(self.0.next_u64())
    }

    /// Uniform in `low..high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        // 24 bits fill a float's mantissa.
        let unit = (self.0.next_u32() >> 8) as f32 / 16_777_216.0;
        low + (high - low) * unit
    }

    /// Bell-shaped around 0 with standard deviation 1, never beyond ±3 (Irwin–Hall of four).
    pub fn bell(&mut self) -> f32 {
        let sum: f32 = (0..4).map(|_| self.range(-0.5, 0.5)).sum();
        (sum * 1.732_050_8).clamp(-3.0, 3.0)
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.range(0.0, 1.0) < probability
    }

    /// Uniform in `0..count`; 0 when `count` is 0.
    pub fn index(&mut self, count: usize) -> usize {
        ((self.range(0.0, 1.0) * count as f32) as usize).min(count.saturating_sub(1))
    }

    /// One of the given things.
    pub fn pick<'a, T, const N: usize>(&mut self, from: &'a [T; N]) -> &'a T {
        &from[self.index(N)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut random = Random::new(1);
        let n = 20_000;
        let uniform: Vec<f32> = (0..n).map(|_| random.range(2.0, 4.0)).collect();
        let mean = uniform.iter().sum::<f32>() / n as f32;
        assert!((mean - 3.0).abs() < 0.02, "{mean}");
        let bell: Vec<f32> = (0..n).map(|_| random.bell()).collect();
        let variance = bell.iter().map(|x| x * x).sum::<f32>() / n as f32;
        assert!((variance - 1.0).abs() < 0.03, "{variance}");
    }

    #[test]
    fn one_seed_one_stream() {
        let mut a = Random::new(7);
        let mut b = Random::new(7);
        assert_eq!(a.fork().range(0.0, 1.0), b.fork().range(0.0, 1.0));
        assert_ne!(
            Random::new(8).range(0.0, 1.0),
            Random::new(7).range(0.0, 1.0)
        );
    }
}
