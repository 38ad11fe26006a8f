//! Files that other programs wrote (scipy, h5py: `tests/tools/dataset_formats.py` made them), and
//! files as other projects document them.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use dataset::{DataSet, MatValue, Record, Source, Split, Visibility, parse_mat_values, read};
use pose::{KeypointSet, Point, Rect};
use serde_json::Value;

fn formats() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats")
}

fn read_as(spec: &str) -> DataSet {
    read(&spec.parse::<Source>().unwrap()).unwrap()
}

fn numbers<const N: usize>(value: &Value) -> [f32; N] {
    std::array::from_fn(|k| value[k].as_f64().unwrap() as f32)
}

/// Compares with what the script that wrote a file says is in it.
fn assert_is(records: &[Record], expected: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(records.len(), expected.len());
    for (record, expected) in records.iter().zip(expected) {
        let person = &record.person;
        assert_eq!(
            person.image.file_name().unwrap(),
            expected["image"].as_str().unwrap()
        );
        assert_eq!(person.split.name(), expected["split"].as_str().unwrap());
        for (k, keypoint) in person.keypoints.iter().enumerate() {
            let [x, y, v] = numbers::<3>(&expected["keypoints"][k]);
            let flag = match keypoint.visibility {
                Visibility::Missing => 0.0,
                Visibility::Occluded => 1.0,
                Visibility::Visible => 2.0,
            };
            assert_eq!(
                (keypoint.x, keypoint.y, flag),
                (x, y, v),
                "{} {k}",
                person.id
            );
        }
        let [x, y, w, h] = numbers::<4>(&expected["rect"]);
        assert_eq!(person.rect, Rect::new(x, y, w, h), "{}", person.id);
        match &expected["head"] {
            Value::Null => assert_eq!(record.head, None),
            head => {
                let [x, y, w, h] = numbers::<4>(head);
                assert_eq!(record.head, Some(Rect::new(x, y, w, h)));
                let size = (0.6 * f64::from(w).hypot(h.into())) as f32;
                assert_eq!(person.head_size, Some(size));
            }
        }
        if let Some(size) = expected["head_size"].as_f64() {
            assert_eq!(person.head_size, Some(size as f32));
        }
    }
}

fn expectation(file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(formats().join(file)).unwrap()).unwrap()
}

#[test]
fn mpiis_structs_as_scipy_writes_them() {
    for file in ["mpii.mat", "mpii_plain.mat"] {
        let set = read_as(&format!("mpii:{}", formats().join(file).display()));
        assert_eq!(set.problems, []);
        assert_eq!(set.keypoints, KeypointSet::mpii());
        assert_is(&set.records, &expectation("mpii_expected.json"));
        assert_eq!(set.records[1].person.id, "mpii:0.2");
        // The third person of the first photo is listed as standing apart; of the last photo the
        // only one.
        let single = format!("mpii:{}?people=single", formats().join(file).display());
        let ids: Vec<String> = read_as(&single)
            .records
            .into_iter()
            .map(|r| r.person.id)
            .collect();
        assert_eq!(ids, ["mpii:0.0", "mpii:0.2", "mpii:3.0"]);
    }
}

#[test]
fn matlab_values_of_all_kinds() {
    let bytes = std::fs::read(formats().join("mpii.mat")).unwrap();
    let values = parse_mat_values(&bytes).unwrap();
    let (name, release) = &values[0];
    assert_eq!(name, "RELEASE");
    let release = release.structs().unwrap();
    let fields: Vec<&str> = release.fields().iter().map(String::as_str).collect();
    assert_eq!(
        fields,
        [
            "annolist",
            "img_train",
            "version",
            "single_person",
            "act",
            "video_list"
        ]
    );
    assert_eq!(release.len(), 1);
    assert_eq!(release.get(0, "version").unwrap().number(), Some(12.0));
    let train = release.get(0, "img_train").unwrap();
    assert_eq!(train.numbers(), Some(&[1.0, 1.0, 0.0, 1.0][..]));
    let act = release.get(0, "act").unwrap().structs().unwrap();
    assert_eq!(act.len(), 4);
    assert_eq!(act.get(3, "cat_name").unwrap().text(), Some("walking"));
    assert_eq!(act.get(4, "cat_name"), None);
    assert_eq!(act.get(0, "nothing"), None);
    let Some(MatValue::Cells(videos)) = release.get(0, "video_list") else {
        panic!("no cells");
    };
    assert_eq!(videos[0].text(), Some("abcdefghijk"));
    assert!(
        release
            .get(0, "annolist")
            .unwrap()
            .structs()
            .unwrap()
            .get(1, "annorect")
            .unwrap()
            .is_empty()
    );
}

#[test]
fn the_first_hourglass_arrays_as_h5py_writes_them() {
    let expected = expectation("h5_expected.json");
    for name in ["train", "valid", "codes"] {
        let file = formats().join(format!("{name}.h5"));
        let set = read_as(&format!("mpii-h5:{}", file.display()));
        assert_eq!(set.problems, []);
        assert_is(&set.records, &expected[name]);
    }
    // A folder is all of its files.
    let set = read_as(&format!("mpii-h5:{}?split=validation", formats().display()));
    assert_eq!(set.records.len(), 3 + 2);
}

/// A folder with these files, photos of 200 × 100 pixels where the name says so.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if name.ends_with(".jpg") {
            image::RgbImage::new(200, 100).save(&path).unwrap();
        } else {
            std::fs::write(&path, text).unwrap();
        }
    }
    folder
}

fn person_at(set: &DataSet, index: usize, name: &str) -> (Point, Visibility) {
    let k = set.keypoints.index_of(name).unwrap();
    let keypoint = set.records[index].person.keypoints[k];
    (keypoint.point(), keypoint.visibility)
}

#[test]
fn yolo_as_ultralytics_documents_it() {
    // Two dimensions, no names, no visibility; a photo without labels and one without a file.
    let pose: String = (0..17).map(|k| format!(" 0.{:02} 0.5", k + 10)).collect();
    let folder = folder(&[
        (
            "data.yaml",
            "path: ../somewhere/else # not here\ntrain: images/train # 3 photos\nval: images/val\ntest:\n\
             kpt_shape: [17, 2]\nflip_idx: [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]\n\
             names:\n  0: person\n",
        ),
        ("images/train/a.jpg", ""),
        (
            "labels/train/a.txt",
            &format!(
                "0 0.5 0.5 0.25 0.5{pose}\n\n0 0.5 0.5 0.25 0.5{}\n",
                pose.replacen(" 0.10 0.5", " 0 0", 1)
            ),
        ),
        ("images/train/b.jpg", ""),
        ("labels/train/b.txt", ""),
        ("images/train/c.jpg", ""),
        ("images/val/d.jpg", ""),
        (
            "labels/val/d.txt",
            &format!(
                "0 0.5 0.5 0.25 0.5{pose} 7\n0 0.5 0.5 0.25 x{pose}\n0 0.5 0.5 0.25 0.5{pose}"
            ),
        ),
    ]);
    let set = read_as(&format!("yolo:{}", folder.path().display()));
    assert_eq!(set.keypoints, KeypointSet::coco());
    assert_eq!(set.records.len(), 3);
    assert_eq!(
        set.records[0].person.rect,
        Rect::new(75.0, 25.0, 50.0, 50.0)
    );
    let (nose, visibility) = person_at(&set, 0, "nose");
    assert!((nose.x - 20.0).abs() < 1e-4 && nose.y == 50.0);
    assert_eq!(visibility, Visibility::Visible);
    assert_eq!(person_at(&set, 1, "nose").1, Visibility::Missing);
    assert_eq!(set.records[2].person.split, Split::Validation);
    let problems: Vec<String> = set.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2);
    assert!(
        problems[0].contains("d.txt: line 1, field `keypoints`: expected 39 numbers"),
        "{problems:?}"
    );
    assert!(
        problems[1].contains("d.txt: line 2, field `number 5`: expected a number, found `x`"),
        "{problems:?}"
    );
}

#[test]
fn yolo_names_its_own_keypoints() {
    let folder = folder(&[
        (
            "set/dogs.yaml",
            "path: .\ntrain: [images/one, images/two]\nkpt_shape: [3, 3]\nflip_idx: [0, 2, 1]\n\
             names: {0: dog}\nkpt_names:\n  0: [tail, left_ear, right_ear]\n",
        ),
        ("set/images/one/a.jpg", ""),
        (
            "set/labels/one/a.txt",
            "0 .5 .5 1 1 .1 .2 2 .3 .4 1 0 0 0\n",
        ),
        ("set/images/two/b.jpg", ""),
        (
            "set/labels/two/b.txt",
            "0 .5 .5 1 1 .1 .2 2 .3 .4 1 0 0 0\n",
        ),
    ]);
    let set = read_as(&format!(
        "yolo:{}",
        folder.path().join("set/dogs.yaml").display()
    ));
    assert_eq!(set.keypoints.keypoints, ["tail", "left_ear", "right_ear"]);
    assert_eq!(
        (
            set.keypoints.flip_pairs[0].first,
            set.keypoints.flip_pairs[0].second
        ),
        (2, 1)
    );
    assert_eq!(set.records.len(), 2);
    assert_eq!(
        person_at(&set, 1, "left_ear"),
        (Point::new(60.0, 40.0), Visibility::Occluded)
    );
    assert_eq!(person_at(&set, 0, "right_ear").1, Visibility::Missing);
}

#[test]
fn labelme_as_labelme_writes_it() {
    let shape = |label: &str, points: &str, group: &str, kind: &str, flags: &str| {
        format!(
            r#"{{"label": "{label}", "points": {points}, "group_id": {group}, "description": "", "shape_type": "{kind}", "flags": {flags}, "mask": null}}"#
        )
    };
    let file = |shapes: &[String], image: &str| {
        format!(
            r#"{{"version": "5.5.0", "flags": {{"critical": false}}, "shapes": [{}], "imagePath": "{image}", "imageData": null, "imageHeight": 100, "imageWidth": 200}}"#,
            shapes.join(", ")
        )
    };
    let pair = file(
        &[
            shape(
                "person",
                "[[150.5, 90.0], [20.0, 10.0]]",
                "1",
                "rectangle",
                "{}",
            ),
            shape(
                "left_hip",
                "[[30.25, 40.5]]",
                "1",
                "point",
                r#"{"check": true}"#,
            ),
            shape(
                "left_knee",
                "[[31.0, 60.0]]",
                "1",
                "point",
                r#"{"occluded": true}"#,
            ),
            shape("left_hip", "[[90.0, 41.0]]", "2", "point", "{}"),
            shape("dog", "[[1, 1], [2, 2], [3, 1]]", "null", "polygon", "{}"),
        ],
        "..\\\\photos\\\\a.jpg",
    );
    let alone = file(
        &[shape("right_wrist", "[[5, 6]]", "null", "point", "{}")],
        "b.jpg",
    );
    let twice = file(
        &[
            shape("left_hip", "[[5, 6]]", "null", "point", "{}"),
            shape("left_hip", "[[7, 6]]", "null", "point", "{}"),
        ],
        "b.jpg",
    );
    let folder = folder(&[
        ("json/a.json", &pair),
        ("json/b.json", &alone),
        ("json/c.json", &twice),
        ("json/other.json", "[1, 2]"),
        ("photos/a.jpg", ""),
    ]);
    let set = read_as(&format!("labelme:{}", folder.path().join("json").display()));
    // Hips, knees and wrists are in several sets; LSP's is the smallest.
    assert_eq!(set.keypoints.name, "lsp");
    assert_eq!(set.records.len(), 3);
    let first = &set.records[0];
    assert!(first.person.image.ends_with("photos/a.jpg"));
    assert!(first.person.image.is_file());
    assert_eq!(first.person.rect, Rect::new(20.0, 10.0, 130.5, 80.0));
    assert_eq!(first.track, Some(1));
    assert_eq!(
        person_at(&set, 0, "left_hip"),
        (Point::new(30.25, 40.5), Visibility::Visible)
    );
    assert_eq!(person_at(&set, 0, "left_knee").1, Visibility::Occluded);
    assert_eq!(person_at(&set, 1, "left_hip").0, Point::new(90.0, 41.0));
    assert_eq!(person_at(&set, 2, "right_wrist").0, Point::new(5.0, 6.0));
    let problems: Vec<String> = set.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("other.json") && problems[0].contains("no file of labelme"));
    assert!(
        problems[1]
            .contains("c.json: record 0, field `shapes[1].label`: `left_hip` is there twice")
    );
}

#[test]
fn animal_pose_as_its_authors_write_it() {
    let names: Vec<String> = KeypointSet::animal_pose().keypoints;
    let keypoints: Vec<[i32; 3]> = (0..20).map(|k| [10 + k, 20, i32::from(k != 4)]).collect();
    let json = serde_json::json!({
        "info": {"description": "Animal-Pose"},
        "images": {"1": "a.jpg", "2": "b.jpg"},
        "annotations": [
            {"keypoints": keypoints, "num_keypoints": 19, "image_id": 1, "category_id": 1, "bbox": [5, 6, 45, 66]},
            {"keypoints": keypoints, "num_keypoints": 19, "image_id": 2, "category_id": 2, "bbox": [5, 6, 45, 66]},
            {"keypoints": keypoints, "num_keypoints": 19, "image_id": 9, "category_id": 2, "bbox": [5, 6, 45, 66]},
            {"keypoints": [[0, 0, 0]], "num_keypoints": 0, "image_id": 1, "category_id": 1, "bbox": [5, 6, 45, 66]},
            {"keypoints": keypoints, "num_keypoints": 19, "image_id": 1, "category_id": 1, "bbox": [5, 6, 5, 66]},
        ],
        "categories": [
            {"supercategory": "animal", "id": 1, "name": "dog", "keypoints": names, "skeleton": [[0, 1]]},
            {"supercategory": "animal", "id": 2, "name": "cat", "keypoints": names, "skeleton": [[0, 1]]},
        ],
    });
    let folder = folder(&[
        ("keypoints.json", &json.to_string()),
        ("a.jpg", ""),
        ("b.jpg", ""),
    ]);
    let path = folder.path().join("keypoints.json");
    let set = read_as(&format!("animal-pose:{}", path.display()));
    assert_eq!(set.keypoints, KeypointSet::animal_pose());
    assert_eq!(set.records.len(), 2);
    assert_eq!(set.records[0].person.rect, Rect::new(5.0, 6.0, 40.0, 60.0));
    // 1 is all that says that there is a label.
    assert_eq!(
        set.records[0].person.keypoints[3].visibility,
        Visibility::Visible
    );
    assert_eq!(set.records[0].person.labelled(), 19);
    let problems: Vec<String> = set
        .problems
        .iter()
        .map(|p| format!("{} {}", p.record, p.field))
        .collect();
    assert_eq!(problems, ["2 image_id", "4 bbox"]);
    let cats = read_as(&format!("animal-pose:{}?animals=cat", path.display()));
    assert_eq!(cats.records.len(), 1);
    assert!(cats.records[0].person.image.ends_with("b.jpg"));
}

#[test]
fn tables_of_both_kinds() {
    let mut header =
        String::from("set,image,scale,bbox_tl_x,bbox_tl_y,bbox_br_x,bbox_br_y,center_x,center_y");
    let mut row = String::from("valid,a.jpg,0.5,10,20,40,60,100.5,50.5");
    for k in 0..16 {
        header += &format!(",joint_{k}_X,joint_{k}_Y,joint_{k}_visible");
        row += match k {
            3 => ",-1,-1,0",
            4 => ",,,",
            5 => ",15.5,20,0",
            _ => ",10,20,1",
        };
    }
    let htf = format!("{header}\n{row}\ntrain,a.jpg,1\n");
    let own = "image,split,nose_x,nose_y,tail_x,tail_y,tail_v\n\
               a.jpg,,1.5,2.5,,,\n\
               a.jpg,test,1.5,nan,3,4,1\n\
               \"a.jpg\",test,,,3,4,1\n\
               a.jpg,half,1,1,3,4,1\n\
               a.jpg,train,1,one,3,4,1\n";
    let folder = folder(&[("htf.csv", &htf), ("own.csv", own), ("a.jpg", "")]);
    let set = read_as(&format!("csv:{}", folder.path().join("htf.csv").display()));
    assert_eq!(set.records.len(), 1);
    let person = &set.records[0].person;
    assert_eq!(person.split, Split::Validation);
    assert_eq!(
        person.rect,
        Rect::around(Point::new(100.0, 50.0), 100.0, 100.0)
    );
    assert_eq!(set.records[0].head, Some(Rect::new(9.5, 19.5, 30.0, 40.0)));
    assert_eq!(person.head_size, Some(30.0));
    assert_eq!(person.labelled(), 14);
    assert_eq!(
        person_at(&set, 0, "left_ankle"),
        (Point::new(15.0, 19.5), Visibility::Occluded)
    );
    assert!(
        set.problems[0]
            .to_string()
            .contains("htf.csv: line 3, field `.`: expected 57 values, found 3")
    );

    let set = read_as(&format!("csv:{}", folder.path().join("own.csv").display()));
    assert_eq!(set.keypoints.keypoints, ["nose", "tail"]);
    assert_eq!(set.records.len(), 2);
    assert_eq!(
        person_at(&set, 0, "nose"),
        (Point::new(1.5, 2.5), Visibility::Visible)
    );
    assert_eq!(
        person_at(&set, 1, "tail"),
        (Point::new(3.0, 4.0), Visibility::Occluded)
    );
    assert_eq!(set.records[1].person.split, Split::Test);
    let problems: Vec<String> = set
        .problems
        .iter()
        .map(|p| format!("{} {}: {}", p.record, p.field, p.message))
        .collect();
    assert_eq!(
        problems,
        [
            "3 nose: expected x and y or neither, found one of them",
            "5 split: expected train, validation or test, found `half`",
            "6 nose: expected a number, found `one`",
        ]
    );
}

#[test]
fn hourglasstensorflows_text_file() {
    let pose: String = (0..16)
        .map(|k| {
            if k == 2 {
                " -1 -1".into()
            } else {
                format!(" {} 30", 20 + k)
            }
        })
        .collect();
    let text = format!(
        "a.jpgB 10 20 50 80{pose}\n\na.jpg -1 -1 -1 -1{pose}\nb.JPG 10 20 50 80{pose}\na.jpg 1 2 3\na.jpg 10 20 50 x{pose}\n"
    );
    let folder = folder(&[("dataset.txt", &text), ("images/a.jpg", "")]);
    let set = read_as(&format!("htf:{}", folder.path().display()));
    assert_eq!(set.records.len(), 3);
    assert!(set.records[0].person.image.ends_with("images/a.jpg"));
    assert_eq!(set.records[0].person.rect, Rect::new(9.5, 19.5, 40.0, 60.0));
    assert_eq!(set.records[0].person.labelled(), 15);
    assert_eq!(person_at(&set, 0, "right_ankle").0, Point::new(19.5, 29.5));
    assert_eq!(set.records[1].person.rect, Rect::new(19.5, 29.5, 15.0, 0.0));
    assert!(set.records[2].person.image.ends_with("b.JPG"));
    let lines: Vec<usize> = set.problems.iter().map(|p| p.record).collect();
    assert_eq!(lines, [5, 6]);
}

#[test]
fn coco_folders_boxes_and_limbs() {
    let person = |image: u32, id: u32| {
        serde_json::json!({
            "id": id, "image_id": image, "category_id": 1, "bbox": [1.0, 2.0, 30.0, 40.0],
            "keypoints": [100, 50, 2, 100, 109.3535, 2, 0, 0, 0], "num_keypoints": 2,
        })
    };
    let file = |id: u32| {
        serde_json::json!({
            "images": [{"id": id, "file_name": "a.jpg", "width": 200, "height": 100}],
            "annotations": [person(id, id)],
            "categories": [{"id": 1, "name": "person", "keypoints": ["right_hip", "right_shoulder", "nose"], "skeleton": [[1, 2]]}],
        })
        .to_string()
    };
    let folder = folder(&[
        ("annotations/person_keypoints_train2017.json", &file(1)),
        ("annotations/person_keypoints_val2017.json", &file(2)),
        ("annotations/instances_train2017.json", "{}"),
        ("train2017/a.jpg", ""),
        ("val2017/a.jpg", ""),
    ]);
    let spec = format!("coco:{}", folder.path().display());
    let set = read_as(&spec);
    let splits: Vec<Split> = set.records.iter().map(|r| r.person.split).collect();
    assert_eq!(splits, [Split::Train, Split::Validation]);
    assert!(set.records.iter().all(|r| r.person.image.is_file()));
    assert_eq!(
        (
            set.keypoints.skeleton[0].start,
            set.keypoints.skeleton[0].end
        ),
        (0, 1)
    );
    // Right hip to right shoulder is as long as MPII's mean: scale 1, around the labels' mean.
    let set = read_as(&format!("{spec}?scale=limbs&split=train"));
    let rect = set.records[0].person.rect;
    assert!((rect.width - 200.0).abs() < 1e-3 && rect.width == rect.height);
    let center = rect.center();
    assert!(
        (center.x - 100.0).abs() < 1e-3 && (center.y - 79.676_75).abs() < 1e-3,
        "{center:?}"
    );
}

#[test]
fn python_writes_numbers_that_json_does_not_have() {
    let joints = |x: &str| {
        let rest = vec!["[1.0, 2.0, 1]"; 15].join(", ");
        format!(
            r#"{{"dataset": "MPI", "img_paths": "a.jpg", "isValidation": 0.0, "joint_self": [[{x}, 2.0, 1], {rest}]}}"#
        )
    };
    let text = format!("[{}, {}]", joints("NaN"), joints("3.0"));
    let folder = folder(&[("annotations.json", &text), ("images/a.jpg", "")]);
    let set = read_as(&format!("annotations:{}", folder.path().display()));
    // Without objpos, scale or box: the box of the labels.
    assert_eq!(set.records.len(), 1);
    assert_eq!(set.records[0].person.rect, Rect::new(0.5, 1.5, 2.0, 0.0));
    assert_eq!(set.problems.len(), 1);
    assert_eq!(
        (set.problems[0].record, set.problems[0].field.as_str()),
        (0, "joint_self[0][0]")
    );
}
