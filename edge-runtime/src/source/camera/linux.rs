//! V4L2 cameras.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pose::Size;
use v4l2::{Device, Fourcc, Fraction, Intervals, Sizes, Stream};

use super::choice::Choice;
use super::device::{CameraBus, CaptureDevice, Captured, Granted};
use super::{CameraFormat, CameraInfo, CameraRates, CameraSize, SizeRange};
use crate::source::options::CaptureFormat;
use crate::source::pixel_format::PixelFormat;

/// Numbers of devices that are tried: `/dev/video0` to this.
const DEVICES: u32 = 256;
/// Buffers that are shared with the driver: one that it fills, one that is read, one between.
const BUFFERS: u32 = 3;
/// Sizes that are listed of a range.
const COMMON_SIZES: [(u32, u32); 6] = [
    (320, 240),
    (640, 360),
    (640, 480),
    (1280, 720),
    (1920, 1080),
    (3840, 2160),
];

/// The cameras of a Linux machine.
pub struct V4l2Bus;

impl CameraBus for V4l2Bus {
    fn cameras(&self) -> Vec<CameraInfo> {
        (0..DEVICES).filter_map(look_at).collect()
    }

    fn start(
        &self,
        camera: &CameraInfo,
        choice: &Choice,
    ) -> io::Result<(Box<dyn CaptureDevice>, Granted)> {
        let device = Device::open(&camera.path)?;
        let fourcc = fourcc_of(&choice.fourcc);
        let Size { width, height } = choice.size;
        let set = device.set_format(fourcc, width as u32, height as u32)?;
        let format = format_of(set.fourcc).ok_or_else(|| {
            let message = format!("it gives {} when asked for {}", set.fourcc, choice.fourcc);
            io::Error::other(message)
        })?;
        let (rate, rate_error) = match device.set_interval(interval(choice.rate)) {
            Ok(Some(set)) => (set.rate(), None),
            Ok(None) => (None, Some("the camera has no rate to set".into())),
            Err(e) => (None, Some(e.to_string())),
        };
        let granted = Granted {
            format,
            size: Size::new(set.width as usize, set.height as usize),
            stride: set.bytes_per_line as usize,
            full_range: set.full_range,
            rate,
            rate_error,
        };
        let stream = Stream::start(device, BUFFERS)?;
        Ok((Box::new(V4l2Capture(stream)), granted))
    }
}

struct V4l2Capture(Stream);

impl CaptureDevice for V4l2Capture {
    fn wait(&mut self, limit: Duration) -> io::Result<bool> {
        self.0.wait(limit)
    }

    fn take(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<Captured>> {
        let filled = self.0.take(bytes)?;
        Ok(filled.map(|filled| Captured {
            damaged: filled.damaged,
            sequence: filled.sequence,
            age: filled.age,
        }))
    }
}

/// The camera with this number; None when there is none, or one that gives no frames.
fn look_at(index: u32) -> Option<CameraInfo> {
    let path = PathBuf::from(format!("/dev/video{index}"));
    let mut camera = CameraInfo {
        index,
        name: path.display().to_string(),
        path,
        driver: String::new(),
        bus: String::new(),
        formats: Vec::new(),
        problem: None,
    };
    match describe(&mut camera) {
        Ok(true) => Some(camera),
        Ok(false) => None,
        Err(e) => {
            let is_none = matches!(
                e.raw_os_error(),
                // No such file, no such device behind it, not a video device.
                Some(2 | 6 | 19 | 25)
            );
            camera.problem = Some(problem(&camera.path, &e));
            (!is_none).then_some(camera)
        }
    }
}

fn problem(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "{} may not be opened; `sudo usermod -aG video $USER` and logging in again allows it",
            path.display()
        ),
        _ => format!("{}: {error}", path.display()),
    }
}

fn describe(camera: &mut CameraInfo) -> io::Result<bool> {
    let device = Device::open(&camera.path)?;
    let capability = device.capability()?;
    if !capability.captures {
        return Ok(false);
    }
    camera.name = capability.card;
    camera.driver = capability.driver;
    camera.bus = capability.bus;
    for found in device.formats()? {
        let format = format_of(found.fourcc).filter(|_| !found.emulated);
        let (sizes, range) = sizes(&device, found.fourcc)?;
        camera.formats.push(CameraFormat {
            fourcc: found.fourcc.to_string(),
            description: found.description,
            name: format.map(|f| f.to_string()),
            format,
            sizes,
            range,
        });
    }
    Ok(true)
}

fn sizes(device: &Device, fourcc: Fourcc) -> io::Result<(Vec<CameraSize>, Option<SizeRange>)> {
    let (mut list, mut range) = (Vec::new(), None);
    for found in device.sizes(fourcc)? {
        match found {
            Sizes::Discrete(width, height) => list.push((width, height)),
            Sizes::Stepwise { min, max, .. } => {
                let inside = |&(w, h): &(u32, u32)| {
                    (min.0..=max.0).contains(&w) && (min.1..=max.1).contains(&h)
                };
                list.extend(COMMON_SIZES.iter().copied().filter(inside));
                range = Some(SizeRange { min, max });
            }
        }
    }
    let sizes = list.into_iter().map(|(width, height)| {
        Ok(CameraSize {
            width,
            height,
            rates: rates(device.intervals(fourcc, width, height)?),
        })
    });
    Ok((sizes.collect::<io::Result<_>>()?, range))
}

fn rates(intervals: Vec<Intervals>) -> CameraRates {
    let mut rates = Vec::new();
    for interval in intervals {
        match interval {
            Intervals::Discrete(interval) => rates.extend(interval.rate()),
            Intervals::Range(shortest, longest) => {
                if let (Some(highest), Some(lowest)) = (shortest.rate(), longest.rate()) {
                    return CameraRates::Range(lowest, highest);
                }
            }
        }
    }
    rates.sort_by(|a, b| b.total_cmp(a));
    match rates.is_empty() {
        true => CameraRates::Unknown,
        false => CameraRates::Some(rates),
    }
}

/// The time between frames: thousandths are enough for 29.97.
fn interval(rate: f64) -> Fraction {
    Fraction {
        numerator: 1000,
        denominator: ((rate * 1000.0).round() as u32).max(1),
    }
}

const FORMATS: [(&[u8; 4], CaptureFormat); 10] = [
    (b"YUYV", CaptureFormat::Raw(PixelFormat::Yuyv)),
    (b"UYVY", CaptureFormat::Raw(PixelFormat::Uyvy)),
    (b"NV12", CaptureFormat::Raw(PixelFormat::Nv12)),
    (b"NV21", CaptureFormat::Raw(PixelFormat::Nv21)),
    (b"YU12", CaptureFormat::Raw(PixelFormat::I420)),
    (b"RGB3", CaptureFormat::Raw(PixelFormat::Rgb24)),
    (b"BGR3", CaptureFormat::Raw(PixelFormat::Bgr24)),
    (b"GREY", CaptureFormat::Raw(PixelFormat::Grey)),
    (b"MJPG", CaptureFormat::Mjpeg),
    (b"JPEG", CaptureFormat::Mjpeg),
];

fn format_of(fourcc: Fourcc) -> Option<CaptureFormat> {
    let known = FORMATS.iter().find(|(letters, _)| **letters == fourcc.0);
    known.map(|(_, format)| *format)
}

/// Four letters, filled up with spaces.
fn fourcc_of(name: &str) -> Fourcc {
    let mut letters = [b' '; 4];
    for (letter, byte) in letters.iter_mut().zip(name.bytes()) {
        *letter = byte;
    }
    Fourcc(letters)
}
