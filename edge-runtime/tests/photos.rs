//! Photos from files and folders, and records and pictures to files.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use edge_runtime::{
    PoseRecord, RecordFormat, RecordWriter, RuntimeError, decode_photo, find_photos, load_photo,
    picture_names, save_picture,
};
use image::{ImageFormat, RgbImage};
use pose::{Keypoint, KeypointSet, Pose};

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

/// A JPEG with an EXIF segment that holds nothing but the orientation (TIFF 6.0, tag 0x0112).
fn jpeg_turned(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    let plain = jpeg(picture);
    let tiff = [
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(),
        &[orientation, 0, 0, 0],
        &[0, 0, 0, 0],
    ]
    .concat();
    let body = [b"Exif\0\0".as_slice(), &tiff].concat();
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], &[0xff, 0xe1], &length, &body, &plain[2..]].concat()
}

#[test]
fn the_exif_orientation_is_honoured() {
    // Red on the left, blue on the right, 64 × 32.
    let picture = RgbImage::from_fn(64, 32, |x, _| {
        image::Rgb(if x < 32 { [255, 0, 0] } else { [0, 0, 255] })
    });
    let is_red = |p: &image::Rgb<u8>| p.0[0] > 200 && p.0[2] < 60;
    // Orientation 6: turn clockwise by 90°, the left becomes the top; 8: the other way; 3: upside
    // down (EXIF 2.3, table of the tag Orientation).
    for (orientation, size, red_at) in [
        (1, (64, 32), (8, 16)),
        (3, (64, 32), (56, 16)),
        (6, (32, 64), (16, 8)),
        (8, (32, 64), (16, 56)),
    ] {
        let photo = decode_photo(&jpeg_turned(&picture, orientation), "turned.jpg").unwrap();
        assert_eq!(photo.dimensions(), size, "orientation {orientation}");
        assert!(
            is_red(photo.get_pixel(red_at.0, red_at.1)),
            "orientation {orientation}"
        );
        let opposite = photo.get_pixel(size.0 - 1 - red_at.0, size.1 - 1 - red_at.1);
        assert!(!is_red(opposite), "orientation {orientation}");
    }
}

#[test]
fn folders_give_their_photos_in_order_of_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.JPG", "a.png", "c.jpeg", "notes.txt", "d.onnx"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    fs::create_dir(folder.path().join("e.jpg")).unwrap();
    let names: Vec<String> = find_photos(&[folder.path()])
        .unwrap()
        .iter()
        .map(|p| p.file_name().unwrap().to_string_lossy().into())
        .collect();
    assert_eq!(names, ["a.png", "b.JPG", "c.jpeg"]);
    let empty = tempfile::tempdir().unwrap();
    let said = find_photos(&[empty.path()]).unwrap_err().to_string();
    assert!(
        said.contains("no photo in the folder") && said.contains(".jpeg"),
        "{said}"
    );
}

#[test]
fn what_is_no_photo_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let said = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let said = load_photo(&path).unwrap_err().to_string();
        assert!(said.contains(name), "{said}");
        said
    };
    assert!(said("text.jpg", b"Not a photo, just words.\n").contains("is not a picture"));
    assert!(said("empty.png", b"").contains("is not a picture"));
    assert!(said("movie.jpg", b"GIF89a\x01\0\x01\0\0\0\0;").contains("expected a JPEG or PNG"));
    let whole = jpeg(&RgbImage::new(64, 64));
    assert!(said("cut.jpg", &whole[..whole.len() / 3]).contains("cannot be decoded"));
    let said_folder = load_photo(folder.path()).unwrap_err().to_string();
    assert!(said_folder.contains("is a folder"), "{said_folder}");
    let missing = folder.path().join("missing.jpg");
    assert!(matches!(
        load_photo(&missing),
        Err(RuntimeError::Read { .. })
    ));
}

#[test]
fn a_photo_above_the_limit_is_refused_before_it_is_decoded() {
    // Signature and header of a PNG of 20,000 × 20,000 pixels (PNG specification, 11.2.1), and the
    // start of data that never comes.
    let chunk = |kind: &[u8], data: &[u8]| {
        let content = [kind, data].concat();
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [length.as_slice(), &content, &crc32(&content).to_be_bytes()].concat()
    };
    let side = 20_000u32.to_be_bytes();
    let header = [side.as_slice(), &side, &[8, 2, 0, 0, 0]].concat();
    let bytes = [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"IDAT", &[]),
    ]
    .concat();
    let said = decode_photo(&bytes, "huge.png").unwrap_err().to_string();
    assert!(
        said.contains("20000x20000") && said.contains("150 megapixels"),
        "{said}"
    );
}

/// CRC-32 of ISO 3309, as the PNG specification's annex D has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| {
            if c & 1 == 1 {
                0xedb8_8320 ^ (c >> 1)
            } else {
                c >> 1
            }
        })
    })
}

fn record(photo: &str) -> PoseRecord {
    let set = KeypointSet {
        name: "two".into(),
        keypoints: vec!["nose".into(), "tail".into()],
        flip_pairs: vec![],
        skeleton: vec![],
    };
    let pose = Pose::new(vec![
        Keypoint::new(1.25, 2.5, 0.5),
        Keypoint::new(-3.0, 4.0, 0.25),
    ]);
    PoseRecord::new(photo.into(), 640, 480, &pose, &set)
}

fn written(format: RecordFormat) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records");
    let mut writer = RecordWriter::create(&path, format).unwrap();
    writer.write(&record("a.jpg")).unwrap();
    writer.write(&record("b, \"c\".jpg")).unwrap();
    assert!(!path.exists(), "the file appears when it is complete");
    writer.finish().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    fs::read_to_string(path).unwrap()
}

#[test]
fn json_lines_can_be_read_back() {
    let text = written(RecordFormat::JsonLines);
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["photo"], "b, \"c\".jpg");
    assert_eq!(lines[0]["width"], 640);
    assert_eq!(lines[0]["confidence"], 0.375);
    assert_eq!(lines[0]["keypoints"][1]["name"], "tail");
    assert_eq!(lines[0]["keypoints"][0]["x"], 1.25);
}

#[test]
fn csv_is_quoted_as_rfc_4180_says() {
    assert_eq!(
        written(RecordFormat::Csv),
        "photo,keypoint,x,y,confidence\n\
         a.jpg,nose,1.25,2.50,0.5000\n\
         a.jpg,tail,-3.00,4.00,0.2500\n\
         \"b, \"\"c\"\".jpg\",nose,1.25,2.50,0.5000\n\
         \"b, \"\"c\"\".jpg\",tail,-3.00,4.00,0.2500\n"
    );
}

#[test]
fn an_unfinished_record_file_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("poses.csv");
    fs::write(&path, "the old one").unwrap();
    let mut writer = RecordWriter::create(&path, RecordFormat::Csv).unwrap();
    writer.write(&record("a.jpg")).unwrap();
    drop(writer);
    assert_eq!(fs::read_to_string(&path).unwrap(), "the old one");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn outputs_that_cannot_be_written_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("no/such/folder/poses.csv");
    let said = RecordWriter::create(&gone, RecordFormat::Csv).unwrap_err();
    assert!(
        said.to_string().contains("no/such/folder/poses.csv"),
        "{said}"
    );
    let said = RecordWriter::create(folder.path(), RecordFormat::Csv).unwrap_err();
    assert!(said.to_string().contains("is a folder"), "{said}");
    let picture = RgbImage::new(4, 4);
    let said = save_picture(&picture, &gone.with_extension("png")).unwrap_err();
    assert!(matches!(said, RuntimeError::Write { .. }), "{said}");
    let said = save_picture(&picture, Path::new("pose.gif")).unwrap_err();
    assert!(matches!(said, RuntimeError::Usage(_)), "{said}");
    let full = Path::new("/dev/full");
    if full.exists() {
        let mut writer = RecordWriter::create(full, RecordFormat::JsonLines).unwrap();
        writer.write(&record("a.jpg")).unwrap();
        let said = writer.finish().unwrap_err().to_string();
        assert!(
            said.contains("/dev/full") && said.contains("space"),
            "{said}"
        );
    }
}

#[test]
fn pictures_are_called_like_their_photos_and_never_twice_the_same() {
    let photos = ["a/x.jpg", "b/x.JPEG", "x.png", "c/x.png", "y"].map(Into::into);
    let names: Vec<String> = picture_names(&photos)
        .iter()
        .map(|p| p.display().to_string())
        .collect();
    assert_eq!(names, ["x.jpg", "x-2.jpg", "x.png", "x-2.png", "y.jpg"]);
}
