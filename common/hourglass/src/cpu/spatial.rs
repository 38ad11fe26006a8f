//! What a convolution with a kernel wider than one cell does besides its matrix products.

use super::element::Element;
use super::isa::{Isa, kernel};
use super::norm::{Source, activate, store_single};
use crate::graph::{ConvLayer, MapShape};

/// A copy of a picture with zeros around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Padding {
    /// Rows of zeros before the first row.
    top: usize,
    /// Columns of zeros before the first column.
    left: usize,
    /// Rows of the copy.
    pub height: usize,
    /// Columns of the copy.
    pub width: usize,
}

impl Padding {
    /// Of the input, so that the kernel finds cells everywhere.
    pub fn new(layer: &ConvLayer, input: MapShape, output: MapShape) -> Self {
        let (top, left) = (layer.padding(input.height).0, layer.padding(input.width).0);
        let size =
            |output: usize, input: usize| ((output - 1) * layer.stride + layer.kernel).max(input);
        Self {
            top,
            left,
            height: size(output.height, input.height + top),
            width: size(output.width, input.width + left),
        }
    }

    /// Of the output's gradient, its cells as far apart as the layer's steps, so that the kernel
    /// turned by 180° leads from it to the input's gradient.
    pub fn turned(layer: &ConvLayer, input: MapShape) -> Self {
        let last = layer.kernel - 1;
        Self {
            top: last - layer.padding(input.height).0,
            left: last - layer.padding(input.width).0,
            height: input.height + last,
            width: input.width + last,
        }
    }

    /// Values of the copy, and one more that a group may reach beyond the last row.
    pub fn len(&self, channels: usize) -> usize {
        self.height * self.width * channels + 1
    }
}

/// The copy of one picture of `shape`.
pub(super) fn pad<E: Element>(
    isa: Isa,
    source: Source<'_, E>,
    shape: MapShape,
    padding: Padding,
    to: &mut [E],
) {
    to.fill(E::default());
    let row = shape.width * shape.channels;
    for y in 0..shape.height {
        let at = ((padding.top + y) * padding.width + padding.left) * shape.channels;
        let from = source.part(y * row..(y + 1) * row);
        match source.plain {
            true => to[at..at + row].copy_from_slice(from.data),
            false => activate(isa, from, &mut to[at..at + row]),
        }
    }
}

/// Writes row `y` of a gradient into the copy, its cells `stride` apart.
pub(super) fn spread<E: Element>(
    row: &[E],
    channels: usize,
    stride: usize,
    padding: Padding,
    y: usize,
    to: &mut [E],
) {
    let at = ((padding.top + y * stride) * padding.width + padding.left) * channels;
    for (x, cell) in row.chunks_exact(channels).enumerate() {
        to[at + x * stride * channels..][..channels].copy_from_slice(cell);
    }
}

kernel! {
    /// `run` values from each of `count` starts, `step` apart, in groups of starts:
    /// `[count / GROUP][run][GROUP]`; zeros fill an incomplete last group.
    pub(super) fn gather_grouped<L, E: Element>(
        from: &[E], step: usize, run: usize, count: usize, to: &mut [E],
    ) {
        assert!(count > 0 && from.len() >= (count - 1) * step + run);
        assert!(to.len() >= count.next_multiple_of(E::GROUP) * run);
        let whole = run - run % L::N;
        for first in (0..count).step_by(E::GROUP) {
            let to = &mut to[first * run..][..E::GROUP * run];
            let second = (first + E::GROUP - 1).min(count - 1);
            let (a, b) = (&from[first * step..][..run], &from[second * step..][..run]);
            let alone = first + E::GROUP > count;
            for column in (0..whole).step_by(L::N) {
                if E::GROUP == 1 || alone {
                    store_single(E::load::<L>(a.as_ptr().add(column)), to.as_mut_ptr(), run, column);
                } else {
                    E::group::<L>([a.as_ptr(), b.as_ptr()], to.as_mut_ptr(), run, column);
                }
            }
            for column in whole..run {
                to[column * E::GROUP] = a[column];
                if E::GROUP == 2 {
                    to[2 * column + 1] = if alone { E::default() } else { b[column] };
                }
            }
        }
    }
}
