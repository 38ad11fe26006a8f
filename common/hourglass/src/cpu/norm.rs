//! Batch normalization and ReLU on channels-last rows, forward and backward.
//!
//! With z the convolution's result, μ and σ² its mean and biased variance over all rows:
//!
//! ```text
//! y  = γ · (z - μ) / sqrt(σ² + ε) + β          written as  y = a · z + b
//! dβ = Σ dy      dγ = Σ dy · ẑ      ẑ = (z - μ) / sqrt(σ² + ε)
//! dz = a · (dy - dβ / rows - ẑ · dγ / rows)    (Ioffe & Szegedy 2015)
//! ```

use super::isa::multiversion;

multiversion! {
    /// Adds the sums and the sums of squares of each channel to `sum` and `square`.
    pub(crate) fn add_moments(rows: &[f32], sum: &mut [f32], square: &mut [f32]) {
        let channels = sum.len();
        let square = &mut square[..channels];
        for row in rows.chunks_exact(channels) {
            for c in 0..channels {
                sum[c] += row[c];
                square[c] += row[c] * row[c];
            }
        }
    }
}

multiversion! {
    /// `output = a · input + b` per channel, cut at zero when `relu` is set.
    pub(crate) fn scale_shift(
        input: &[f32], a: &[f32], b: &[f32], relu: bool, output: &mut [f32],
    ) {
        let channels = a.len();
        let b = &b[..channels];
        let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
        for (from, to) in input.chunks_exact(channels).zip(output.chunks_exact_mut(channels)) {
            for c in 0..channels {
                let value = a[c] * from[c] + b[c];
                to[c] = if value > floor { value } else { floor };
            }
        }
    }
}

multiversion! {
    /// Adds Σ dy and Σ dy · z of each channel, where the ReLU let the value through.
    pub(crate) fn add_gradient_moments(
        dy: &[f32], z: &[f32], a: &[f32], b: &[f32], relu: bool,
        sum: &mut [f32], product: &mut [f32],
    ) {
        let channels = a.len();
        let (b, sum, product) = (&b[..channels], &mut sum[..channels], &mut product[..channels]);
        let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
        for (dy, z) in dy.chunks_exact(channels).zip(z.chunks_exact(channels)) {
            for c in 0..channels {
                let passed = if a[c] * z[c] + b[c] > floor { dy[c] } else { 0.0 };
                sum[c] += passed;
                product[c] += passed * z[c];
            }
        }
    }
}

multiversion! {
    /// `dz = p · dy + q · z + r` per channel, with dy zero where the ReLU cut the value.
    pub(crate) fn gradient_rows(
        dy: &[f32], z: &[f32], a: &[f32], b: &[f32], relu: bool,
        p: &[f32], q: &[f32], r: &[f32], dz: &mut [f32],
    ) {
        let channels = a.len();
        let (b, p, q, r) = (&b[..channels], &p[..channels], &q[..channels], &r[..channels]);
        let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
        let rows = dy.chunks_exact(channels).zip(z.chunks_exact(channels));
        for ((dy, z), dz) in rows.zip(dz.chunks_exact_mut(channels)) {
            for c in 0..channels {
                let passed = if a[c] * z[c] + b[c] > floor { dy[c] } else { 0.0 };
                dz[c] = p[c] * passed + q[c] * z[c] + r[c];
            }
        }
    }
}

multiversion! {
    /// `dz = dy` where `y > 0`, else 0.
    pub(crate) fn relu_gradient(dy: &[f32], y: &[f32], dz: &mut [f32]) {
        for ((dz, dy), y) in dz.iter_mut().zip(dy).zip(y) {
            *dz = if *y > 0.0 { *dy } else { 0.0 };
        }
    }
}
