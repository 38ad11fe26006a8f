//! JSON annotations, right and wrong: what is wrong is named by file, record and field.

#![allow(clippy::unwrap_used)]

use dataset::{
    DatasetError, LabelledKeypoint, Loaded, Source, SourceKind, Split, Visibility, load,
};
use pose::{KeypointSet, Point, Rect};
use serde_json::{Value, json};
use std::path::Path;

fn folder(photos: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    std::fs::create_dir(&images).unwrap();
    for photo in photos {
        std::fs::write(images.join(photo), "").unwrap();
    }
    folder
}

fn read(folder: &Path, kind: SourceKind, text: &str) -> Result<Loaded, DatasetError> {
    let file = folder.join("annotations.json");
    std::fs::write(&file, text).unwrap();
    load(&Source::new(kind, file), &KeypointSet::mpii())
}

fn problems(loaded: &Loaded) -> Vec<String> {
    loaded
        .problems
        .iter()
        .map(|p| format!("{} {} {}", p.record, p.field, p.message))
        .collect()
}

/// A record of MPII with all 16 keypoints at (10 + i, 20), the first of them missing and the
/// second hidden.
fn record() -> Value {
    let mut joints: Vec<[f64; 3]> = (0..16).map(|i| [10.0 + f64::from(i), 20.0, 1.0]).collect();
    joints[0] = [0.0; 3];
    joints[1][2] = 0.0;
    json!({
        "dataset": "MPI", "isValidation": 1.0, "img_paths": "a.jpg",
        "objpos": [50.5, 60.5], "scale_provided": 0.5, "joint_self": joints,
        "headboxes": [[10.0, 10.0], [40.0, 50.0]], "joint_others": {"_ArrayData_": null},
    })
}

#[test]
fn a_record_with_all_its_fields() {
    let folder = folder(&["a.jpg"]);
    let loaded = read(
        folder.path(),
        SourceKind::Annotations,
        &json!([record()]).to_string(),
    )
    .unwrap();
    assert_eq!(loaded.problems, []);
    let person = &loaded.people[0];
    assert_eq!(
        (person.id.as_str(), person.dataset.as_str()),
        ("mpii:0", "mpii")
    );
    assert_eq!(person.image, folder.path().join("images/a.jpg"));
    assert_eq!(person.split, Split::Validation);
    assert_eq!(
        person.rect,
        Rect::around(Point::new(50.0, 60.0), 100.0, 100.0)
    );
    // 0.6 × the diagonal of 30 × 40.
    assert_eq!(person.head_size, Some(30.0));
    assert_eq!(person.keypoints[0], LabelledKeypoint::MISSING);
    assert_eq!(
        person.keypoints[1],
        LabelledKeypoint::new(10.5, 19.5, Visibility::Occluded)
    );
    assert_eq!(
        person.keypoints[15],
        LabelledKeypoint::new(24.5, 19.5, Visibility::Visible)
    );
    assert_eq!(person.joints_rect(), Some(Rect::new(10.5, 19.5, 14.0, 0.0)));
    // The folder stands for the file in it.
    let whole = load(
        &Source::new(SourceKind::Annotations, folder.path()),
        &KeypointSet::mpii(),
    );
    assert_eq!(whole.unwrap().people, loaded.people);
}

#[test]
fn wrong_records_are_left_out_and_named() {
    let folder = folder(&["a.jpg"]);
    let with = |field: &str, value: Value| {
        let mut record = record();
        record[field] = value;
        record
    };
    let mut without = record();
    without.as_object_mut().unwrap().remove("objpos");
    let mut joint = record();
    joint["joint_self"][3][1] = json!("twenty");
    let list = json!([
        record(),
        without,
        joint,
        with("scale_provided", json!(-1.0)),
        with("joint_self", json!([[1.0, 2.0, 1.0]])),
        with("isValidation", json!("yes")),
        with("img_paths", json!("b.jpg")),
        with("isValidation", json!(false)),
        17,
    ]);
    let loaded = read(folder.path(), SourceKind::Annotations, &list.to_string()).unwrap();
    let ids: Vec<_> = loaded.people.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids, ["mpii:0", "mpii:7"]);
    assert_eq!(loaded.people[1].split, Split::Train);
    let photo = folder.path().join("images/b.jpg");
    assert_eq!(
        problems(&loaded),
        [
            "1 . missing field `objpos`",
            "2 joint_self[3][1] invalid type: string \"twenty\", expected f64",
            "3 scale_provided expected the person's height / 200 px, above 0, found -1",
            "4 joint_self expected 16 keypoints, found 1",
            "5 isValidation expected true, false or a number",
            "8 . invalid type: integer `17`, expected struct Record",
            &format!(
                "6 img_paths expected a photo at {}, found none",
                photo.display()
            ),
        ]
    );
    let shown = loaded.problems[1].to_string();
    assert!(
        shown.contains("annotations.json: record 2, field `joint_self[3][1]`: "),
        "{shown}"
    );
}

#[test]
fn custom_names_and_their_errors() {
    let folder = folder(&["a.jpg"]);
    let mut three = record();
    three["joint_self"] = json!([[1.0, 1.0, 0.0], [5.0, 6.0, 2.0], [7.0, 8.0, 1.0]]);
    three["dataset"] = json!("coco_custom");
    let text = json!([three]).to_string();
    let error = read(folder.path(), SourceKind::Annotations, &text).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("record 0 has 3 keypoints, and no known set has that many"),
        "{error}"
    );
    let names = folder.path().join("names.txt");
    std::fs::write(&names, "tail\nright_hip\nneck\n").unwrap();
    let source: Source = format!(
        "annotations:{}?names={}",
        folder.path().display(),
        names.display()
    )
    .parse()
    .unwrap();
    let set = KeypointSet::mpii();
    let person = &load(&source, &set).unwrap().people[0];
    assert_eq!(person.labelled(), 2);
    // Converted from COCO: 1 was added.
    assert_eq!(
        person.keypoints[2],
        LabelledKeypoint::new(4.0, 5.0, Visibility::Visible)
    );
    assert_eq!(
        person.keypoints[8],
        LabelledKeypoint::new(6.0, 7.0, Visibility::Visible)
    );
    std::fs::write(&names, "tail\npaw\near\n").unwrap();
    assert!(matches!(
        load(&source, &set),
        Err(DatasetError::NothingInCommon { .. })
    ));
    std::fs::write(&names, "tail\npaw\ntail\n").unwrap();
    let error = load(&source, &set).unwrap_err().to_string();
    assert!(
        error.contains("names.txt:3: the keypoint `tail`"),
        "{error}"
    );
}

#[test]
fn files_that_are_no_list() {
    let folder = folder(&[]);
    let error = |kind, text: &str| read(folder.path(), kind, text).unwrap_err().to_string();
    let found = error(SourceKind::Annotations, "[{\"a\": 1},\n {\"a\": ");
    assert!(
        found.contains("expected a list of records") && found.contains("line 2"),
        "{found}"
    );
    let found = error(SourceKind::Annotations, "{}");
    assert!(found.contains("expected a list of records"), "{found}");
    let found = error(SourceKind::Coco, "[]");
    assert!(
        found.contains("expected an object with the lists"),
        "{found}"
    );
    let found = error(SourceKind::Coco, "{\"images\": []}");
    assert!(found.contains("missing field `annotations`"), "{found}");
    let source = Source::new(SourceKind::Coco, folder.path().join("none.json"));
    assert!(matches!(
        load(&source, &KeypointSet::mpii()),
        Err(DatasetError::Io { .. })
    ));
}

fn coco(annotations: Value) -> String {
    json!({
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": "8"}],
        "annotations": annotations,
        "categories": [
            {"id": 3, "name": "dog"},
            {"id": 1, "name": "person", "keypoints": ["nose", "left_hip", "right_knee"]}
        ],
    })
    .to_string()
}

#[test]
fn coco_records() {
    let folder = folder(&["a.jpg"]);
    let annotation = |id: u64, change: &[(&str, Value)]| {
        let mut annotation = json!({
            "id": id, "image_id": 7, "category_id": 1, "iscrowd": 0, "bbox": [1.0, 2.0, 30.0, 40.0],
            "area": 600.5, "keypoints": [9, 9, 2, 11, 12, 1, 0, 0, 0], "num_keypoints": 2,
        });
        for (field, value) in change {
            annotation[*field] = value.clone();
        }
        annotation
    };
    let list = json!([
        annotation(100, &[]),
        annotation(101, &[("iscrowd", json!(1))]),
        annotation(102, &[("category_id", json!(3))]),
        annotation(103, &[("keypoints", json!([0, 0, 0, 0, 0, 0, 0, 0, 0]))]),
        // A labelled nose, which MPII does not have.
        annotation(104, &[("keypoints", json!([5, 5, 2, 0, 0, 0, 0, 0, 0]))]),
        annotation(105, &[("keypoints", json!([5, 5, 2]))]),
        annotation(106, &[("image_id", json!(9))]),
        annotation(107, &[("bbox", json!([1.0, 2.0, 3.0]))]),
        annotation(108, &[("bbox", json!([1.0, 2.0, 3.0, 0.0]))]),
        annotation(
            109,
            &[("keypoints", json!([9, 9, 2, null, 12, 1, 0, 0, 0]))]
        ),
    ]);
    let loaded = read(folder.path(), SourceKind::Coco, &coco(list)).unwrap();
    assert_eq!(loaded.people.len(), 1);
    let person = &loaded.people[0];
    assert_eq!((person.id.as_str(), person.area), ("coco:100", Some(600.5)));
    assert_eq!(person.rect, Rect::new(1.0, 2.0, 30.0, 40.0));
    assert_eq!(person.labelled(), 1);
    assert_eq!(
        person.keypoints[3],
        LabelledKeypoint::new(11.0, 12.0, Visibility::Occluded)
    );
    assert_eq!(
        problems(&loaded),
        [
            "1 images.id invalid type: string \"8\", expected u64",
            "5 keypoints expected 3 keypoints × 3 numbers, found 3 numbers",
            "6 image_id no record of `images` has the id 9",
            "7 bbox invalid length 3, expected an array of length 4",
            "8 bbox expected x, y, width and height in pixels, the last two above 0, found [1.0, 2.0, 3.0, 0.0]",
            "9 keypoints[3] invalid type: null, expected f64",
        ]
    );
}

#[test]
fn sources_as_written_on_a_command_line() {
    let source: Source = "coco:a/val.json,photos?split=validation".parse().unwrap();
    assert_eq!(source.kind, SourceKind::Coco);
    assert_eq!(source.root, Path::new("a/val.json"));
    assert_eq!(source.images.as_deref(), Some(Path::new("photos")));
    assert_eq!(source.split, Some(Split::Validation));
    for text in [
        "lsp:x",
        "lspet:a b/c?split=train",
        "annotations:x,y?split=test&names=n.txt",
        "coco:C:/d.json",
        "coco:x?rename=a:b,c:d&scale=limbs",
        "mpii:x.mat,photos?people=single",
        "animal-pose:x.json?animals=dog,cat",
    ] {
        assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
    }
    assert_eq!("lsp:x?split=all".parse::<Source>().unwrap().split, None);
    for (text, reason) in [
        ("lsp", "expected a kind and a colon before the path"),
        ("tiff:x", "unknown kind `tiff`"),
        ("lsp:", "expected a path after the colon"),
        ("lsp:x?split=half", "unknown split `half`"),
        ("lsp:x?names=y", "unknown option `names=y` for this kind"),
        ("lsp:x?", "unknown option `` for this kind"),
    ] {
        let error = text.parse::<Source>().unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("data source `{text}`: {reason}; write ")),
            "{error}"
        );
    }
}
