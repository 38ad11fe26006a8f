//! JPEG frames of videos and cameras: where they end, and decoding them.

use image::RgbImage;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::huffman::STANDARD_TABLES;
use super::photo::MAX_PIXELS;
use crate::panic_guard::without_panic;

/// How every JPEG starts: SOI and the first byte of the next marker.
pub(super) const JPEG_START: [u8; 3] = [0xff, 0xd8, 0xff];

/// What a [`JpegWalk`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JpegStep {
    /// The frame's bytes end here.
    End(usize),
    /// Another frame starts here before this one ended, or its markers are broken here.
    Cut(usize),
    /// More bytes are needed.
    More,
}

/// Walks over the markers of one JPEG from its first byte on, without decoding it. It can be called
/// again with more bytes and goes on where it was.
#[derive(Clone, Debug, Default)]
pub(super) struct JpegWalk {
    position: usize,
    in_scan: bool,
    /// Width and height, once they are known.
    pub size: Option<(u16, u16)>,
    /// Whether it says that it is the first of several pictures in one photo (CIPA DC-007).
    pub multi_picture: bool,
    /// Whether it has Huffman tables.
    has_tables: bool,
    /// Where its first scan starts.
    scan: Option<usize>,
}

impl JpegWalk {
    pub fn advance(&mut self, bytes: &[u8]) -> JpegStep {
        loop {
            let step = if self.in_scan {
                self.pass_scan(bytes)
            } else {
                self.pass_segment(bytes)
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// Entropy-coded data up to the next marker that is none of its own.
    fn pass_scan(&mut self, bytes: &[u8]) -> Option<JpegStep> {
        let rest = bytes.get(self.position..).unwrap_or_default();
        let Some(at) = rest.iter().position(|b| *b == 0xff) else {
            self.position = self.position.max(bytes.len());
            return Some(JpegStep::More);
        };
        self.position += at;
        match bytes.get(self.position + 1) {
            None => return Some(JpegStep::More),
            Some(0xd9) => return Some(JpegStep::End(self.position + 2)),
            Some(0xd8) => return Some(JpegStep::Cut(self.position)),
            Some(0xff) => self.position += 1,
            // What may stand between the scans of a progressive picture.
            Some(0xc4 | 0xcc | 0xda..=0xdd | 0xe0..=0xef | 0xfe) => self.in_scan = false,
            // A stuffed 0, a restart marker, or damage.
            Some(_) => self.position += 2,
        }
        None
    }

    /// A marker and its segment.
    fn pass_segment(&mut self, bytes: &[u8]) -> Option<JpegStep> {
        let start = self.position;
        let Some(&[first, marker]) = bytes.get(start..start + 2) else {
            return Some(JpegStep::More);
        };
        if first != 0xff {
            return Some(JpegStep::Cut(start));
        }
        match marker {
            0xff => self.position += 1,
            0xd8 if start > 0 => return Some(JpegStep::Cut(start)),
            0xd9 => return Some(JpegStep::End(start + 2)),
            0x01 | 0xd0..=0xd8 => self.position += 2,
            _ => {
                let Some(&[high, low]) = bytes.get(start + 2..start + 4) else {
                    return Some(JpegStep::More);
                };
                let length = usize::from(u16::from_be_bytes([high, low]));
                if length < 2 {
                    return Some(JpegStep::Cut(start));
                }
                let end = start + 2 + length;
                let Some(content) = bytes.get(start + 4..end) else {
                    return Some(JpegStep::More);
                };
                match marker {
                    0xc4 => self.has_tables = true,
                    0xc0..=0xcf if marker != 0xc8 && marker != 0xcc => {
                        if let Some(&[h1, h0, w1, w0]) = content.get(1..5) {
                            self.size =
                                Some((u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0])));
                        }
                    }
                    0xe2 if content.starts_with(b"MPF\0") => self.multi_picture = true,
                    0xda => {
                        self.scan.get_or_insert(start);
                        self.in_scan = true;
                    }
                    _ => {}
                }
                self.position = end;
            }
        }
        None
    }
}

/// Where the first JPEG in `bytes` starts.
pub(super) fn find_start(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|w| w == JPEG_START)
}

/// Decodes the first JPEG in `bytes`; what stands before and after it is ignored. A frame without
/// Huffman tables gets the standard ones.
///
/// # Errors
/// What is wrong with it, in words. Cut-off frames are errors.
pub(super) fn decode_jpeg(bytes: &[u8]) -> Result<RgbImage, String> {
    let start = find_start(bytes).ok_or("no JPEG starts in it")?;
    let bytes = &bytes[start..];
    let mut walk = JpegWalk::default();
    let end = match walk.advance(bytes) {
        JpegStep::End(end) => end,
        JpegStep::Cut(at) => return Err(format!("broken at byte {}", start + at)),
        JpegStep::More => return Err("it is cut off".into()),
    };
    let bytes = &bytes[..end];
    match walk.scan {
        None => Err("it has no picture".into()),
        Some(scan) if !walk.has_tables => {
            let whole = [&bytes[..scan], &STANDARD_TABLES, &bytes[scan..]].concat();
            decode_whole(&whole)
        }
        Some(_) => decode_whole(bytes),
    }
}

fn decode_whole(bytes: &[u8]) -> Result<RgbImage, String> {
    // The decoder gives errors, not panics; but cameras' garbage is endless.
    without_panic(|| {
        let options = DecoderOptions::default()
            .set_max_width(usize::from(u16::MAX))
            .set_max_height(usize::from(u16::MAX))
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(|e| e.to_string())?;
        let info = decoder.info().ok_or("it has no header")?;
        let (width, height) = (u32::from(info.width), u32::from(info.height));
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(format!("{width}x{height} pixels are too many"));
        }
        let pixels = decoder.decode().map_err(|e| e.to_string())?;
        RgbImage::from_raw(width, height, pixels).ok_or_else(|| "it is not in colour".into())
    })?
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A picture whose content depends on `number`, and its JPEG.
    pub fn numbered(number: u32, width: u32, height: u32) -> (RgbImage, Vec<u8>) {
        let picture = RgbImage::from_fn(width, height, |x, y| {
            let wave = |k: u32| ((x * k + y * 2 + number * 20) % 256) as u8 / 2 + 60;
            image::Rgb([wave(1), wave(2), (number * 40 % 256) as u8])
        });
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95)
            .encode_image(&picture)
            .unwrap();
        (picture, bytes)
    }

    /// The same JPEG without its Huffman tables.
    pub fn without_tables(jpeg: &[u8]) -> Vec<u8> {
        let mut out = jpeg[..2].to_vec();
        let mut at = 2;
        loop {
            let length = usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]])) + 2;
            if jpeg[at + 1] == 0xda {
                out.extend(&jpeg[at..]);
                return out;
            }
            if jpeg[at + 1] != 0xc4 {
                out.extend(&jpeg[at..at + length]);
            }
            at += length;
        }
    }

    /// Mean difference of the bytes of two pictures.
    pub fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
        assert_eq!(a.dimensions(), b.dimensions());
        let sum: u64 = a
            .iter()
            .zip(b.iter())
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        sum as f64 / a.len() as f64
    }

    #[test]
    fn frames_decode_with_and_without_tables_and_with_a_stale_tail() {
        let (picture, jpeg) = numbered(3, 64, 48);
        let plain = decode_jpeg(&jpeg).unwrap();
        assert!(difference(&plain, &picture) < 3.0);
        let bare = without_tables(&jpeg);
        assert!(bare.len() + 400 < jpeg.len());
        assert_eq!(decode_jpeg(&bare).unwrap(), plain);
        let (_, other) = numbered(9, 64, 48);
        for tail in [&[0; 100][..], &other[..], &other[200..]] {
            assert_eq!(decode_jpeg(&[&jpeg, tail].concat()).unwrap(), plain);
        }
        assert_eq!(
            decode_jpeg(&[b"--frame\r\n\r\n", &jpeg[..]].concat()).unwrap(),
            plain
        );
    }

    #[test]
    fn grey_jpegs_become_rgb() {
        let grey = image::GrayImage::from_fn(16, 16, |x, _| image::Luma([(x * 10) as u8]));
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new(&mut bytes)
            .encode_image(&grey)
            .unwrap();
        let picture = decode_jpeg(&bytes).unwrap();
        assert_eq!(picture.dimensions(), (16, 16));
        assert!(picture.pixels().all(|p| p[0] == p[1] && p[1] == p[2]));
    }

    #[test]
    fn cut_and_garbled_frames_are_errors_or_pictures_never_panics() {
        let (_, jpeg) = numbered(1, 40, 40);
        for length in 0..jpeg.len() {
            assert!(decode_jpeg(&jpeg[..length]).is_err(), "{length}");
        }
        let mut state = 1u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize
        };
        for round in 0..3000 {
            let mut garbled = if round % 2 == 0 {
                jpeg.clone()
            } else {
                without_tables(&jpeg)
            };
            for _ in 0..1 + round % 20 {
                let at = random() % garbled.len();
                garbled[at] = random() as u8;
            }
            let _ = decode_jpeg(&garbled);
        }
        assert_eq!(decode_jpeg(&[]).unwrap_err(), "no JPEG starts in it");
        assert_eq!(decode_jpeg(&jpeg[..300]).unwrap_err(), "it is cut off");
    }

    #[test]
    fn a_walk_goes_on_where_it_was() {
        let (_, jpeg) = numbered(1, 40, 30);
        let mut walk = JpegWalk::default();
        for length in 0..jpeg.len() {
            assert_eq!(walk.advance(&jpeg[..length]), JpegStep::More, "{length}");
        }
        assert_eq!(walk.advance(&jpeg), JpegStep::End(jpeg.len()));
        assert_eq!(walk.size, Some((40, 30)));
    }
}
