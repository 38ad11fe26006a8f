//! Animated GIF files: for short clips that play everywhere.

use std::fmt;
use std::io::{BufWriter, Error};

use image::RgbImage;
use onnx_graph::AtomicFile;

use crate::live::video::{VideoShape, VideoWriter};

/// How fast colours are chosen, 1 (best) to 30 (fastest).
const SPEED: i32 = 20;
/// Hundredths of a second that a picture stands at least: browsers slow shorter ones down.
const SHORTEST: u64 = 2;
/// Longest side of a GIF file.
const MAX_SIDE: u32 = 65_535;

/// Writes an animated GIF that plays for ever.
pub struct GifWriter {
    encoder: gif::Encoder<BufWriter<AtomicFile>>,
    shape: VideoShape,
    /// The last picture: how long it stands is known when the next one comes.
    waiting: Option<RgbImage>,
    /// Pictures at the video's rate so far, repeated ones included.
    slots: u64,
    /// Hundredths of a second that are written.
    written: u64,
}

impl fmt::Debug for GifWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GifWriter").finish_non_exhaustive()
    }
}

impl GifWriter {
    /// Starts the file's content.
    ///
    /// # Errors
    /// A disk that is full; a picture that is too large for the format.
    pub fn new(file: AtomicFile, shape: VideoShape) -> std::io::Result<GifWriter> {
        if shape.width.max(shape.height) > MAX_SIDE {
            return Err(Error::other(
                "GIF pictures have at most 65535 pixels a side",
            ));
        }
        let (width, height) = (shape.width as u16, shape.height as u16);
        let mut encoder =
            gif::Encoder::new(BufWriter::new(file), width, height, &[]).map_err(Error::other)?;
        encoder
            .set_repeat(gif::Repeat::Infinite)
            .map_err(Error::other)?;
        Ok(GifWriter {
            encoder,
            shape,
            waiting: None,
            slots: 0,
            written: 0,
        })
    }

    /// Writes the picture that waits, unless it stands too short to be seen.
    fn flush(&mut self, end: bool) -> std::io::Result<()> {
        let until = (100.0 * self.slots as f64 / self.shape.rate).round() as u64;
        let delay = until - self.written;
        if delay < SHORTEST && !end {
            return Ok(());
        }
        let Some(picture) = &self.waiting else {
            return Ok(());
        };
        let (width, height) = (self.shape.width as u16, self.shape.height as u16);
        let mut frame = gif::Frame::from_rgb_speed(width, height, picture.as_raw(), SPEED);
        frame.delay = u16::try_from(delay)
            .unwrap_or(u16::MAX)
            .max(SHORTEST as u16);
        self.written = until.max(self.written + SHORTEST);
        self.encoder.write_frame(&frame).map_err(Error::other)
    }
}

impl VideoWriter for GifWriter {
    fn write(&mut self, picture: &RgbImage) -> std::io::Result<()> {
        self.flush(false)?;
        self.waiting = Some(picture.clone());
        self.slots += 1;
        Ok(())
    }

    fn repeat(&mut self, times: u32) -> std::io::Result<()> {
        self.slots += u64::from(times);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> std::io::Result<()> {
        self.flush(true)?;
        // The end mark is written on the way.
        let file = self.encoder.into_inner().map_err(Error::other)?;
        file.into_inner().map_err(|e| e.into_error())?.commit()
    }
}
