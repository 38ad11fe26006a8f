//! Uncompressed frames one after the other, without any header.

use std::time::Instant;

use pose::Size;

use super::clock::FileClock;
use super::input::{Input, MAX_FRAME};
use super::pixel_format::PixelFormat;
use super::yuv::ColorRange;
use crate::error::RuntimeError;
use crate::stream::{Frame, FrameSource, StreamInfo};

/// Frames of raw pixels.
pub(super) struct RawSource {
    input: Input,
    info: StreamInfo,
    clock: FileClock,
    format: PixelFormat,
    size: Size,
    bytes: Vec<u8>,
}

impl RawSource {
    pub fn new(
        input: Input,
        format: PixelFormat,
        size: Size,
        rate: Option<f64>,
        live: bool,
    ) -> Result<RawSource, RuntimeError> {
        let stride = format.row_bytes(size.width);
        let bytes = format.frame_bytes(size, stride) as u64;
        if bytes == 0 || bytes > MAX_FRAME {
            return Err(RuntimeError::Usage(format!(
                "a raw frame cannot have {}x{} pixels",
                size.width, size.height
            )));
        }
        Ok(RawSource {
            info: StreamInfo {
                name: input.name.clone(),
                size: Some(size),
                rate,
                frames: None,
                live,
            },
            clock: FileClock::new(rate),
            input,
            format,
            size,
            bytes: Vec::new(),
        })
    }
}

impl FrameSource for RawSource {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        let stride = self.format.row_bytes(self.size.width);
        let expected = self.format.frame_bytes(self.size, stride);
        self.input.fill_vec(&mut self.bytes, expected as u64)?;
        if self.bytes.is_empty() && self.clock.number() > 0 {
            return Ok(None);
        }
        let taken = Instant::now();
        let picture = self
            .format
            .to_rgb(&self.bytes, self.size, stride, ColorRange::Limited);
        let Some(picture) = picture else {
            return Err(self.input.error(format!(
                "ends within frame {} at byte {}: {} of the {expected} bytes of a {}x{} {} frame",
                self.clock.number(),
                self.input.offset(),
                self.bytes.len(),
                self.size.width,
                self.size.height,
                self.format
            )));
        };
        Ok(Some(self.clock.frame(picture, taken)))
    }
}
