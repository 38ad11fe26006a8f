//! The people whose poses are farthest from their labels, to look at.

use dataset::{Pck, Person, PersonSize};
use image::RgbImage;
use pose::{BORDER, Crop, Keypoint, KeypointSet, Point, Pose, Rgb, RgbView, Size, warp_rgb};

use super::{EvalSettings, in_units_of};
use crate::canvas::Canvas;
use crate::draw::{Brush, SkeletonStyle, draw_skeleton, in_one_color};
use crate::error::RuntimeError;

/// How wrong the pose of one person is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorstCase {
    /// The person's index.
    pub person: usize,
    /// Keypoints that are right.
    pub right: usize,
    /// Keypoints that were judged.
    pub counted: usize,
    /// Mean distance over the largest one that is right, each cut at `FAR`.
    pub distance: f64,
}

/// Beyond this many times what would be right, farther is not worse.
const FAR: f64 = 10.0;

/// Everybody who can be judged by the settings' rule, the worst first: fewest keypoints right, of
/// equals those with the larger distances.
///
/// # Errors
/// As [`count`](super::count).
pub fn worst_cases(
    people: &[Person],
    poses: &[Option<Pose>],
    settings: &EvalSettings,
) -> Result<Vec<WorstCase>, RuntimeError> {
    let wrong = |e: dataset::PckError| RuntimeError::Dataset(e.to_string());
    let pck = Pck::new(&settings.keypoints, settings.rule).map_err(wrong)?;
    let mut cases = Vec::new();
    for (index, (person, pose)) in people.iter().zip(poses).enumerate() {
        let Some(pose) = pose else { continue };
        let (truth, found) = in_units_of(settings.rule, settings, person, pose);
        let judged = pck.judge(&truth, &found, &PersonSize::from(person));
        let Some(judged) = judged.map_err(wrong)?.filter(|judged| !judged.is_empty()) else {
            continue;
        };
        // min and max take the number where one is none: what was not found is far.
        let distances = judged.iter().map(|j| j.distance.min(FAR));
        cases.push(WorstCase {
            person: index,
            right: judged.iter().filter(|j| j.right).count(),
            counted: judged.len(),
            distance: distances.sum::<f64>() / judged.len() as f64,
        });
    }
    let share = |case: &WorstCase| case.right as f64 / case.counted as f64;
    cases.sort_by(|a, b| {
        let by_distance = b.distance.total_cmp(&a.distance);
        share(a).total_cmp(&share(b)).then(by_distance)
    });
    Ok(cases)
}

/// Colour of the lines from labels to wrong predictions.
const MISS: Rgb = Rgb::new(255, 220, 0);
/// Colour of the labels.
const TRUTH: Rgb = Rgb::new(255, 255, 255);

/// The person's crop as a picture of `size`: the labels white, the pose in the skeleton's colours,
/// a thin yellow line from every label to a prediction that is wrong by the settings' rule.
///
/// # Errors
/// A photo whose bytes do not fit its size; labels of another keypoint set.
pub fn draw_case(
    photo: &RgbImage,
    person: &Person,
    pose: &Pose,
    settings: &EvalSettings,
    size: Size,
) -> Result<RgbImage, RuntimeError> {
    let set = &settings.keypoints;
    let crop = Crop::around(person.crop_rect(), 1.1 * settings.crop_margin, size);
    let (width, height) = photo.dimensions();
    let view = RgbView::new(photo.as_raw(), width as usize, height as usize);
    let mut picture = RgbImage::new(size.width as u32, size.height as u32);
    warp_rgb(&view, &crop.to_frame(size), &mut picture, size, BORDER)?;
    let to_picture = crop.to_input(size);
    let moved = |point: Point, confidence: f32| {
        let Point { x, y } = to_picture.apply(point);
        Keypoint { x, y, confidence }
    };
    let labels = person.keypoints.iter();
    let labels = labels.map(|k| moved(k.point(), f32::from(u8::from(k.is_labelled()))));
    let mut labels = Pose::new(labels.collect());
    let found = pose.keypoints.iter();
    let found = found.map(|k| moved(Point::new(k.x, k.y), k.confidence));
    let mut found = Pose::new(found.collect());
    draw_through_trunk(set, &mut labels, &mut found);

    let (width, height) = (size.width as u32, size.height as u32);
    let style = SkeletonStyle::for_pose(&labels, width, height, 0.5);
    let mut canvas = Canvas::new(&mut picture);
    draw_skeleton(&mut canvas, &labels, &in_one_color(set, TRUTH), &style);
    let style = SkeletonStyle {
        // What was not found has no place; everything else is shown, however unsure.
        min_confidence: 0.0,
        limb_width: 0.75 * style.limb_width,
        dot_radius: 0.75 * style.dot_radius,
        ..style
    };
    draw_skeleton(&mut canvas, &found, set, &style);

    let wrong = |e: dataset::PckError| RuntimeError::Dataset(e.to_string());
    let pck = Pck::new(set, settings.rule).map_err(wrong)?;
    let (truth, places) = in_units_of(settings.rule, settings, person, pose);
    let judged = pck.judge(&truth, &places, &PersonSize::from(person));
    for judged in judged.map_err(wrong)?.into_iter().flatten() {
        if !judged.right {
            let (from, to) = (
                labels.keypoints[judged.joint],
                found.keypoints[judged.joint],
            );
            let (from, to) = (Point::new(from.x, from.y), Point::new(to.x, to.y));
            canvas.limb(from, to, 1.2, MISS);
        }
    }
    Ok(picture)
}

/// Skeletons go through the thorax and the pelvis, which many data sets do not label: then, for the
/// picture, these are between the shoulders and the hips.
fn draw_through_trunk(set: &KeypointSet, labels: &mut Pose, found: &mut Pose) {
    for (middle, sides) in [
        ("thorax", ["right_shoulder", "left_shoulder"]),
        ("pelvis", ["right_hip", "left_hip"]),
    ] {
        let (Some(middle), [Some(right), Some(left)]) =
            (set.index_of(middle), sides.map(|side| set.index_of(side)))
        else {
            continue;
        };
        if labels.keypoints[middle].confidence > 0.0 {
            continue;
        }
        for pose in [&mut *labels, &mut *found] {
            let (right, left) = (pose.keypoints[right], pose.keypoints[left]);
            pose.keypoints[middle] = Keypoint {
                x: 0.5 * (right.x + left.x),
                y: 0.5 * (right.y + left.y),
                confidence: right.confidence.min(left.confidence),
            };
        }
    }
}
