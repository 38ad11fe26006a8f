//! A made-up camera with every fault, for tests.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::choice::Choice;
use super::device::{CameraBus, CaptureDevice, Captured, Granted};
use super::{CameraFormat, CameraInfo, CameraRates, CameraSize};
use crate::source::options::CaptureFormat;
use crate::source::pixel_format::PixelFormat;

/// A camera with these formats.
pub fn camera(formats: Vec<CameraFormat>) -> CameraInfo {
    CameraInfo {
        index: 0,
        path: "/dev/video0".into(),
        name: "Test Camera".into(),
        driver: "test".into(),
        bus: "port 1".into(),
        formats,
        problem: None,
    }
}

/// A format with these sizes: width, height, rate.
pub fn format(
    fourcc: &str,
    format: Option<CaptureFormat>,
    sizes: &[(u32, u32, f64)],
) -> CameraFormat {
    let sizes = sizes.iter().map(|&(width, height, rate)| CameraSize {
        width,
        height,
        rates: CameraRates::Some(vec![rate]),
    });
    CameraFormat {
        fourcc: fourcc.into(),
        description: String::new(),
        name: None,
        format,
        sizes: sizes.collect(),
        range: None,
    }
}

/// What the camera does next.
#[derive(Clone)]
pub enum Act {
    /// A frame is there: its bytes, the driver's count, its age in ms.
    Frame(Vec<u8>, u32, u64),
    /// The same, but the driver marks it.
    Damaged,
    /// Nothing for this time.
    Nothing,
    /// The frames before this one are there at once; from here on, wait anew.
    Gap,
    /// The device fails with this number.
    Fail(i32),
}

/// What happens to the camera, and what it was asked for.
#[derive(Default)]
pub struct Stage {
    pub acts: VecDeque<Act>,
    /// Whether the camera is plugged in, and where; each look takes one, the last one stays.
    pub plugged: VecDeque<Option<u32>>,
    pub granted_rate: Option<Result<f64, String>>,
    pub starts: Vec<(u32, Choice)>,
    pub start_error: Option<i32>,
}

/// A machine with this camera, and the camera itself.
#[derive(Clone, Default)]
pub struct FakeBus(pub Arc<Mutex<Stage>>);

impl CameraBus for FakeBus {
    fn cameras(&self) -> Vec<CameraInfo> {
        let mut stage = self.0.lock().unwrap();
        let now = match stage.plugged.len() {
            0 => Some(0),
            1 => stage.plugged[0],
            _ => stage.plugged.pop_front().unwrap(),
        };
        now.into_iter()
            .map(|index| CameraInfo {
                index,
                path: format!("/dev/video{index}").into(),
                ..camera(vec![
                    format(
                        "YUYV",
                        Some(CaptureFormat::Raw(PixelFormat::Yuyv)),
                        &[(32, 24, 30.0)],
                    ),
                    format("MJPG", Some(CaptureFormat::Mjpeg), &[(64, 48, 30.0)]),
                ])
            })
            .collect()
    }

    fn start(
        &self,
        camera: &CameraInfo,
        choice: &Choice,
    ) -> io::Result<(Box<dyn CaptureDevice>, Granted)> {
        let mut stage = self.0.lock().unwrap();
        if let Some(error) = stage.start_error {
            return Err(io::Error::from_raw_os_error(error));
        }
        stage.starts.push((camera.index, choice.clone()));
        let (rate, rate_error) = match stage.granted_rate.clone() {
            None => (Some(choice.rate), None),
            Some(Ok(rate)) => (Some(rate), None),
            Some(Err(error)) => (None, Some(error)),
        };
        let granted = Granted {
            format: choice.format,
            size: choice.size,
            stride: 0,
            full_range: false,
            rate,
            rate_error,
        };
        Ok((Box::new(self.clone()), granted))
    }
}

impl CaptureDevice for FakeBus {
    fn wait(&mut self, limit: Duration) -> io::Result<bool> {
        let mut stage = self.0.lock().unwrap();
        while matches!(stage.acts.front(), Some(Act::Gap)) {
            stage.acts.pop_front();
        }
        match stage.acts.front() {
            Some(Act::Fail(error)) => {
                let error = *error;
                stage.acts.pop_front();
                Err(io::Error::from_raw_os_error(error))
            }
            Some(Act::Nothing) | None => {
                stage.acts.pop_front();
                drop(stage);
                thread::sleep(limit);
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    fn take(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<Captured>> {
        let mut stage = self.0.lock().unwrap();
        bytes.clear();
        let captured = |sequence, age: u64, damaged| Captured {
            damaged,
            sequence,
            age: Some(Duration::from_millis(age)),
        };
        match stage.acts.front().cloned() {
            Some(Act::Frame(content, sequence, age)) => {
                stage.acts.pop_front();
                bytes.extend(content);
                Ok(Some(captured(sequence, age, false)))
            }
            Some(Act::Damaged) => {
                stage.acts.pop_front();
                bytes.extend([1; 9]);
                Ok(Some(captured(0, 0, true)))
            }
            _ => Ok(None),
        }
    }
}
