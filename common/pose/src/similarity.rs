//! How alike two poses are.

use crate::body::is_sure;
use crate::geometry::Rect;
use crate::pose::Pose;

/// Object keypoint similarity (OKS) of two found poses, 0..=1, in COCO's form
/// (<https://cocodataset.org/#keypoints-eval>):
///
/// ```text
/// mean over the keypoints that are sure in both of  exp(−d² / (2 · (2σ)² · area))
/// ```
///
/// with the distance d in pixels, `sigma` for every keypoint, and the body's `area` in square
/// pixels. None where fewer than `least` keypoints are sure in both.
pub fn pose_similarity(
    a: &Pose,
    b: &Pose,
    area: f32,
    sigma: f32,
    minimum: f32,
    least: usize,
) -> Option<f32> {
    let variance = (2.0 * sigma) * (2.0 * sigma) * area.max(f32::MIN_POSITIVE);
    let (mut sum, mut count) = (0.0, 0usize);
    for (p, q) in a.keypoints.iter().zip(&b.keypoints) {
        if is_sure(p, minimum) && is_sure(q, minimum) {
            let (dx, dy) = (p.x - q.x, p.y - q.y);
            sum += libm::expf(-(dx * dx + dy * dy) / (2.0 * variance));
            count += 1;
        }
    }
    (count >= least.max(1)).then(|| sum / count as f32)
}

/// Intersection over union of two boxes, 0..=1.
pub fn box_overlap(a: &Rect, b: &Rect) -> f32 {
    let along = |a: f32, a_length: f32, b: f32, b_length: f32| {
        ((a + a_length).min(b + b_length) - a.max(b)).max(0.0)
    };
    let common = along(a.x, a.width, b.x, b.width) * along(a.y, a.height, b.y, b.height);
    let union = a.width * a.height + b.width * b.height - common;
    if union > 0.0 { common / union } else { 0.0 }
}
