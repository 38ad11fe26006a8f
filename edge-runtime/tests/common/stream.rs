//! Streams whose pictures carry their number, and a finder that reads it.

use std::thread;
use std::time::{Duration, Instant};

use edge_runtime::{Frame, FrameSource, PoseFinder, RuntimeError, StreamInfo, TrackedPose};
use image::RgbImage;
use pose::{Crop, Keypoint, Point, Pose, Size};

/// Counts in its pictures, 100 of them a second by its own clock.
pub struct Counting {
    info: StreamInfo,
    next: u64,
    end: u64,
    pause: Duration,
    pub fails_at: Option<u64>,
    /// Gives only every n-th frame, and calls the others broken.
    pub leaves_out: u64,
    broken: u64,
    picture: RgbImage,
}

impl Counting {
    pub fn file(frames: u64) -> Counting {
        Counting {
            info: StreamInfo {
                name: "counting".into(),
                size: Some(Size::new(64, 48)),
                rate: Some(100.0),
                frames: Some(frames),
                live: false,
            },
            next: 0,
            end: frames,
            pause: Duration::ZERO,
            fails_at: None,
            leaves_out: 1,
            broken: 0,
            picture: RgbImage::from_fn(64, 48, |x, y| {
                image::Rgb([(4 * x) as u8, (5 * y) as u8, 90])
            }),
        }
    }

    /// A camera with so many milliseconds between its frames.
    pub fn camera(frames: u64, interval: u64) -> Counting {
        let mut source = Counting::file(frames);
        source.info.live = true;
        source.pause = Duration::from_millis(interval);
        source
    }
}

impl FrameSource for Counting {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        if self.fails_at == Some(self.next) {
            return Err(RuntimeError::Sink {
                sink: "counting".into(),
                reason: "unplugged".into(),
            });
        }
        if self.next >= self.end {
            return Ok(None);
        }
        thread::sleep(self.pause);
        let number = self.next;
        self.next += self.leaves_out;
        if number > 0 {
            self.broken += self.leaves_out - 1;
        }
        let mut picture = self.picture.clone();
        for (byte, value) in number.to_le_bytes().into_iter().enumerate() {
            picture.put_pixel(byte as u32, 0, image::Rgb([value; 3]));
        }
        Ok(Some(Frame {
            picture,
            number,
            time: Duration::from_millis(10 * number),
            taken: Instant::now(),
        }))
    }

    fn broken_frames(&self) -> u64 {
        self.broken
    }
}

/// The number in a picture.
pub fn number_of(picture: &RgbImage) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|x| picture.get_pixel(x as u32, 0).0[0]))
}

/// Finds a person whose keypoints stand at the picture's number.
#[derive(Clone, Default)]
pub struct ReadsNumber {
    pub pause: Duration,
}

impl PoseFinder for ReadsNumber {
    fn find(&mut self, frame: &Frame) -> Result<Vec<TrackedPose>, RuntimeError> {
        thread::sleep(self.pause);
        let number = number_of(&frame.picture);
        let keypoint = |index: usize| Keypoint::new(number as f32, 3.0 * index as f32, 0.9);
        Ok(vec![TrackedPose {
            id: 1,
            pose: Pose::new((0..16).map(keypoint).collect()),
            crop: Crop::square(Point::new(32.0, 24.0), 48.0),
        }])
    }
}
