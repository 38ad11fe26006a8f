//! Animated GIFs.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use gif::{ColorOutput, DecodeOptions, Decoder, DisposalMethod, MemoryLimit};
use image::RgbImage;
use pose::Size;

use super::input::Input;
use super::photo::MAX_PIXELS;
use crate::error::RuntimeError;
use crate::stream::{Frame, FrameSource, StreamInfo};

/// How every GIF starts.
pub(super) const GIF_START: &[u8] = b"GIF8";

/// Frames of an animated GIF, once. What no frame covers is black.
pub(super) struct GifSource {
    decoder: Decoder<Box<dyn std::io::Read + Send>>,
    info: StreamInfo,
    canvas: RgbImage,
    number: u64,
    time: Duration,
}

impl GifSource {
    pub fn new(input: Input) -> Result<GifSource, RuntimeError> {
        let name = input.name.clone();
        let error = |reason: String| source_error(&name, reason);
        let mut options = DecodeOptions::new();
        options.set_color_output(ColorOutput::RGBA);
        options.set_memory_limit(match NonZeroU64::new(4 * MAX_PIXELS) {
            Some(limit) => MemoryLimit::Bytes(limit),
            None => MemoryLimit::Unlimited,
        });
        let decoder = options
            .read_info(input.into_reader())
            .map_err(|e| error(format!("is a broken GIF: {e}")))?;
        let (width, height) = (u32::from(decoder.width()), u32::from(decoder.height()));
        if width == 0 || height == 0 || u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(error(format!("is a GIF of {width}x{height} pixels")));
        }
        Ok(GifSource {
            info: StreamInfo {
                name,
                size: Some(Size::new(width as usize, height as usize)),
                rate: None,
                frames: None,
                live: false,
            },
            decoder,
            canvas: RgbImage::new(width, height),
            number: 0,
            time: Duration::ZERO,
        })
    }
}

impl FrameSource for GifSource {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        let number = self.number;
        let broken =
            |what: String| source_error(&self.info.name, format!("frame {number}: {what}"));
        let frame = match self.decoder.read_next_frame() {
            Ok(Some(frame)) => frame,
            Ok(None) if number == 0 => return Err(broken("the GIF has none".into())),
            Ok(None) => return Ok(None),
            Err(e) => return Err(broken(format!("cannot be decoded: {e}"))),
        };
        let before = (frame.dispose == DisposalMethod::Previous).then(|| self.canvas.clone());
        let (left, top) = (u32::from(frame.left), u32::from(frame.top));
        let columns = usize::from(frame.width).max(1);
        for (index, pixel) in frame.buffer.chunks_exact(4).enumerate() {
            let (i, j) = ((index % columns) as u32, (index / columns) as u32);
            if pixel[3] > 0
                && let Some(target) = self.canvas.get_pixel_mut_checked(left + i, top + j)
            {
                target.0.copy_from_slice(&pixel[..3]);
            }
        }
        let shown = Frame {
            picture: self.canvas.clone(),
            number,
            time: self.time,
            taken: Instant::now(),
        };
        // As browsers do: what asks for more than 50 a second gets 10.
        let delay = match frame.delay {
            0 | 1 => 10,
            hundredths => u64::from(hundredths),
        };
        self.number += 1;
        self.time += Duration::from_millis(10 * delay);
        match (frame.dispose, before) {
            (DisposalMethod::Background, _) => {
                for j in 0..u32::from(frame.height) {
                    for i in 0..u32::from(frame.width) {
                        if let Some(p) = self.canvas.get_pixel_mut_checked(left + i, top + j) {
                            p.0 = [0; 3];
                        }
                    }
                }
            }
            (_, Some(before)) => self.canvas = before,
            _ => {}
        }
        Ok(Some(shown))
    }
}

fn source_error(name: &str, reason: String) -> RuntimeError {
    RuntimeError::Source {
        name: name.into(),
        reason,
    }
}
