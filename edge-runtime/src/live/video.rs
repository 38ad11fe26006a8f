//! Annotated video files and numbered pictures.

use std::fs;
use std::path::{Path, PathBuf};

use image::RgbImage;
use onnx_graph::AtomicFile;
use pose::{BORDER, Crop, KeypointSet, RgbView, Size, warp_rgb};

use crate::error::RuntimeError;
use crate::live::animation::GifWriter;
use crate::live::avi::AviWriter;
use crate::live::ffmpeg::{FfmpegWriter, ffmpeg_format, find_ffmpeg};
use crate::live::painter::{Look, Painter};
use crate::live::sink::{LiveFrame, Sink};
use crate::live::y4m::Y4mWriter;
use crate::output::save_picture;

/// Endings of video files that can be written.
pub const VIDEO_ENDINGS: [&str; 7] = ["avi", "y4m", "gif", "mp4", "mkv", "mov", "webm"];
/// Seconds that a camera may be silent until the video stops waiting for it.
const LONGEST_GAP: f64 = 10.0;

/// What is fixed for a video file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoShape {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Pictures a second.
    pub rate: f64,
}

/// Encodes pictures into a file.
pub(crate) trait VideoWriter: Send {
    /// Adds a picture.
    fn write(&mut self, picture: &RgbImage) -> std::io::Result<()>;

    /// Adds the last picture some times more.
    fn repeat(&mut self, times: u32) -> std::io::Result<()>;

    /// Whether the file is as long as its format allows.
    fn is_full(&self) -> bool {
        false
    }

    /// Completes the file and gives it its name.
    fn finish(self: Box<Self>) -> std::io::Result<()>;
}

/// How frames become pictures of a constant rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoTiming {
    /// Pictures a second.
    pub rate: f64,
    /// Whether frames come at irregular times (a camera): the last one is repeated until the next
    /// one comes. Otherwise every frame is one picture.
    pub fill: bool,
}

/// The form of a video file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Avi,
    Y4m,
    Gif,
    Ffmpeg(&'static str),
}

/// Writes the frames with their skeletons to a video file, which appears under its name when it is
/// complete. A file that gets too long for its format is followed by a second one, `NAME-2.avi`.
pub struct VideoSink {
    path: PathBuf,
    name: String,
    form: Form,
    painter: Painter,
    look: Look,
    timing: VideoTiming,
    /// The file, until the first frame says how large the pictures are.
    file: Option<AtomicFile>,
    writer: Option<Box<dyn VideoWriter>>,
    shape: Option<VideoShape>,
    /// A frame of another size than the first.
    fitted: RgbImage,
    clock: SlotClock,
    /// Number of the file, from 1.
    part: u32,
}

impl std::fmt::Debug for VideoSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VideoSink")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl VideoSink {
    /// Starts a file in the form that its ending says.
    ///
    /// # Errors
    /// An unknown ending; a folder that cannot be written to; a form that needs ffmpeg, which is
    /// not installed.
    pub fn create(
        path: &Path,
        set: KeypointSet,
        look: Look,
        timing: VideoTiming,
    ) -> Result<VideoSink, RuntimeError> {
        let form = form_of(path)?;
        if let Form::Ffmpeg(_) = form {
            find_ffmpeg(path)?;
        }
        let mut sink = VideoSink {
            path: path.into(),
            name: path.display().to_string(),
            form,
            painter: Painter::new(set),
            look,
            timing: VideoTiming {
                rate: timing.rate.clamp(0.1, 1000.0),
                ..timing
            },
            file: None,
            writer: None,
            shape: None,
            fitted: RgbImage::new(0, 0),
            clock: SlotClock::default(),
            part: 1,
        };
        // Now, so that a wrong folder is noticed before the first frame.
        sink.file = Some(sink.create_file()?);
        if let Form::Ffmpeg(_) = form {
            // It was only a try: ffmpeg makes its own.
            sink.file = None;
        }
        Ok(sink)
    }

    /// Name of the file that is written now.
    fn part_path(&self) -> PathBuf {
        if self.part == 1 {
            return self.path.clone();
        }
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let ending = self.path.extension().unwrap_or_default().to_string_lossy();
        self.path
            .with_file_name(format!("{stem}-{}.{ending}", self.part))
    }

    fn error(&self, source: std::io::Error) -> RuntimeError {
        RuntimeError::Write {
            path: self.part_path(),
            source,
        }
    }

    fn create_file(&self) -> Result<AtomicFile, RuntimeError> {
        AtomicFile::create(&self.part_path()).map_err(|source| self.error(source))
    }

    fn start(&mut self, shape: VideoShape) -> Result<Box<dyn VideoWriter>, RuntimeError> {
        if let Form::Ffmpeg(format) = self.form {
            let writer = FfmpegWriter::new(&self.part_path(), format, shape);
            return Ok(Box::new(writer.map_err(|source| self.error(source))?));
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => self.create_file()?,
        };
        let writer: std::io::Result<Box<dyn VideoWriter>> = match self.form {
            Form::Avi => AviWriter::new(file, shape).map(|w| Box::new(w) as _),
            Form::Gif => GifWriter::new(file, shape).map(|w| Box::new(w) as _),
            Form::Y4m | Form::Ffmpeg(_) => Y4mWriter::new(file, shape).map(|w| Box::new(w) as _),
        };
        writer.map_err(|source| self.error(source))
    }

    fn finish_part(&mut self) -> Result<(), RuntimeError> {
        let finished = self.writer.take().map_or(Ok(()), VideoWriter::finish);
        finished.map_err(|source| self.error(source))
    }
}

fn form_of(path: &Path) -> Result<Form, RuntimeError> {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let ending = ending.to_ascii_lowercase();
    Ok(match ending.as_str() {
        "avi" => Form::Avi,
        "y4m" => Form::Y4m,
        "gif" => Form::Gif,
        other => match ffmpeg_format(other) {
            Some(format) => Form::Ffmpeg(format),
            None => {
                return Err(RuntimeError::Usage(format!(
                    "{}: videos are written as {}",
                    path.display(),
                    VIDEO_ENDINGS.map(|e| format!(".{e}")).join(", ")
                )));
            }
        },
    })
}

impl Sink for VideoSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn take(&mut self, frame: &LiveFrame) -> Result<(), RuntimeError> {
        let gap = if self.timing.fill {
            let time = frame.frame.time.as_secs_f64();
            match self.clock.gap(time, self.timing.rate) {
                Some(gap) => gap,
                None => return Ok(()),
            }
        } else {
            0
        };
        if self.writer.as_ref().is_some_and(|w| w.is_full()) {
            self.finish_part()?;
            self.part += 1;
        }
        let (width, height) = frame.frame.picture.dimensions();
        let shape = *self.shape.get_or_insert(VideoShape {
            width,
            height,
            rate: self.timing.rate,
        });
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.start(shape)?,
        };
        let painted = self.painter.paint(frame, &self.look);
        let fits = painted.dimensions() == (shape.width, shape.height);
        let picture: &RgbImage = if fits {
            painted
        } else {
            fit(painted, shape, &mut self.fitted)?;
            &self.fitted
        };
        let written = writer.repeat(gap).and_then(|()| writer.write(picture));
        written.map_err(|source| self.error(source))?;
        self.writer = Some(writer);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), RuntimeError> {
        self.finish_part()
    }
}

/// Puts a picture of another size into the middle of one with the video's size.
fn fit(from: &RgbImage, shape: VideoShape, to: &mut RgbImage) -> Result<(), RuntimeError> {
    if to.dimensions() != (shape.width, shape.height) {
        *to = RgbImage::new(shape.width, shape.height);
    }
    let view = RgbView::new(from.as_raw(), from.width() as usize, from.height() as usize);
    let size = Size::new(shape.width as usize, shape.height as usize);
    let whole = Crop::letterbox(view.size(), size);
    Ok(warp_rgb(&view, &whole.to_frame(size), to, size, BORDER)?)
}

/// Places frames of irregular times into the slots of a constant rate.
#[derive(Clone, Copy, Debug, Default)]
struct SlotClock {
    /// Time of slot 0 in seconds.
    start: Option<f64>,
    /// The next free slot.
    next: u64,
}

impl SlotClock {
    /// How often the frame before has to be repeated in front of the one taken at `time`. None for
    /// one that comes too early to be seen.
    fn gap(&mut self, time: f64, rate: f64) -> Option<u32> {
        let start = *self.start.get_or_insert(time);
        let slot = ((time - start) * rate).round().max(0.0) as u64;
        // One slot early is a camera's jitter.
        if slot + 1 < self.next {
            return None;
        }
        let longest = (LONGEST_GAP * rate) as u64;
        let gap = slot.saturating_sub(self.next);
        if gap > longest {
            // The rest of the silence is left out.
            self.start = Some(start + (gap - longest) as f64 / rate);
        }
        let gap = gap.min(longest);
        self.next += gap + 1;
        Some(gap as u32)
    }
}

/// Writes every frame with its skeletons as a numbered picture into a folder.
#[derive(Debug)]
pub struct PictureSink {
    folder: PathBuf,
    name: String,
    painter: Painter,
    look: Look,
}

impl PictureSink {
    /// Makes the folder.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn create(
        folder: &Path,
        set: KeypointSet,
        look: Look,
    ) -> Result<PictureSink, RuntimeError> {
        fs::create_dir_all(folder).map_err(|source| RuntimeError::Write {
            path: folder.into(),
            source,
        })?;
        Ok(PictureSink {
            folder: folder.into(),
            name: folder.display().to_string(),
            painter: Painter::new(set),
            look,
        })
    }
}

impl Sink for PictureSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn take(&mut self, frame: &LiveFrame) -> Result<(), RuntimeError> {
        let name = format!("{:06}.jpg", frame.frame.number);
        save_picture(
            self.painter.paint(frame, &self.look),
            &self.folder.join(name),
        )
    }

    fn finish(self: Box<Self>) -> Result<(), RuntimeError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn irregular_frames_keep_their_time() {
        let mut clock = SlotClock::default();
        let gaps = |clock: &mut SlotClock, times: &[f64]| -> Vec<Option<u32>> {
            times.iter().map(|t| clock.gap(*t, 10.0)).collect()
        };
        // Regular with jitter: nothing is repeated or left out.
        let jitter = [5.0, 5.08, 5.21, 5.29, 5.42];
        assert_eq!(gaps(&mut clock, &jitter), [Some(0); 5]);
        // A hole of three slots; a burst.
        assert_eq!(gaps(&mut clock, &[5.8]), [Some(3)]);
        assert_eq!(
            gaps(&mut clock, &[5.81, 5.82, 5.9]),
            [Some(0), None, Some(0)]
        );
        // A camera that was away for an hour: ten seconds of standstill.
        assert_eq!(gaps(&mut clock, &[3605.0]), [Some(100)]);
        assert_eq!(gaps(&mut clock, &[3605.1]), [Some(0)]);
    }
}
