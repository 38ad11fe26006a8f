//! The result of pose estimation.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One keypoint of a pose, in continuous frame coordinates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Keypoint {
    /// Pixels from the frame's left edge.
    pub x: f32,
    /// Pixels from the frame's top edge.
    pub y: f32,
    /// How sure the network is, 0..=1: the heatmap's value at its peak.
    pub confidence: f32,
}

impl Keypoint {
    /// A keypoint; the confidence is brought into 0..=1, and not-a-number becomes 0.
    pub fn new(x: f32, y: f32, confidence: f32) -> Self {
        let confidence = if confidence.is_nan() {
            0.0
        } else {
            confidence.clamp(0.0, 1.0)
        };
        Self { x, y, confidence }
    }
}

/// The keypoints of one body, in the order of its keypoint set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// One for each name of the keypoint set.
    pub keypoints: Vec<Keypoint>,
    /// Mean of the keypoints' confidences, 0..=1; 0 without keypoints.
    pub confidence: f32,
}

impl Pose {
    /// A pose of these keypoints.
    pub fn new(keypoints: Vec<Keypoint>) -> Self {
        let mut pose = Self {
            keypoints,
            confidence: 0.0,
        };
        pose.update_confidence();
        pose
    }

    /// Brings [`Pose::confidence`] up to date after the keypoints changed.
    pub fn update_confidence(&mut self) {
        let sum: f32 = self.keypoints.iter().map(|k| k.confidence).sum();
        self.confidence = sum / self.keypoints.len().max(1) as f32;
    }
}
