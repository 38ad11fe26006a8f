//! The validator: every kind of mistake is found, named by file, record and field, and nothing else.

#![allow(clippy::unwrap_used)]

use dataset::{CheckSettings, FindingKind, Source, check, read};
use serde_json::{Value, json};

/// A record of somebody who stands in a photo of 100 × 100 pixels: as MPII's order has it, ankles,
/// knees, hips, … from below to above.
fn standing(image: &str, shift: f64) -> Value {
    let places = [
        [40.0, 90.0],
        [40.0, 75.0],
        [42.0, 60.0],
        [58.0, 60.0],
        [60.0, 75.0],
        [60.0, 90.0],
        [50.0, 60.0],
        [50.0, 35.0],
        [50.0, 30.0],
        [50.0, 15.0],
        [30.0, 60.0],
        [32.0, 48.0],
        [36.0, 35.0],
        [64.0, 35.0],
        [68.0, 48.0],
        [70.0, 60.0],
    ];
    let joints: Vec<[f64; 3]> = places.iter().map(|p| [p[0] + shift, p[1], 1.0]).collect();
    json!({"dataset": "MPI", "isValidation": 0.0, "img_paths": image, "img_width": 100, "img_height": 100,
           "objpos": [50.0, 50.0], "scale_provided": 0.4, "joint_self": joints})
}

fn findings(records: Value, settings: CheckSettings) -> Vec<(FindingKind, usize, String)> {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    std::fs::create_dir(&images).unwrap();
    for (name, width) in [
        ("a.jpg", 100),
        ("b.jpg", 100),
        ("wide.jpg", 140),
        ("half.jpg", 100),
    ] {
        let mut picture = image::RgbImage::new(width, 100);
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            *pixel = image::Rgb([
                (x * 7 % 251) as u8,
                (y * 13 % 241) as u8,
                (x * y % 239) as u8,
            ]);
        }
        picture.save(images.join(name)).unwrap();
    }
    let half = std::fs::read(images.join("half.jpg")).unwrap();
    std::fs::write(images.join("half.jpg"), &half[..half.len() / 4]).unwrap();
    std::fs::write(images.join("text.jpg"), "no picture").unwrap();
    std::fs::write(folder.path().join("annotations.json"), records.to_string()).unwrap();
    let source: Source = format!("annotations:{}", folder.path().display())
        .parse()
        .unwrap();
    let set = read(&source).unwrap();
    let report = check(&set, &settings, &|_| ());
    let named = |f: &dataset::Finding| (f.kind, f.problem.record, f.problem.field.clone());
    for finding in &report.findings {
        assert!(finding.problem.file.ends_with("annotations.json"));
        assert!(!finding.problem.message.is_empty());
    }
    report.findings.iter().map(named).collect()
}

#[test]
fn a_sound_data_set_has_no_mistakes() {
    let records = json!([
        standing("a.jpg", 0.0),
        standing("a.jpg", 1.0),
        standing("b.jpg", 0.0)
    ]);
    let settings = CheckSettings {
        suspicious: true,
        ..CheckSettings::default()
    };
    assert_eq!(findings(records, settings), []);
}

#[test]
fn every_kind_of_mistake_is_found() {
    let with = |mut record: Value, change: &dyn Fn(&mut Value)| {
        change(&mut record);
        record
    };
    let swapped = with(standing("b.jpg", 2.0), &|r| {
        let joints = r["joint_self"].as_array_mut().unwrap();
        joints.swap(2, 3);
    });
    let records = json!([
        standing("a.jpg", 0.0),
        standing("gone.jpg", 0.0),
        standing("gone.jpg", 1.0),
        standing("text.jpg", 0.0),
        standing("half.jpg", 0.0),
        standing("wide.jpg", 0.0),
        with(standing("b.jpg", 0.0), &|r| r["joint_self"][9] =
            json!([50.0, -20.0, 1.0])),
        standing("a.jpg", 0.0),
        with(standing("b.jpg", 1.0), &|r| r["objpos"] =
            json!([500.0, 50.0])),
        with(standing("b.jpg", 3.0), &|r| r["joint_self"] =
            json!([[1.0, 2.0, 1.0]])),
        swapped,
        with(standing("b.jpg", 4.0), &|r| r["joint_self"][0] =
            json!([40.0, null, 1.0])),
    ]);
    use FindingKind::*;
    let mut expected = vec![
        (BadRecord, 9, "joint_self".to_owned()),
        (BadRecord, 11, "joint_self[0][1]".into()),
        (MissingPhoto, 1, "img_paths".into()),
        (UnreadablePhoto, 3, "img_paths".into()),
        (UnreadablePhoto, 4, "img_paths".into()),
        (PhotoSize, 5, "img_paths".into()),
        (OutsidePhoto, 6, "head_top".into()),
        (Duplicate, 7, "keypoints".into()),
        (BadBox, 8, "box".into()),
    ];
    assert_eq!(
        findings(records.clone(), CheckSettings::default()),
        expected
    );
    // A JPEG that breaks off shows only when it is decoded.
    let quick = CheckSettings {
        decode: false,
        ..CheckSettings::default()
    };
    let found = findings(records.clone(), quick);
    assert!(!found.iter().any(|f| f.0 == UnreadablePhoto && f.1 == 4));
    let close = CheckSettings {
        suspicious: true,
        threads: 1,
        ..CheckSettings::default()
    };
    // A head too long for its torso, and beyond the person's box; a box far from the joints; hips
    // that cross the shoulders.
    let suspicious = |record| (Suspicious, record, "keypoints".to_owned());
    expected.insert(9, suspicious(8));
    expected.splice(7..7, [suspicious(6), suspicious(6)]);
    expected.push(suspicious(10));
    assert_eq!(findings(records, close), expected);
}
