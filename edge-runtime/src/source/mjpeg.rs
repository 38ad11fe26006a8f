//! A raw MJPEG stream: JPEGs one after the other, with anything or nothing in between.

use std::time::Instant;

use super::clock::FileClock;
use super::input::{Input, MAX_FRAME};
use super::jpeg::{JPEG_START, JpegStep, JpegWalk, decode_jpeg, find_start};
use crate::error::RuntimeError;
use crate::stream::{Frame, FrameSource, StreamInfo};

/// How often in a row to look for a frame inside a broken one: garbage must not cost its square.
const SECOND_LOOKS: u32 = 16;
/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// Frames of an MJPEG stream.
pub(super) struct MjpegSource {
    input: Input,
    info: StreamInfo,
    clock: FileClock,
    bytes: Vec<u8>,
    /// How often in a row a frame was looked for inside a broken one.
    second_looks: u32,
    broken: u64,
    good: u64,
    last_fault: String,
}

impl MjpegSource {
    pub fn new(input: Input, rate: Option<f64>, live: bool) -> MjpegSource {
        MjpegSource {
            info: StreamInfo {
                name: input.name.clone(),
                size: None,
                rate,
                frames: None,
                live,
            },
            clock: FileClock::new(rate),
            input,
            bytes: Vec::new(),
            second_looks: 0,
            broken: 0,
            good: 0,
            last_fault: String::new(),
        }
    }

    /// Reads on; false at the end.
    fn read_more(&mut self) -> Result<bool, RuntimeError> {
        let before = self.bytes.len();
        self.bytes.resize(before + CHUNK, 0);
        let count = self.input.read(&mut self.bytes[before..])?;
        self.bytes.truncate(before + count);
        Ok(count > 0)
    }

    /// The bytes of the next JPEG from SOI to EOI; of a broken one what there is of it.
    fn next_jpeg(&mut self) -> Result<Option<Vec<u8>>, RuntimeError> {
        loop {
            if let Some(start) = find_start(&self.bytes) {
                self.bytes.drain(..start);
                break;
            }
            // The start may be cut by the end of what was read.
            let keep = self.bytes.len().min(JPEG_START.len() - 1);
            self.bytes.drain(..self.bytes.len() - keep);
            if !self.read_more()? {
                return Ok(None);
            }
        }
        let mut walk = JpegWalk::default();
        let end = loop {
            match walk.advance(&self.bytes) {
                JpegStep::End(end) | JpegStep::Cut(end) => break end,
                JpegStep::More if self.bytes.len() as u64 > MAX_FRAME => break self.bytes.len(),
                JpegStep::More => {}
            }
            if !self.read_more()? {
                break self.bytes.len();
            }
        };
        let rest = self.bytes.split_off(end);
        Ok(Some(std::mem::replace(&mut self.bytes, rest)))
    }

    /// A frame that is cut off within a segment swallows the start of the next one: gives back what
    /// stands from there on.
    fn look_again(&mut self, broken: &[u8]) {
        let inside = broken.get(JPEG_START.len()..).unwrap_or_default();
        let Some(at) = find_start(inside).filter(|_| self.second_looks < SECOND_LOOKS) else {
            return;
        };
        self.second_looks += 1;
        let mut bytes = inside[at..].to_vec();
        bytes.append(&mut self.bytes);
        self.bytes = bytes;
    }
}

impl FrameSource for MjpegSource {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        while let Some(jpeg) = self.next_jpeg()? {
            let taken = Instant::now();
            match decode_jpeg(&jpeg) {
                Ok(picture) => {
                    self.good += 1;
                    self.second_looks = 0;
                    return Ok(Some(self.clock.frame(picture, taken)));
                }
                Err(fault) => {
                    self.last_fault = format!("frame {}: {fault}", self.clock.number());
                    self.broken += 1;
                    self.clock.skip();
                    self.look_again(&jpeg);
                }
            }
        }
        if self.good > 0 {
            return Ok(None);
        }
        Err(self.input.error(match self.broken {
            0 => format!("no JPEG in {} bytes", self.input.offset()),
            broken => format!(
                "none of {broken} JPEG frames can be decoded; {}",
                self.last_fault
            ),
        }))
    }

    fn broken_frames(&self) -> u64 {
        self.broken
    }
}
