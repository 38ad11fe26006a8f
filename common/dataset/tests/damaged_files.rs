//! Damaged files: cut anywhere, or with any byte changed, a file gives an error or leaves records
//! out. It never panics, and a file that breaks off never passes for whole.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use dataset::{DataSet, DatasetError, Format, Source, Target, read};
use pose::KeypointSet;

/// A file of a format, whole, in a folder of its own.
struct Case {
    _folder: tempfile::TempDir,
    file: PathBuf,
    source: Source,
    whole: Vec<u8>,
    people: usize,
}

impl Case {
    fn new(kind: &str, file: PathBuf, folder: tempfile::TempDir, root: &Path) -> Self {
        let source: Source = format!("{kind}:{}", root.display()).parse().unwrap();
        let people = read(&source).unwrap().records.len();
        assert!(people > 0, "{kind}");
        Self {
            whole: std::fs::read(&file).unwrap(),
            _folder: folder,
            file,
            source,
            people,
        }
    }

    fn read(&self, bytes: &[u8]) -> Result<DataSet, DatasetError> {
        std::fs::write(&self.file, bytes).unwrap();
        read(&self.source)
    }
}

/// A case for every format.
fn cases() -> Vec<(&'static str, Case)> {
    let mut cases = Vec::new();
    for (name, format) in Format::ALL {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("set");
        small_set(folder.path(), format, &root);
        let file = match format {
            Format::Annotations => "annotations.json",
            Format::Coco => "person_keypoints_train.json",
            Format::Labelme => "a.json",
            Format::Yolo => "labels/train/a.txt",
            Format::AnimalPose => "keypoints.json",
            Format::Csv => "people.csv",
            Format::Lspet => "joints.mat",
        };
        let file = root.join(file);
        cases.push((name, Case::new(name, file, folder, &root)));
    }
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats");
    for (name, kind, file) in [
        ("mpii", "mpii", "mpii.mat"),
        ("mpii, plain", "mpii", "mpii_plain.mat"),
        ("h5 1.8", "mpii-h5", "train.h5"),
        ("h5 latest", "mpii-h5", "valid.h5"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join(file);
        std::fs::copy(formats.join(file), &copy).unwrap();
        cases.push((name, Case::new(kind, copy.clone(), folder, &copy)));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dataset.txt");
    let pose: String = (0..16).map(|k| format!(" {}.5 30", 20 + k)).collect();
    std::fs::write(&file, format!("a.jpg 10 20 50 80{pose}\n")).unwrap();
    let copy = file.clone();
    cases.push(("htf", Case::new("htf", file, folder, &copy)));
    // And YOLO's description.
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    small_set(folder.path(), Format::Yolo, &root);
    let case = Case::new("yolo", root.join("data.yaml"), folder, &root);
    cases.push(("data.yaml", case));
    cases
}

/// Two people in one photo, written in a format by way of a table.
fn small_set(folder: &Path, format: Format, root: &Path) {
    image::RgbImage::new(64, 48)
        .save(folder.join("a.jpg"))
        .unwrap();
    let names = KeypointSet::mpii().keypoints;
    let header: String = names
        .iter()
        .map(|n| format!(",{n}_x,{n}_y,{n}_v"))
        .collect();
    let row = |k: usize| -> String {
        (0..names.len())
            .map(|j| format!(",{}.25,{}.5,{}", 5 + j + k, 8 + j, (j + k) % 3))
            .collect()
    };
    let table = format!("image{header}\na.jpg{}\na.jpg{}\n", row(0), row(1));
    std::fs::write(folder.join("table.csv"), table).unwrap();
    let source: Source = format!("csv:{}", folder.join("table.csv").display())
        .parse()
        .unwrap();
    let set = read(&source).unwrap();
    assert_eq!(set.problems, []);
    let target = Target {
        format,
        root: root.to_owned(),
    };
    dataset::write(&set, &target, dataset::PhotoMode::Copy, &mut |_| ()).unwrap();
}

#[test]
fn a_file_that_breaks_off_is_noticed() {
    for (name, case) in cases() {
        let end = case.whole.len();
        // Every length near the ends, and every seventh between.
        let lengths = (0..end).filter(|&n| n < 100 || n + 100 > end || n % 11 == 0);
        for length in lengths {
            match case.read(&case.whole[..length]) {
                Err(error) => {
                    let message = error.to_string();
                    assert!(
                        !message.is_empty() && !message.contains('\n'),
                        "{name} {length}: {message}"
                    );
                    // The file is named, or the folder that it is missing from.
                    let named = case.file.file_name().unwrap().to_str().unwrap();
                    let folder = case.file.parent().unwrap().to_str().unwrap();
                    assert!(
                        message.contains(named) || message.contains(folder),
                        "{name} {length}: {message}"
                    );
                }
                // Text may end after a line, before the last digits of a number, or before what
                // does not matter; nobody can tell then.
                Ok(set) => {
                    let text = ["yolo", "csv", "htf", "data.yaml"].contains(&name);
                    let noticed = !set.problems.is_empty() || set.records.len() < case.people;
                    // Only white space and padding are cut from a binary file's or a JSON's end.
                    let almost = length + 8 >= end;
                    assert!(
                        noticed || text || almost,
                        "{name}: {length} of {end} bytes pass for all"
                    );
                    assert!(set.records.len() <= case.people);
                }
            }
        }
    }
}

#[test]
fn changed_bytes_do_no_harm() {
    for (name, case) in cases() {
        let step = (case.whole.len() / 150).max(1);
        for at in (0..case.whole.len()).step_by(step) {
            for value in [0, b'9', 0x7f, 0xff, case.whole[at] ^ 1] {
                let mut bytes = case.whole.clone();
                bytes[at] = value;
                if let Ok(set) = case.read(&bytes) {
                    assert!(set.records.len() <= 64, "{name} {at}");
                    for record in &set.records {
                        let finite =
                            |k: &dataset::LabelledKeypoint| k.x.is_finite() && k.y.is_finite();
                        assert!(record.person.keypoints.iter().all(finite), "{name} {at}");
                        let r = record.person.rect;
                        assert!([r.x, r.y, r.width, r.height].iter().all(|v| v.is_finite()));
                    }
                }
            }
        }
    }
}

#[test]
fn other_peoples_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("images")).unwrap();
    let file = folder.path().join("file");
    for content in [
        &b""[..],
        b"\0\0\0\0",
        b"{}",
        b"[]",
        b"a,b\n1,2\n",
        b"\xff\xfe",
    ] {
        std::fs::write(&file, content).unwrap();
        for kind in [
            "annotations",
            "coco",
            "mpii",
            "mpii-h5",
            "labelme",
            "yolo",
            "animal-pose",
            "csv",
            "htf",
        ] {
            let source: Source = format!("{kind}:{}", file.display()).parse().unwrap();
            match read(&source) {
                Ok(set) => assert!(set.records.is_empty(), "{kind}"),
                Err(error) => assert!(error.to_string().contains("file"), "{kind}: {error}"),
            }
        }
    }
}
