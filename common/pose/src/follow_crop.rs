//! The part of the next frame to look at, from the poses so far.

use crate::body::{Torso, is_sure, sure_box};
use crate::crop::{Crop, Size};
use crate::geometry::{Point, Rect};
use crate::one_euro::smoothing_share;
use crate::pose::Pose;

/// Where hidden keypoints can be at most: this many torso lengths from the hips. From MoveNet's
/// smart crop (<https://www.tensorflow.org/hub/tutorials/movenet>).
const REACH_IN_TORSO: f32 = 1.9;
/// Fewer sure keypoints than these say too little about where the body is.
const LEAST_SURE: usize = 3;
/// The crop stays while its wanted centre is within this part of its side…
const CENTER_PLAY: f32 = 0.04;
/// …and its wanted side within this part of its side.
const SIZE_PLAY: f32 = 0.10;
/// Cutoffs in hertz of the low-pass filters that move the crop: quick where something would leave
/// it, slow where it only grows tighter.
const QUICK: f32 = 4.0;
const SLOW: f32 = 0.7;
/// Crops smaller than this part of the whole picture's have no pixels left to look at.
const SMALLEST: f32 = 1.0 / 32.0;

/// Follows one person with a [`Crop`]: the box of the sure keypoints with the model's margin; where
/// keypoints are hidden, what the torso says that the body can reach. The crop stays where it is
/// while the person stays about there, moves quickly when the body would leave it, and tightens
/// slowly: it does not breathe with the network's noise.
#[derive(Clone, Debug)]
pub struct FollowCrop {
    torso: Torso,
    margin: f32,
    minimum: f32,
    input: Size,
    /// Centre and scale: the width of the crop over the width of the input.
    view: Option<(Point, f32)>,
}

impl FollowCrop {
    /// For a network with this input, trained on crops of `margin` times the box of the joints.
    /// Keypoints of at least the confidence `minimum` count.
    pub fn new(torso: Torso, margin: f32, minimum: f32, input: Size) -> FollowCrop {
        FollowCrop {
            torso,
            margin,
            minimum,
            input,
            view: None,
        }
    }

    /// The crop as it is; none before the first pose.
    pub fn crop(&self) -> Option<Crop> {
        self.view.map(|(center, scale)| self.crop_of(center, scale))
    }

    /// Puts the crop somewhere, as if it had always been there.
    pub fn place(&mut self, crop: &Crop) {
        self.view = Some((crop.center, self.scale_of(crop)));
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.view = None;
    }

    /// The crop that shows this pose best, whatever came before; none where too few keypoints are
    /// sure. It is at most as large as the letterboxed frame, and its centre lies in the frame.
    pub fn wanted(&self, pose: &Pose, frame: Size) -> Option<Crop> {
        let sure = pose.keypoints.iter().filter(|k| is_sure(k, self.minimum));
        let count = sure.count();
        if count < pose.keypoints.len().min(LEAST_SURE) {
            return None;
        }
        let seen = sure_box(pose, self.minimum)?;
        let mut crop = Crop::around(seen, self.margin, self.input);
        if count < pose.keypoints.len()
            && let Some((shoulders, hips)) = self.torso.ends(pose, self.minimum)
        {
            let side = 2.0 * REACH_IN_TORSO * shoulders.distance(hips);
            let reach = within(Rect::around(hips, side, side), frame);
            // The reach has its own margin.
            crop = Crop::around(seen.scaled(self.margin).union(&reach), 1.0, self.input);
        }
        Some(self.limited(crop, frame))
    }

    /// The crop of the next frame, `seconds` after the last one, of which `pose` is the pose. A
    /// pose of too few sure keypoints leaves the crop where it is; without any crop yet, and at the
    /// first pose, it is what [`wanted`](Self::wanted) says.
    pub fn update(&mut self, pose: &Pose, frame: Size, seconds: f32) -> Option<Crop> {
        let Some(wanted) = self.wanted(pose, frame) else {
            return self.crop();
        };
        let goal = (wanted.center, self.scale_of(&wanted));
        let Some((center, scale)) = self.view else {
            self.place(&wanted);
            return self.crop();
        };
        let seconds = if seconds.is_finite() {
            seconds.max(1e-3)
        } else {
            1e-3
        };
        let (quick, slow) = (
            smoothing_share(QUICK, seconds),
            smoothing_share(SLOW, seconds),
        );
        // Size: beyond the play, towards the nearer end of it.
        let ratio = goal.1 / scale;
        let scale = if ratio > 1.0 + SIZE_PLAY {
            scale + (goal.1 / (1.0 + SIZE_PLAY) - scale) * quick
        } else if ratio < 1.0 - SIZE_PLAY {
            scale + (goal.1 / (1.0 - SIZE_PLAY) - scale) * slow
        } else {
            scale
        };
        let side = scale * self.input.width.max(self.input.height) as f32;
        let play = CENTER_PLAY * side;
        let away = center.distance(goal.0);
        let center = if away > play {
            let share = quick * (1.0 - play / away);
            Point::new(
                center.x + (goal.0.x - center.x) * share,
                center.y + (goal.0.y - center.y) * share,
            )
        } else {
            center
        };
        let mut view = self.crop_of(center, scale);
        // Whoever is about to leave the crop takes it along at once.
        if let Some(seen) = sure_box(pose, self.minimum) {
            view = self.holding(view, within(seen, frame));
        }
        self.place(&self.limited(view, frame));
        self.crop()
    }

    /// The crop, moved and grown so that it holds `seen`.
    fn holding(&self, crop: Crop, seen: Rect) -> Crop {
        let factor = (seen.width / crop.width)
            .max(seen.height / crop.height)
            .max(1.0);
        let (width, height) = (crop.width * factor, crop.height * factor);
        let moved = |center: f32, side: f32, low: f32, length: f32| {
            center.min(low + side * 0.5).max(low + length - side * 0.5)
        };
        Crop {
            center: Point::new(
                moved(crop.center.x, width, seen.x, seen.width),
                moved(crop.center.y, height, seen.y, seen.height),
            ),
            width,
            height,
            ..crop
        }
    }

    fn limited(&self, crop: Crop, frame: Size) -> Crop {
        let whole = Crop::letterbox(frame, self.input);
        let largest = self.scale_of(&whole);
        let scale = self.scale_of(&crop).clamp(largest * SMALLEST, largest);
        let clamp = |v: f32, end: usize| v.clamp(0.0, end as f32);
        let center = Point::new(
            clamp(crop.center.x, frame.width),
            clamp(crop.center.y, frame.height),
        );
        self.crop_of(center, scale)
    }

    fn scale_of(&self, crop: &Crop) -> f32 {
        crop.width / self.input.width.max(1) as f32
    }

    fn crop_of(&self, center: Point, scale: f32) -> Crop {
        Crop {
            center,
            width: self.input.width.max(1) as f32 * scale,
            height: self.input.height.max(1) as f32 * scale,
            rotation: 0.0,
            flip: false,
        }
    }
}

/// The part of `rect` that lies in the frame.
fn within(rect: Rect, frame: Size) -> Rect {
    let (width, height) = (frame.width as f32, frame.height as f32);
    let (x, y) = (rect.x.clamp(0.0, width), rect.y.clamp(0.0, height));
    let right = (rect.x + rect.width).clamp(0.0, width);
    let bottom = (rect.y + rect.height).clamp(0.0, height);
    Rect::new(x, y, right - x, bottom - y)
}
