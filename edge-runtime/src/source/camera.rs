//! Cameras: what there is, and frames from them.
//!
//! - [`list_cameras`], [`open_camera`].
//! - `device`: what the rest needs of an operating system's cameras.
//! - `choice`: which format and size a camera is set to.
//! - `capture`: frames from a camera that may stall, be unplugged and come back.
//! - `linux`: V4L2 cameras.

mod capture;
mod causes;
mod choice;
mod device;
#[cfg(test)]
mod fake;
mod find;
#[cfg(target_os = "linux")]
mod linux;

use std::path::PathBuf;

use serde::Serialize;

use super::options::{CaptureFormat, SourceOptions};
use crate::error::RuntimeError;
use crate::stream::FrameSource;

use capture::{CameraSource, Patience};
use device::CameraBus;

/// A camera and what it can do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CameraInfo {
    /// Its number: the N of `/dev/videoN`.
    pub index: u32,
    /// Where the system keeps it.
    pub path: PathBuf,
    /// What it calls itself.
    pub name: String,
    /// Name of its driver.
    pub driver: String,
    /// Where it is plugged in.
    pub bus: String,
    /// Its formats, in its own order.
    pub formats: Vec<CameraFormat>,
    /// Why it cannot be used, if it cannot.
    pub problem: Option<String>,
}

/// A format of a camera.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CameraFormat {
    /// Four letters, such as `YUYV`.
    pub fourcc: String,
    /// The driver's words for it.
    pub description: String,
    /// What it is called on the command line; none when this program cannot read it.
    pub name: Option<String>,
    /// What it is to this program.
    #[serde(skip)]
    pub format: Option<CaptureFormat>,
    /// Its sizes; of a range those in it that are common.
    pub sizes: Vec<CameraSize>,
    /// Its range of sizes, where there is one.
    pub range: Option<SizeRange>,
}

/// A size of a format.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CameraSize {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames a second.
    pub rates: CameraRates,
}

/// Frames a second at one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CameraRates {
    /// The camera does not say.
    Unknown,
    /// These, the highest first.
    Some(Vec<f64>),
    /// All from the first to the second.
    Range(f64, f64),
}

/// Every size from the smallest to the largest: width, height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SizeRange {
    /// Smallest.
    pub min: (u32, u32),
    /// Largest.
    pub max: (u32, u32),
}

impl CameraRates {
    /// The highest rate, where the camera says.
    pub fn highest(&self) -> Option<f64> {
        match self {
            CameraRates::Unknown => None,
            CameraRates::Some(rates) => rates.iter().copied().reduce(f64::max),
            CameraRates::Range(_, highest) => Some(*highest),
        }
    }
}

/// The cameras of this machine with their formats, sizes and rates.
///
/// # Errors
/// On systems other than Linux.
pub fn list_cameras() -> Result<Vec<CameraInfo>, RuntimeError> {
    Ok(bus()?.cameras())
}

/// Opens a camera by its number (`0`), its device (`/dev/video2`) or a part of its name, and waits
/// for nothing yet. Frames are the newest there are; the camera may be unplugged and come back.
///
/// # Errors
/// No such camera, one that another program uses, one that has none of the formats that this
/// program reads, and systems other than Linux.
pub fn open_camera(
    name: &str,
    options: &SourceOptions,
) -> Result<Box<dyn FrameSource>, RuntimeError> {
    let source = CameraSource::open(bus()?, name, options, Patience::default())?;
    Ok(Box::new(source))
}

#[cfg(target_os = "linux")]
fn bus() -> Result<Box<dyn CameraBus>, RuntimeError> {
    Ok(Box::new(linux::V4l2Bus))
}

#[cfg(not(target_os = "linux"))]
fn bus() -> Result<Box<dyn CameraBus>, RuntimeError> {
    Err(RuntimeError::Source {
        name: "camera".into(),
        reason: "cameras are read on Linux only; elsewhere let ffmpeg write MJPEG to standard \
                 output and read it here with `-`"
            .into(),
    })
}
