//! One convolution on channels-last maps: forward, gradient of the input, gradient of the weights.
//!
//! Pointwise and full convolutions are matrix products over blocks of output cells; a kernel wider
//! than 1×1 gathers its cells into a block of columns first (im2col). Depthwise 3×3 kernels have
//! their own loops.

use super::depthwise;
use super::gemm::{Matrix, gemm};
use super::resample::add_assign;
use crate::graph::{ConvLayer, MapShape};
use std::ops::Range;

/// Output cells that one matrix product covers: small enough that a block of inputs and outputs
/// stays in the second-level cache.
const BLOCK: usize = 256;

/// Convolution of maps of stated shapes.
pub(super) struct Conv<'a> {
    pub layer: &'a ConvLayer,
    pub input: MapShape,
    pub output: MapShape,
    pub pictures: usize,
}

/// Weights as the kernels read them.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    /// `[kernel² · inputs][outputs]`, or `[kernel²][channels]` for a depthwise layer.
    forward: Vec<f32>,
    /// `[outputs][kernel² · inputs]`, or the kernels turned by 180° for a depthwise layer.
    backward: Vec<f32>,
}

impl Packed {
    pub fn new(layer: &ConvLayer, weight: &[f32]) -> Self {
        let taps = layer.kernel * layer.kernel;
        let mut packed = Packed {
            forward: vec![0.0; weight.len()],
            backward: vec![0.0; weight.len()],
        };
        if layer.depthwise {
            for channel in 0..layer.outputs {
                for tap in 0..taps {
                    let value = weight[channel * taps + tap];
                    packed.forward[tap * layer.outputs + channel] = value;
                    packed.backward[(taps - 1 - tap) * layer.outputs + channel] = value;
                }
            }
        } else {
            let columns = taps * layer.inputs;
            for output in 0..layer.outputs {
                for input in 0..layer.inputs {
                    for tap in 0..taps {
                        let value = weight[(output * layer.inputs + input) * taps + tap];
                        let column = tap * layer.inputs + input;
                        packed.forward[column * layer.outputs + output] = value;
                        packed.backward[output * columns + column] = value;
                    }
                }
            }
        }
        packed
    }

    /// Brings a gradient in the order of `forward` back into the layer's own order.
    pub fn unpack_gradient(layer: &ConvLayer, packed: &[f32]) -> Vec<f32> {
        let taps = layer.kernel * layer.kernel;
        let inputs = layer.weight_shape()[1];
        let mut weight = vec![0.0; packed.len()];
        for output in 0..layer.outputs {
            for input in 0..inputs {
                for tap in 0..taps {
                    weight[(output * inputs + input) * taps + tap] =
                        packed[(tap * inputs + input) * layer.outputs + output];
                }
            }
        }
        weight
    }
}

impl Conv<'_> {
    fn is_pointwise(&self) -> bool {
        self.layer.kernel == 1 && self.layer.stride == 1
    }

    fn columns(&self) -> usize {
        self.layer.kernel * self.layer.kernel * self.layer.inputs
    }

    /// All output cells of the batch.
    pub fn cells(&self) -> usize {
        self.pictures * self.output.cells()
    }

    /// `output = input ⊛ weights`; calls `finish` on each block of finished output rows.
    pub fn forward(
        &self,
        input: &[f32],
        packed: &Packed,
        output: &mut [f32],
        scratch: &mut Vec<f32>,
        mut finish: impl FnMut(&mut [f32]),
    ) {
        let outputs = self.layer.outputs;
        if self.layer.depthwise && self.layer.kernel == 3 {
            let shape = self.output;
            for (from, to) in input
                .chunks_exact(shape.len())
                .zip(output.chunks_exact_mut(shape.len()))
            {
                depthwise::convolve(
                    from,
                    &packed.forward,
                    to,
                    shape.height,
                    shape.width,
                    shape.channels,
                    false,
                );
                finish(to);
            }
            return;
        }
        if self.layer.depthwise {
            for (from, to) in input
                .chunks_exact(outputs)
                .zip(output.chunks_exact_mut(outputs))
            {
                for ((t, f), w) in to.iter_mut().zip(from).zip(&packed.forward) {
                    *t = f * w;
                }
            }
            output.chunks_mut(BLOCK * outputs).for_each(finish);
            return;
        }
        let columns = self.columns();
        for cells in blocks(self.cells()) {
            let to = &mut output[cells.start * outputs..cells.end * outputs];
            let gathered = self.gather(input, cells.clone(), scratch);
            gemm(
                (cells.len(), outputs, columns),
                Matrix::row_major(gathered, columns),
                &packed.forward,
                to,
                false,
            );
            finish(to);
        }
    }

    /// Adds the gradient of the weights (in packed order) to
    /// `weight_gradient`, that of the bias to `bias_gradient`, and writes that of the input, or
    /// adds it when the flag beside it is set.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        input: &[f32],
        packed: &Packed,
        output_gradient: OutputGradient<'_>,
        (weight_gradient, mut bias_gradient): (&mut [f32], Option<&mut [f32]>),
        mut input_gradient: Option<(&mut [f32], bool)>,
        scratch: &mut BackwardScratch,
    ) {
        let outputs = self.layer.outputs;
        let columns = self.columns();
        let mut add_bias = |rows: &[f32]| {
            if let Some(bias) = &mut bias_gradient {
                for row in rows.chunks_exact(outputs) {
                    add_assign(bias, row);
                }
            }
        };
        if self.layer.depthwise {
            let cells = self.output.cells();
            for picture in 0..self.pictures {
                let range = picture * cells..(picture + 1) * cells;
                let rows = output_gradient.rows(range, outputs, &mut scratch.rows);
                add_bias(rows);
                let range = picture * self.output.len()..(picture + 1) * self.output.len();
                let from = &input[range.clone()];
                let gradient = input_gradient
                    .as_mut()
                    .map(|(gradient, accumulate)| (&mut gradient[range], *accumulate));
                self.depthwise_backward(from, rows, packed, weight_gradient, gradient);
            }
            return;
        }
        if let Some((gradient, false)) = &mut input_gradient
            && !self.is_pointwise()
        {
            gradient.fill(0.0);
        }
        for cells in blocks(self.cells()) {
            let rows = output_gradient.rows(cells.clone(), outputs, &mut scratch.rows);
            add_bias(rows);
            let gathered = self.gather(input, cells.clone(), &mut scratch.columns);
            gemm(
                (columns, outputs, cells.len()),
                Matrix::transposed(gathered, columns),
                rows,
                weight_gradient,
                true,
            );
            let Some((gradient, accumulate)) = &mut input_gradient else {
                continue;
            };
            let shape = (cells.len(), columns, outputs);
            let rows = Matrix::row_major(rows, outputs);
            if self.is_pointwise() {
                let to = &mut gradient[cells.start * columns..cells.end * columns];
                gemm(shape, rows, &packed.backward, to, *accumulate);
            } else {
                scratch.columns.resize(BLOCK * columns, 0.0);
                let to = &mut scratch.columns[..cells.len() * columns];
                gemm(shape, rows, &packed.backward, to, false);
                self.scatter(to, cells, gradient);
            }
        }
    }

    /// One picture of a depthwise layer.
    fn depthwise_backward(
        &self,
        input: &[f32],
        rows: &[f32],
        packed: &Packed,
        weight_gradient: &mut [f32],
        input_gradient: Option<(&mut [f32], bool)>,
    ) {
        let MapShape {
            channels,
            height,
            width,
        } = self.output;
        if self.layer.kernel == 3 {
            depthwise::weight_gradient(input, rows, weight_gradient, height, width, channels);
            if let Some((to, accumulate)) = input_gradient {
                let kernels = &packed.backward;
                depthwise::convolve(rows, kernels, to, height, width, channels, accumulate);
            }
            return;
        }
        for (from, row) in input
            .chunks_exact(channels)
            .zip(rows.chunks_exact(channels))
        {
            for ((g, f), r) in weight_gradient.iter_mut().zip(from).zip(row) {
                *g += f * r;
            }
        }
        if let Some((to, accumulate)) = input_gradient {
            for (to, row) in to
                .chunks_exact_mut(channels)
                .zip(rows.chunks_exact(channels))
            {
                for ((t, r), w) in to.iter_mut().zip(row).zip(&packed.forward) {
                    *t = if accumulate { *t } else { 0.0 } + r * w;
                }
            }
        }
    }

    /// The input cells under the kernel for every output cell of the range, as rows.
    fn gather<'s>(
        &self,
        input: &'s [f32],
        cells: Range<usize>,
        scratch: &'s mut Vec<f32>,
    ) -> &'s [f32] {
        let columns = self.columns();
        if self.is_pointwise() {
            return &input[cells.start * columns..cells.end * columns];
        }
        scratch.resize(BLOCK * columns, 0.0);
        for (row, cell) in scratch.chunks_exact_mut(columns).zip(cells.clone()) {
            row.fill(0.0);
            self.for_each_kernel_row(cell, |in_kernel, in_map, len| {
                row[in_kernel..in_kernel + len].copy_from_slice(&input[in_map..in_map + len]);
            });
        }
        &scratch[..cells.len() * columns]
    }

    /// Adds rows of [`Conv::gather`]'s layout back to the cells that they came from.
    fn scatter(&self, rows: &[f32], cells: Range<usize>, gradient: &mut [f32]) {
        for (row, cell) in rows.chunks_exact(self.columns()).zip(cells) {
            self.for_each_kernel_row(cell, |in_kernel, in_map, len| {
                add_assign(
                    &mut gradient[in_map..in_map + len],
                    &row[in_kernel..in_kernel + len],
                );
            });
        }
    }

    /// Calls `visit(offset in the gathered row, offset in the input, length)` for each row of the
    /// kernel over one output cell, as far as it lies inside the picture: its values lie side by
    /// side in both.
    fn for_each_kernel_row(&self, cell: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let (picture, cell) = (cell / self.output.cells(), cell % self.output.cells());
        let (y, x) = (cell / self.output.width, cell % self.output.width);
        let (kernel, stride, inputs) = (self.layer.kernel, self.layer.stride, self.layer.inputs);
        let (top, _) = self.layer.padding(self.input.height);
        let (left, _) = self.layer.padding(self.input.width);
        let first = (x * stride).saturating_sub(left);
        let skipped = left.saturating_sub(x * stride);
        let end = (x * stride + kernel - left).min(self.input.width);
        for dy in 0..kernel {
            let Some(sy) = (y * stride + dy).checked_sub(top) else {
                continue;
            };
            if sy < self.input.height && first < end {
                visit(
                    (dy * kernel + skipped) * inputs,
                    picture * self.input.len() + (sy * self.input.width + first) * inputs,
                    (end - first) * inputs,
                );
            }
        }
    }
}

/// Where the gradient of a convolution's result comes from.
pub(super) enum OutputGradient<'a> {
    /// It lies in memory.
    Stored(&'a [f32]),
    /// It is computed for a range of output cells when these are needed, while they are in cache.
    Computed(&'a dyn Fn(Range<usize>, &mut [f32])),
}

impl OutputGradient<'_> {
    fn rows<'s>(
        &'s self,
        cells: Range<usize>,
        outputs: usize,
        scratch: &'s mut Vec<f32>,
    ) -> &'s [f32] {
        match self {
            Self::Stored(values) => &values[cells.start * outputs..cells.end * outputs],
            Self::Computed(compute) => {
                let len = cells.len() * outputs;
                if scratch.len() < len {
                    scratch.resize(len, 0.0);
                }
                compute(cells, &mut scratch[..len]);
                &scratch[..len]
            }
        }
    }
}

/// Buffers that [`Conv::backward`] keeps between calls.
#[derive(Default)]
pub(super) struct BackwardScratch {
    rows: Vec<f32>,
    columns: Vec<f32>,
}

fn blocks(cells: usize) -> impl Iterator<Item = Range<usize>> {
    (0..cells)
        .step_by(BLOCK)
        .map(move |start| start..(start + BLOCK).min(cells))
}
