//! AVI files with MJPEG video.
//!
//! Source: Microsoft, "AVI RIFF File Reference"; for files above 1 GB Matrox, "OpenDML AVI File
//! Format Extensions". The file is read once from front to back; indexes are not needed.

use std::time::Instant;

use pose::Size;

use super::clock::FileClock;
use super::input::{Input, MAX_FRAME};
use super::jpeg::decode_jpeg;
use crate::error::RuntimeError;
use crate::stream::{Frame, FrameSource, StreamInfo};

/// Largest list of headers.
const MAX_HEADERS: u64 = 1 << 20;

/// Whether a file that starts like this is an AVI file.
pub(super) fn is_avi(head: &[u8]) -> bool {
    head.starts_with(b"RIFF") && head.get(8..12) == Some(b"AVI ")
}

/// What the headers say of the video.
#[derive(Clone, Debug, PartialEq)]
struct Video {
    /// Number of the stream, which is in the names of its chunks.
    stream: usize,
    codec: [u8; 4],
    size: Size,
    rate: Option<f64>,
    frames: Option<u64>,
}

/// Frames of an AVI file.
pub(super) struct AviSource {
    input: Input,
    info: StreamInfo,
    clock: FileClock,
    video: Video,
    bytes: Vec<u8>,
    good: u64,
    broken: u64,
    last_fault: String,
}

/// A file whose headers were read.
pub(super) enum OpenedAvi {
    /// Its frames are MJPEG.
    Mjpeg(Box<AviSource>),
    /// Its frames have this other codec.
    Other(String),
}

impl AviSource {
    pub fn open(mut input: Input, live: bool) -> Result<OpenedAvi, RuntimeError> {
        let mut riff = [0; 12];
        if input.fill(&mut riff)? < 12 || !is_avi(&riff) {
            return Err(input.error("is no AVI file".into()));
        }
        let video = loop {
            let Some(chunk) = next_chunk(&mut input)? else {
                return Err(input.error("is an AVI file without a video".into()));
            };
            if &chunk.id == b"LIST" && chunk.length >= 4 {
                let mut kind = [0; 4];
                input.fill(&mut kind)?;
                let length = chunk.padded() - 4;
                if &kind == b"hdrl" {
                    let mut headers = Vec::new();
                    input.fill_vec(&mut headers, length.min(MAX_HEADERS))?;
                    input.skip(length.saturating_sub(MAX_HEADERS))?;
                    let found = find_video(&headers);
                    break found
                        .ok_or_else(|| input.error("is an AVI file without a video".into()))?;
                }
                input.skip(length)?;
            } else {
                input.skip(chunk.padded())?;
            }
        };
        if !matches!(
            &video.codec.map(|b| b.to_ascii_uppercase()),
            b"MJPG" | b"JPEG" | b"AVRN"
        ) {
            return Ok(OpenedAvi::Other(
                String::from_utf8_lossy(&video.codec).into_owned(),
            ));
        }
        Ok(OpenedAvi::Mjpeg(Box::new(AviSource {
            info: StreamInfo {
                name: input.name.clone(),
                size: Some(video.size).filter(|s| s.width > 0 && s.height > 0),
                rate: video.rate,
                frames: video.frames,
                live,
            },
            clock: FileClock::new(video.rate),
            input,
            video,
            bytes: Vec::new(),
            good: 0,
            broken: 0,
            last_fault: String::new(),
        })))
    }

    /// Reads on to the next frame, into `bytes`. False at the end.
    fn next_chunk_of_video(&mut self) -> Result<bool, RuntimeError> {
        let tens = b'0' + (self.video.stream / 10) as u8;
        let ones = b'0' + (self.video.stream % 10) as u8;
        while let Some(chunk) = next_chunk(&mut self.input)? {
            match &chunk.id {
                // Into the list of frames, and the second gigabyte; whatever their length says,
                // which programs that were stopped never wrote.
                b"LIST" | b"RIFF" => {
                    let mut kind = [0; 4];
                    self.input.fill(&mut kind)?;
                    if !matches!(&kind, b"movi" | b"rec " | b"AVIX" | b"AVI ") {
                        self.input.skip(chunk.padded().saturating_sub(4))?;
                    }
                }
                [t, o, b'd', b'c' | b'b'] if *t == tens && *o == ones => {
                    if chunk.length > MAX_FRAME {
                        return Err(self.input.error(format!(
                            "frame {} at byte {} says that it has {} bytes",
                            self.clock.number(),
                            self.input.offset() - 8,
                            chunk.length
                        )));
                    }
                    self.input.fill_vec(&mut self.bytes, chunk.length)?;
                    self.input.skip(chunk.length % 2)?;
                    return Ok(true);
                }
                id if id.iter().all(|b| b.is_ascii_graphic() || *b == b' ') => {
                    self.input.skip(chunk.padded())?;
                }
                _ => {
                    return Err(self.input.error(format!(
                        "is broken at byte {}, after {} frames",
                        self.input.offset() - 8,
                        self.clock.number()
                    )));
                }
            }
        }
        Ok(false)
    }
}

impl FrameSource for AviSource {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        while self.next_chunk_of_video()? {
            let taken = Instant::now();
            // An empty chunk repeats the frame before it.
            if self.bytes.is_empty() {
                self.clock.skip();
                continue;
            }
            match decode_jpeg(&self.bytes) {
                Ok(picture) => {
                    self.good += 1;
                    return Ok(Some(self.clock.frame(picture, taken)));
                }
                Err(fault) => {
                    let (number, at) = (self.clock.number(), self.input.offset());
                    self.last_fault = format!("frame {number}, before byte {at}: {fault}");
                    self.broken += 1;
                    self.clock.skip();
                }
            }
        }
        if self.good > 0 {
            return Ok(None);
        }
        Err(self.input.error(match self.broken {
            0 => format!("ends at byte {} without a frame", self.input.offset()),
            broken => format!(
                "none of {broken} frames can be decoded; {}",
                self.last_fault
            ),
        }))
    }

    fn broken_frames(&self) -> u64 {
        self.broken
    }
}

/// Name and length of a part of the file.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    id: [u8; 4],
    length: u64,
}

impl Chunk {
    /// Parts start at even places.
    fn padded(self) -> u64 {
        self.length + self.length % 2
    }
}

/// The next part's name and length; None at the end, where a few bytes may be left over.
fn next_chunk(input: &mut Input) -> Result<Option<Chunk>, RuntimeError> {
    let mut header = [0; 8];
    if input.fill(&mut header)? < 8 {
        return Ok(None);
    }
    let [a, b, c, d, length @ ..] = header;
    Ok(Some(Chunk {
        id: [a, b, c, d],
        length: u32::from_le_bytes(length).into(),
    }))
}

/// The parts of a list that is in memory.
fn parts(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (id, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let content = &rest[..length.min(rest.len())];
        bytes = rest.get(length + length % 2..).unwrap_or_default();
        Some((*id, content))
    })
}

/// The first video stream of the headers.
fn find_video(headers: &[u8]) -> Option<Video> {
    let streams = parts(headers)
        .filter(|(id, content)| id == b"LIST" && content.starts_with(b"strl"))
        .map(|(_, content)| &content[4..]);
    for (stream, list) in streams.enumerate().take(100) {
        let part = |wanted: &[u8; 4]| parts(list).find(|(id, _)| id == wanted).map(|p| p.1);
        let Some(header) = part(b"strh").filter(|h| h.starts_with(b"vids")) else {
            continue;
        };
        let word = |bytes: &[u8], at: usize| {
            let four = bytes.get(at..at + 4)?;
            Some(u32::from_le_bytes(four.try_into().ok()?))
        };
        let (scale, rate, length) = (word(header, 20)?, word(header, 24)?, word(header, 32));
        let format = part(b"strf")?;
        return Some(Video {
            stream,
            codec: format.get(16..20)?.try_into().ok()?,
            size: Size::new(
                word(format, 4)? as usize,
                // Negative: the rows come from top to bottom.
                (word(format, 8)? as i32).unsigned_abs() as usize,
            ),
            rate: (scale > 0 && rate > 0).then(|| f64::from(rate) / f64::from(scale)),
            frames: length.filter(|l| *l > 0).map(u64::from),
        });
    }
    None
}
