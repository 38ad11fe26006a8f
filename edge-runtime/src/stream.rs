//! What passes between the parts of a live run: frames from sources, poses from a finder.

use std::time::{Duration, Instant};

use image::RgbImage;
use pose::{Crop, Pose, Size};

use crate::error::RuntimeError;

/// A picture of a stream.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The picture, RGB.
    pub picture: RgbImage,
    /// Counts from 0, frames that were dropped on the way included.
    pub number: u64,
    /// When it was taken, since the stream's first frame, by the stream's own clock.
    pub time: Duration,
    /// When it was taken, by this machine's clock; for files, when it was read.
    pub taken: Instant,
}

impl Frame {
    /// Width and height of the picture.
    pub fn size(&self) -> Size {
        let (width, height) = self.picture.dimensions();
        Size::new(width as usize, height as usize)
    }
}

/// What is known of a stream before its first frame.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    /// What to call it in messages: a file's or a camera's name.
    pub name: String,
    /// Size of its frames, where it is fixed.
    pub size: Option<Size>,
    /// Frames a second, where that is known.
    pub rate: Option<f64>,
    /// How many frames there are, where that is known.
    pub frames: Option<u64>,
    /// Whether frames come when they come, and old ones are worth nothing (a camera), or wait to be
    /// asked for (a file).
    pub live: bool,
}

/// Where frames come from.
pub trait FrameSource: Send {
    /// What is known of the stream.
    fn info(&self) -> &StreamInfo;

    /// Waits for the next frame; of a live stream for the newest one. None at the end.
    ///
    /// # Errors
    /// When the stream is broken and cannot go on. Single frames that are broken are passed over
    /// and counted.
    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError>;

    /// Frames so far that could not be used.
    fn broken_frames(&self) -> u64 {
        0
    }
}

/// A person in a frame of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedPose {
    /// The same number for the same person from frame to frame, from 1.
    pub id: u32,
    /// The pose, in the frame's coordinates.
    pub pose: Pose,
    /// The part of the frame that it was found in.
    pub crop: Crop,
}

/// Finds the people in the frames of a stream, one frame after the other.
pub trait PoseFinder: Send {
    /// The people in this frame; none when nobody is there.
    ///
    /// # Errors
    /// A failure of the network.
    fn find(&mut self, frame: &Frame) -> Result<Vec<TrackedPose>, RuntimeError>;
}
