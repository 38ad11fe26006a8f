//! Y4M: uncompressed video with a line of text before every frame.
//!
//! Source: the yuv4mpeg(5) manual page of mjpegtools.

use std::time::Instant;

use image::RgbImage;
use pose::Size;

use super::clock::FileClock;
use super::input::Input;
use super::photo::MAX_PIXELS;
use super::yuv::{ColorRange, Plane, Planes, Yuv};
use crate::error::RuntimeError;
use crate::stream::{Frame, FrameSource, StreamInfo};

/// How every Y4M stream starts.
pub(super) const Y4M_START: &[u8] = b"YUV4MPEG2 ";
/// Longest header line.
const MAX_LINE: usize = 1024;

/// Which pixels share their chroma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chroma {
    None,
    /// Blocks of `1 << .0` by `1 << .1` pixels.
    Blocks(u32, u32),
}

/// Frames of a Y4M stream.
pub(super) struct Y4mSource {
    input: Input,
    info: StreamInfo,
    clock: FileClock,
    size: Size,
    chroma: Chroma,
    yuv: Yuv,
    bytes: Vec<u8>,
}

impl Y4mSource {
    pub fn new(mut input: Input, live: bool) -> Result<Y4mSource, RuntimeError> {
        let line = input.line(MAX_LINE)?.unwrap_or_default();
        let Some(parameters) = line.strip_prefix("YUV4MPEG2 ") else {
            return Err(input.error("is no Y4M stream: expected YUV4MPEG2 at byte 0".into()));
        };
        let (mut width, mut height, mut rate) = (0, 0, None);
        let (mut chroma, mut range) = (Chroma::Blocks(1, 1), ColorRange::Limited);
        for word in parameters.split_ascii_whitespace() {
            let wrong = || input.error(format!("Y4M header: {word:?} makes no sense"));
            let (tag, value) = word.split_at_checked(1).ok_or_else(wrong)?;
            match tag {
                "W" => width = value.parse().map_err(|_| wrong())?,
                "H" => height = value.parse().map_err(|_| wrong())?,
                "F" => rate = parse_rate(value).ok_or_else(wrong)?,
                "C" => {
                    chroma = parse_chroma(value).ok_or_else(|| {
                        input.error(format!(
                            "Y4M header: pixel format C{value}; expected 8-bit 420, 422, 444 or \
                             mono (`ffmpeg -i … -pix_fmt yuv420p` converts)"
                        ))
                    })?;
                }
                "X" if value == "COLORRANGE=FULL" => range = ColorRange::Full,
                _ => {}
            }
        }
        let size = Size::new(width, height);
        if width == 0 || height == 0 || width as u64 * height as u64 > MAX_PIXELS {
            return Err(input.error(format!("Y4M header: a size of {width}x{height}")));
        }
        Ok(Y4mSource {
            info: StreamInfo {
                name: input.name.clone(),
                size: Some(size),
                rate,
                frames: None,
                live,
            },
            clock: FileClock::new(rate),
            size,
            chroma,
            yuv: Yuv::new(range),
            bytes: Vec::new(),
            input,
        })
    }

    /// Bytes of luma, columns and rows of each chroma plane.
    fn plane_sizes(&self) -> (usize, usize, usize) {
        let Size { width, height } = self.size;
        let (columns, rows) = match self.chroma {
            Chroma::None => (0, 0),
            Chroma::Blocks(x, y) => (width.div_ceil(1 << x), height.div_ceil(1 << y)),
        };
        (width * height, columns, rows)
    }

    fn picture(&self) -> Option<RgbImage> {
        let Size { width, height } = self.size;
        let (luma, columns, rows) = self.plane_sizes();
        let mut out = vec![0; 3 * luma];
        let plane = |bytes, stride| Plane {
            bytes,
            stride,
            step: 1,
        };
        let (y, chroma) = self.bytes.split_at(luma);
        let (u, v) = chroma.split_at(columns * rows);
        let planes = match self.chroma {
            // One grey value for every pixel.
            Chroma::None => Planes {
                luma: plane(y, width),
                u: plane(&[128], 0),
                v: plane(&[128], 0),
                shift: (31, 31),
            },
            Chroma::Blocks(x, shift_y) => Planes {
                luma: plane(y, width),
                u: plane(u, columns),
                v: plane(v, columns),
                shift: (x, shift_y),
            },
        };
        planes.to_rgb(self.size, &self.yuv, &mut out);
        RgbImage::from_raw(width as u32, height as u32, out)
    }
}

impl FrameSource for Y4mSource {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        let start = self.input.offset();
        let Some(line) = self.input.line(MAX_LINE)? else {
            return Ok(None);
        };
        let number = self.clock.number();
        if line != "FRAME" && !line.starts_with("FRAME ") {
            return Err(self.input.error(format!(
                "expected FRAME at byte {start}, before frame {number}"
            )));
        }
        let (luma, columns, rows) = self.plane_sizes();
        let expected = luma + 2 * columns * rows;
        self.input.fill_vec(&mut self.bytes, expected as u64)?;
        if self.bytes.len() < expected {
            return Err(self.input.error(format!(
                "ends within frame {number} at byte {}: {} of {expected} bytes",
                self.input.offset(),
                self.bytes.len()
            )));
        }
        let taken = Instant::now();
        let picture = self.picture();
        let picture = picture.ok_or_else(|| self.input.error("frame without pixels".into()))?;
        Ok(Some(self.clock.frame(picture, taken)))
    }
}

/// `30000:1001`; no rate for `0:0`, which means unknown.
fn parse_rate(value: &str) -> Option<Option<f64>> {
    let (above, below) = value.split_once(':')?;
    let (above, below): (u32, u32) = (above.parse().ok()?, below.parse().ok()?);
    Some((above > 0 && below > 0).then(|| f64::from(above) / f64::from(below)))
}

fn parse_chroma(value: &str) -> Option<Chroma> {
    Some(match value {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => Chroma::Blocks(1, 1),
        "422" => Chroma::Blocks(1, 0),
        "444" => Chroma::Blocks(0, 0),
        "mono" => Chroma::None,
        _ => return None,
    })
}
