//! Which source an input is.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::animation::{GIF_START, GifSource};
use super::avi::{AviSource, OpenedAvi, is_avi};
use super::camera::open_camera;
use super::ffmpeg::FfmpegSource;
use super::input::Input;
use super::jpeg::{JPEG_START, JpegStep, JpegWalk, find_start};
use super::mjpeg::MjpegSource;
use super::options::{CaptureFormat, SourceOptions};
use super::photo::find_photos;
use super::raw::RawSource;
use super::sequence::{PhotoSequence, is_pattern, matching_files};
use super::y4m::{Y4M_START, Y4mSource};
use crate::error::RuntimeError;
use crate::stream::FrameSource;

/// How every PNG starts.
const PNG_START: &[u8] = b"\x89PNG";
/// Bytes that tell one kind of file from another.
const HEAD: usize = 64;
/// Largest JPEG that is looked at for a second picture behind it.
const MAX_FIRST_JPEG: u64 = 32 << 20;
/// Most bytes between the JPEGs of a stream.
const MAX_GAP: usize = 512;

/// Opens photos, a video, a pipe or an address:
///
/// - a photo, a folder of photos, or a pattern such as `shots/*.jpg`: each photo is a frame;
/// - an animated GIF, an AVI file with MJPEG, a Y4M file, JPEGs one after the other in a file;
/// - `-`: Y4M, MJPEG, AVI or GIF on standard input, told apart by their first bytes; with a raw
///   [`SourceOptions::format`] and a size, pixels without a header;
/// - `/dev/video0` and other character devices: a camera, as [`open_camera`];
/// - everything else, and addresses such as `rtsp://…` and `http://…`, through the program ffmpeg.
///
/// Files are told apart by their content, never by their names.
///
/// # Errors
/// An input that does not exist or is broken from the start; one that needs ffmpeg where that is
/// not installed; a raw format without a size.
///
/// # Examples
/// ```no_run
/// use edge_runtime::{SourceOptions, open_source};
/// # fn main() -> Result<(), edge_runtime::RuntimeError> {
/// let mut video = open_source("dance.avi", &SourceOptions::default())?;
/// while let Some(frame) = video.next_frame()? {
///     println!("{} {:?}", frame.number, frame.time);
/// }
/// # Ok(())
/// # }
/// ```
pub fn open_source<P: AsRef<Path>>(
    input: P,
    options: &SourceOptions,
) -> Result<Box<dyn FrameSource>, RuntimeError> {
    if options
        .rate
        .is_some_and(|rate| !rate.is_finite() || rate <= 0.0)
    {
        let message = "a rate must be more than 0 frames a second";
        return Err(RuntimeError::Usage(message.into()));
    }
    let path = input.as_ref();
    if path == Path::new("-") {
        return open_stream(Input::stdin(), options);
    }
    if let Some(address) = path.to_str().filter(|text| is_address(text)) {
        return Ok(Box::new(FfmpegSource::address(address, options)?));
    }
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(_) if is_pattern(path) => {
            let name = path.display().to_string();
            let photos = matching_files(path)?;
            return Ok(Box::new(PhotoSequence::new(name, photos, options.rate)));
        }
        Err(source) => {
            return Err(RuntimeError::Read {
                path: path.into(),
                source,
            });
        }
    };
    if metadata.is_dir() {
        let photos = find_photos(&[path])?;
        let name = path.display().to_string();
        return Ok(Box::new(PhotoSequence::new(name, photos, options.rate)));
    }
    if is_device(&metadata) {
        return open_camera(&path.to_string_lossy(), options);
    }
    if !metadata.is_file() {
        // A named pipe.
        return open_stream(Input::open(path)?, options);
    }
    open_file(path, options)
}

fn open_file(path: &Path, options: &SourceOptions) -> Result<Box<dyn FrameSource>, RuntimeError> {
    let mut input = Input::open(path)?;
    let head = input.peek(HEAD)?;
    if head.is_empty() {
        return Err(input.error("is empty".into()));
    }
    let is_photo =
        head.starts_with(PNG_START) || head.starts_with(&JPEG_START) && !is_jpeg_stream(path)?;
    if is_photo && options.format == CaptureFormat::Auto {
        let name = path.display().to_string();
        let photos = vec![path.into()];
        return Ok(Box::new(PhotoSequence::new(name, photos, options.rate)));
    }
    if is_avi(&head) && options.format == CaptureFormat::Auto {
        return match AviSource::open(input, options.live.unwrap_or(false))? {
            OpenedAvi::Mjpeg(source) => Ok(source),
            OpenedAvi::Other(_) => Ok(Box::new(FfmpegSource::file(path, options)?)),
        };
    }
    if options.format != CaptureFormat::Auto || is_own_stream(&head) {
        return open_stream(input, options);
    }
    Ok(Box::new(FfmpegSource::file(path, options)?))
}

/// Opens what is read once from front to back.
fn open_stream(
    mut input: Input,
    options: &SourceOptions,
) -> Result<Box<dyn FrameSource>, RuntimeError> {
    let live = options.live.unwrap_or(false);
    if let CaptureFormat::Raw(format) = options.format {
        let size = options.size.ok_or_else(|| {
            RuntimeError::Usage(format!(
                "raw frames need a size: {} has no header that says it",
                input.name
            ))
        })?;
        let source = RawSource::new(input, format, size, options.rate, live)?;
        return Ok(Box::new(source));
    }
    if options.format == CaptureFormat::Mjpeg {
        return Ok(Box::new(MjpegSource::new(input, options.rate, live)));
    }
    let head = input.peek(HEAD)?;
    if head.is_empty() {
        return Err(input.error("is empty".into()));
    }
    if head.starts_with(Y4M_START) {
        return Ok(Box::new(Y4mSource::new(input, live)?));
    }
    if head.starts_with(GIF_START) {
        return Ok(Box::new(GifSource::new(input)?));
    }
    if is_avi(&head) {
        let name = input.name.clone();
        return match AviSource::open(input, live)? {
            OpenedAvi::Mjpeg(source) => Ok(source),
            OpenedAvi::Other(codec) => Err(RuntimeError::Source {
                name,
                reason: format!("AVI with {codec} video; expected MJPEG"),
            }),
        };
    }
    // Or JPEGs behind a few lines of text, as HTTP cameras send them.
    if head.starts_with(&JPEG_START) || head.starts_with(b"--") && find_start(&head).is_some() {
        return Ok(Box::new(MjpegSource::new(input, options.rate, live)));
    }
    Err(input.error(
        "no kind of video is known that starts like this; expected Y4M, JPEGs, AVI with MJPEG or \
         GIF, or a stated format and size of raw frames"
            .into(),
    ))
}

/// Whether a file is a stream that needs no other program.
fn is_own_stream(head: &[u8]) -> bool {
    head.starts_with(Y4M_START) || head.starts_with(GIF_START) || head.starts_with(&JPEG_START)
}

/// `scheme://rest`
fn is_address(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        scheme.len() > 1
            && !rest.is_empty()
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

/// Whether a second picture of the same size follows the first one. Photos with more pictures in
/// them than the one to show (previews, depth, both eyes) say so, or have them in other sizes.
fn is_jpeg_stream(path: &Path) -> Result<bool, RuntimeError> {
    let read_error = |source| RuntimeError::Read {
        path: path.into(),
        source,
    };
    let file = File::open(path).map_err(read_error)?;
    let mut bytes = Vec::new();
    file.take(MAX_FIRST_JPEG)
        .read_to_end(&mut bytes)
        .map_err(read_error)?;
    let mut first = JpegWalk::default();
    let (JpegStep::End(end) | JpegStep::Cut(end)) = first.advance(&bytes) else {
        return Ok(false);
    };
    let rest = &bytes[end..];
    let gap = &rest[..rest.len().min(MAX_GAP)];
    let Some(start) = find_start(gap) else {
        return Ok(false);
    };
    let mut second = JpegWalk::default();
    second.advance(&rest[start..]);
    Ok(!first.multi_picture && first.size.is_some() && first.size == second.size)
}

#[cfg(unix)]
fn is_device(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_char_device()
}

#[cfg(not(unix))]
fn is_device(_: &fs::Metadata) -> bool {
    false
}
