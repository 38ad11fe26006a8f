//! One convolution on channels-last maps: forward, gradient of the input, gradient of the weights.
//!
//! A pointwise convolution is a matrix product over blocks of output cells. A wider kernel reads a
//! copy of each picture with zeros around it: there the values under one row of the kernel lie side
//! by side, so the product walks over the kernel's rows and nothing else is gathered. The gradient
//! of a wide kernel's weights alone gathers blocks of cells.

use super::buffer::Buffer;
use super::depthwise::{self, Listener};
use super::element::Element;
use super::gemm::{
    AddTo, Left, Right, StoreBias, StoreGradient, StoreGradientMoments, StoreMoments, multiply,
};
use super::isa::Isa;
use super::moments::Moments;
use super::norm::{self, Affine, Slope, Source, activate, activate_grouped};
use super::packed::{Kind, Packed, Sizes};
use super::spatial::{Padding, gather_grouped, pad, spread};
use crate::graph::{ConvLayer, MapShape};
use std::ops::Range;

/// Output cells that one matrix product covers: few enough that a block of inputs and outputs
/// stays in the second-level cache, and a multiple of what the kernels take at a time.
const BLOCK: usize = 192;

/// Convolution of maps of stated shapes; shapes have the channels of maps in memory.
pub(super) struct Conv<'a> {
    pub isa: Isa,
    pub layer: &'a ConvLayer,
    pub sizes: Sizes,
    pub input: MapShape,
    pub output: MapShape,
    pub pictures: usize,
}

/// What becomes of a convolution's result.
pub(super) enum Outcome<'a> {
    /// It is normalized later: its sums and sums of squares are wanted.
    Moments(&'a mut Moments),
    /// It gets a bias and is cut at a floor.
    Bias(&'a [f32], f32),
}

/// The gradient at a convolution's result.
#[derive(Clone, Copy)]
pub(super) struct Incoming<'a, E> {
    /// Gradient of the layer's values.
    pub dy: &'a [E],
    /// How the gradient of the convolution's result follows from `dy`, where it is not the same.
    pub slope: Option<Slope<'a, E>>,
}

/// Where the gradient of a convolution's input goes.
pub(super) struct InputGradient<'a, E> {
    pub to: &'a mut [E],
    pub accumulate: bool,
    /// What the input's own normalization needs of its gradient, where this completes it.
    pub listener: Option<(&'a [E], &'a Affine, &'a mut Moments)>,
}

/// Buffers that convolutions keep between calls.
#[derive(Default)]
pub(super) struct Scratch<E> {
    input: Buffer<E>,
    rows: Buffer<E>,
    grouped: Buffer<E>,
    gathered: Buffer<E>,
}

fn blocks(cells: usize) -> impl Iterator<Item = Range<usize>> {
    (0..cells)
        .step_by(BLOCK)
        .map(move |start| start..(start + BLOCK).min(cells))
}

impl Conv<'_> {
    /// All output cells of the batch.
    pub fn cells(&self) -> usize {
        self.pictures * self.output.cells()
    }

    fn padding(&self) -> Padding {
        Padding::new(self.layer, self.input, self.output)
    }

    /// `output = input ⊛ weights`, then the outcome.
    pub fn forward<E: Element>(
        &self,
        source: Source<'_, E>,
        packed: &Packed<E>,
        output: &mut [E],
        mut outcome: Outcome<'_>,
        scratch: &mut Scratch<E>,
    ) {
        match self.sizes.kind {
            Kind::Pointwise => self.pointwise(source, packed, output, &mut outcome, scratch),
            Kind::Spatial => self.spatial(source, packed, output, &mut outcome, scratch),
            Kind::Depthwise | Kind::Scale => {
                let (from, to) = (self.input.len(), self.output.len());
                for picture in 0..self.pictures {
                    let source = source.part(picture * from..(picture + 1) * from);
                    let output = &mut output[picture * to..(picture + 1) * to];
                    match self.sizes.kind {
                        Kind::Depthwise => {
                            let shape = self.output;
                            depthwise::convolve(self.isa, source, &packed.taps, output, shape);
                        }
                        _ => depthwise::scale(self.isa, source, &packed.taps, output),
                    }
                    self.finish(output, &mut outcome);
                }
            }
        }
    }

    /// The outcome of rows that lie in memory.
    fn finish<E: Element>(&self, rows: &mut [E], outcome: &mut Outcome<'_>) {
        match outcome {
            Outcome::Moments(moments) => {
                for rows in rows.chunks(Moments::ROWS * self.sizes.outputs) {
                    moments.add_block(|sum, square| {
                        norm::add_moments(self.isa, rows, sum, square);
                    });
                }
            }
            Outcome::Bias(bias, floor) => {
                if self.layer.bias || *floor == 0.0 {
                    norm::shift(self.isa, rows, bias, *floor);
                }
            }
        }
    }

    /// One product whose rows become `to`.
    fn product<E: Element>(
        &self,
        rows: usize,
        left: Left<'_, E>,
        right: Right<'_, E>,
        to: &mut [E],
        outcome: &mut Outcome<'_>,
    ) {
        let shape = (rows, self.sizes.outputs);
        match outcome {
            Outcome::Moments(moments) => moments.add_block(|sum, square| {
                let mut finish = StoreMoments { to, sum, square };
                multiply(self.isa, shape, left, right, &mut finish);
            }),
            Outcome::Bias(bias, floor) => {
                let mut finish = StoreBias {
                    to,
                    bias,
                    floor: *floor,
                };
                multiply(self.isa, shape, left, right, &mut finish);
            }
        }
    }

    fn pointwise<E: Element>(
        &self,
        source: Source<'_, E>,
        packed: &Packed<E>,
        output: &mut [E],
        outcome: &mut Outcome<'_>,
        scratch: &mut Scratch<E>,
    ) {
        let Sizes {
            inputs, outputs, ..
        } = self.sizes;
        for cells in blocks(self.cells()) {
            let from = source.part(cells.start * inputs..cells.end * inputs);
            let rows = match source.plain {
                true => from.data,
                false => {
                    let rows = scratch.input.first(from.data.len());
                    activate(self.isa, from, rows);
                    rows
                }
            };
            let to = &mut output[cells.start * outputs..cells.end * outputs];
            let left = Left::row_major(rows, inputs);
            self.product(cells.len(), left, packed.forward(), to, outcome);
        }
    }

    fn spatial<E: Element>(
        &self,
        source: Source<'_, E>,
        packed: &Packed<E>,
        output: &mut [E],
        outcome: &mut Outcome<'_>,
        scratch: &mut Scratch<E>,
    ) {
        let padding = self.padding();
        let row = self.output.width * self.sizes.outputs;
        let pitch = padding.width * self.sizes.inputs;
        for (picture, output) in output.chunks_exact_mut(self.output.len()).enumerate() {
            let from = self.input.len() * picture..self.input.len() * (picture + 1);
            let copy = scratch.input.first(padding.len(self.sizes.inputs));
            pad(self.isa, source.part(from), self.input, padding, copy);
            for (y, to) in output.chunks_exact_mut(row).enumerate() {
                let left = Left {
                    data: &copy[y * self.sizes.stride * pitch..],
                    row_step: self.sizes.stride * self.sizes.inputs,
                    taps: self.sizes.kernel,
                    tap_step: pitch,
                    groups: self.sizes.run::<E>() / E::GROUP,
                    group_step: E::GROUP,
                };
                self.product(self.output.width, left, packed.forward(), to, outcome);
            }
        }
    }

    /// Adds the gradient of the weights, in the order of [`Sizes::gradient_rows`], to
    /// `weight_gradient`; that of the input goes where `input_gradient` says.
    pub fn backward<E: Element>(
        &self,
        source: Source<'_, E>,
        packed: &Packed<E>,
        incoming: Incoming<'_, E>,
        weight_gradient: &mut [f32],
        input_gradient: Option<InputGradient<'_, E>>,
        scratch: &mut Scratch<E>,
    ) {
        match self.sizes.kind {
            Kind::Pointwise => self.pointwise_backward(
                source,
                packed,
                incoming,
                weight_gradient,
                input_gradient,
                scratch,
            ),
            Kind::Spatial => self.spatial_backward(
                source,
                packed,
                incoming,
                weight_gradient,
                input_gradient,
                scratch,
            ),
            Kind::Depthwise | Kind::Scale => self.depthwise_backward(
                source,
                packed,
                incoming,
                weight_gradient,
                input_gradient,
                scratch,
            ),
        }
    }

    fn pointwise_backward<E: Element>(
        &self,
        source: Source<'_, E>,
        packed: &Packed<E>,
        incoming: Incoming<'_, E>,
        weight_gradient: &mut [f32],
        mut input_gradient: Option<InputGradient<'_, E>>,
        scratch: &mut Scratch<E>,
    ) {
        let Sizes {
            inputs, outputs, ..
        } = self.sizes;
        let wanted = input_gradient.is_some();
        for cells in blocks(self.cells()) {
            let groups = cells.len().div_ceil(E::GROUP);
            let range = cells.start * inputs..cells.end * inputs;
            let from = source.part(range.clone());
            let input = match source.plain && E::GROUP == 1 {
                true => from.data,
                false => {
                    let rows = scratch.input.first(groups * E::GROUP * inputs);
                    activate_grouped(self.isa, from, rows);
                    rows
                }
            };
            let grouped = scratch.grouped.first(groups * E::GROUP * outputs);
            let rows = scratch.rows.first(cells.len() * outputs);
            let range = cells.start * outputs..cells.end * outputs;
            let (rows, grouped) = self.rows(incoming, range, wanted, rows, grouped);
            let mut finish = AddTo {
                to: weight_gradient,
                columns: outputs,
            };
            multiply(
                self.isa,
                (inputs, outputs),
                Left::transposed(input, groups, inputs),
                Right::grouped(grouped, outputs),
                &mut finish,
            );
            if let Some(gradient) = &mut input_gradient {
                let range = cells.start * inputs..cells.end * inputs;
                let left = Left::row_major(rows, outputs);
                self.input_product(cells.len(), left, packed.backward(), gradient, range);
            }
        }
    }

    /// The gradient of a range of the convolution's results, in rows and in groups of rows. Uses
    /// the buffers where the gradient does not lie in memory already.
    fn rows<'s, E: Element>(
        &self,
        incoming: Incoming<'s, E>,
        range: Range<usize>,
        wanted: bool,
        rows: &'s mut [E],
        grouped: &'s mut [E],
    ) -> (&'s [E], &'s [E]) {
        let dy = &incoming.dy[range.clone()];
        match incoming.slope {
            Some(slope) => {
                // Groups of one are rows.
                let separate = wanted && E::GROUP > 1;
                let to = if separate { &mut rows[..] } else { &mut [] };
                norm::gradient(self.isa, dy, slope.part(range), to, grouped);
                match separate {
                    true => (rows, grouped),
                    false => (grouped, grouped),
                }
            }
            None if E::GROUP == 1 => (dy, dy),
            None => {
                let map = Affine::identity(self.sizes.outputs, false);
                let source = Source {
                    data: dy,
                    map: &map,
                    plain: true,
                };
                activate_grouped(self.isa, source, grouped);
                (dy, grouped)
            }
        }
    }

    /// One product whose rows are the gradient of `range` of the input.
    fn input_product<E: Element>(
        &self,
        rows: usize,
        left: Left<'_, E>,
        right: Right<'_, E>,
        gradient: &mut InputGradient<'_, E>,
        range: Range<usize>,
    ) {
        match gradient.accumulate {
            true => self.input_rows::<E, true>(rows, left, right, gradient, range),
            false => self.input_rows::<E, false>(rows, left, right, gradient, range),
        }
    }

    fn input_rows<E: Element, const ADD: bool>(
        &self,
        rows: usize,
        left: Left<'_, E>,
        right: Right<'_, E>,
        gradient: &mut InputGradient<'_, E>,
        range: Range<usize>,
    ) {
        let shape = (rows, self.sizes.inputs);
        let to = &mut gradient.to[range.clone()];
        match &mut gradient.listener {
            Some((z, map, moments)) => moments.add_block(|sum, product| {
                let mut finish = StoreGradientMoments::<_, ADD> {
                    to,
                    z: &z[range],
                    a: &map.a,
                    b: &map.b,
                    floor: map.floor,
                    sum,
                    product,
                };
                multiply(self.isa, shape, left, right, &mut finish);
            }),
            None => {
                let mut finish = StoreGradient::<_, ADD> {
                    to,
                    columns: self.sizes.inputs,
                };
                multiply(self.isa, shape, left, right, &mut finish);
            }
        }
    }

    fn spatial_backward<E: Element>(
        &self,
        source: Source<'_, E>,
        packed: &Packed<E>,
        incoming: Incoming<'_, E>,
        weight_gradient: &mut [f32],
        mut input_gradient: Option<InputGradient<'_, E>>,
        scratch: &mut Scratch<E>,
    ) {
        let MapShape { height, width, .. } = self.output;
        let outputs = self.sizes.outputs;
        let (padding, turned) = (self.padding(), Padding::turned(self.layer, self.input));
        let len = turned.len(outputs);
        // Every picture row begins a new group.
        let groups = width.div_ceil(E::GROUP);
        let grouped_row = groups * E::GROUP * outputs;
        for picture in 0..self.pictures {
            let range = self.input.len() * picture..self.input.len() * (picture + 1);
            let copy = scratch.input.first(padding.len(self.sizes.inputs));
            pad(
                self.isa,
                source.part(range.clone()),
                self.input,
                padding,
                copy,
            );

            let grouped = scratch.grouped.first(height * grouped_row);
            let row = width * outputs;
            let buffer = scratch.rows.first(len + row);
            let (around, rows) = buffer.split_at_mut(len);
            around.fill(E::default());
            for (y, grouped) in grouped.chunks_exact_mut(grouped_row).enumerate() {
                let at = picture * self.output.len() + y * row;
                let wanted = input_gradient.is_some();
                let rows = match wanted {
                    true => &mut *rows,
                    false => &mut [],
                };
                self.separate_rows(incoming, at..at + row, rows, grouped);
                if wanted {
                    spread(rows, outputs, self.sizes.stride, turned, y, around);
                }
            }
            self.spatial_weights(
                copy,
                padding,
                grouped,
                weight_gradient,
                &mut scratch.gathered,
            );

            let Some(gradient) = &mut input_gradient else {
                continue;
            };
            let row = self.input.width * self.sizes.inputs;
            for y in 0..self.input.height {
                let left = Left {
                    data: &around[y * turned.width * outputs..],
                    row_step: outputs,
                    taps: self.sizes.kernel,
                    tap_step: turned.width * outputs,
                    groups: self.sizes.turned_run() / E::GROUP,
                    group_step: E::GROUP,
                };
                let at = range.start + y * row;
                let right = packed.backward();
                self.input_product(self.input.width, left, right, gradient, at..at + row);
            }
        }
    }

    /// The gradient of a range of the convolution's results, in rows where `rows` is not empty and
    /// in groups of rows.
    fn separate_rows<E: Element>(
        &self,
        incoming: Incoming<'_, E>,
        range: Range<usize>,
        rows: &mut [E],
        grouped: &mut [E],
    ) {
        let dy = &incoming.dy[range.clone()];
        match incoming.slope {
            Some(slope) => norm::gradient(self.isa, dy, slope.part(range), rows, grouped),
            None => {
                if !rows.is_empty() {
                    rows.copy_from_slice(dy);
                }
                let map = &Affine::identity(self.sizes.outputs, false);
                let source = Source {
                    data: dy,
                    map,
                    plain: true,
                };
                activate_grouped(self.isa, source, grouped);
            }
        }
    }

    /// Adds one picture's gradient of the weights, one row of the kernel after the other.
    fn spatial_weights<E: Element>(
        &self,
        copy: &[E],
        padding: Padding,
        grouped: &[E],
        weight_gradient: &mut [f32],
        gathered: &mut Buffer<E>,
    ) {
        let (outputs, run) = (self.sizes.outputs, self.sizes.run::<E>());
        let MapShape { height, width, .. } = self.output;
        let groups = width.div_ceil(E::GROUP);
        let rows_at_once = BLOCK.div_ceil(width);
        for (tap, to) in weight_gradient.chunks_exact_mut(run * outputs).enumerate() {
            for first in (0..height).step_by(rows_at_once) {
                let rows = rows_at_once.min(height - first);
                let gathered = gathered.first(rows * groups * E::GROUP * run);
                for (row, to) in gathered
                    .chunks_exact_mut(groups * E::GROUP * run)
                    .enumerate()
                {
                    let y = (first + row) * self.sizes.stride + tap;
                    let from = &copy[y * padding.width * self.sizes.inputs..];
                    let step = self.sizes.stride * self.sizes.inputs;
                    gather_grouped(self.isa, from, step, run, width, to);
                }
                let row_len = groups * E::GROUP * outputs;
                let right = &grouped[first * row_len..(first + rows) * row_len];
                let mut finish = AddTo {
                    to,
                    columns: outputs,
                };
                multiply(
                    self.isa,
                    (run, outputs),
                    Left::transposed(gathered, rows * groups, run),
                    Right::grouped(right, outputs),
                    &mut finish,
                );
            }
        }
    }

    fn depthwise_backward<E: Element>(
        &self,
        source: Source<'_, E>,
        packed: &Packed<E>,
        incoming: Incoming<'_, E>,
        weight_gradient: &mut [f32],
        mut input_gradient: Option<InputGradient<'_, E>>,
        scratch: &mut Scratch<E>,
    ) {
        let shape = self.output;
        for picture in 0..self.pictures {
            let range = picture * shape.len()..(picture + 1) * shape.len();
            let source = source.part(range.clone());
            let dz = match incoming.slope {
                None => &incoming.dy[range.clone()],
                Some(_) => {
                    let rows = scratch.rows.first(shape.len());
                    let groups = shape.cells().next_multiple_of(E::GROUP);
                    let grouped = scratch.grouped.first(groups * shape.channels);
                    self.separate_rows(incoming, range.clone(), rows, grouped);
                    rows
                }
            };
            let (mut to, mut listener) = (None, None);
            if let Some(gradient) = &mut input_gradient {
                to = Some((&mut gradient.to[range.clone()], gradient.accumulate));
                let heard = gradient.listener.as_mut();
                listener = heard.map(|(z, map, moments)| (&z[range.clone()], *map, &mut **moments));
            }
            match self.sizes.kind {
                Kind::Depthwise => {
                    self.depthwise_picture(source, packed, dz, weight_gradient, to, listener);
                }
                _ => {
                    let isa = self.isa;
                    let reborrowed = to.as_mut().map(|(to, accumulate)| (&mut **to, *accumulate));
                    depthwise::scale_gradients(
                        isa,
                        source,
                        &packed.taps,
                        dz,
                        weight_gradient,
                        reborrowed,
                    );
                    if let (Some((to, _)), Some((z, map, moments))) = (to, listener) {
                        add_gradient_moments(isa, to, z, map, moments);
                    }
                }
            }
        }
    }

    /// One picture in strips of rows, so that no sum in f32 grows long.
    fn depthwise_picture<E: Element>(
        &self,
        source: Source<'_, E>,
        packed: &Packed<E>,
        dz: &[E],
        weight_gradient: &mut [f32],
        mut to: Option<(&mut [E], bool)>,
        mut listener: Option<(&[E], &Affine, &mut Moments)>,
    ) {
        let rows_at_once = (Moments::ROWS / self.output.width).max(1);
        for first in (0..self.output.height).step_by(rows_at_once) {
            let rows = first..(first + rows_at_once).min(self.output.height);
            let to = to.as_mut().map(|(to, accumulate)| (&mut **to, *accumulate));
            let run = |listener: Option<Listener<'_, E>>| {
                depthwise::gradients(
                    self.isa,
                    source,
                    &packed.turned,
                    dz,
                    weight_gradient,
                    to,
                    listener,
                    self.output,
                    rows,
                );
            };
            match &mut listener {
                Some((z, map, moments)) => moments.add_block(|sum, product| {
                    run(Some(Listener {
                        z,
                        map,
                        sum,
                        product,
                    }));
                }),
                None => run(None),
            }
        }
    }
}

/// Adds Σ dy and Σ dy · z of each channel, where `map` let the value through.
pub(super) fn add_gradient_moments<E: Element>(
    isa: Isa,
    dy: &[E],
    z: &[E],
    map: &Affine,
    moments: &mut Moments,
) {
    let block = Moments::ROWS * map.a.len();
    for (dy, z) in dy.chunks(block).zip(z.chunks(block)) {
        moments.add_block(|sum, product| norm::add_gradient_moments(isa, dy, z, map, sum, product));
    }
}
