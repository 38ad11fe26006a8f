//! A written data set, read by the project's own reader.

#![allow(clippy::unwrap_used)]

use dataset::{Source, Split};
use pose::KeypointSet;
use synth::{
    BuiltIn, DatasetOptions, SceneOptions, Visibility, picture_seed, render, write_dataset,
};

fn options(seed: u64, threads: usize) -> DatasetOptions {
    DatasetOptions {
        count: 6,
        validation_every: 3,
        seed,
        threads,
        scene: SceneOptions {
            width: 96,
            height: 80,
            ..SceneOptions::default()
        },
    }
}

#[test]
fn what_is_written_is_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(9, 2);
    write_dataset(&BuiltIn, dir.path(), &options, &|_| {}).unwrap();
    let source: Source = format!("annotations:{}", dir.path().display())
        .parse()
        .unwrap();
    let loaded = dataset::load(&source, &KeypointSet::mpii()).unwrap();
    assert_eq!(loaded.people.len(), 6);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let validation = loaded
        .people
        .iter()
        .filter(|p| p.split == Split::Validation);
    assert_eq!(validation.count(), 2);
    for person in &loaded.people {
        let picture = image::open(&person.image).unwrap();
        assert_eq!((picture.width(), picture.height()), (96, 80));
    }
}

#[test]
fn coordinates_and_visibility_survive() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(1, 1);
    options.count = 1;
    write_dataset(&BuiltIn, dir.path(), &options, &|_| {}).unwrap();
    let source: Source = format!("annotations:{}", dir.path().display())
        .parse()
        .unwrap();
    let person = &dataset::load(&source, &KeypointSet::mpii()).unwrap().people[0];
    let again = tempfile::tempdir().unwrap();
    write_dataset(&BuiltIn, again.path(), &options, &|_| {}).unwrap();
    let bytes = |dir: &tempfile::TempDir, name: &str| std::fs::read(dir.path().join(name)).unwrap();
    for name in ["annotations.json", "images/synth_000000.jpg"] {
        assert_eq!(bytes(&dir, name), bytes(&again, name), "{name}");
    }
    let sample = render(&BuiltIn, picture_seed(options.seed, 0), &options.scene);
    for (read, drawn) in person.keypoints.iter().zip(sample.keypoints[0]) {
        match drawn.visibility {
            Visibility::Outside => assert!(!read.is_labelled()),
            seen => {
                assert!((read.x - drawn.x).abs() < 1e-3 && (read.y - drawn.y).abs() < 1e-3);
                let visible = read.visibility == dataset::Visibility::Visible;
                assert_eq!(visible, seen == Visibility::Visible);
            }
        }
    }
}

#[test]
fn threads_do_not_change_the_result() {
    let write = |threads| {
        let dir = tempfile::tempdir().unwrap();
        write_dataset(&BuiltIn, dir.path(), &options(3, threads), &|_| {}).unwrap();
        std::fs::read(dir.path().join("annotations.json")).unwrap()
    };
    assert_eq!(write(1), write(3));
}
