//! Training arithmetic on CPUs: loss and gradients of a whole network for one batch.
//!
//! Maps are channels-last, so that a 1×1 convolution is a plain matrix product; every worker
//! thread runs its own share of the batch from the picture to the gradients, and the shares are
//! averaged at the end. Kernels are compiled for several instruction sets and picked at run time.
//! A general autodiff engine gives the same gradients; this one is several times faster on the
//! depthwise-separable networks, and the tests compare the two.

mod arena;
mod buffer;
mod conv;
mod depthwise;
mod element;
mod engine;
mod gemm;
pub(crate) mod isa;
mod lanes;
mod moments;
mod norm;
mod packed;
mod pass;
mod plan;
mod resample;
mod spatial;
#[cfg(test)]
mod speed;

pub use element::Precision;
pub use engine::{Batch, Engine, Observation, StepResult};
pub use isa::Isa;

#[cfg(test)]
pub(crate) mod tests {
    /// Reproducible values in -1..1.
    pub fn noise(len: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        (0..len)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            })
            .collect()
    }

    /// Every value as expected, within `tolerance` of the largest expected one.
    pub fn close(
        found: &[f32],
        expected: impl ExactSizeIterator<Item = f64> + Clone,
        tolerance: f64,
        what: &str,
    ) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let size = expected.clone().fold(1e-30, |a: f64, v| a.max(v.abs()));
        for (at, (&found, expected)) in found.iter().zip(expected).enumerate() {
            let error = (f64::from(found) - expected).abs();
            assert!(
                error <= tolerance * size,
                "{what}: {found} instead of {expected} at {at}"
            );
        }
    }
}
