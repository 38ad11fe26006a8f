//! Training arithmetic on CPUs: loss and gradients of a whole network for one batch.
//!
//! Maps are channels-last, so that a 1×1 convolution is a plain matrix product; every worker
//! thread runs its own share of the batch from the picture to the gradients, and the shares are
//! averaged at the end. Kernels are compiled for several instruction sets and picked at run time.
//! A general autodiff engine gives the same gradients; this one is several times faster on the
//! depthwise-separable networks, and the tests compare the two.

mod arena;
mod conv;
mod depthwise;
mod engine;
mod gemm;
pub(crate) mod isa;
mod moments;
mod norm;
mod pass;
mod resample;

pub use engine::{Batch, Engine, Loss, Observation, StepResult};
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
}
