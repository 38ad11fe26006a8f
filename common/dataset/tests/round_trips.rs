//! Every format that is written is read again: nothing moves, nothing changes its meaning, and what
//! a format cannot hold is said.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use dataset::{
    DataSet, DatasetError, Format, LabelledKeypoint, Person, PhotoMode, Place, Record, Source,
    Split, Target, Unit, Visibility, read, write,
};
use pose::{KeypointSet, Rect};

/// Photos of several sizes, some in folders, two of one name; people with every kind of label.
fn data_set(folder: &Path, set: KeypointSet) -> DataSet {
    let file: Arc<Path> = folder.into();
    let photos = [
        ("a.jpg", 64, 48),
        ("more/a.jpg", 50, 50),
        ("b.png", 40, 80),
        ("b.jpg", 40, 80),
    ];
    for (name, width, height) in photos {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(width, height, image::Rgb([width as u8, height as u8, 7]))
            .save(path)
            .unwrap();
    }
    // A person for each entry: photo, split, box, head, track.
    let head = Some(Rect::new(20.25, 1.5, 10.5, 12.0));
    let people = [
        (
            0,
            Split::Train,
            Rect::new(2.5, 1.25, 40.0, 40.0),
            head,
            Some(7),
        ),
        (
            0,
            Split::Train,
            Rect::new(10.0, 5.0, 20.5, 33.25),
            None,
            Some(8),
        ),
        (
            1,
            Split::Validation,
            Rect::new(0.0, 0.0, 50.0, 50.0),
            head,
            None,
        ),
        (2, Split::Train, Rect::new(1.0, 2.0, 30.0, 60.0), None, None),
        (3, Split::Test, Rect::new(1.0, 2.0, 30.0, 60.0), None, None),
    ];
    let records = people
        .into_iter()
        .enumerate()
        .map(|(k, (photo, split, rect, head, track))| {
            let keypoints = (0..set.len()).map(|j| {
                let place = ((3 * j + k) % 38) as f32;
                let (x, y) = (place + 0.3, 0.5 * place + 0.123_456);
                match (j + k) % 4 {
                    // The corner, which several formats write for what has no label.
                    0 if j == 4 => LabelledKeypoint::new(0.5, 0.5, Visibility::Occluded),
                    0 => LabelledKeypoint::MISSING,
                    1 => LabelledKeypoint::new(x, y, Visibility::Occluded),
                    _ => LabelledKeypoint::new(x, y, Visibility::Visible),
                }
            });
            Record {
                person: Person {
                    image: folder.join(photos[photo].0),
                    dataset: "made".into(),
                    id: format!("made:{k}"),
                    rect,
                    keypoints: keypoints.collect(),
                    head_size: head.map(|h| 0.6 * h.width.hypot(h.height)),
                    area: (k == 1).then_some(321.5),
                    split,
                },
                place: Place {
                    file: file.clone(),
                    number: k,
                    unit: Unit::Record,
                },
                head,
                track,
                stated_size: None,
            }
        });
    DataSet {
        records: records.collect(),
        keypoints: set,
        problems: Vec::new(),
        file: folder.to_owned(),
        image_field: "image",
        images: folder.to_owned(),
    }
}

fn written(set: &DataSet, format: Format, mode: PhotoMode) -> (tempfile::TempDir, DataSet) {
    let folder = tempfile::tempdir().unwrap();
    let target = Target {
        format,
        root: folder.path().join("set"),
    };
    let mut photos = 0;
    let report = write(set, &target, mode, &mut |done| photos = done).unwrap();
    assert_eq!((report.people, report.photos), (set.records.len(), photos));
    let source: Source = target.to_string().parse().unwrap();
    let mut read = read(&source).unwrap();
    assert_eq!(read.problems, [], "{target}");
    let count = read.records.len();
    read.drop_missing_photos();
    assert_eq!(read.records.len(), count, "{:?}", read.problems);
    (folder, read)
}

/// What a person is compared by where formats order people differently.
fn order(set: &mut DataSet) {
    set.records.sort_by(|a, b| {
        let key = |r: &Record| (r.person.rect.x, r.person.rect.y, r.person.split.name());
        key(a).partial_cmp(&key(b)).unwrap()
    });
}

fn near(a: Rect, b: Rect, tolerance: f32) -> bool {
    [
        (a.x, b.x),
        (a.y, b.y),
        (a.width, b.width),
        (a.height, b.height),
    ]
    .into_iter()
    .all(|(a, b)| (a - b).abs() <= tolerance)
}

#[test]
fn what_is_written_is_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for keypoints in [KeypointSet::mpii(), KeypointSet::coco()] {
        let mut original = data_set(folder.path(), keypoints);
        order(&mut original);
        for (name, format) in Format::ALL {
            if format == Format::Lspet {
                continue;
            }
            let (_kept, mut found) = written(&original, format, PhotoMode::Copy);
            order(&mut found);
            assert_eq!(
                found.keypoints.keypoints, original.keypoints.keypoints,
                "{name}"
            );
            assert_eq!(
                found.keypoints.flip_pairs, original.keypoints.flip_pairs,
                "{name}"
            );
            assert_eq!(
                found.keypoints.skeleton, original.keypoints.skeleton,
                "{name}"
            );
            assert_eq!(found.records.len(), original.records.len(), "{name}");
            // Text with seven digits after the point, or ten thousandths of a pixel.
            let tolerance = 1.1e-4;
            for (a, b) in original.records.iter().zip(&found.records) {
                let (p, q) = (&a.person, &b.person);
                assert_eq!(p.split, q.split, "{name}");
                assert!(
                    near(p.rect, q.rect, tolerance),
                    "{name} {:?} {:?}",
                    p.rect,
                    q.rect
                );
                for (k, (x, y)) in p.keypoints.iter().zip(&q.keypoints).enumerate() {
                    assert_eq!(x.visibility, y.visibility, "{name} {} {k}", p.id);
                    // A hidden label where MATLAB's corner is moves by a hundredth.
                    let tolerance = if (x.x, x.y) == (0.5, 0.5) {
                        0.011
                    } else {
                        tolerance
                    };
                    let near = (x.x - y.x).abs() <= tolerance && (x.y - y.y).abs() <= tolerance;
                    assert!(near, "{name} {} {k}: {x:?} {y:?}", p.id);
                }
                let colour = |person: &Person| {
                    image::open(&person.image)
                        .unwrap()
                        .to_rgb8()
                        .get_pixel(5, 5)
                        .0
                };
                let (c, d) = (colour(p), colour(q));
                assert!(
                    c.iter().zip(d).all(|(c, d)| c.abs_diff(d) < 6),
                    "{name} {c:?} {d:?}"
                );
                if !matches!(format, Format::Yolo | Format::AnimalPose) {
                    assert_eq!(a.head.is_some(), b.head.is_some(), "{name}");
                    let pair = a.head.zip(b.head);
                    assert!(pair.is_none_or(|(a, b)| near(a, b, tolerance)), "{name}");
                    let size = |p: &Person| p.head_size.unwrap_or(0.0);
                    assert!((size(p) - size(q)).abs() < 1e-3, "{name}");
                }
                if matches!(format, Format::Annotations | Format::Coco | Format::Csv) {
                    assert_eq!(a.track, b.track, "{name}");
                }
                if format == Format::Csv {
                    assert_eq!((p.area, &p.dataset), (q.area, &q.dataset));
                }
            }
            // Once through is all that a format can change.
            let (_kept, mut again) = written(&found, format, PhotoMode::Link);
            order(&mut again);
            for (a, b) in found.records.iter().zip(&again.records) {
                assert_eq!(a.person.keypoints, b.person.keypoints, "{name}");
                assert!(near(a.person.rect, b.person.rect, 1e-4), "{name}");
                assert_eq!(
                    (a.person.split, a.head, a.track),
                    (b.person.split, b.head, b.track),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn from_every_format_to_every_other_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut original = data_set(folder.path(), KeypointSet::mpii());
    order(&mut original);
    let all = Format::ALL.iter().filter(|(_, f)| *f != Format::Lspet);
    for (from_name, from) in all.clone() {
        let (_kept, first) = written(&original, *from, PhotoMode::Link);
        for (to_name, to) in all.clone() {
            let (_kept, second) = written(&first, *to, PhotoMode::Link);
            let (_kept, mut back) = written(&second, *from, PhotoMode::Link);
            order(&mut back);
            for (a, b) in original.records.iter().zip(&back.records) {
                let way = format!("{from_name} {to_name} {from_name}");
                assert_eq!(a.person.split, b.person.split, "{way}");
                assert!(near(a.person.rect, b.person.rect, 4e-4), "{way}");
                for (x, y) in a.person.keypoints.iter().zip(&b.person.keypoints) {
                    assert_eq!(x.visibility, y.visibility, "{way}");
                    assert!(
                        (x.x - y.x).abs() < 0.011 && (x.y - y.y).abs() < 0.011,
                        "{way}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_leeds_array_holds_labels_of_its_fourteen_joints() {
    let folder = tempfile::tempdir().unwrap();
    let original = data_set(folder.path(), KeypointSet::mpii());
    let (kept, found) = written(&original, Format::Lspet, PhotoMode::Copy);
    assert_eq!(found.keypoints, KeypointSet::lsp());
    let original = original.mapped(&KeypointSet::lsp());
    for (k, (a, b)) in original.records.iter().zip(&found.records).enumerate() {
        assert!(b.person.image.ends_with(format!("im{:05}.jpg", k + 1)));
        for (x, y) in a.person.keypoints.iter().zip(&b.person.keypoints) {
            assert_eq!(x.is_labelled(), y.is_labelled());
            assert!((x.x - y.x).abs() < 1e-5 && (x.y - y.y).abs() < 1e-5);
        }
    }
    // The PNG has become a JPEG under its JPEG name.
    let bytes = std::fs::read(kept.path().join("set/images/im00004.jpg")).unwrap();
    assert!(bytes.starts_with(&[0xff, 0xd8]));
}

#[test]
fn what_is_lost_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let set = data_set(folder.path(), KeypointSet::mpii());
    let lost = |format| {
        let target = Target {
            format,
            root: tempfile::tempdir().unwrap().path().join("x"),
        };
        write(&set, &target, PhotoMode::Copy, &mut |_| ())
            .unwrap()
            .lost
    };
    assert_eq!(lost(Format::Csv), Vec::<String>::new());
    assert_eq!(lost(Format::Coco), Vec::<String>::new());
    let yolo = lost(Format::Yolo);
    assert_eq!(yolo.len(), 3);
    assert!(yolo[0].starts_with("2 people's head boxes"), "{yolo:?}");
    assert!(yolo[1].starts_with("2 people's track numbers"), "{yolo:?}");
    let lspet = lost(Format::Lspet);
    assert!(
        lspet
            .iter()
            .any(|l| l.starts_with("2 people's marks that they are not for training"))
    );
}

#[test]
fn nothing_is_overwritten_and_missing_photos_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut set = data_set(folder.path(), KeypointSet::mpii());
    for (name, format) in Format::ALL {
        let kept = tempfile::tempdir().unwrap();
        let target = Target {
            format,
            root: kept.path().to_owned(),
        };
        write(&set, &target, PhotoMode::Copy, &mut |_| ()).unwrap();
        let again = write(&set, &target, PhotoMode::Copy, &mut |_| ());
        assert!(matches!(again, Err(DatasetError::Exists { .. })), "{name}");
    }
    set.records[2].person.image = folder.path().join("gone.jpg");
    let target: Target = format!("coco:{}", folder.path().join("out").display())
        .parse()
        .unwrap();
    let error = write(&set, &target, PhotoMode::Copy, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("gone.jpg"), "{error}");
}

#[test]
fn targets_as_written_on_a_command_line() {
    let wrong = |text: &str| text.parse::<Target>().unwrap_err().to_string();
    assert!(wrong("coco").contains("expected a format and a colon"));
    assert!(wrong("coco:").contains("expected a folder after the colon"));
    assert!(wrong("tiff:x").contains("unknown format `tiff`; there are annotations, coco"));
}
