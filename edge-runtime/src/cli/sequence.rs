//! Photos and animated GIFs as a stream.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use edge_runtime::{Frame, FrameSource, RuntimeError, StreamInfo, find_photos, load_photo};
use image::RgbImage;
use pose::Size;

/// Photos a second.
const RATE: f64 = 25.0;

/// Opens photos and folders as one stream, or an animated GIF.
///
/// # Errors
/// No input; a file that cannot be read.
pub fn open_sequence(inputs: &[PathBuf]) -> Result<Box<dyn FrameSource>, RuntimeError> {
    let is_gif = |path: &PathBuf| {
        path.extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("gif"))
    };
    match inputs {
        [] => Err(RuntimeError::Usage("name a video or photos to play".into())),
        [path] if is_gif(path) => Ok(Box::new(GifClip::open(path)?)),
        _ => Ok(Box::new(Photos::find(inputs)?)),
    }
}

/// Photos, one after the other.
struct Photos {
    paths: std::vec::IntoIter<PathBuf>,
    next: u64,
    info: StreamInfo,
}

impl Photos {
    fn find(inputs: &[PathBuf]) -> Result<Photos, RuntimeError> {
        let paths = find_photos(inputs)?;
        let name = inputs.first().map(|p| p.display().to_string());
        Ok(Photos {
            info: StreamInfo {
                name: name.unwrap_or_default(),
                size: None,
                rate: Some(RATE),
                frames: Some(paths.len() as u64),
                live: false,
            },
            paths: paths.into_iter(),
            next: 0,
        })
    }
}

impl FrameSource for Photos {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        let Some(path) = self.paths.next() else {
            return Ok(None);
        };
        let number = self.next;
        self.next += 1;
        Ok(Some(Frame {
            picture: load_photo(&path)?,
            number,
            time: Duration::from_secs_f64(number as f64 / RATE),
            taken: Instant::now(),
        }))
    }
}

/// An animated GIF whose pictures lie over each other.
struct GifClip {
    path: PathBuf,
    decoder: gif::Decoder<BufReader<File>>,
    picture: RgbImage,
    next: u64,
    time: Duration,
    info: StreamInfo,
}

fn broken(path: &Path, error: gif::DecodingError) -> RuntimeError {
    RuntimeError::Photo {
        path: path.into(),
        reason: format!("cannot be decoded: {error}"),
    }
}

impl GifClip {
    fn open(path: &Path) -> Result<GifClip, RuntimeError> {
        let file = File::open(path).map_err(|source| RuntimeError::Read {
            path: path.into(),
            source,
        })?;
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let decoder = options.read_info(BufReader::new(file));
        let decoder = decoder.map_err(|e| broken(path, e))?;
        let (width, height) = (u32::from(decoder.width()), u32::from(decoder.height()));
        Ok(GifClip {
            path: path.into(),
            picture: RgbImage::new(width, height),
            decoder,
            next: 0,
            time: Duration::ZERO,
            info: StreamInfo {
                name: path.display().to_string(),
                size: Some(Size::new(width as usize, height as usize)),
                rate: None,
                frames: None,
                live: false,
            },
        })
    }
}

impl FrameSource for GifClip {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        let frame = self.decoder.read_next_frame();
        let Some(frame) = frame.map_err(|e| broken(&self.path, e))? else {
            return Ok(None);
        };
        let (left, top) = (u32::from(frame.left), u32::from(frame.top));
        let (pixels, _) = frame.buffer.as_chunks::<4>();
        for (index, &[r, g, b, alpha]) in pixels.iter().enumerate() {
            let width = u32::from(frame.width).max(1);
            let (x, y) = (left + index as u32 % width, top + index as u32 / width);
            if alpha > 0 && x < self.picture.width() && y < self.picture.height() {
                self.picture.put_pixel(x, y, image::Rgb([r, g, b]));
            }
        }
        let (number, time) = (self.next, self.time);
        self.next += 1;
        self.time += Duration::from_millis(10 * u64::from(frame.delay.max(2)));
        Ok(Some(Frame {
            picture: self.picture.clone(),
            number,
            time,
            taken: Instant::now(),
        }))
    }
}
