//! What a caller may say about a source.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use pose::Size;

use super::pixel_format::PixelFormat;
use crate::stop::Stop;

/// How frames come from a camera or a pipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CaptureFormat {
    /// Whatever fits: pipes are told apart by their first bytes; of cameras uncompressed pixels if
    /// these come at the rate that is wanted, or else MJPEG.
    #[default]
    Auto,
    /// JPEGs.
    Mjpeg,
    /// Uncompressed pixels.
    Raw(PixelFormat),
}

impl fmt::Display for CaptureFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CaptureFormat::Auto => "auto",
            CaptureFormat::Mjpeg => "mjpeg",
            CaptureFormat::Raw(format) => format.name(),
        })
    }
}

impl FromStr for CaptureFormat {
    type Err = String;

    fn from_str(word: &str) -> Result<CaptureFormat, String> {
        match word.to_ascii_lowercase().as_str() {
            "auto" => Ok(CaptureFormat::Auto),
            "mjpeg" | "mjpg" => Ok(CaptureFormat::Mjpeg),
            other => other.parse().map(CaptureFormat::Raw).map_err(|_| {
                let names = PixelFormat::ALL.map(PixelFormat::name).join(", ");
                format!("no format is called {word:?}; expected auto, mjpeg, {names}")
            }),
        }
    }
}

/// What is wanted of a source, and who hears of what happens to it.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// Format of a camera, or of what comes through a pipe.
    pub format: CaptureFormat,
    /// Size that a camera is asked for (640×480 unless stated); size of raw frames.
    pub size: Option<Size>,
    /// Frames a second that a camera is asked for (30 unless stated), or at which frames follow
    /// each other that do not say: photos, raw MJPEG (25 unless stated). More than 0.
    pub rate: Option<f64>,
    /// Whether old frames are worth nothing: then [`StreamInfo::live`](crate::StreamInfo) says so.
    /// Unless stated, it is so for cameras and for streams from a network.
    pub live: Option<bool>,
    /// Hears of unplugged cameras and the like.
    pub notices: Notices,
    /// Ends waiting: cameras and child processes give no further frame soon after.
    pub stop: Stop,
    /// The program that reads the videos that this one does not.
    pub ffmpeg: PathBuf,
}

impl Default for SourceOptions {
    fn default() -> SourceOptions {
        SourceOptions {
            format: CaptureFormat::Auto,
            size: None,
            rate: None,
            live: None,
            notices: Notices::default(),
            stop: Stop::default(),
            ffmpeg: "ffmpeg".into(),
        }
    }
}

/// Who hears of what happens to a source while it goes on. Unless stated, standard error.
#[derive(Clone)]
pub struct Notices(Arc<dyn Fn(&str) + Send + Sync>);

impl Notices {
    /// Calls `hear` with one line of text for each notice.
    pub fn new(hear: impl Fn(&str) + Send + Sync + 'static) -> Notices {
        Notices(Arc::new(hear))
    }

    pub(super) fn say(&self, notice: &str) {
        (self.0)(notice);
    }
}

impl Default for Notices {
    fn default() -> Notices {
        Notices::new(|notice| eprintln!("note: {notice}"))
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_have_names() {
        for name in ["auto", "mjpeg", "yuyv", "nv12"] {
            assert_eq!(name.parse::<CaptureFormat>().unwrap().to_string(), name);
        }
        assert_eq!("MJPG".parse(), Ok(CaptureFormat::Mjpeg));
        let error = "h264".parse::<CaptureFormat>().unwrap_err();
        assert!(error.contains("expected auto, mjpeg, yuyv"), "{error}");
    }
}
