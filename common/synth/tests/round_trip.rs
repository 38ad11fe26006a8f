//! A written data set, read by the project's own reader.

#![allow(clippy::unwrap_used)]

use dataset::{Format, Source, Split, Target};
use pose::KeypointSet;
use synth::{
    BuiltIn, ClipOptions, DatasetOptions, SceneOptions, Visibility, picture_seed, render,
    write_dataset,
};

fn target(dir: &tempfile::TempDir) -> Target {
    Target {
        format: Format::Annotations,
        root: dir.path().to_owned(),
    }
}

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
        clips: None,
    }
}

#[test]
fn what_is_written_is_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(9, 2);
    write_dataset(&BuiltIn, &target(&dir), &options, &|_| {}).unwrap();
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
    write_dataset(&BuiltIn, &target(&dir), &options, &|_| {}).unwrap();
    let source: Source = format!("annotations:{}", dir.path().display())
        .parse()
        .unwrap();
    let person = &dataset::load(&source, &KeypointSet::mpii()).unwrap().people[0];
    let again = tempfile::tempdir().unwrap();
    write_dataset(&BuiltIn, &target(&again), &options, &|_| {}).unwrap();
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
        write_dataset(&BuiltIn, &target(&dir), &options(3, threads), &|_| {}).unwrap();
        std::fs::read(dir.path().join("annotations.json")).unwrap()
    };
    assert_eq!(write(1), write(3));
}

#[test]
fn the_names_are_mpiis_in_mpiis_order() {
    let set = KeypointSet::mpii();
    for (k, name) in synth::KEYPOINT_NAMES.iter().enumerate() {
        assert_eq!(set.index_of(name), Some(k), "{name}");
    }
}

#[test]
fn clips_keep_their_people_and_can_be_written_in_every_format() {
    for (name, format) in Format::ALL {
        let dir = tempfile::tempdir().unwrap();
        let mut options = options(5, 2);
        options.count = 2;
        options.validation_every = 2;
        options.scene.people = 2;
        options.clips = Some(ClipOptions {
            frames: 3,
            rate: 10.0,
            gif: format == Format::Csv,
        });
        let target = Target {
            format,
            root: dir.path().to_owned(),
        };
        let written = write_dataset(&BuiltIn, &target, &options, &|_| {});
        if format == Format::Lspet {
            assert!(written.is_err());
            continue;
        }
        assert_eq!(written.unwrap().photos, 6, "{name}");
        let source: Source = format!("{name}:{}", dir.path().display()).parse().unwrap();
        let set = dataset::read(&source).unwrap();
        assert_eq!(set.problems, [], "{name}");
        assert_eq!(set.keypoints.keypoints, KeypointSet::mpii().keypoints);
        for record in &set.records {
            assert!(record.person.image.is_file());
            let clip = record.person.image.parent().unwrap().file_name().unwrap();
            let expected = match clip.to_str().unwrap() {
                "clip_00000" => (Split::Train, [1, 2]),
                "clip_00001" => (Split::Validation, [3, 4]),
                other => panic!("{other}"),
            };
            assert_eq!(record.person.split, expected.0, "{name}");
            if let Some(track) = record.track {
                assert!(expected.1.contains(&track), "{name}: {track}");
            }
        }
        let tracks = matches!(format, Format::Annotations | Format::Coco | Format::Csv);
        assert!(!tracks || set.records.iter().all(|r| r.track.is_some()));
        let gif = dir.path().join("clip_00001.gif");
        if format == Format::Csv {
            let mut decoder = gif::DecodeOptions::new();
            decoder.set_color_output(gif::ColorOutput::RGBA);
            let mut decoder = decoder
                .read_info(std::fs::File::open(gif).unwrap())
                .unwrap();
            assert_eq!((decoder.width(), decoder.height()), (96, 80));
            let mut frames = 0;
            while let Some(frame) = decoder.read_next_frame().unwrap() {
                assert_eq!(frame.delay, 10);
                frames += 1;
            }
            assert_eq!(frames, 3);
        } else {
            assert!(!gif.exists());
        }
    }
}
