//! Frames from videos that this program reads itself: whole, cut off and garbled.

#![allow(clippy::unwrap_used)]

mod clips;

use std::fs;

use clips::{
    COLORS, HEIGHT, WIDTH, all, avi, check_all, first_error, folder, jpeg, open, picture, rgb,
    shows, write, y4m,
};
use edge_runtime::{CaptureFormat, SourceOptions, open_source};
use pose::Size;

#[test]
fn y4m_in_every_chroma_format() {
    let folder = folder();
    for (header, block) in [
        ("F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG", (2, 2)),
        ("F30000:1001 C420", (2, 2)),
        ("F30000:1001", (2, 2)),
        ("F30000:1001 C422", (2, 1)),
        ("F30000:1001 C444", (1, 1)),
    ] {
        let path = write(&folder, "not-what-it-says.jpg", &y4m(3, header, block));
        let mut source = open(&path);
        let info = source.info().clone();
        assert_eq!(info.size, Some(Size::new(WIDTH as usize, HEIGHT as usize)));
        assert!((info.rate.unwrap() - 29.97).abs() < 0.001 && !info.live);
        check_all(&mut *source, 3, 30000.0 / 1001.0, 1);
    }
    let path = write(&folder, "mono", &y4m(1, "F25:1 Cmono", (0, 0)));
    let grey = all(&mut *open(&path)).remove(0).picture;
    assert_eq!(grey.get_pixel(WIDTH - 1, HEIGHT - 1).0, [255; 3]);
    assert_eq!(grey.get_pixel(0, 0).0, rgb([COLORS[0][0], 128, 128]));
    // In full range 235 is not white.
    let full = write(
        &folder,
        "full",
        &y4m(1, "F25:1 Cmono XCOLORRANGE=FULL", (0, 0)),
    );
    let grey = all(&mut *open(&full)).remove(0).picture;
    assert_eq!(grey.get_pixel(WIDTH - 1, HEIGHT - 1).0, [235; 3]);
}

#[test]
fn broken_y4m_names_the_frame_and_the_byte() {
    let folder = folder();
    let whole = y4m(2, "F25:1 C420", (2, 2));
    let options = SourceOptions::default();
    let error = |bytes: &[u8]| first_error(&write(&folder, "x.y4m", bytes), &options);
    let length = whole.len();
    let cut = error(&whole[..length - 1]);
    let expected = format!(
        "ends within frame 1 at byte {}: 2303 of 2304 bytes",
        length - 1
    );
    assert!(cut.ends_with(&expected), "{cut}");
    let mut garbled = whole.clone();
    garbled[length - 2304 - 6] = b'X';
    assert!(
        error(&garbled).contains("expected FRAME at byte"),
        "{}",
        error(&garbled)
    );
    for (header, part) in [
        ("F25:1 C420p10", "C420p10"),
        ("F25 C420", "\"F25\""),
        ("W0", "size of 0x32"),
        ("W99999999", "size of 99999999x32"),
    ] {
        let wrong = error(&y4m(1, header, (2, 2)));
        assert!(wrong.contains(part), "{wrong}");
    }
    let endless = [b"YUV4MPEG2 ".as_slice(), &[b'A'; 5000]].concat();
    assert!(
        error(&endless).contains("line of text at byte 0"),
        "{}",
        error(&endless)
    );
    assert!(error(b"YUV4MPEG2 W4").contains("ends within a line"));
}

#[test]
fn avi_with_mjpeg() {
    let folder = folder();
    let frames: Vec<Vec<u8>> = (0..4).map(jpeg).collect();
    let whole = avi(b"MJPG", &frames);
    let path = write(&folder, "video", &whole);
    let mut source = open(&path);
    let info = source.info().clone();
    assert_eq!((info.rate, info.frames), (Some(12.5), Some(4)));
    assert_eq!(info.size, Some(Size::new(WIDTH as usize, HEIGHT as usize)));
    check_all(&mut *source, 4, 12.5, 12);

    // A program that was stopped leaves lengths of 0.
    let mut stopped = whole.clone();
    let movie = whole.windows(4).position(|w| w == b"movi").unwrap();
    for length in [4, movie - 4] {
        stopped[length..length + 4].fill(0);
    }
    check_all(
        &mut *open(&write(&folder, "stopped", &stopped)),
        4,
        12.5,
        12,
    );

    // A repeated frame, a broken one, one that is cut off.
    let mut mixed = frames.clone();
    mixed[1] = Vec::new();
    mixed[2].truncate(200);
    let mut bytes = avi(b"MJPG", &mixed);
    bytes.truncate(bytes.len() - 24 - 40);
    let mut source = open(&write(&folder, "mixed", &bytes));
    let numbers: Vec<u64> = all(&mut *source).iter().map(|f| f.number).collect();
    assert_eq!((numbers, source.broken_frames()), (vec![0], 2));
}

#[test]
fn broken_avi_is_an_error_that_names_the_place() {
    let folder = folder();
    let whole = avi(b"MJPG", &[jpeg(0), jpeg(1)]);
    let options = SourceOptions::default();
    let error = |bytes: &[u8]| first_error(&write(&folder, "x.avi", bytes), &options);
    assert!(
        error(&whole[..40]).ends_with("without a video"),
        "{}",
        error(&whole[..40])
    );
    let movie = whole.windows(4).position(|w| w == b"movi").unwrap();
    let none = error(&whole[..movie + 4]);
    assert!(none.contains("without a frame"), "{none}");
    let mut garbled = whole.clone();
    let second = whole.windows(4).rposition(|w| w == b"01dc").unwrap();
    garbled[second] = 0x01;
    let line = error(&garbled);
    assert!(
        line.ends_with(&format!("is broken at byte {second}, after 1 frames")),
        "{line}"
    );
    garbled = whole.clone();
    garbled[second + 4..second + 8].fill(0xf0);
    assert!(error(&garbled).contains("says that it has 4042322160 bytes"));
    let none = error(&avi(b"MJPG", &[vec![1; 90], vec![2; 90]]));
    assert!(
        none.contains("none of 2 frames can be decoded; frame 1"),
        "{none}"
    );
    // Damage anywhere is an error or a frame less, never a panic.
    for at in 0..whole.len().min(700) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        let no_ffmpeg = SourceOptions {
            ffmpeg: "/nowhere/ffmpeg".into(),
            ..SourceOptions::default()
        };
        if let Ok(mut source) = open_source(write(&folder, "y.avi", &bytes), &no_ffmpeg) {
            while let Ok(Some(_)) = source.next_frame() {}
        }
    }
}

#[test]
fn mjpeg_streams_with_anything_in_between() {
    let folder = folder();
    let frames: Vec<Vec<u8>> = (0..5).map(jpeg).collect();
    let path = write(&folder, "video.jpg", &frames.concat());
    check_all(&mut *open(&path), 5, 25.0, 12);
    let options = SourceOptions {
        rate: Some(10.0),
        live: Some(true),
        ..SourceOptions::default()
    };
    let mut source = open_source(&path, &options).unwrap();
    assert_eq!((source.info().rate, source.info().live), (Some(10.0), true));
    check_all(&mut *source, 5, 10.0, 12);

    let multipart: Vec<u8> = frames
        .iter()
        .flat_map(|f| [b"\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n".as_slice(), f].concat())
        .collect();
    check_all(
        &mut *open(&write(&folder, "multipart", &frames[0])),
        1,
        25.0,
        12,
    );
    let options = SourceOptions {
        format: CaptureFormat::Mjpeg,
        ..SourceOptions::default()
    };
    let mut source = open_source(write(&folder, "multipart", &multipart), &options).unwrap();
    check_all(&mut *source, 5, 25.0, 12);

    // One is cut off by the next one, one is garbled, the last one ends too soon.
    let mut broken = frames.clone();
    broken[1].truncate(500);
    let at = broken[3].len() / 2;
    broken[3][2..at].fill(0x11);
    let length = broken[4].len();
    broken[4].truncate(length - 9);
    let mut source = open_source(write(&folder, "broken", &broken.concat()), &options).unwrap();
    let found = all(&mut *source);
    assert_eq!(found.len(), 2);
    shows(&found[0].picture, 0, 12);
    shows(&found[1].picture, 2, 12);
    assert!(source.broken_frames() >= 2);
    assert!(found[1].number >= 2);

    let line = first_error(&write(&folder, "garbage", &[b'x'; 100_000]), &options);
    assert!(line.ends_with("no JPEG in 100000 bytes"), "{line}");
    let line = first_error(&write(&folder, "cut", &frames[0][..300]), &options);
    assert!(
        line.ends_with("none of 1 JPEG frames can be decoded; frame 0: it is cut off"),
        "{line}"
    );
}

#[test]
fn animated_gifs() {
    let folder = folder();
    let path = folder.path().join("video.bin");
    let (width, height) = (WIDTH as u16, HEIGHT as u16);
    let mut encoder =
        gif::Encoder::new(fs::File::create(&path).unwrap(), width, height, &[]).unwrap();
    // A whole picture; a patch over it that is then undone; a patch that is then cleared.
    let mut first = gif::Frame::from_rgb(width, height, picture(0).as_raw());
    first.delay = 5;
    encoder.write_frame(&first).unwrap();
    for dispose in [
        gif::DisposalMethod::Previous,
        gif::DisposalMethod::Background,
    ] {
        let mut patch = gif::Frame::from_rgb(4, 4, &[[255, 255, 0]; 16].concat());
        (patch.left, patch.top, patch.delay, patch.dispose) = (2, 1, 0, dispose);
        encoder.write_frame(&patch).unwrap();
    }
    let mut clear = gif::Frame::from_rgba(1, 1, &mut [0, 0, 0, 0]);
    clear.delay = 3;
    encoder.write_frame(&clear).unwrap();
    drop(encoder);
    let mut source = open(&path);
    assert_eq!(source.info().size, Some(Size::new(48, 32)));
    let frames = all(&mut *source);
    let times: Vec<u128> = frames.iter().map(|f| f.time.as_millis()).collect();
    assert_eq!(times, [0, 50, 150, 250]);
    let at = |frame: usize, x, y| frames[frame].picture.get_pixel(x, y).0;
    let red = picture(0).get_pixel(0, 0).0;
    assert_eq!(
        [at(0, 2, 1), at(1, 2, 1), at(2, 5, 4)],
        [red, [255, 255, 0], [255, 255, 0]]
    );
    assert_eq!(
        [at(3, 2, 1), at(3, 5, 4), at(3, 6, 1), at(1, 1, 1)],
        [[0; 3], [0; 3], red, red]
    );

    let whole = fs::read(&path).unwrap();
    let options = SourceOptions::default();
    let line = first_error(&write(&folder, "cut", &whole[..whole.len() / 2]), &options);
    assert!(line.contains("cut: frame 0: cannot be decoded"), "{line}");
    let line = first_error(&write(&folder, "head", b"GIF89a\x01"), &options);
    assert!(line.contains("is a broken GIF"), "{line}");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        if let Ok(mut source) = open_source(write(&folder, "garbled", &bytes), &options) {
            while let Ok(Some(_)) = source.next_frame() {}
        }
    }
}
