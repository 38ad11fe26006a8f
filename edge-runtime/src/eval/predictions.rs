//! Measuring results that are there already, our own or others', in COCO's format.

use std::collections::{HashMap, HashSet};

use dataset::{FoundPose, Person, TruePose, oks};
use pose::{Keypoint, KeypointSet, Pose};

use super::EvalSettings;
use super::found::CocoTruth;
use super::measured::{Measured, Measures, oks_report, pck_measures};
use crate::error::RuntimeError;

/// Which pose is whose: of the poses in a person's photo, the one that says so; else, the nearest
/// pairs first, by OKS with the standard deviations `sigmas`. A person for whom no pose is left
/// gets one without any keypoint. In the order of `people`.
pub fn match_predictions(
    people: &[Person],
    found: &[FoundPose],
    truth: &CocoTruth,
    sigmas: &[f64],
) -> Vec<Option<Pose>> {
    let ids = truth.image_ids();
    let mut photos: HashMap<u64, (Vec<usize>, Vec<usize>)> = HashMap::new();
    for (index, person) in people.iter().enumerate() {
        if let Some(id) = ids.get(&person.image) {
            photos.entry(id).or_default().0.push(index);
        }
    }
    for (index, pose) in found.iter().enumerate() {
        if let Some(photo) = photos.get_mut(&pose.image_id) {
            photo.1.push(index);
        }
    }
    let mut matched: Vec<Option<usize>> = vec![None; people.len()];
    for (id, (in_photo, mut poses)) in photos {
        for &person in &in_photo {
            let named = |&pose: &usize| found[pose].person.as_ref() == Some(&people[person].id);
            if let Some(at) = poses.iter().position(named) {
                matched[person] = Some(poses.swap_remove(at));
            }
        }
        poses.retain(|&pose| found[pose].person.is_none());
        let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
        for &person in in_photo.iter().filter(|&&person| matched[person].is_none()) {
            let label = TruePose::of_person(&people[person], id);
            for &pose in &poses {
                let keypoints = &found[pose].keypoints;
                let near = oks(&label.keypoints, keypoints, label.area, sigmas);
                pairs.push((near.unwrap_or(0.0), person, pose));
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut taken = Vec::new();
        for (_, person, pose) in pairs {
            if matched[person].is_none() && !taken.contains(&pose) {
                matched[person] = Some(pose);
                taken.push(pose);
            }
        }
    }
    let of_person = |(person, pose): (&Person, &Option<usize>)| {
        let nowhere = Keypoint {
            x: f32::NAN,
            y: f32::NAN,
            confidence: 0.0,
        };
        let keypoints = match pose {
            Some(pose) => {
                let keypoint = |k: &[f64; 3]| match k {
                    [0.0, 0.0, _] => nowhere,
                    [x, y, score] => Keypoint::new(*x as f32, *y as f32, *score as f32),
                };
                found[*pose].keypoints.iter().map(keypoint).collect()
            }
            None => vec![nowhere; person.keypoints.len()],
        };
        Some(Pose::new(keypoints))
    };
    people.iter().zip(&matched).map(of_person).collect()
}

/// Measures results. With `whole_files`, COCO's figures are of everybody in the COCO files, whether
/// or not their photos are there, and of all results: what pycocotools gives. Without, they are of
/// `people`, and of the results for their photos.
///
/// # Errors
/// Results of another number of keypoints than the settings' set; else as
/// [`measure`](super::measure).
pub fn measure_predictions(
    people: &[Person],
    found: &[FoundPose],
    settings: &EvalSettings,
    measures: &Measures,
    truth: &CocoTruth,
    whole_files: bool,
) -> Result<Measured, RuntimeError> {
    let set: &KeypointSet = &settings.keypoints;
    if let Some(other) = found.iter().find(|f| f.keypoints.len() != set.len()) {
        return Err(RuntimeError::Usage(format!(
            "the results have {} keypoints, the set `{}` has {}: name theirs with --keypoints",
            other.keypoints.len(),
            set.name,
            set.len()
        )));
    }
    let oks = measures.oks.map(|sigmas| {
        if whole_files {
            return oks_report(sigmas, set, &truth.everybody(set), found);
        }
        let ids = people
            .iter()
            .filter_map(|p| truth.image_ids().get(&p.image));
        let photos: HashSet<u64> = ids.collect();
        let asked = found.iter().filter(|f| photos.contains(&f.image_id));
        let asked: Vec<FoundPose> = asked.cloned().collect();
        oks_report(sigmas, set, &truth.people(people, |_| true, set), &asked)
    });
    let wants_pck = measures.pck.is_some() || measures.pckh.is_some() || measures.cells.is_some();
    let pck = if wants_pck {
        let labelled = |joint: usize| people.iter().any(|p| p.keypoints[joint].is_labelled());
        let sigmas = measures.oks.unwrap_or_default().of(set, labelled);
        let poses = match_predictions(people, found, truth, &sigmas);
        pck_measures(people, &poses, settings, measures)?
    } else {
        Measured::default()
    };
    Ok(Measured { oks, ..pck })
}
