//! The readers and the evaluator on the real data sets: the folder is named by the environment
//! variable HOURGLASS_DATA. Without it these tests say so and pass.

#![allow(clippy::unwrap_used)]

use dataset::{
    LabelledKeypoint, Pck, PckReport, PckRule, Person, PersonSize, Source, SourceKind, Split,
    Visibility, load, read_mat,
};
use pose::{KeypointSet, Point, Rect};
use std::path::PathBuf;

/// The data folder, or a word about its absence.
fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("HOURGLASS_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: HOURGLASS_DATA does not name the folder of the data sets");
    }
    folder
}

fn people(kind: SourceKind, path: PathBuf) -> Vec<Person> {
    let loaded = load(&Source::new(kind, path), &KeypointSet::mpii()).unwrap();
    assert_eq!(loaded.problems, []);
    loaded.people
}

fn share(people: &[Person], visibility: Visibility, joints: usize) -> f64 {
    let count = people
        .iter()
        .flat_map(|p| &p.keypoints)
        .filter(|k| k.visibility == visibility)
        .count();
    count as f64 / (people.len() * joints) as f64
}

fn count(people: &[Person], split: Split) -> usize {
    people.iter().filter(|p| p.split == split).count()
}

#[test]
fn lsp() {
    let Some(data) = data() else { return };
    let people = people(SourceKind::Lsp, data.join("lsp"));
    assert_eq!(count(&people, Split::Train), 996);
    assert_eq!(count(&people, Split::Test), 1000);
    // All 14 joints are labelled, pelvis and thorax are not.
    assert!(people.iter().all(|p| p.labelled() == 14));
    let set = KeypointSet::mpii();
    for name in ["pelvis", "thorax"] {
        let index = set.index_of(name).unwrap();
        assert!(people.iter().all(|p| !p.keypoints[index].is_labelled()));
    }
    println!("occluded: {}", share(&people, Visibility::Occluded, 14));
    // A person is at most 256 px tall or wide, give or take the scaling's rounding.
    assert!(
        people
            .iter()
            .all(|p| p.rect.width.max(p.rect.height) < 300.0)
    );
    for number in [483, 492, 550, 670] {
        assert!(people.iter().all(|p| p.id != format!("lsp:{number}")));
    }
    assert_eq!(people.last().unwrap().id, "lsp:2000");
    // The head is above the ankles in most photos, right and left are the person's.
    let upright = people
        .iter()
        .filter(|p| p.keypoints[9].y < p.keypoints[0].y)
        .count();
    assert!(upright > 1700, "{upright} upright people");
}

#[test]
fn lspet() {
    let Some(data) = data() else { return };
    let people = people(SourceKind::Lspet, data.join("lspet"));
    assert_eq!(count(&people, Split::Train), people.len());
    let labelled = share(&people, Visibility::Visible, 14);
    println!("{} people, labelled: {labelled}", people.len());
    // data/README.md: 12 % of the joints are not labelled.
    assert!((labelled - 0.88).abs() < 0.01);
    assert!(people.len() > 9990);
}

#[test]
fn mpii() {
    let Some(data) = data() else { return };
    let people = people(SourceKind::Annotations, data.join("mpii"));
    assert_eq!(people.len(), 2074);
    assert_eq!(count(&people, Split::Train), 2074);
    let mut images: Vec<_> = people.iter().map(|p| &p.image).collect();
    images.sort();
    images.dedup();
    assert_eq!(images.len(), 1287);
    assert_eq!(people[2073].id, "mpii:2073");
    println!(
        "visible {} occluded {}",
        share(&people, Visibility::Visible, 16),
        share(&people, Visibility::Occluded, 16)
    );
    // The first record, read off the file: right knee at (238, 357), seen; right ankle missing.
    let first = &people[0];
    assert_eq!(first.keypoints[0], LabelledKeypoint::MISSING);
    assert_eq!(
        first.keypoints[1],
        LabelledKeypoint::new(237.5, 356.5, Visibility::Visible)
    );
    assert_eq!(first.keypoints[3].visibility, Visibility::Occluded);
    let side = 200.0 * 2.4473;
    assert_eq!(
        first.rect,
        Rect::around(Point::new(240.5, 265.5), side, side)
    );
}

#[test]
fn coco() {
    let Some(data) = data() else { return };
    let people = people(
        SourceKind::Coco,
        data.join("coco/person_keypoints_train2017_subset.json"),
    );
    println!("{} people", people.len());
    assert_eq!(count(&people, Split::Train), people.len());
    assert!(people.len() > 300 && people.len() <= 334);
    let set = KeypointSet::mpii();
    let first = &people[0];
    assert_eq!(first.id, "coco:1");
    let shoulder = first.keypoints[set.index_of("left_shoulder").unwrap()];
    assert_eq!(
        shoulder,
        LabelledKeypoint::new(355.0, 337.0, Visibility::Visible)
    );
    assert_eq!(first.rect, Rect::new(167.58, 162.89, 310.61, 465.19));
    // The box is around what is seen of the body: so are the joints that are seen.
    let (mut inside, mut all) = (0, 0);
    for person in &people {
        for k in &person.keypoints {
            if k.visibility != Visibility::Visible {
                continue;
            }
            all += 1;
            inside += usize::from(person.rect.scaled(1.05).contains(k.point()));
        }
    }
    println!("{inside} of {all} joints in their box");
    assert!(inside > all * 99 / 100);
}

/// The published figures of Yang et al. (CVPR 2016), computed from their predictions.
fn reference(annotation: &str) -> Option<PckReport> {
    let folder = data()?.join("lsp_reference");
    let truth = read_mat(&folder.join(format!("lsp-joints-{annotation}.mat"))).unwrap();
    let lower = annotation.to_lowercase();
    let found = read_mat(&folder.join(format!("pred_keypoints_lsp_{lower}.mat"))).unwrap();
    assert_eq!(truth[0].dims, [3, 14, 2000]);
    assert_eq!(found[0].dims, [2, 14, 1000]);
    let mut pck = Pck::new(&KeypointSet::lsp(), PckRule::LSP).unwrap();
    for person in 0..1000 {
        let label = |joint: usize| {
            let at = ((person + 1000) * 14 + joint) * 3;
            let xy = &truth[0].data[at..at + 2];
            LabelledKeypoint::new(xy[0] as f32, xy[1] as f32, Visibility::Visible)
        };
        let point = |joint: usize| {
            let at = (person * 14 + joint) * 2;
            let xy = &found[0].data[at..at + 2];
            Point::new(xy[0] as f32, xy[1] as f32)
        };
        let truth: Vec<_> = (0..14).map(label).collect();
        let found: Vec<_> = (0..14).map(point).collect();
        assert!(pck.add(&truth, &found, &PersonSize::default()).unwrap());
    }
    Some(pck.report())
}

fn one_decimal(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[test]
fn published_figures_person_centric() {
    let Some(report) = reference("PC") else {
        return;
    };
    println!("{report}");
    let published = [
        ("head", 90.6),
        ("shoulder", 78.0),
        ("elbow", 73.8),
        ("wrist", 68.8),
        ("hip", 74.8),
        ("knee", 70.0),
        ("ankle", 58.9),
    ];
    assert_eq!(report.groups.len(), published.len());
    for (group, (name, figure)) in report.groups.iter().zip(published) {
        assert_eq!(group.name, name);
        // 1,000 people and two joints: steps of 0.05. The publication cuts 78.05 to 78.0.
        let difference = group.pck.unwrap() - figure;
        assert!(difference.abs() < 0.0501, "{name}: {difference}");
    }
    assert_eq!(one_decimal(report.mean.unwrap()), 73.6);
}

#[test]
fn published_figures_observer_centric() {
    let Some(report) = reference("OC") else {
        return;
    };
    println!("{report}");
    assert_eq!(one_decimal(report.mean.unwrap()), 81.5);
}
