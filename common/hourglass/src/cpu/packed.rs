//! Weights in the order in which the kernels read them.

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
#[derive(Clone, Debug, Default)]
pub(super) struct Packed<E> {
    /// From the values under the kernel, row by row, to the outputs.
    forward: Vec<E>,
    /// From the outputs' gradients under the kernel turned by 180° to the inputs; empty where the
    /// input needs no gradient.
    backward: Vec<E>,
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
                packed.forward = panels(packed.forward_groups, sizes.outputs, |row, output| {
                    let (dy, at) = (row / sizes.run::<E>(), row % sizes.run::<E>());
                    let (dx, input) = (at / sizes.inputs, at % sizes.inputs);
                    weight_at(layer, weight, output, input, dy, dx)
                });
                if sizes.inputs.is_multiple_of(PANEL) {
                    let run = sizes.turned_run();
                    packed.backward = panels(packed.backward_groups, sizes.inputs, |row, input| {
                        let (dy, at) = (row / run, row % run);
                        let (dx, output) = (at / sizes.outputs, at % sizes.outputs);
                        let last = layer.kernel - 1;
                        weight_at(
                            layer,
                            weight,
                            output,
                            input,
                            last - dy,
                            last.wrapping_sub(dx),
                        )
                    });
                }
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

/// The weight, or 0 outside the layer's channels and its kernel.
#[inline(always)]
fn weight_at(
    layer: &ConvLayer,
    weight: &[f32],
    output: usize,
    input: usize,
    dy: usize,
    dx: usize,
) -> f32 {
    if output >= layer.outputs || input >= layer.inputs || dx >= layer.kernel {
        return 0.0;
    }
    weight[((output * layer.inputs + input) * layer.kernel + dy) * layer.kernel + dx]
}

/// `[columns / 16][groups][16][GROUP]` of a matrix with `groups * GROUP` rows.
fn panels<E: Element>(
    groups: usize,
    columns: usize,
    value: impl Fn(usize, usize) -> f32,
) -> Vec<E> {
    let mut result = Vec::with_capacity(groups * E::GROUP * columns);
    for panel in (0..columns).step_by(PANEL) {
        for row in (0..groups * E::GROUP).step_by(E::GROUP) {
            for column in panel..panel + PANEL {
                for part in 0..E::GROUP {
                    result.push(E::from_f32(value(row + part, column)));
                }
            }
        }
    }
    result
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
