//! COCO's evaluation of keypoints: which poses are matched with which people, and the average
//! precision and recall that follow. The same steps as pycocotools' `COCOeval` with `iouType`
//! `keypoints` takes, and the same figures.

use crate::coco_results::FoundPose;
use crate::coco_truth::TruePose;
use crate::oks::oks;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Poses of one photo that count: those with the highest scores.
const MAX_POSES: usize = 20;

/// OKS from which a pose counts as found: 0.50, 0.55 … 0.95, as `numpy.linspace` makes them.
const THRESHOLDS: usize = 10;

/// Recalls at which the precision is read off: 0.00, 0.01 … 1.00.
const RECALLS: usize = 101;

/// Smallest and largest area in square pixels: all, medium, large.
const AREAS: [(f64, f64); 3] = [(0.0, 1e10), (1024.0, 9216.0), (9216.0, 1e10)];

fn threshold(index: usize) -> f64 {
    if index + 1 == THRESHOLDS {
        0.95
    } else {
        0.5 + index as f64 * ((0.95 - 0.5) / (THRESHOLDS - 1) as f64)
    }
}

fn recall(index: usize) -> f64 {
    index as f64 * (1.0 / (RECALLS - 1) as f64)
}

/// COCO's ten figures for keypoints, each 0..=1; none where no person counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CocoReport {
    /// Average precision, mean over OKS 0.50 to 0.95 in steps of 0.05.
    pub ap: Option<f64>,
    /// At OKS 0.50.
    pub ap50: Option<f64>,
    /// At OKS 0.75.
    pub ap75: Option<f64>,
    /// Of people with an area of 32² to 96² square pixels.
    pub ap_medium: Option<f64>,
    /// Of people with an area above 96² square pixels.
    pub ap_large: Option<f64>,
    /// Average recall with at most 20 poses a photo, mean over OKS 0.50 to 0.95.
    pub ar: Option<f64>,
    /// At OKS 0.50.
    pub ar50: Option<f64>,
    /// At OKS 0.75.
    pub ar75: Option<f64>,
    /// Of people with an area of 32² to 96² square pixels.
    pub ar_medium: Option<f64>,
    /// Of people with an area above 96² square pixels.
    pub ar_large: Option<f64>,
    /// People that count: labelled, and no crowds.
    pub people: usize,
    /// Poses that were found.
    pub poses: usize,
}

impl CocoReport {
    /// The figures with the names that they are published under, in pycocotools' order.
    pub fn figures(&self) -> [(&'static str, Option<f64>); 10] {
        [
            ("AP", self.ap),
            ("AP50", self.ap50),
            ("AP75", self.ap75),
            ("APM", self.ap_medium),
            ("APL", self.ap_large),
            ("AR", self.ar),
            ("AR50", self.ar50),
            ("AR75", self.ar75),
            ("ARM", self.ar_medium),
            ("ARL", self.ar_large),
        ]
    }
}

impl fmt::Display for CocoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "COCO, {} people, {} poses", self.people, self.poses)?;
        let figures = self.figures();
        for (name, _) in figures {
            write!(f, "{name:>7}")?;
        }
        writeln!(f)?;
        for (_, figure) in figures {
            match figure {
                Some(figure) => write!(f, "{figure:>7.3}")?,
                None => write!(f, "{:>7}", "–")?,
            }
        }
        Ok(())
    }
}

/// COCO's figures of `found` against `truth`. `sigmas` are the keypoints' standard deviations, see
/// [`Sigmas`](crate::Sigmas), one for each of their keypoints.
///
/// A person without a labelled keypoint, a crowd, and a person whose size is out of range are not
/// missed when nobody finds them, and a pose that is matched with one counts neither way. Crowds
/// may be matched several times.
///
/// Poses in photos without a person count as wrong ones. Unlike in pycocotools, a person may have
/// the id 0.
pub fn coco_eval(truth: &[TruePose], found: &[FoundPose], sigmas: &[f64]) -> CocoReport {
    // Of each category, and in it of each photo, in the order of their numbers: what is in it.
    let mut categories: BTreeMap<u64, BTreeMap<u64, Scene<'_>>> = BTreeMap::new();
    let known: BTreeSet<u64> = truth.iter().map(|t| t.category_id).collect();
    for person in truth {
        let photos = categories.entry(person.category_id).or_default();
        photos
            .entry(person.image_id)
            .or_default()
            .truth
            .push(person);
    }
    for pose in found.iter().filter(|f| known.contains(&f.category_id)) {
        let photos = categories.entry(pose.category_id).or_default();
        photos.entry(pose.image_id).or_default().found.push(pose);
    }
    // Precision and recall of all categories, by area and threshold.
    let mut precisions = vec![Vec::new(); AREAS.len() * THRESHOLDS];
    let mut recalls = vec![Vec::new(); AREAS.len() * THRESHOLDS];
    let photos = categories.values_mut();
    for scenes in photos {
        for scene in scenes.values_mut() {
            scene.prepare(sigmas);
        }
        for (a, &area) in AREAS.iter().enumerate() {
            let matched: Vec<Matched> = scenes.values().map(|s| s.matched(area)).collect();
            for t in 0..THRESHOLDS {
                if let Some((precision, recall)) = accumulate(&matched, t) {
                    precisions[a * THRESHOLDS + t].extend(precision);
                    recalls[a * THRESHOLDS + t].push(recall);
                }
            }
        }
    }
    let all = 0..THRESHOLDS;
    let mean = |figures: &[Vec<f64>], area: usize, thresholds: std::ops::Range<usize>| {
        let of = &figures[area * THRESHOLDS..][thresholds];
        let count: usize = of.iter().map(Vec::len).sum();
        (count > 0).then(|| of.iter().flatten().sum::<f64>() / count as f64)
    };
    CocoReport {
        ap: mean(&precisions, 0, all.clone()),
        ap50: mean(&precisions, 0, 0..1),
        ap75: mean(&precisions, 0, 5..6),
        ap_medium: mean(&precisions, 1, all.clone()),
        ap_large: mean(&precisions, 2, all.clone()),
        ar: mean(&recalls, 0, all.clone()),
        ar50: mean(&recalls, 0, 0..1),
        ar75: mean(&recalls, 0, 5..6),
        ar_medium: mean(&recalls, 1, all.clone()),
        ar_large: mean(&recalls, 2, all),
        people: truth.iter().filter(|t| !t.is_ignored()).count(),
        poses: found.len(),
    }
}

/// The people and poses of one photo.
#[derive(Default)]
struct Scene<'a> {
    truth: Vec<&'a TruePose>,
    /// Highest score first, at most [`MAX_POSES`].
    found: Vec<&'a FoundPose>,
    /// OKS of each pose with each person: `found.len()` rows of `truth.len()`.
    similarity: Vec<f64>,
}

/// What became of a photo's poses and people, for one range of areas.
struct Matched {
    /// Of each pose its score and, for each threshold, whether it was matched, and whether it
    /// does not count.
    poses: Vec<(f64, [Fate; THRESHOLDS])>,
    /// People that count.
    people: usize,
}

/// What a pose is at one threshold.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Fate {
    /// A person was found.
    Right,
    /// There is nobody.
    #[default]
    Wrong,
    /// Matched with somebody who does not count, or of a size that is not asked about.
    Ignored,
}

impl Scene<'_> {
    fn prepare(&mut self, sigmas: &[f64]) {
        self.found.sort_by(|a, b| descending(a.score, b.score));
        self.found.truncate(MAX_POSES);
        let pairs = self.found.iter().flat_map(|found| {
            let truth = self.truth.iter();
            truth.map(|truth| similarity(truth, found, sigmas))
        });
        self.similarity = pairs.collect();
    }

    /// Each pose, the surest first, takes the nearest person that is left, if near enough; one
    /// that counts is preferred to one that does not:
    ///
    /// ```text
    /// for each pose:
    ///     best = threshold
    ///     for each person, those that count first:
    ///         if they are taken and no crowd: next
    ///         if the match so far counts and this one does not: stop
    ///         if OKS(pose, person) >= best: match, best = OKS
    /// ```
    fn matched(&self, (low, high): (f64, f64)) -> Matched {
        let out_of_range = |area: f64| area < low || area > high;
        let ignored: Vec<bool> = self
            .truth
            .iter()
            .map(|t| t.is_ignored() || out_of_range(t.area))
            .collect();
        let mut order: Vec<usize> = (0..self.truth.len()).collect();
        order.sort_by_key(|&i| ignored[i]);
        let mut poses: Vec<(f64, [Fate; THRESHOLDS])> = self
            .found
            .iter()
            .map(|f| (f.score, [Fate::default(); THRESHOLDS]))
            .collect();
        for t in 0..THRESHOLDS {
            let mut taken = vec![false; self.truth.len()];
            for (index, pose) in self.found.iter().enumerate() {
                let row = &self.similarity[index * self.truth.len()..][..self.truth.len()];
                let mut best = threshold(t).min(1.0 - 1e-10);
                let mut matched: Option<usize> = None;
                for &person in &order {
                    if taken[person] && !self.truth[person].crowd {
                        continue;
                    }
                    if matched.is_some_and(|m| !ignored[m]) && ignored[person] {
                        break;
                    }
                    if row[person] >= best {
                        best = row[person];
                        matched = Some(person);
                    }
                }
                poses[index].1[t] = match matched {
                    Some(person) => {
                        taken[person] = true;
                        if ignored[person] {
                            Fate::Ignored
                        } else {
                            Fate::Right
                        }
                    }
                    None if out_of_range(pose.area()) => Fate::Ignored,
                    None => Fate::Wrong,
                };
            }
        }
        Matched {
            poses,
            people: ignored.iter().filter(|ignored| !**ignored).count(),
        }
    }
}

fn descending(a: f64, b: f64) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}

/// OKS; with a person who has no labelled keypoint, by how far the keypoints lie outside of the
/// person's box, taken three times as wide and high.
fn similarity(truth: &TruePose, found: &FoundPose, sigmas: &[f64]) -> f64 {
    if let Some(oks) = oks(&truth.keypoints, &found.keypoints, truth.area, sigmas) {
        return oks;
    }
    let [x, y, width, height] = truth.bbox;
    let outside = |at: f64, low: f64, high: f64| (low - at).max(0.0) + (at - high).max(0.0);
    let nearest: Vec<[f64; 3]> = found
        .keypoints
        .iter()
        .map(|k| {
            let dx = outside(k[0], x - width, x + 2.0 * width);
            let dy = outside(k[1], y - height, y + 2.0 * height);
            [dx, dy, 1.0]
        })
        .collect();
    let center = vec![[0.0, 0.0, 1.0]; nearest.len()];
    oks(&center, &nearest, truth.area, sigmas).unwrap_or(0.0)
}

/// Precision at the recalls that are asked for, and the highest recall, at threshold `t`; nothing
/// when nobody counts.
fn accumulate(photos: &[Matched], t: usize) -> Option<(Vec<f64>, f64)> {
    let people: usize = photos.iter().map(|p| p.people).sum();
    if people == 0 {
        return None;
    }
    let mut poses: Vec<(f64, Fate)> = photos
        .iter()
        .flat_map(|p| p.poses.iter().map(|(score, fates)| (*score, fates[t])))
        .collect();
    poses.sort_by(|a, b| descending(a.0, b.0));
    let (mut right, mut wrong) = (0u32, 0u32);
    let mut curve: Vec<(f64, f64)> = poses
        .iter()
        .map(|(_, fate)| {
            right += u32::from(*fate == Fate::Right);
            wrong += u32::from(*fate == Fate::Wrong);
            let (right, wrong) = (f64::from(right), f64::from(wrong));
            (
                right / people as f64,
                right / (wrong + right + f64::EPSILON),
            )
        })
        .collect();
    // The precision at a recall is the best one at that recall or a higher one.
    for i in (1..curve.len()).rev() {
        curve[i - 1].1 = curve[i - 1].1.max(curve[i].1);
    }
    let precision = (0..RECALLS).map(|r| {
        let at = curve.partition_point(|(found, _)| *found < recall(r));
        curve.get(at).map_or(0.0, |(_, precision)| *precision)
    });
    let highest = curve.last().map_or(0.0, |(found, _)| *found);
    Some((precision.collect(), highest))
}
