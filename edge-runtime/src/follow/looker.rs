//! What looks at pictures.

use pose::{Crop, KeypointSet, Pose, RgbView, Size};

use crate::error::RuntimeError;
use crate::estimator::{Estimator, Timings};

/// Something that looks at one part of a picture at a time: an [`Estimator`], or a stand-in.
pub trait Looker: Send {
    /// The size of what it sees.
    fn input_size(&self) -> Size;

    /// The keypoints of its poses.
    fn keypoints(&self) -> &KeypointSet;

    /// Side of a crop as a multiple of the longer side of the box of the joints.
    fn crop_margin(&self) -> f32;

    /// The pose of the person in `crop`, in the picture's coordinates, sure or not.
    ///
    /// # Errors
    /// A picture whose bytes do not fit its size; a failure of the network.
    fn look_at(&mut self, picture: &RgbView<'_>, crop: &Crop) -> Result<Pose, RuntimeError>;
}

impl Looker for Estimator {
    fn input_size(&self) -> Size {
        self.spec().input.size
    }

    fn keypoints(&self) -> &KeypointSet {
        &self.spec().keypoints
    }

    fn crop_margin(&self) -> f32 {
        self.spec().crop_margin
    }

    fn look_at(&mut self, picture: &RgbView<'_>, crop: &Crop) -> Result<Pose, RuntimeError> {
        let mut pose = Pose::default();
        self.look(picture, crop, &mut pose, &mut Timings::default())?;
        Ok(pose)
    }
}
