//! Depthwise 3×3 convolution, step 1, one row and column of zeros around the picture.
//!
//! ```text
//! for y, x, c:
//!     out[y][x][c] = sum over dy, dx in 0..3 of in[y + dy - 1][x + dx - 1][c] * w[dy][dx][c]
//! ```
//!
//! Maps are channels-last; weights are packed as `[9][channels]`.

use super::isa::multiversion;

multiversion! {
    /// One picture: `input` and `output` have `height * width * channels` values. Adds to the
    /// output when `accumulate` is set.
    pub(crate) fn convolve(
        input: &[f32], weight: &[f32], output: &mut [f32],
        height: usize, width: usize, channels: usize, accumulate: bool,
    ) {
        const BLOCK: usize = 16;
        let row = width * channels;
        for y in 0..height {
            let out_row = &mut output[y * row..(y + 1) * row];
            for x in 0..width {
                let out = &mut out_row[x * channels..(x + 1) * channels];
                let mut c = 0;
                while c < channels {
                    let size = BLOCK.min(channels - c);
                    let mut sum = [0.0f32; BLOCK];
                    for dy in 0..3usize {
                        let Some(sy) = (y + dy).checked_sub(1).filter(|&sy| sy < height) else { continue };
                        for dx in 0..3usize {
                            let Some(sx) = (x + dx).checked_sub(1).filter(|&sx| sx < width) else { continue };
                            let from = sy * row + sx * channels + c;
                            let tap = (dy * 3 + dx) * channels + c;
                            if size == BLOCK {
                                let (a, b) = (&input[from..from + BLOCK], &weight[tap..tap + BLOCK]);
                                for i in 0..BLOCK {
                                    sum[i] += a[i] * b[i];
                                }
                            } else {
                                for i in 0..size {
                                    sum[i] += input[from + i] * weight[tap + i];
                                }
                            }
                        }
                    }
                    let out = &mut out[c..c + size];
                    if accumulate {
                        for (o, s) in out.iter_mut().zip(sum) {
                            *o += s;
                        }
                    } else {
                        out.copy_from_slice(&sum[..size]);
                    }
                    c += size;
                }
            }
        }
    }
}

multiversion! {
    /// Adds one picture's gradient of the weights, `[9][channels]`, to `gradient`.
    pub(crate) fn weight_gradient(
        input: &[f32], output_gradient: &[f32], gradient: &mut [f32],
        height: usize, width: usize, channels: usize,
    ) {
        const BLOCK: usize = 16;
        let row = width * channels;
        let mut c = 0;
        while c < channels {
            let size = BLOCK.min(channels - c);
            let mut sums = [[0.0f32; BLOCK]; 9];
            for y in 0..height {
                for x in 0..width {
                    let at = y * row + x * channels + c;
                    let inside = size == BLOCK && y > 0 && x > 0 && y + 1 < height && x + 1 < width;
                    if inside {
                        let g = &output_gradient[at..at + BLOCK];
                        for dy in 0..3usize {
                            for dx in 0..3usize {
                                let from = at + dy * row + dx * channels - row - channels;
                                let a = &input[from..from + BLOCK];
                                let sum = &mut sums[dy * 3 + dx];
                                for i in 0..BLOCK {
                                    sum[i] += a[i] * g[i];
                                }
                            }
                        }
                    } else {
                        for dy in 0..3usize {
                            let Some(sy) = (y + dy).checked_sub(1).filter(|&sy| sy < height) else { continue };
                            for dx in 0..3usize {
                                let Some(sx) = (x + dx).checked_sub(1).filter(|&sx| sx < width) else { continue };
                                let from = sy * row + sx * channels + c;
                                for i in 0..size {
                                    sums[dy * 3 + dx][i] += input[from + i] * output_gradient[at + i];
                                }
                            }
                        }
                    }
                }
            }
            for (tap, sum) in sums.iter().enumerate() {
                for i in 0..size {
                    gradient[tap * channels + c + i] += sum[i];
                }
            }
            c += size;
        }
    }
}
