//! An annotated picture.

use crate::figure::KEYPOINTS;
use image::RgbImage;

/// Whether a keypoint can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Outside of the picture, or behind the camera.
    Outside,
    /// In the picture, but something is in front of it.
    Occluded,
    /// In the picture and in view.
    Visible,
}

/// A keypoint in the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keypoint {
    /// Continuous image coordinates: pixel (i, j) has its centre at (i + 0.5, j + 0.5).
    pub x: f32,
    /// As `x`, downwards.
    pub y: f32,
    /// Distance along the camera's axis, in metres.
    pub depth: f32,
    /// Whether it can be seen.
    pub visibility: Visibility,
}

/// A picture with the true keypoints of everyone in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The picture, sRGB.
    pub image: RgbImage,
    /// For every person the sixteen keypoints in the order of
    /// [`KEYPOINT_NAMES`](crate::KEYPOINT_NAMES).
    pub keypoints: Vec<[Keypoint; KEYPOINTS]>,
}
