//! One person, looked for in every frame anew.

use pose::{Rect, RgbView};

use crate::error::RuntimeError;
use crate::estimator::Estimator;
use crate::stream::{Frame, PoseFinder, TrackedPose};

/// A person with fewer keypoints than these is not there.
const MIN_KEYPOINTS: usize = 3;

/// Finds one person in each frame, without regard to the frames before.
#[derive(Debug)]
pub struct EstimatorFinder {
    estimator: Estimator,
    region: Option<Rect>,
    min_confidence: f32,
}

impl EstimatorFinder {
    /// Looks in the whole frame or in a part of it. A person is there when three keypoints have at
    /// least this confidence.
    pub fn new(estimator: Estimator, region: Option<Rect>, min_confidence: f32) -> EstimatorFinder {
        EstimatorFinder {
            estimator,
            region,
            min_confidence,
        }
    }
}

impl PoseFinder for EstimatorFinder {
    fn find(&mut self, frame: &Frame) -> Result<Vec<TrackedPose>, RuntimeError> {
        let size = frame.size();
        let view = RgbView::new(frame.picture.as_raw(), size.width, size.height);
        let found = self.estimator.estimate(&view, self.region)?;
        let keypoints = &found.pose.keypoints;
        let sure = keypoints
            .iter()
            .filter(|k| k.confidence >= self.min_confidence);
        if sure.count() < keypoints.len().min(MIN_KEYPOINTS) {
            return Ok(Vec::new());
        }
        Ok(vec![TrackedPose {
            id: 1,
            pose: found.pose,
            crop: found.crop,
        }])
    }
}
