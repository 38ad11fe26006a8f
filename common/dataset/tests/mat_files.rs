//! MATLAB files written here byte by byte, as the format's specification says, whole and damaged.

#![allow(clippy::unwrap_used)]

use dataset::{DatasetError, MatArray, Source, SourceKind, load, parse_mat};
use flate2::{Compression, write::ZlibEncoder};
use pose::KeypointSet;
use std::io::Write;

fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// An element of up to four bytes, in the short form.
fn small_element(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend((data.len() as u16).to_le_bytes());
    bytes.extend(data);
    bytes.resize(8, 0);
    bytes
}

fn matrix(name: &str, class: u8, dims: &[i32], values: Vec<u8>) -> Vec<u8> {
    let mut body = element(6, &[class, 0, 0, 0, 0, 0, 0, 0]);
    let dims: Vec<u8> = dims.iter().flat_map(|d| d.to_le_bytes()).collect();
    body.extend(element(5, &dims));
    body.extend(if name.len() <= 4 {
        small_element(1, name.as_bytes())
    } else {
        element(1, name.as_bytes())
    });
    body.extend(values);
    element(14, &body)
}

fn doubles(values: &[f64]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    element(9, &bytes)
}

fn compressed(element: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(element).unwrap();
    let data = encoder.finish().unwrap();
    let mut bytes = 15u32.to_le_bytes().to_vec();
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes
}

fn file(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"MATLAB 5.0 MAT-file".to_vec();
    bytes.resize(124, b' ');
    bytes.extend([0x00, 0x01, b'I', b'M']);
    bytes.extend(elements.concat());
    bytes
}

#[test]
fn arrays_of_all_number_types_plain_and_compressed() {
    let a = matrix("joints", 6, &[2, 1, 2], doubles(&[1.0, -2.5, 3.0, 1e9]));
    // A double array whose values fit into bytes is stored in bytes.
    let b = matrix("b", 6, &[1, 3], small_element(2, &[7, 8, 9]));
    let words: Vec<u8> = [-3i16, 400].iter().flat_map(|v| v.to_le_bytes()).collect();
    let c = matrix("cc", 7, &[2, 1], small_element(3, &words));
    // A text, which is no numeric array.
    let text = matrix("text", 4, &[1, 2], small_element(4, &[65, 0, 66, 0]));
    let expected = [
        MatArray {
            name: "joints".into(),
            dims: vec![2, 1, 2],
            data: vec![1.0, -2.5, 3.0, 1e9],
        },
        MatArray {
            name: "b".into(),
            dims: vec![1, 3],
            data: vec![7.0, 8.0, 9.0],
        },
        MatArray {
            name: "cc".into(),
            dims: vec![2, 1],
            data: vec![-3.0, 400.0],
        },
    ];
    let plain = file(&[a.clone(), text.clone(), b.clone(), c.clone()]);
    assert_eq!(parse_mat(&plain).unwrap(), expected);
    let packed = file(&[compressed(&a), compressed(&text), b, compressed(&c)]);
    assert_eq!(parse_mat(&packed).unwrap(), expected);
}

#[test]
fn a_file_cut_anywhere_is_an_error_or_ends_between_arrays() {
    let a = matrix("joints", 6, &[14, 3, 2], doubles(&[1.5; 84]));
    for element in [a.clone(), compressed(&a)] {
        let whole = file(std::slice::from_ref(&element));
        for length in 0..whole.len() {
            let found = parse_mat(&whole[..length]);
            if length == 128 {
                assert_eq!(found, Ok(Vec::new()));
            } else {
                let reason = found.unwrap_err();
                assert!(!reason.is_empty());
            }
        }
        assert_eq!(parse_mat(&whole).unwrap().len(), 1);
    }
}

/// Damaged bytes may give other numbers or an error, but never a panic or endless memory.
#[test]
fn damaged_bytes_do_no_harm() {
    let a = matrix("joints", 6, &[14, 3, 2], doubles(&[1.5; 84]));
    for element in [a.clone(), compressed(&a)] {
        let whole = file(&[element]);
        for at in 124..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                if let Ok(arrays) = parse_mat(&bytes) {
                    assert!(arrays.len() <= 1);
                }
            }
        }
    }
}

#[test]
fn other_files_are_told_apart() {
    let error = |bytes: &[u8]| parse_mat(bytes).unwrap_err();
    assert!(error(b"hello").contains("expected a header of 128 bytes, found 5 bytes"));
    assert!(error(&[b'x'; 300]).contains("not a MATLAB level 5 file"));
    assert!(error(b"MATLAB 7.3 MAT-file").contains("HDF5"));
    let mut big = file(&[]);
    big[126..].copy_from_slice(b"MI");
    assert!(error(&big).contains("big-endian"));
    let wrong = file(&[matrix("joints", 6, &[3, 3], doubles(&[0.0; 8]))]);
    assert_eq!(
        error(&wrong),
        "array `joints` of size [3, 3] holds 8 values"
    );
}

#[test]
fn a_leeds_folder_with_something_missing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let source = Source::new(SourceKind::Lspet, root.join("nowhere"));
    let set = KeypointSet::mpii();
    assert!(matches!(
        load(&source, &set),
        Err(DatasetError::MissingFolder { .. })
    ));
    let source = Source::new(SourceKind::Lspet, root);
    let error = load(&source, &set).unwrap_err().to_string();
    assert!(
        error.ends_with("images: no such folder; expected the data set's photos there"),
        "{error}"
    );
    std::fs::create_dir(root.join("images")).unwrap();
    assert!(matches!(load(&source, &set), Err(DatasetError::Io { .. })));
    std::fs::write(
        root.join("joints.mat"),
        file(&[matrix("joints", 6, &[14, 2, 1], doubles(&[0.0; 28]))]),
    )
    .unwrap();
    let error = load(&source, &set).unwrap_err().to_string();
    assert!(
        error.ends_with("expected an array `joints` of size (14, 3, photos) or (3, 14, photos), found `joints` of size [14, 2, 1]"),
        "{error}"
    );
    // Two people: the first one's photo is there, the second one has no label at all.
    let mut values = vec![0.0; 84];
    for joint in 0..14 {
        values[joint] = 10.0 + joint as f64;
        values[14 + joint] = 20.0;
        values[28 + joint] = f64::from(u8::from(joint != 3));
    }
    let mat = file(&[compressed(&matrix(
        "joints",
        6,
        &[14, 3, 2],
        doubles(&values),
    ))]);
    std::fs::write(root.join("joints.mat"), mat).unwrap();
    let loaded = load(&source, &set).unwrap();
    assert!(loaded.people.is_empty());
    let problems: Vec<String> = loaded.problems.iter().map(|p| p.to_string()).collect();
    assert_eq!(problems.len(), 2);
    assert!(
        problems
            .iter()
            .any(|p| p.ends_with("joints.mat: record 1, field `joints`: no joint is labelled")),
        "{problems:?}"
    );
    assert!(
        problems
            .iter()
            .any(|p| p.contains("record 0") && p.contains("im00001.jpg")),
        "{problems:?}"
    );
    std::fs::write(root.join("images/im00001.jpg"), "").unwrap();
    let people = load(&source, &set).unwrap().people;
    assert_eq!(people.len(), 1);
    assert_eq!(people[0].labelled(), 13);
    // Joint 0 is the right ankle, at MATLAB's pixel (10, 20).
    assert_eq!(
        (people[0].keypoints[0].x, people[0].keypoints[0].y),
        (9.5, 19.5)
    );
    // The same file as LSP's: its flag means hidden.
    let as_lsp = Source::new(SourceKind::Lsp, root);
    std::fs::write(root.join("images/im0001.jpg"), "").unwrap();
    std::fs::write(root.join("images/im0002.jpg"), "").unwrap();
    let people = load(&as_lsp, &set).unwrap().people;
    assert_eq!(people.len(), 2);
    assert_eq!(people[0].labelled(), 14);
    assert_eq!(
        people[0].keypoints[0].visibility,
        dataset::Visibility::Occluded
    );
    assert_eq!(
        people[0].keypoints[3].visibility,
        dataset::Visibility::Visible
    );
}
