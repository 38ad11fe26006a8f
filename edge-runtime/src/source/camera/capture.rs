//! Frames from a camera that may stall, be unplugged and come back.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use image::RgbImage;
use pose::Size;

use super::CameraInfo;
use super::causes::{why_gone, why_not_started};
use super::choice::{Choice, choose};
use super::device::{CameraBus, CaptureDevice, Captured, Granted};
use super::find::find;
use crate::error::RuntimeError;
use crate::source::jpeg::decode_jpeg;
use crate::source::options::{CaptureFormat, SourceOptions};
use crate::source::yuv::ColorRange;
use crate::stream::{Frame, FrameSource, StreamInfo};

/// What a camera is asked for unless the caller says otherwise.
const DEFAULT_SIZE: Size = Size {
    width: 640,
    height: 480,
};
const DEFAULT_RATE: f64 = 30.0;

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the next good frame, before the camera is started anew.
    pub frame: Duration,
    /// Between attempts to find a camera that is gone.
    pub retry: Duration,
    /// At a time: how soon the stop flag is seen.
    pub slice: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            frame: Duration::from_secs(5),
            retry: Duration::from_millis(500),
            slice: Duration::from_millis(100),
        }
    }
}

/// Frames from a camera.
pub struct CameraSource {
    bus: Box<dyn CameraBus>,
    camera: CameraInfo,
    choice: Choice,
    options: SourceOptions,
    patience: Patience,
    info: StreamInfo,
    running: Option<Running>,
    /// The number of the next frame if none is dropped.
    next_number: u64,
    /// When the first frame was taken.
    first: Option<Instant>,
    broken: u64,
    last_fault: String,
    /// Bytes of the frame at hand and of the one that may replace it.
    bytes: Vec<u8>,
    spare: Vec<u8>,
}

/// A camera that is capturing.
struct Running {
    device: Box<dyn CaptureDevice>,
    granted: Granted,
    /// Number that frames have beyond the driver's count, which starts anew with every start.
    offset: Option<i64>,
}

/// Why there is no frame.
enum Outage {
    /// None came, or no good one.
    Stalled,
    /// The system says why.
    Gone(io::Error),
    /// The caller wants no more.
    Stopped,
}

impl CameraSource {
    pub fn open(
        bus: Box<dyn CameraBus>,
        name: &str,
        options: &SourceOptions,
        patience: Patience,
    ) -> Result<CameraSource, RuntimeError> {
        let camera = find(bus.cameras(), name)?;
        let error = |reason: String| RuntimeError::Source {
            name: camera.name.clone(),
            reason,
        };
        let size = options.size.unwrap_or(DEFAULT_SIZE);
        let rate = options.rate.unwrap_or(DEFAULT_RATE);
        let choice = choose(&camera, options.format, size, rate).map_err(error)?;
        let started = bus.start(&camera, &choice);
        let (device, granted) = started.map_err(|e| error(why_not_started(&e)))?;
        let mut source = CameraSource {
            info: StreamInfo {
                name: camera.name.clone(),
                size: Some(granted.size),
                rate: granted.rate,
                frames: None,
                live: options.live.unwrap_or(true),
            },
            bus,
            camera,
            choice,
            options: options.clone(),
            patience,
            running: None,
            next_number: 0,
            first: None,
            broken: 0,
            last_fault: String::new(),
            bytes: Vec::new(),
            spare: Vec::new(),
        };
        source.note_differences(&granted);
        source.set_running(device, granted);
        Ok(source)
    }

    fn set_running(&mut self, device: Box<dyn CaptureDevice>, granted: Granted) {
        self.info.size = Some(granted.size);
        self.info.rate = granted.rate;
        self.running = Some(Running {
            device,
            granted,
            offset: None,
        });
    }

    fn say(&self, what: &str) {
        self.options
            .notices
            .say(&format!("{}: {what}", self.info.name));
    }

    /// Says what the camera does otherwise than it was asked to.
    fn note_differences(&self, granted: &Granted) {
        if let Some(wanted) = self.options.size.filter(|s| *s != granted.size) {
            let got = granted.size;
            self.say(&format!(
                "{}x{} instead of {}x{}, which the camera does not have",
                got.width, got.height, wanted.width, wanted.height
            ));
        }
        let Some(wanted) = self.options.rate else {
            return;
        };
        match (granted.rate, &granted.rate_error) {
            (_, Some(error)) => {
                self.say(&format!("{wanted} frames a second cannot be set: {error}"))
            }
            (Some(rate), None) if (rate / wanted - 1.0).abs() > 0.05 => {
                self.say(&format!("{rate:.1} instead of {wanted} frames a second"));
            }
            _ => {}
        }
    }

    /// The newest good frame, waiting for one if there is none.
    fn newest(&mut self) -> Result<Frame, Outage> {
        let deadline = Instant::now() + self.patience.frame;
        // A frame that is left from before, because the caller was slow, is passed over once.
        let mut may_pass_over = true;
        loop {
            if self.options.stop.is_asked() {
                return Err(Outage::Stopped);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Outage::Stalled);
            }
            let Some(running) = &mut self.running else {
                return Err(Outage::Stalled);
            };
            let limit = left.min(self.patience.slice);
            if !running.device.wait(limit).map_err(Outage::Gone)? {
                continue;
            }
            let Some(captured) = self.drain().map_err(Outage::Gone)? else {
                continue;
            };
            if may_pass_over && self.is_old(captured) {
                may_pass_over = false;
                continue;
            }
            match self.decode() {
                Ok(picture) => return Ok(self.frame(picture, captured)),
                Err(fault) => self.count_broken(fault),
            }
        }
    }

    /// Takes all frames that are there and keeps the newest that is whole, in `bytes`.
    fn drain(&mut self) -> io::Result<Option<Captured>> {
        let mut newest = None;
        while let Some(running) = &mut self.running {
            let Some(captured) = running.device.take(&mut self.spare)? else {
                break;
            };
            if captured.damaged {
                self.count_broken("the driver marks it as damaged".into());
            } else if self.spare.is_empty() {
                self.count_broken("it is empty".into());
            } else {
                std::mem::swap(&mut self.bytes, &mut self.spare);
                newest = Some(captured);
            }
            if newest.is_none() && self.options.stop.is_asked() {
                break;
            }
        }
        Ok(newest)
    }

    /// Whether a newer frame is due: the driver had no buffer left to put it in.
    fn is_old(&self, captured: Captured) -> bool {
        let interval = self
            .info
            .rate
            .map(|rate| Duration::from_secs_f64(2.0 / rate.max(0.1)));
        match (captured.age, interval) {
            (Some(age), Some(interval)) => age > interval,
            _ => false,
        }
    }

    fn count_broken(&mut self, fault: String) {
        self.broken += 1;
        self.last_fault = fault;
    }

    fn decode(&self) -> Result<RgbImage, String> {
        let Some(Running { granted, .. }) = &self.running else {
            return Err("the camera is closed".into());
        };
        let CaptureFormat::Raw(format) = granted.format else {
            return decode_jpeg(&self.bytes);
        };
        let stride = granted.stride.max(format.row_bytes(granted.size.width));
        let range = match granted.full_range {
            true => ColorRange::Full,
            false => ColorRange::Limited,
        };
        let picture = format.to_rgb(&self.bytes, granted.size, stride, range);
        picture.ok_or_else(|| format!("it is cut off after {} bytes", self.bytes.len()))
    }

    fn frame(&mut self, picture: RgbImage, captured: Captured) -> Frame {
        let now = Instant::now();
        let age = captured.age.unwrap_or_default();
        let taken = now.checked_sub(age).unwrap_or(now);
        let first = *self.first.get_or_insert(taken);
        let mut number = self.next_number;
        if let Some(running) = &mut self.running {
            let sequence = i64::from(captured.sequence);
            let offset = *running.offset.get_or_insert(number as i64 - sequence);
            // Drivers that do not count leave it at 0.
            number = number.max(u64::try_from(sequence + offset).unwrap_or(0));
        }
        self.next_number = number + 1;
        Frame {
            picture,
            number,
            time: taken.saturating_duration_since(first),
            taken,
        }
    }

    /// Waits for a while: false when the caller wants no more.
    fn pause(&self) -> bool {
        let end = Instant::now() + self.patience.retry;
        while Instant::now() < end {
            if self.options.stop.is_asked() {
                return false;
            }
            thread::sleep(self.patience.slice.min(self.patience.retry));
        }
        !self.options.stop.is_asked()
    }

    /// Tries to start the camera again, which may have another number now.
    fn restart(&mut self) -> bool {
        let same = |c: &&CameraInfo| c.name == self.camera.name && c.problem.is_none();
        let cameras = self.bus.cameras();
        let Some(camera) = cameras
            .iter()
            .find(|c| same(c) && c.bus == self.camera.bus)
            .or_else(|| cameras.iter().find(same))
        else {
            return false;
        };
        let Ok((device, granted)) = self.bus.start(camera, &self.choice) else {
            return false;
        };
        self.camera = camera.clone();
        self.set_running(device, granted);
        true
    }

    /// What to do when no frame came: an error if there never was one.
    fn outage(&mut self, outage: &Outage) -> Result<(), RuntimeError> {
        let reason = match outage {
            Outage::Stopped => return Ok(()),
            Outage::Stalled if self.broken > 0 => format!(
                "no good frame in {:.0} s, {} broken ones so far: {}",
                self.patience.frame.as_secs_f64(),
                self.broken,
                self.last_fault
            ),
            Outage::Stalled => {
                format!("no frame in {:.0} s", self.patience.frame.as_secs_f64())
            }
            Outage::Gone(error) => why_gone(error),
        };
        if self.first.is_none() {
            return Err(RuntimeError::Source {
                name: self.info.name.clone(),
                reason,
            });
        }
        self.say(&format!("{reason}; waiting for the camera"));
        Ok(())
    }
}

impl FrameSource for CameraSource {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        let mut was_out = self.running.is_none();
        loop {
            let outage = match self.newest() {
                Ok(frame) => {
                    if was_out {
                        self.say("the camera is back");
                    }
                    return Ok(Some(frame));
                }
                Err(Outage::Stopped) => return Ok(None),
                Err(outage) => outage,
            };
            if !was_out {
                self.outage(&outage)?;
            }
            was_out = true;
            // The device is closed before it is opened again.
            self.running = None;
            loop {
                if !self.pause() {
                    return Ok(None);
                }
                if self.restart() {
                    break;
                }
            }
        }
    }

    fn broken_frames(&self) -> u64 {
        self.broken
    }
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
