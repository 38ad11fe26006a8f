//! From a photo and a crop to the network's input tensor.

use std::sync::Arc;

use onnx_graph::{ColorOrder, InputType, TensorLayout};
use pose::{Affine, BORDER, RgbView, Size, Warper};
use tract_onnx::prelude::{Tensor, TractResult};

use crate::error::RuntimeError;
use crate::spec::InputSpec;

/// A picture in the form that a network takes.
#[derive(Debug)]
pub struct InputImage {
    /// Shared with the engine only while it runs.
    tensor: Arc<Tensor>,
}

impl InputImage {
    pub(crate) fn tensor(&self) -> Arc<Tensor> {
        Arc::clone(&self.tensor)
    }
}

/// Cuts crops out of photos and normalizes them. Keeps its buffers between pictures.
#[derive(Debug)]
pub struct Preprocessor {
    input: InputSpec,
    warper: Warper,
    /// The crop as RGB bytes, height × width × 3.
    pixels: Vec<u8>,
    image: InputImage,
}

impl Preprocessor {
    /// For networks with this input.
    ///
    /// # Errors
    /// An input so large that its tensor cannot be made.
    pub fn new(input: &InputSpec) -> Result<Preprocessor, RuntimeError> {
        let Size { width, height } = input.size;
        let make = || -> TractResult<Tensor> {
            match input.dtype {
                InputType::Float32 => Tensor::zero::<f32>(&input.shape()),
                InputType::Uint8 => Tensor::zero::<u8>(&input.shape()),
            }
        };
        let tensor = make().map_err(|e| RuntimeError::Usage(format!("input tensor: {e}")))?;
        Ok(Preprocessor {
            input: input.clone(),
            warper: Warper::new(),
            pixels: vec![0; width * height * 3],
            image: InputImage {
                tensor: Arc::new(tensor),
            },
        })
    }

    /// The part of `frame` that `to_frame` (from input to frame coordinates) shows, as the
    /// network's input.
    ///
    /// # Errors
    /// A frame whose bytes do not fit its size.
    pub fn prepare(
        &mut self,
        frame: &RgbView<'_>,
        to_frame: &Affine,
    ) -> Result<&InputImage, RuntimeError> {
        let size = self.input.size;
        self.warper
            .warp_rgb(frame, to_frame, &mut self.pixels, size, BORDER)?;
        let pixels = std::mem::take(&mut self.pixels);
        let normalized = self.normalize(&pixels).map(|_| ());
        self.pixels = pixels;
        normalized?;
        Ok(&self.image)
    }

    /// A crop that was cut out already (RGB bytes, height × width × 3), as the network's input.
    ///
    /// # Errors
    /// Another number of bytes.
    pub fn normalize(&mut self, rgb: &[u8]) -> Result<&InputImage, RuntimeError> {
        let Size { width, height } = self.input.size;
        if rgb.len() != width * height * 3 {
            return Err(RuntimeError::Usage(format!(
                "{width}x{height} RGB pixels are {} bytes, found {}",
                width * height * 3,
                rgb.len()
            )));
        }
        // Nobody holds the tensor between runs; if somebody does, this copies it.
        let tensor = Arc::make_mut(&mut self.image.tensor);
        fill(tensor, rgb, &self.input)
            .map_err(|e| RuntimeError::Usage(format!("input tensor: {e}")))?;
        Ok(&self.image)
    }
}

/// Writes `rgb` into the tensor:
///
/// ```text
/// for each pixel p and channel c of the network:
///     tensor[p][c] = (rgb[p][source(c)] - mean[c]) / std[c]
/// ```
fn fill(tensor: &mut Tensor, rgb: &[u8], input: &InputSpec) -> TractResult<()> {
    let source = match input.color {
        ColorOrder::Rgb => [0, 1, 2],
        ColorOrder::Bgr => [2, 1, 0],
    };
    let mut view = tensor.try_as_plain_ram_mut()?;
    match input.dtype {
        InputType::Uint8 => spread(view.as_slice_mut()?, rgb, source, input.layout, |v, _| v),
        InputType::Float32 => {
            let scale = input.std.map(|s| 1.0 / s);
            let mean = input.mean;
            spread(view.as_slice_mut()?, rgb, source, input.layout, |v, c| {
                (f32::from(v) - mean[c]) * scale[c]
            });
        }
    }
    Ok(())
}

/// Brings interleaved pixels into the order of the layout.
fn spread<T: Copy>(
    out: &mut [T],
    rgb: &[u8],
    source: [usize; 3],
    layout: TensorLayout,
    convert: impl Fn(u8, usize) -> T,
) {
    let (pixels, _) = rgb.as_chunks::<3>();
    match layout {
        TensorLayout::Nchw => {
            for (channel, plane) in out.chunks_exact_mut(pixels.len().max(1)).enumerate() {
                for (value, pixel) in plane.iter_mut().zip(pixels) {
                    *value = convert(pixel[source[channel]], channel);
                }
            }
        }
        TensorLayout::Nhwc => {
            let (cells, _) = out.as_chunks_mut::<3>();
            for (cell, pixel) in cells.iter_mut().zip(pixels) {
                for channel in 0..3 {
                    cell[channel] = convert(pixel[source[channel]], channel);
                }
            }
        }
    }
}
