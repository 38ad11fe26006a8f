//! AVI files with Motion JPEG: every player and editor reads them, and writing them needs no codec.
//!
//! ```text
//! RIFF AVI
//!   LIST hdrl  avih, LIST strl (strh vids MJPG, strf BITMAPINFOHEADER)
//!   LIST movi  00dc JPEG, 00dc JPEG, 00dc (empty: the picture before, once more) …
//!   idx1       a row for each 00dc
//! ```
//! after Microsoft's "AVI RIFF File Reference".

use std::io::{BufWriter, Seek, SeekFrom, Write};

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use onnx_graph::AtomicFile;

use crate::live::video::{VideoShape, VideoWriter};

/// Quality of the pictures, of 100.
const QUALITY: u8 = 85;
/// From "RIFF" to the first picture.
const HEAD: u32 = 224;
/// A file this long is complete: sizes in it have 32 bits, and some readers take them as signed.
const FULL: u64 = 1 << 30;
/// A picture that stands by itself.
const KEY_FRAME: u32 = 0x10;

/// Writes an AVI file.
#[derive(Debug)]
pub struct AviWriter {
    file: BufWriter<AtomicFile>,
    shape: VideoShape,
    /// Offset from "movi" and size of each picture.
    index: Vec<(u32, u32)>,
    /// Bytes from the start of the file.
    written: u64,
    jpeg: Vec<u8>,
    largest: u32,
}

impl AviWriter {
    /// Starts the file's content.
    ///
    /// # Errors
    /// A disk that is full, for example.
    pub fn new(file: AtomicFile, shape: VideoShape) -> std::io::Result<AviWriter> {
        let mut writer = AviWriter {
            file: BufWriter::with_capacity(1 << 16, file),
            shape,
            index: Vec::new(),
            written: u64::from(HEAD),
            jpeg: Vec::new(),
            largest: 0,
        };
        let head = writer.head();
        writer.file.write_all(&head)?;
        Ok(writer)
    }

    /// The head, with what is known so far.
    fn head(&self) -> Vec<u8> {
        let VideoShape {
            width,
            height,
            rate,
        } = self.shape;
        let scale: u32 = 1000;
        let ticks = (rate * f64::from(scale)).round().max(1.0) as u32;
        let frames = self.index.len() as u32;
        let movi = (self.written - u64::from(HEAD)) as u32 + 4;
        let index = 16 * frames;
        let total = HEAD - 8 + movi - 4 + 8 + index;
        let mut head = Head(Vec::with_capacity(HEAD as usize));
        head.tag(b"RIFF").number(total).tag(b"AVI ");
        head.tag(b"LIST").number(192).tag(b"hdrl");
        // Microseconds a frame, bytes a second, alignment, flags (it has an index), …
        head.tag(b"avih").number(56);
        head.number((1e6 / rate).round() as u32)
            .number((f64::from(self.largest) * rate) as u32)
            .number(0)
            .number(0x10)
            .number(frames)
            .number(0)
            .number(1)
            .number(self.largest)
            .number(width)
            .number(height);
        head.number(0).number(0).number(0).number(0);
        head.tag(b"LIST").number(116).tag(b"strl");
        head.tag(b"strh").number(56).tag(b"vids").tag(b"MJPG");
        // Flags, priority and language, initial frames, scale, rate, start, length, …
        head.number(0).number(0).number(0);
        head.number(scale).number(ticks).number(0).number(frames);
        head.number(self.largest).number(u32::MAX).number(0);
        head.half(0).half(0).half(width as u16).half(height as u16);
        head.tag(b"strf").number(40);
        head.number(40).number(width).number(height);
        head.half(1).half(24).tag(b"MJPG");
        head.number(3 * width * height);
        head.number(0).number(0).number(0).number(0);
        head.tag(b"LIST").number(movi).tag(b"movi");
        head.0
    }

    fn chunk(&mut self, size: u32) -> std::io::Result<()> {
        let offset = (self.written - u64::from(HEAD)) as u32 + 4;
        self.index.push((offset, size));
        self.file.write_all(b"00dc")?;
        self.file.write_all(&size.to_le_bytes())?;
        self.written += 8;
        Ok(())
    }
}

/// A head in the making.
struct Head(Vec<u8>);

impl Head {
    fn tag(&mut self, tag: &[u8; 4]) -> &mut Head {
        self.0.extend_from_slice(tag);
        self
    }

    fn number(&mut self, number: u32) -> &mut Head {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn half(&mut self, number: u16) -> &mut Head {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }
}

impl VideoWriter for AviWriter {
    fn write(&mut self, picture: &RgbImage) -> std::io::Result<()> {
        self.jpeg.clear();
        JpegEncoder::new_with_quality(&mut self.jpeg, QUALITY)
            .encode_image(picture)
            .map_err(std::io::Error::other)?;
        let size = self.jpeg.len() as u32;
        self.largest = self.largest.max(size);
        self.chunk(size)?;
        self.file.write_all(&self.jpeg)?;
        // Chunks begin at even addresses.
        let padding = size % 2;
        self.file.write_all(&[0][..padding as usize])?;
        self.written += u64::from(size + padding);
        Ok(())
    }

    fn repeat(&mut self, times: u32) -> std::io::Result<()> {
        (0..times).try_for_each(|_| self.chunk(0))
    }

    fn is_full(&self) -> bool {
        self.written > FULL
    }

    fn finish(mut self: Box<Self>) -> std::io::Result<()> {
        self.file.write_all(b"idx1")?;
        self.file
            .write_all(&(16 * self.index.len() as u32).to_le_bytes())?;
        for (offset, size) in &self.index {
            self.file.write_all(b"00dc")?;
            for number in [KEY_FRAME, *offset, *size] {
                self.file.write_all(&number.to_le_bytes())?;
            }
        }
        let head = self.head();
        let mut file = self.file.into_inner().map_err(|e| e.into_error())?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&head)?;
        file.commit()
    }
}
