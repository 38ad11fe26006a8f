//! Uncompressed pixels as cameras and videos have them, and RGB.

use std::fmt;
use std::str::FromStr;

use image::RgbImage;
use pose::Size;

use super::yuv::{ColorRange, Plane, Planes, Yuv};

/// How the bytes of an uncompressed frame are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Y0 U Y1 V: two pixels in four bytes.
    Yuyv,
    /// U Y0 V Y1: two pixels in four bytes.
    Uyvy,
    /// A plane of Y, then one of U V pairs for blocks of 2×2 pixels.
    Nv12,
    /// A plane of Y, then one of V U pairs for blocks of 2×2 pixels.
    Nv21,
    /// Planes of Y, of U and of V; the last two for blocks of 2×2 pixels.
    I420,
    /// R G B.
    Rgb24,
    /// B G R.
    Bgr24,
    /// Y alone, from 0 (black) to 255 (white).
    Grey,
}

impl PixelFormat {
    /// All of them, the ones first that cameras should rather be asked for.
    pub const ALL: [PixelFormat; 8] = [
        PixelFormat::Yuyv,
        PixelFormat::Uyvy,
        PixelFormat::Nv12,
        PixelFormat::Nv21,
        PixelFormat::I420,
        PixelFormat::Rgb24,
        PixelFormat::Bgr24,
        PixelFormat::Grey,
    ];

    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            PixelFormat::Yuyv => "yuyv",
            PixelFormat::Uyvy => "uyvy",
            PixelFormat::Nv12 => "nv12",
            PixelFormat::Nv21 => "nv21",
            PixelFormat::I420 => "i420",
            PixelFormat::Rgb24 => "rgb24",
            PixelFormat::Bgr24 => "bgr24",
            PixelFormat::Grey => "grey",
        }
    }

    /// Bytes of a row of luma, or of everything where it is not apart, without padding.
    pub fn row_bytes(self, width: usize) -> usize {
        match self {
            PixelFormat::Yuyv | PixelFormat::Uyvy => width.div_ceil(2) * 4,
            PixelFormat::Rgb24 | PixelFormat::Bgr24 => width * 3,
            _ => width,
        }
    }

    /// Bytes of a frame whose rows are `stride` bytes apart.
    pub fn frame_bytes(self, size: Size, stride: usize) -> usize {
        let luma = stride * size.height;
        let chroma_rows = size.height.div_ceil(2);
        match self {
            PixelFormat::Nv12 | PixelFormat::Nv21 => {
                luma + chroma_rows * stride.next_multiple_of(2)
            }
            PixelFormat::I420 => luma + 2 * chroma_rows * stride.div_ceil(2),
            _ => luma,
        }
    }

    /// The picture in `bytes`, whose rows are `stride` bytes apart (at least
    /// [`row_bytes`](Self::row_bytes)). None when there are fewer bytes than a frame has, or no
    /// pixels.
    pub fn to_rgb(
        self,
        bytes: &[u8],
        size: Size,
        stride: usize,
        range: ColorRange,
    ) -> Option<RgbImage> {
        if size.width == 0 || size.height == 0 || stride < self.row_bytes(size.width) {
            return None;
        }
        // The last row's padding may be missing.
        let padding = match self {
            PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::I420 => 0,
            _ => stride - self.row_bytes(size.width),
        };
        if bytes.len() < self.frame_bytes(size, stride) - padding {
            return None;
        }
        let rows = |out: &mut [u8], convert: &dyn Fn(&[u8], &mut [u8])| {
            for (row, out) in bytes
                .chunks(stride)
                .zip(out.chunks_exact_mut(size.width * 3))
            {
                convert(row, out);
            }
        };
        let mut out = vec![0; size.width * size.height * 3];
        let yuv = Yuv::new(range);
        match self {
            PixelFormat::Yuyv => rows(&mut out, &|row, out| yuv.pairs(row, out, [0, 2], 1, 3)),
            PixelFormat::Uyvy => rows(&mut out, &|row, out| yuv.pairs(row, out, [1, 3], 0, 2)),
            PixelFormat::Rgb24 => rows(&mut out, &|row, out| {
                let count = out.len();
                out.copy_from_slice(&row[..count]);
            }),
            PixelFormat::Bgr24 => rows(&mut out, &|row, out| {
                for (o, i) in out.chunks_exact_mut(3).zip(row.chunks_exact(3)) {
                    o.copy_from_slice(&[i[2], i[1], i[0]]);
                }
            }),
            PixelFormat::Grey => rows(&mut out, &|row, out| {
                for (o, i) in out.chunks_exact_mut(3).zip(row) {
                    o.fill(*i);
                }
            }),
            PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::I420 => {
                let (luma, chroma) = bytes.split_at(stride * size.height);
                let (u, v, step) = match self {
                    PixelFormat::Nv12 => (chroma, &chroma[1..], 2),
                    PixelFormat::Nv21 => (&chroma[1..], chroma, 2),
                    _ => {
                        let (u, v) = chroma.split_at(stride.div_ceil(2) * size.height.div_ceil(2));
                        (u, v, 1)
                    }
                };
                let chroma_stride = stride.div_ceil(2) * step;
                let planes = Planes {
                    luma: Plane {
                        bytes: luma,
                        stride,
                        step: 1,
                    },
                    u: Plane {
                        bytes: u,
                        stride: chroma_stride,
                        step,
                    },
                    v: Plane {
                        bytes: v,
                        stride: chroma_stride,
                        step,
                    },
                    shift: (1, 1),
                };
                planes.to_rgb(size, &yuv, &mut out);
            }
        }
        RgbImage::from_raw(size.width as u32, size.height as u32, out)
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PixelFormat {
    type Err = String;

    fn from_str(word: &str) -> Result<PixelFormat, String> {
        PixelFormat::ALL
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(word))
            .ok_or_else(|| {
                let names = PixelFormat::ALL.map(PixelFormat::name).join(", ");
                format!("no pixel format is called {word:?}; expected one of {names}")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::yuv::tests::exact;

    /// Luma and chroma of pixel (i, j) that name their place; chroma as of its 2×2 block.
    fn y(i: usize, j: usize) -> u8 {
        (40 + 16 * j + i) as u8
    }
    fn u(i: usize, j: usize) -> u8 {
        (100 + 8 * (j / 2) + i / 2) as u8
    }
    fn v(i: usize, j: usize) -> u8 {
        (140 + 8 * (j / 2) + i / 2) as u8
    }

    /// A frame of this format with odd sides and rows that are padded with 255.
    fn frame(format: PixelFormat, size: Size, stride: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (columns, rows) = (size.width, size.height);
        let mut row = |content: Vec<u8>, stride: usize| {
            let padding = stride - content.len();
            bytes.extend(content);
            bytes.extend(vec![255; padding]);
        };
        let pairs = || (0..columns).step_by(2);
        for j in 0..rows {
            let content = match format {
                PixelFormat::Yuyv => pairs()
                    .flat_map(|i| [y(i, j), u(i, 0), y(i + 1, j), v(i, 0)])
                    .collect(),
                PixelFormat::Uyvy => pairs()
                    .flat_map(|i| [u(i, 0), y(i, j), v(i, 0), y(i + 1, j)])
                    .collect(),
                PixelFormat::Rgb24 => (0..columns).flat_map(|i| [y(i, j), 1, 2]).collect(),
                PixelFormat::Bgr24 => (0..columns).flat_map(|i| [2, 1, y(i, j)]).collect(),
                _ => (0..columns).map(|i| y(i, j)).collect(),
            };
            row(content, stride);
        }
        let half = stride.div_ceil(2);
        for j in (0..rows).step_by(2) {
            match format {
                PixelFormat::Nv12 => {
                    row(pairs().flat_map(|i| [u(i, j), v(i, j)]).collect(), 2 * half);
                }
                PixelFormat::Nv21 => {
                    row(pairs().flat_map(|i| [v(i, j), u(i, j)]).collect(), 2 * half);
                }
                PixelFormat::I420 => row(pairs().map(|i| u(i, j)).collect(), half),
                _ => {}
            }
        }
        if format == PixelFormat::I420 {
            for j in (0..rows).step_by(2) {
                row(pairs().map(|i| v(i, j)).collect(), half);
            }
        }
        bytes
    }

    #[test]
    fn every_format_has_its_bytes_where_they_belong() {
        let size = Size::new(5, 3);
        for format in PixelFormat::ALL {
            for stride in [format.row_bytes(5), format.row_bytes(5) + 7] {
                let bytes = frame(format, size, stride);
                assert_eq!(bytes.len(), format.frame_bytes(size, stride), "{format}");
                let picture = format
                    .to_rgb(&bytes, size, stride, ColorRange::Limited)
                    .unwrap();
                for (i, j, pixel) in picture.enumerate_pixels() {
                    let (i, j) = (i as usize, j as usize);
                    let expected = match format {
                        PixelFormat::Rgb24 | PixelFormat::Bgr24 => [y(i, j), 1, 2].map(f64::from),
                        PixelFormat::Grey => [y(i, j); 3].map(f64::from),
                        PixelFormat::Yuyv | PixelFormat::Uyvy => {
                            exact(y(i, j), u(i, 0), v(i, 0), ColorRange::Limited)
                        }
                        _ => exact(y(i, j), u(i, j), v(i, j), ColorRange::Limited),
                    };
                    for (got, expected) in pixel.0.iter().zip(expected) {
                        let difference = f64::from(*got) - expected.clamp(0.0, 255.0);
                        assert!(difference.abs() <= 0.501, "{format} {i} {j}");
                    }
                }
            }
        }
    }

    #[test]
    fn too_few_bytes_are_no_picture() {
        let size = Size::new(4, 2);
        for format in PixelFormat::ALL {
            let stride = format.row_bytes(4);
            let bytes = vec![128; format.frame_bytes(size, stride) - 1];
            assert!(
                format
                    .to_rgb(&bytes, size, stride, ColorRange::Full)
                    .is_none()
            );
            let none = format.to_rgb(&bytes, Size::new(0, 2), stride, ColorRange::Full);
            assert!(none.is_none());
        }
    }

    #[test]
    fn names() {
        for format in PixelFormat::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        let error = "yuv9".parse::<PixelFormat>().unwrap_err();
        assert!(error.contains("yuyv, uyvy, nv12"), "{error}");
    }
}
