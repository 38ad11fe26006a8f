//! Weights in the order in which the kernels read them.

use super::buffer::Buffer;
use super::element::Element;
use super::gemm::{PANEL, Right};
use crate::graph::ConvLayer;

/// Channels that a map has in memory: a multiple of 16, so that no kernel has a remainder. The
/// values of the added channels are 0 throughout.
pub(super) fn padded(channels: usize) -> usize {
    channels.next_multiple_of(PANEL)
}

/// How a layer is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 1×1, step 1, on a map of padded channels: a plain matrix product.
    Pointwise,
    /// Any other full convolution: a matrix product that walks over the kernel's rows.
    Spatial,
    /// 3×3, one kernel per channel.
    Depthwise,
    /// 1×1, one weight per channel.
    Scale,
}

/// A layer's sizes in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub kind: Kind,
    pub kernel: usize,
    pub stride: usize,
    /// Input channels in memory.
    pub inputs: usize,
    /// Output channels in memory.
    pub outputs: usize,
}

impl Sizes {
    /// Of a layer whose input map has `inputs` channels in memory.
    ///
    /// # Panics
    /// When the engine cannot compute the layer.
    pub fn new(layer: &ConvLayer, inputs: usize) -> Self {
        let kind = match (layer.depthwise, layer.kernel, layer.stride) {
            (true, 3, 1) => Kind::Depthwise,
            (true, 1, 1) => Kind::Scale,
            (true, kernel, stride) => panic!(
                "{}: a depthwise {kernel}×{kernel} convolution of step {stride} is not supported",
                layer.name
            ),
            (false, 1, 1) if inputs.is_multiple_of(PANEL) => Kind::Pointwise,
            _ => Kind::Spatial,
        };
        Self {
            kind,
            kernel: layer.kernel,
            stride: layer.stride,
            inputs,
            outputs: padded(layer.outputs),
        }
    }

    /// Values of one row of the kernel, in whole groups.
    pub fn run<E: Element>(&self) -> usize {
        (self.kernel * self.inputs).next_multiple_of(E::GROUP)
    }

    /// The same for the kernel turned round, from outputs to inputs.
    pub fn turned_run(&self) -> usize {
        self.kernel * self.outputs
    }

    /// Rows of the gradient of the weights, each of `outputs` values.
    pub fn gradient_rows<E: Element>(&self) -> usize {
        match self.kind {
            Kind::Pointwise | Kind::Spatial => self.kernel * self.run::<E>(),
            Kind::Depthwise | Kind::Scale => self.kernel * self.kernel,
        }
    }
}

/// Weights of one layer; see [`Right::panels`] for the layout of the matrices.
#[derive(Default)]
pub(super) struct Packed<E> {
    /// From the values under the kernel, row by row, to the outputs.
    forward: Buffer<E>,
    /// From the outputs' gradients under the kernel turned by 180° to the inputs; empty where the
    /// input needs no gradient.
    backward: Buffer<E>,
    /// `[kernel²][channels]` of a depthwise layer, else empty.
    pub taps: Vec<f32>,
    /// The same turned by 180°.
    pub turned: Vec<f32>,
    /// One value per output, 0 where the layer has none.
    pub bias: Vec<f32>,
    forward_groups: usize,
    backward_groups: usize,
}

impl<E: Element> Packed<E> {
    /// From the layer's own order, see [`ConvLayer`].
    pub fn new(layer: &ConvLayer, sizes: Sizes, weight: &[f32], bias: Option<&[f32]>) -> Self {
        let mut packed = Self {
            bias: bias.map_or_else(Vec::new, <[f32]>::to_vec),
            ..Self::default()
        };
        packed.bias.resize(sizes.outputs, 0.0);
        let taps = layer.kernel * layer.kernel;
        match sizes.kind {
            Kind::Depthwise | Kind::Scale => {
                packed.taps = vec![0.0; taps * sizes.outputs];
                packed.turned = packed.taps.clone();
                for (channel, kernel) in weight.chunks_exact(taps).enumerate() {
                    for (tap, &value) in kernel.iter().enumerate() {
                        packed.taps[tap * sizes.outputs + channel] = value;
                        packed.turned[(taps - 1 - tap) * sizes.outputs + channel] = value;
                    }
                }
            }
            Kind::Pointwise | Kind::Spatial => {
                packed.forward_groups = layer.kernel * sizes.run::<E>() / E::GROUP;
                packed.backward_groups = layer.kernel * sizes.turned_run() / E::GROUP;
                let taps = layer.kernel * layer.kernel;
                let (of_output, of_input) = (layer.inputs * taps, taps);
                let mut forward = Panels::<E>::new(packed.forward_groups, sizes.outputs);
                let mut backward = sizes
                    .inputs
                    .is_multiple_of(PANEL)
                    .then(|| Panels::<E>::new(packed.backward_groups, sizes.inputs));
                for tap in 0..taps {
                    let (dy, dx) = (tap / layer.kernel, tap % layer.kernel);
                    let rows = dy * sizes.run::<E>() + dx * sizes.inputs;
                    let weights = &weight[tap..];
                    forward.fill(
                        rows,
                        [layer.inputs, layer.outputs],
                        weights,
                        [of_input, of_output],
                    );
                    if let Some(backward) = &mut backward {
                        let rows = (taps - 1 - tap) * sizes.outputs;
                        let shape = [layer.outputs, layer.inputs];
                        backward.fill(rows, shape, weights, [of_output, of_input]);
                    }
                }
                packed.forward = forward.data;
                packed.backward = backward.map(|panels| panels.data).unwrap_or_default();
            }
        }
        packed
    }

    pub fn forward(&self) -> Right<'_, E> {
        Right::panels(&self.forward, self.forward_groups)
    }

    pub fn backward(&self) -> Right<'_, E> {
        Right::panels(&self.backward, self.backward_groups)
    }
}

/// `[columns / 16][groups][16][GROUP]` of a matrix with `groups * GROUP` rows.
struct Panels<E> {
    data: Buffer<E>,
    /// Values of a panel.
    len: usize,
}

impl<E: Element> Panels<E> {
    fn new(groups: usize, columns: usize) -> Self {
        Self {
            data: Buffer::zeroed(groups * E::GROUP * columns),
            len: groups * E::GROUP * PANEL,
        }
    }

    /// Fills as many rows and columns as `shape` says, from row `first` on: value (i, j) is
    /// `values[i * steps[0] + j * steps[1]]`.
    fn fill(&mut self, first: usize, shape: [usize; 2], values: &[f32], steps: [usize; 2]) {
        for column in 0..shape[1] {
            let panel = &mut self.data[column / PANEL * self.len..][..self.len];
            let column_of_panel = column % PANEL * E::GROUP;
            let values = &values[column * steps[1]..];
            for (i, value) in values.iter().step_by(steps[0]).take(shape[0]).enumerate() {
                let row = first + i;
                let group = row / E::GROUP * PANEL * E::GROUP;
                panel[group + column_of_panel + row % E::GROUP] = E::from_f32(*value);
            }
        }
    }
}

/// Brings the gradient of the weights, rows in the order of [`Packed`]'s forward matrix, into the
/// layer's own order.
pub(super) fn unpack_gradient<E: Element>(
    layer: &ConvLayer,
    sizes: Sizes,
    packed: &[f32],
) -> Vec<f32> {
    let inputs = layer.weight_shape()[1];
    let mut weight = Vec::with_capacity(layer.weight_len());
    for output in 0..layer.outputs {
        for input in 0..inputs {
            for dy in 0..layer.kernel {
                for dx in 0..layer.kernel {
                    let row = match sizes.kind {
                        Kind::Pointwise | Kind::Spatial => {
                            dy * sizes.run::<E>() + dx * sizes.inputs + input
                        }
                        Kind::Depthwise | Kind::Scale => dy * layer.kernel + dx,
                    };
                    weight.push(packed[row * sizes.outputs + output]);
                }
            }
        }
    }
    weight
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::element::Bf16;

    fn layer(inputs: usize, outputs: usize, kernel: usize, stride: usize) -> ConvLayer {
        ConvLayer {
            name: "layer".to_owned(),
            inputs,
            outputs,
            kernel,
            stride,
            depthwise: false,
            bias: false,
            norm: false,
            relu: false,
        }
    }

    /// The gradient's order undoes the weights' order.
    #[test]
    fn unpacking_is_the_inverse_of_packing() {
        for (inputs, outputs, kernel, stride, stored) in
            [(16, 32, 1, 1, 16), (20, 5, 3, 1, 32), (3, 24, 7, 2, 3)]
        {
            let layer = layer(inputs, outputs, kernel, stride);
            let sizes = Sizes::new(&layer, stored);
            let weight: Vec<f32> = (0..layer.weight_len()).map(|i| (i % 251) as f32).collect();
            let packed = Packed::<Bf16>::new(&layer, sizes, &weight, None);
            let rows = sizes.gradient_rows::<Bf16>();
            let mut matrix = vec![0.0; rows * sizes.outputs];
            for row in 0..rows {
                for column in 0..sizes.outputs {
                    let at = ((column / 16 * rows / 2 + row / 2) * 16 + column % 16) * 2 + row % 2;
                    matrix[row * sizes.outputs + column] = packed.forward[at].to_f32();
                }
            }
            assert_eq!(unpack_gradient::<Bf16>(&layer, sizes, &matrix), weight);
        }
    }
}
