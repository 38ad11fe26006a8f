//! Y4M files: uncompressed video that every encoder reads.

use std::fmt;
use std::io::{BufWriter, Write};

use image::RgbImage;
use onnx_graph::AtomicFile;

use crate::live::video::{VideoShape, VideoWriter};

/// Writes a Y4M file: 4:2:0 with chroma in the middle of its four pixels, ITU-R BT.601, 16 to 235.
pub struct Y4mWriter<W: Write> {
    file: BufWriter<W>,
    planes: Vec<u8>,
}

impl<W: Write> fmt::Debug for Y4mWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Y4mWriter").finish_non_exhaustive()
    }
}

impl<W: Write> Y4mWriter<W> {
    /// Starts the file's content.
    ///
    /// # Errors
    /// A disk that is full, for example.
    pub fn new(file: W, shape: VideoShape) -> std::io::Result<Y4mWriter<W>> {
        let mut file = BufWriter::with_capacity(1 << 16, file);
        let VideoShape {
            width,
            height,
            rate,
        } = shape;
        let ticks = (1000.0 * rate).round().max(1.0) as u64;
        writeln!(
            file,
            "YUV4MPEG2 W{width} H{height} F{ticks}:1000 Ip A1:1 C420jpeg"
        )?;
        Ok(Y4mWriter {
            file,
            planes: Vec::new(),
        })
    }
}

impl<W: Write> Y4mWriter<W> {
    /// Adds a picture.
    ///
    /// # Errors
    /// A disk that is full, for example.
    pub fn write_picture(&mut self, picture: &RgbImage) -> std::io::Result<()> {
        to_planes(picture, &mut self.planes);
        self.repeat_picture(1)
    }

    /// Adds the last picture some times more.
    ///
    /// # Errors
    /// As [`write_picture`](Self::write_picture).
    pub fn repeat_picture(&mut self, times: u32) -> std::io::Result<()> {
        for _ in 0..times {
            self.file.write_all(b"FRAME\n")?;
            self.file.write_all(&self.planes)?;
        }
        Ok(())
    }

    /// Writes what is still in memory, and gives back what was written to.
    ///
    /// # Errors
    /// As [`write_picture`](Self::write_picture).
    pub fn into_inner(self) -> std::io::Result<W> {
        self.file.into_inner().map_err(|e| e.into_error())
    }
}

impl VideoWriter for Y4mWriter<AtomicFile> {
    fn write(&mut self, picture: &RgbImage) -> std::io::Result<()> {
        self.write_picture(picture)
    }

    fn repeat(&mut self, times: u32) -> std::io::Result<()> {
        self.repeat_picture(times)
    }

    fn finish(self: Box<Self>) -> std::io::Result<()> {
        self.into_inner()?.commit()
    }
}

/// The planes Y, Cb and Cr, one after the other:
///
/// ```text
/// Y  =  16 + ( 65.738 R + 129.057 G +  25.064 B) / 256
/// Cb = 128 + (-37.945 R -  74.494 G + 112.439 B) / 256    of the mean of 2 × 2 pixels
/// Cr = 128 + (112.439 R -  94.154 G -  18.285 B) / 256
/// ```
fn to_planes(picture: &RgbImage, planes: &mut Vec<u8>) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    planes.clear();
    let (pixels, _) = picture.as_chunks::<3>();
    let luma = |p: &[u8; 3]| {
        let [r, g, b] = p.map(i32::from);
        (16 + ((16_829 * r + 33_039 * g + 6_416 * b + 32_768) >> 16)) as u8
    };
    planes.extend(pixels.iter().map(luma));
    for weights in [[-9_714, -19_070, 28_784], [28_784, -24_103, -4_681]] {
        for y in (0..height).step_by(2) {
            let above = &pixels[y * width..][..width];
            let below = &pixels[(y + 1).min(height - 1) * width..][..width];
            for x in (0..width).step_by(2) {
                let right = (x + 1).min(width - 1);
                let four = [above[x], above[right], below[x], below[right]];
                // Four times the colour.
                let sum = |c: usize| four.iter().map(|p| i32::from(p[c])).sum::<i32>();
                let [r, g, b] = weights;
                let value = r * sum(0) + g * sum(1) + b * sum(2);
                planes.push((128 + ((value + (1 << 17)) >> 18)) as u8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_what_the_standard_says() {
        // White, black, red, blue of BT.601 with 8 bits, as its tables have them.
        for (rgb, expected) in [
            ([255, 255, 255], [235, 128, 128]),
            ([0, 0, 0], [16, 128, 128]),
            ([255, 0, 0], [81, 90, 240]),
            ([0, 0, 255], [41, 240, 110]),
        ] {
            let mut planes = Vec::new();
            to_planes(&RgbImage::from_pixel(3, 3, image::Rgb(rgb)), &mut planes);
            assert_eq!(planes.len(), 9 + 4 + 4);
            assert_eq!([planes[8], planes[12], planes[16]], expected, "{rgb:?}");
        }
    }
}
