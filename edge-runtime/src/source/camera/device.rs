//! What is needed of an operating system's cameras. Everything above this is tested with a made-up
//! camera that has every fault.

use std::io;
use std::time::Duration;

use pose::Size;

use super::CameraInfo;
use super::choice::Choice;
use crate::source::options::CaptureFormat;

/// The cameras of a machine.
pub trait CameraBus: Send {
    /// The cameras that are plugged in now.
    fn cameras(&self) -> Vec<CameraInfo>;

    /// Opens one and starts it.
    fn start(
        &self,
        camera: &CameraInfo,
        choice: &Choice,
    ) -> io::Result<(Box<dyn CaptureDevice>, Granted)>;
}

/// A camera that is capturing.
pub trait CaptureDevice: Send {
    /// Waits until a frame is there, but no longer than `limit`. False when none came.
    fn wait(&mut self, limit: Duration) -> io::Result<bool>;

    /// Takes the oldest frame that is there without waiting; its bytes replace those in `bytes`.
    fn take(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<Captured>>;
}

/// What a camera made of what it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    /// Format of the bytes.
    pub format: CaptureFormat,
    /// Width and height.
    pub size: Size,
    /// Bytes from one row to the next, of raw formats; 0 when it does not say.
    pub stride: usize,
    /// Whether luma takes 0..=255.
    pub full_range: bool,
    /// Frames a second, where the camera says.
    pub rate: Option<f64>,
    /// Why the rate could not be set.
    pub rate_error: Option<String>,
}

/// A frame, apart from its bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Captured {
    /// The driver marks it as damaged.
    pub damaged: bool,
    /// The driver's count of frames.
    pub sequence: u32,
    /// How long ago it was taken, where that is known.
    pub age: Option<Duration>,
}
