//! [`hourglass::Loss`] in burn's tensors, with the values that the CPU engine computes.

use burn::tensor::Tensor;
use hourglass::{FOREGROUND_EDGE, FOREGROUND_GAIN, IOU_EPSILON, Loss, LossKind, ROOT_FLOOR};

/// The loss of a batch, summed over the stacks.
///
/// - `heatmaps`: of every stack, `[batch, keypoints, height, width]`, the last stack last.
/// - `targets`: of the same shape.
/// - `weights`: `[batch, keypoints]`.
pub fn tensor_loss(
    heatmaps: Vec<Tensor<4>>,
    targets: &Tensor<4>,
    weights: &Tensor<2>,
    loss: &Loss,
) -> Tensor<1> {
    let stacks = heatmaps.len();
    let mut total: Option<Tensor<1>> = None;
    for (stack, maps) in heatmaps.into_iter().enumerate() {
        let last = stack + 1 == stacks;
        let cost = stack_loss(maps, targets.clone(), weights, loss, last);
        total = Some(match total {
            Some(total) => total + cost,
            None => cost,
        });
    }
    total.unwrap_or_else(|| Tensor::zeros([1], &targets.device()))
}

fn stack_loss(
    maps: Tensor<4>,
    targets: Tensor<4>,
    weights: &Tensor<2>,
    loss: &Loss,
    last: bool,
) -> Tensor<1> {
    let [batch, keypoints] = weights.dims();
    let hard = match loss.hard_keypoints {
        count if last && (1..keypoints).contains(&count) => Some(count),
        _ => None,
    };
    // Without a choice between keypoints the mean over all cells needs no joint losses.
    if let (None, Some(costs)) = (hard, cell_costs(&maps, &targets, loss)) {
        let weights = weights.clone().reshape([batch, keypoints, 1, 1]);
        return root((costs * weights).mean(), loss);
    }
    let joints = match cell_costs(&maps, &targets, loss) {
        Some(costs) => map_means(costs),
        None => overlap(maps, targets),
    };
    let joints = joints * weights.clone();
    let Some(hard) = hard else {
        return joints.mean();
    };
    // Which keypoints count is no matter of the gradient.
    let known = joints.clone().detach();
    let edge = known.clone().topk(hard, 1).min_dim(1);
    let chosen = known.greater_equal(edge).float();
    root(
        (joints * chosen).sum().div_scalar((batch * hard) as f64),
        loss,
    )
}

/// g · ρ of every cell; `None` where the loss is none of single cells.
fn cell_costs(maps: &Tensor<4>, targets: &Tensor<4>, loss: &Loss) -> Option<Tensor<4>> {
    let difference = maps.clone() - targets.clone();
    let cost = match loss.kind {
        LossKind::Mse | LossKind::WeightedMse => difference.clone() * difference,
        LossKind::Mae => difference.abs(),
        LossKind::ForegroundMse => {
            let foreground = targets.clone().greater_elem(FOREGROUND_EDGE).float();
            let gain = foreground.mul_scalar(FOREGROUND_GAIN).add_scalar(1.0);
            return Some(difference.clone() * difference * gain);
        }
        LossKind::Huber | LossKind::SmoothL1 => {
            let q = difference.clone().clamp(-loss.delta, loss.delta);
            let cost = q.clone() * (difference - q.mul_scalar(0.5));
            match loss.kind {
                LossKind::SmoothL1 => cost.div_scalar(loss.delta),
                _ => cost,
            }
        }
        LossKind::Iou => return None,
    };
    if loss.foreground == 0.0 {
        return Some(cost);
    }
    let gain = targets.clone().mul_scalar(loss.foreground).add_scalar(1.0);
    Some(cost * gain)
}

/// Mean over the cells of every map.
fn map_means(values: Tensor<4>) -> Tensor<2> {
    let [batch, keypoints, height, width] = values.dims();
    let flat: Tensor<3> = values.reshape([batch, keypoints, height * width]);
    flat.mean_dim(2).reshape([batch, keypoints])
}

/// One minus intersection over union of every map.
fn overlap(maps: Tensor<4>, targets: Tensor<4>) -> Tensor<2> {
    let cells = {
        let [_, _, height, width] = maps.dims();
        (height * width) as f64
    };
    let sums = |values: Tensor<4>| map_means(values).mul_scalar(cells);
    let both = sums(maps.clone() * targets.clone());
    let squares = sums(maps.clone() * maps + targets.clone() * targets);
    let union = squares - both.clone();
    let ratio = both.add_scalar(IOU_EPSILON) / union.add_scalar(IOU_EPSILON);
    ratio.neg().add_scalar(1.0)
}

fn root(mean: Tensor<1>, loss: &Loss) -> Tensor<1> {
    match loss.kind {
        LossKind::WeightedMse => mean.clamp_min(ROOT_FLOOR).sqrt(),
        _ => mean,
    }
}
