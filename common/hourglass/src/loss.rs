//! What training minimizes: how far heatmaps are from their targets.
//!
//! Notation: h a heatmap's value, t the target's, e = h − t, v the weight of a keypoint in a picture
//! (0 where there is no label), B pictures, K keypoints, N cells of a map. Every loss is a sum over
//! the stacks.

mod kernels;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use kernels::{absolute, combine, huber, products, squared, squared_step};

/// The form of a [`Loss`]. ρ(e) is what one cell costs; g(t) = 1 + foreground · t weighs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Mean squared error: 1/BKN · Σ v · g · e².
    #[default]
    Mse,
    /// Mean absolute error: 1/BKN · Σ v · g · |e|.
    Mae,
    /// The root of the mean squared error over the whole batch, √(1/BKN · Σ v · g · e²): the
    /// `weighted_mse` of tf-keras-stacked-hourglass-keypoint-detection, where v is 0 or 1.
    WeightedMse,
    /// Mean squared error in which a cell of the Gaussian counts 82 times:
    /// 1/BKN · Σ v · (1 + 81 · \[t > 0\]) · e², the weighted loss of
    /// single-person-pose-estimation. There targets end three standard deviations from the
    /// keypoint; ours do not end, so t > [`FOREGROUND_EDGE`] takes the place of t > 0.
    ForegroundMse,
    /// Smooth L1 (Girshick 2015): like [`LossKind::Huber`], divided by delta.
    SmoothL1,
    /// Huber (1964): 1/BKN · Σ v · g · ρ(e) with ρ = e²/2 up to |e| = delta and
    /// delta · (|e| − delta/2) beyond.
    Huber,
    /// 1/BK · Σ v · (1 − (I + 10⁻⁷) / (U + 10⁻⁷)) with I = Σ t·h and U = Σ t² + Σ h² − I over a
    /// map: intersection over union, the other loss of single-person-pose-estimation.
    Iou,
}

impl LossKind {
    /// All kinds in the order of their definition.
    pub const ALL: [Self; 7] = [
        Self::Mse,
        Self::Mae,
        Self::WeightedMse,
        Self::ForegroundMse,
        Self::SmoothL1,
        Self::Huber,
        Self::Iou,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mse => "mse",
            Self::Mae => "mae",
            Self::WeightedMse => "weighted-mse",
            Self::ForegroundMse => "foreground-mse",
            Self::SmoothL1 => "smooth-l1",
            Self::Huber => "huber",
            Self::Iou => "iou",
        }
    }
}

impl fmt::Display for LossKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LossKind {
    type Err = String;

    /// Reads a name; `_` may stand for `-`, as the earlier projects write it.
    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = text.replace('_', "-");
        let found = Self::ALL.into_iter().find(|kind| kind.name() == wanted);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("no loss `{text}`; there are {names}")
        })
    }
}

/// A target's value three standard deviations from the keypoint, e^(−9/2).
pub const FOREGROUND_EDGE: f32 = 0.011_108_997;
/// How much more a cell of the foreground counts in [`LossKind::ForegroundMse`].
pub const FOREGROUND_GAIN: f32 = 81.0;
/// Keeps [`LossKind::Iou`] finite where a map and its target are zero.
pub const IOU_EPSILON: f32 = 1e-7;
/// The mean squared error below which [`LossKind::WeightedMse`] has no slope.
pub const ROOT_FLOOR: f64 = 1e-20;

/// What is minimized.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Its form.
    pub kind: LossKind,
    /// How much more a cell at a target's peak weighs than one far from it; 0 weighs all alike.
    /// Most cells are far from every peak, and a network that is to learn in little time had
    /// better not begin with them. [`LossKind::ForegroundMse`] and [`LossKind::Iou`] take no
    /// notice of it.
    pub foreground: f32,
    /// Where [`LossKind::Huber`] and [`LossKind::SmoothL1`] become straight lines.
    pub delta: f32,
    /// In the last stack only so many keypoints of each picture count, those with the largest
    /// loss, and the mean is over them (online hard keypoint mining, Chen et al. 2018, "Cascaded
    /// pyramid network"); 0 for all.
    pub hard_keypoints: usize,
}

impl Default for Loss {
    fn default() -> Self {
        Self {
            kind: LossKind::Mse,
            foreground: 0.0,
            delta: 1.0,
            hard_keypoints: 0,
        }
    }
}

/// Heatmaps of one stack with their targets, for some pictures of a batch.
#[derive(Clone, Copy, Debug)]
pub struct StackMaps<'a> {
    /// `[pictures, cells, keypoints]`
    pub values: &'a [f32],
    /// Like `values`.
    pub targets: &'a [f32],
    /// `[pictures, keypoints]`
    pub weights: &'a [f32],
    /// Keypoints of a picture.
    pub keypoints: usize,
    /// Whether the stack is the network's last.
    pub last: bool,
}

/// What a share of a batch must know of the whole to have the whole's loss.
#[derive(Clone, Copy, Debug)]
pub struct WholeBatch {
    /// Number of pictures.
    pub pictures: usize,
    /// [`Loss::sum`] of the stack over all pictures. Read only where [`Loss::needs_sum`].
    pub sum: f64,
}

impl Loss {
    /// The number that is outside its range for a network with so many keypoints, in words.
    pub fn fault(&self, keypoints: usize) -> Option<String> {
        let Self {
            kind,
            foreground,
            delta,
            hard_keypoints,
        } = *self;
        if !(foreground >= 0.0 && foreground.is_finite()) {
            return Some(format!("foreground {foreground}: must be 0 or more"));
        }
        if foreground > 0.0 && matches!(kind, LossKind::ForegroundMse | LossKind::Iou) {
            return Some(format!("the loss {kind} has no foreground weight"));
        }
        if !(delta > 0.0 && delta.is_finite()) {
            return Some(format!("loss delta {delta}: must be more than 0"));
        }
        (hard_keypoints > keypoints)
            .then(|| format!("{hard_keypoints} hard keypoints: there are {keypoints}"))
    }

    /// Whether a picture's gradient depends on the other pictures of the batch, through
    /// [`WholeBatch::sum`].
    pub fn needs_sum(&self) -> bool {
        self.kind == LossKind::WeightedMse
    }

    /// Σ v · g · ρ over these pictures, before the mean and the root are taken.
    pub fn sum(&self, maps: &StackMaps<'_>) -> f64 {
        let mut scratch = Scratch::new(maps.keypoints);
        let pictures = maps.pictures();
        pictures
            .map(|picture| {
                let weights = self.counted(&picture, &mut scratch);
                self.joint_sums(&picture, &weights, &mut scratch, &mut []);
                scratch.sums.iter().sum::<f64>()
            })
            .sum()
    }

    /// Adds the gradient of the batch's loss at these heatmaps to `gradient`, which has the shape
    /// of the heatmaps, and returns these pictures' part of the loss: the parts of a batch add up
    /// to its loss.
    pub fn add_gradient(
        &self,
        maps: &StackMaps<'_>,
        whole: &WholeBatch,
        gradient: &mut [f32],
    ) -> f64 {
        let mut scratch = Scratch::new(maps.keypoints);
        let cells = maps.cells();
        let count = (whole.pictures * cells * maps.keypoints) as f64;
        // d√s = ds / 2√s
        let (scale, slope) = if self.needs_sum() {
            let root = (whole.sum / count).max(ROOT_FLOOR).sqrt();
            (1.0 / (count * root), 0.5 / (count * root))
        } else {
            (1.0 / count, 1.0 / count)
        };
        let gradients = gradient.chunks_exact_mut(cells * maps.keypoints);
        let mut total = 0.0;
        for (picture, gradient) in maps.pictures().zip(gradients) {
            let weights = self.counted(&picture, &mut scratch);
            scratch.slope = slope as f32;
            self.joint_sums(&picture, &weights, &mut scratch, gradient);
            total += scratch.sums.iter().sum::<f64>() * scale;
        }
        total
    }

    /// The weights of a picture's keypoints: the labels', or with [`Loss::hard_keypoints`] those
    /// of the hardest, raised so that a mean over all is one over these.
    fn counted<'a>(&self, picture: &StackMaps<'a>, scratch: &mut Scratch) -> Weights<'a> {
        let keypoints = picture.keypoints;
        if !picture.last || !(1..keypoints).contains(&self.hard_keypoints) {
            return Weights::Given(picture.weights);
        }
        self.joint_sums(picture, &Weights::Given(picture.weights), scratch, &mut []);
        let mut order: Vec<usize> = (0..keypoints).collect();
        order.sort_by(|&a, &b| scratch.sums[b].total_cmp(&scratch.sums[a]));
        let mut weights = vec![0.0; keypoints];
        let raise = keypoints as f32 / self.hard_keypoints as f32;
        for &keypoint in &order[..self.hard_keypoints] {
            weights[keypoint] = picture.weights[keypoint] * raise;
        }
        Weights::Chosen(weights)
    }

    /// Sets `scratch.sums` to every keypoint's Σ v · g · ρ over one picture's map (N times the
    /// loss of the map for [`LossKind::Iou`]), and adds `scratch.slope` times its gradient to
    /// `gradient` unless that is empty.
    fn joint_sums(
        &self,
        picture: &StackMaps<'_>,
        weights: &Weights<'_>,
        scratch: &mut Scratch,
        gradient: &mut [f32],
    ) {
        let weights = weights.values();
        let (values, targets) = (picture.values, picture.targets);
        let (slope, sums) = (scratch.slope, &mut scratch.sums[..]);
        sums.fill(0.0);
        let g = self.foreground;
        let delta = self.delta;
        match self.kind {
            LossKind::Mse | LossKind::WeightedMse => {
                squared(values, targets, weights, g, slope, sums, gradient);
            }
            LossKind::ForegroundMse => {
                squared_step(values, targets, weights, slope, sums, gradient);
            }
            LossKind::Mae => absolute(values, targets, weights, g, slope, sums, gradient),
            LossKind::Huber => {
                huber(values, targets, weights, g, delta, slope, sums, gradient);
            }
            LossKind::SmoothL1 => {
                let slope = slope / delta;
                huber(values, targets, weights, g, delta, slope, sums, gradient);
                sums.iter_mut().for_each(|sum| *sum /= f64::from(delta));
            }
            LossKind::Iou => self.overlap(picture, weights, scratch, gradient),
        }
    }

    fn overlap(
        &self,
        picture: &StackMaps<'_>,
        weights: &[f32],
        scratch: &mut Scratch,
        gradient: &mut [f32],
    ) {
        let keypoints = picture.keypoints;
        let Scratch {
            slope,
            sums,
            both,
            values,
            targets,
        } = scratch;
        both.fill(0.0);
        values.fill(0.0);
        targets.fill(0.0);
        products(picture.values, picture.targets, both, values, targets);
        let cells = picture.cells() as f64;
        let epsilon = f64::from(IOU_EPSILON);
        // dℓ/dh = -(t·U − I·(2h − t)) / U² = a·t + b·h
        let (mut a, mut b) = (vec![0.0; keypoints], vec![0.0; keypoints]);
        for k in 0..keypoints {
            let intersection = both[k] + epsilon;
            let union = targets[k] + values[k] - both[k] + epsilon;
            let weight = f64::from(weights[k]) * cells;
            sums[k] = weight * (1.0 - intersection / union);
            let weight = weight * f64::from(*slope) / (union * union);
            a[k] = (-weight * (union + intersection)) as f32;
            b[k] = (weight * 2.0 * intersection) as f32;
        }
        if !gradient.is_empty() {
            combine(picture.values, picture.targets, &a, &b, gradient);
        }
    }
}

/// Weights of one picture's keypoints.
enum Weights<'a> {
    Given(&'a [f32]),
    Chosen(Vec<f32>),
}

impl Weights<'_> {
    fn values(&self) -> &[f32] {
        match self {
            Self::Given(weights) => weights,
            Self::Chosen(weights) => weights,
        }
    }
}

/// One value per keypoint each.
struct Scratch {
    slope: f32,
    sums: Vec<f64>,
    both: Vec<f64>,
    values: Vec<f64>,
    targets: Vec<f64>,
}

impl Scratch {
    fn new(keypoints: usize) -> Self {
        Self {
            slope: 0.0,
            sums: vec![0.0; keypoints],
            both: vec![0.0; keypoints],
            values: vec![0.0; keypoints],
            targets: vec![0.0; keypoints],
        }
    }
}

impl<'a> StackMaps<'a> {
    /// Cells of one map.
    fn cells(&self) -> usize {
        self.values.len() / self.weights.len().max(1)
    }

    fn pictures(&self) -> impl Iterator<Item = StackMaps<'a>> {
        let len = (self.cells() * self.keypoints).max(1);
        let (keypoints, last) = (self.keypoints, self.last);
        let maps = self.values.chunks_exact(len);
        maps.zip(self.targets.chunks_exact(len))
            .zip(self.weights.chunks_exact(keypoints.max(1)))
            .map(move |((values, targets), weights)| StackMaps {
                values,
                targets,
                weights,
                keypoints,
                last,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::tests::noise;

    const KEYPOINTS: usize = 3;
    const CELLS: usize = 70;
    const PICTURES: usize = 4;

    struct Case {
        values: Vec<f32>,
        targets: Vec<f32>,
        weights: Vec<f32>,
    }

    impl Case {
        /// Values on both sides of every bend, some targets zero, weights 0, 1 and between.
        fn new() -> Self {
            let len = PICTURES * CELLS * KEYPOINTS;
            let target = |v: f32| (2.0 * v - 0.7).max(0.0);
            Self {
                values: noise(len, 3),
                targets: noise(len, 4).into_iter().map(target).collect(),
                weights: (0..PICTURES * KEYPOINTS)
                    .map(|i| [1.0, 0.4, 1.0, 0.0, 1.0][i % 5])
                    .collect(),
            }
        }

        fn maps(&self, pictures: std::ops::Range<usize>, last: bool) -> StackMaps<'_> {
            let len = CELLS * KEYPOINTS;
            let of = |all: &'_ [f32]| -> std::ops::Range<usize> {
                let len = if all.len() == self.weights.len() {
                    KEYPOINTS
                } else {
                    len
                };
                pictures.start * len..pictures.end * len
            };
            StackMaps {
                values: &self.values[of(&self.values)],
                targets: &self.targets[of(&self.targets)],
                weights: &self.weights[of(&self.weights)],
                keypoints: KEYPOINTS,
                last,
            }
        }

        /// The definition, in double precision, one cell after the other.
        fn closed_form(&self, loss: &Loss, last: bool, values: &[f64]) -> f64 {
            let f = f64::from(loss.foreground);
            let delta = f64::from(loss.delta);
            let mut pictures = Vec::new();
            for b in 0..PICTURES {
                let joint = |k: usize| {
                    let cell = |c: usize| (b * CELLS + c) * KEYPOINTS + k;
                    let pairs = (0..CELLS).map(cell);
                    let pairs = pairs.map(|i| (values[i], f64::from(self.targets[i])));
                    let weight = f64::from(self.weights[b * KEYPOINTS + k]);
                    if loss.kind == LossKind::Iou {
                        let (mut inter, mut squares) = (0.0, 0.0);
                        for (h, t) in pairs {
                            inter += t * h;
                            squares += t * t + h * h;
                        }
                        return weight * (1.0 - (inter + 1e-7) / (squares - inter + 1e-7));
                    }
                    let cost = |(h, t): (f64, f64)| {
                        let d = (t - h).abs();
                        let gain = 1.0 + f * t;
                        match loss.kind {
                            LossKind::Mse | LossKind::WeightedMse => gain * d * d,
                            LossKind::ForegroundMse if t > (-4.5f64).exp() => 82.0 * d * d,
                            LossKind::ForegroundMse => d * d,
                            LossKind::Mae => gain * d,
                            LossKind::Huber if d <= delta => gain * 0.5 * d * d,
                            LossKind::Huber => gain * (delta * d - 0.5 * delta * delta),
                            LossKind::SmoothL1 if d < delta => gain * 0.5 * d * d / delta,
                            LossKind::SmoothL1 => gain * (d - 0.5 * delta),
                            LossKind::Iou => unreachable!(),
                        }
                    };
                    weight * pairs.map(cost).sum::<f64>() / CELLS as f64
                };
                let mut joints: Vec<f64> = (0..KEYPOINTS).map(joint).collect();
                if last && loss.hard_keypoints > 0 {
                    joints.sort_by(|a, b| b.total_cmp(a));
                    joints.truncate(loss.hard_keypoints);
                }
                pictures.push(joints.iter().sum::<f64>() / joints.len() as f64);
            }
            let mean = pictures.iter().sum::<f64>() / PICTURES as f64;
            match loss.kind {
                LossKind::WeightedMse => mean.sqrt(),
                _ => mean,
            }
        }
    }

    fn losses() -> Vec<Loss> {
        let mut list = Vec::new();
        for kind in LossKind::ALL {
            for (foreground, delta, hard_keypoints) in [(0.0, 1.0, 0), (3.0, 0.4, 2)] {
                list.push(Loss {
                    kind,
                    foreground,
                    delta,
                    hard_keypoints,
                });
            }
        }
        list
    }

    #[test]
    fn loss_and_gradient_are_those_of_the_definition() {
        let case = Case::new();
        let exact: Vec<f64> = case.values.iter().map(|&v| f64::from(v)).collect();
        for loss in losses() {
            for last in [false, true] {
                let maps = case.maps(0..PICTURES, last);
                let whole = WholeBatch {
                    pictures: PICTURES,
                    sum: loss.sum(&maps),
                };
                let mut gradient = vec![0.0; case.values.len()];
                let found = loss.add_gradient(&maps, &whole, &mut gradient);
                let expected = case.closed_form(&loss, last, &exact);
                assert!(
                    (found - expected).abs() < 1e-6 * expected,
                    "{loss:?}: {found} against {expected}"
                );
                let largest = gradient.iter().fold(0.0f32, |a, g| a.max(g.abs()));
                assert!(largest > 0.0);
                for i in (0..case.values.len()).step_by(7) {
                    let at = |step: f64| {
                        let mut values = exact.clone();
                        values[i] += step;
                        case.closed_form(&loss, last, &values)
                    };
                    // Short enough to stay on one side of the bends in almost every cell.
                    let h = 1e-5;
                    let slope = (at(h) - at(-h)) / (2.0 * h);
                    let error = (f64::from(gradient[i]) - slope).abs();
                    assert!(
                        error < 2e-5 * f64::from(largest) + 1e-9,
                        "{loss:?} value {i}: {} against {slope}",
                        gradient[i]
                    );
                }
            }
        }
    }

    #[test]
    fn parts_of_a_batch_add_up_to_the_whole() {
        let case = Case::new();
        for loss in losses() {
            let all = case.maps(0..PICTURES, true);
            let whole = WholeBatch {
                pictures: PICTURES,
                sum: loss.sum(&all),
            };
            let mut expected = vec![0.0; case.values.len()];
            let total = loss.add_gradient(&all, &whole, &mut expected);
            let shares = [0..1, 1..4].map(|range| case.maps(range, true));
            let sum = shares.iter().map(|share| loss.sum(share)).sum();
            let whole = WholeBatch { sum, ..whole };
            let mut found = vec![0.0; case.values.len()];
            let (first, second) = found.split_at_mut(CELLS * KEYPOINTS);
            let parts = loss.add_gradient(&shares[0], &whole, first)
                + loss.add_gradient(&shares[1], &whole, second);
            assert!((parts - total).abs() < 1e-12 * total, "{loss:?}");
            assert_eq!(found, expected, "{loss:?}");
        }
    }

    /// By hand: targets 1 and 0, heatmap 0.5 and 0.25.
    #[test]
    fn two_cells_cost_what_they_cost_by_hand() {
        let maps = StackMaps {
            values: &[0.5, 0.25],
            targets: &[1.0, 0.0],
            weights: &[1.0],
            keypoints: 1,
            last: true,
        };
        for (kind, delta, expected) in [
            (LossKind::Mse, 1.0, 0.15625),
            (LossKind::Mae, 1.0, 0.375),
            (LossKind::WeightedMse, 1.0, 0.15625f64.sqrt()),
            (LossKind::ForegroundMse, 1.0, 10.28125),
            (LossKind::SmoothL1, 1.0, 0.078125),
            (LossKind::Huber, 0.3, 0.068125),
            (LossKind::Iou, 1.0, 1.0 - 0.5 / 0.8125),
        ] {
            let loss = Loss {
                kind,
                delta,
                ..Loss::default()
            };
            let sum = loss.sum(&maps);
            let whole = WholeBatch { pictures: 1, sum };
            let found = loss.add_gradient(&maps, &whole, &mut [0.0; 2]);
            assert!((found - expected).abs() < 1e-6, "{kind}: {found}");
        }
    }

    #[test]
    fn a_perfect_heatmap_costs_nothing_and_pulls_nowhere() {
        let mut case = Case::new();
        case.values.clone_from(&case.targets);
        for loss in losses() {
            let maps = case.maps(0..PICTURES, true);
            let sum = loss.sum(&maps);
            let whole = WholeBatch {
                pictures: PICTURES,
                sum,
            };
            let mut gradient = vec![0.0; case.values.len()];
            let found = loss.add_gradient(&maps, &whole, &mut gradient);
            assert!((0.0..1e-6).contains(&found), "{loss:?}: {found}");
            assert!(gradient.iter().all(|g| g.abs() < 1e-6), "{loss:?}");
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for kind in LossKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(kind.name().replace('-', "_").parse(), Ok(kind));
            let json = serde_json::to_value(kind).unwrap();
            assert_eq!(json, kind.name());
        }
        let error = "mce".parse::<LossKind>().unwrap_err();
        assert!(error.contains("smooth-l1"), "{error}");
    }
}
