//! Frames from files of every kind, whole, cut off and garbled. The files are made here, by hand or
//! by another program (ffmpeg, where it is installed).

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use edge_runtime::{
    Frame, CaptureFormat, FrameSource, PixelFormat, RuntimeError, SourceOptions, StopFlag,
    open_source,
};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use pose::Size;
use tempfile::TempDir;

const WIDTH: u32 = 48;
const HEIGHT: u32 = 32;
/// Colours of the four quarters of a picture, in YUV of BT.601, limited range.
const COLORS: [[u8; 3]; 4] = [
    [81, 90, 240],
    [145, 54, 34],
    [41, 240, 110],
    [235, 128, 128],
];

/// The quarter of a pixel: they move with every picture.
fn quarter(x: u32, y: u32, number: u32) -> usize {
    let (right, low) = (x >= WIDTH / 2, y >= HEIGHT / 2);
    (usize::from(right) + 2 * usize::from(low) + number as usize) % 4
}

fn rgb([y, u, v]: [u8; 3]) -> [u8; 3] {
    let (y, u, v) = (
        f64::from(y) - 16.0,
        f64::from(u) - 128.0,
        f64::from(v) - 128.0,
    );
    let y = 255.0 / 219.0 * y;
    [
        y + 1.596027 * v,
        y - 0.391762 * u - 0.812968 * v,
        y + 2.017232 * u,
    ]
    .map(|c| c.clamp(0.0, 255.0).round() as u8)
}

fn picture(number: u32) -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        Rgb(rgb(COLORS[quarter(x, y, number)]))
    })
}

fn jpeg(number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 92)
        .encode_image(&picture(number))
        .unwrap();
    bytes
}

/// Whether it shows the picture with this number, but for what compression costs.
fn shows(frame: &RgbImage, number: u32, tolerance: u8) {
    assert_eq!(frame.dimensions(), (WIDTH, HEIGHT));
    let expected = picture(number);
    // Away from the edges between the quarters.
    let inner = |x: u32, y: u32| x.abs_diff(WIDTH / 2) > 4 && y.abs_diff(HEIGHT / 2) > 4;
    for (x, y, pixel) in frame.enumerate_pixels().filter(|(x, y, _)| inner(*x, *y)) {
        for (a, b) in pixel.0.iter().zip(expected.get_pixel(x, y).0) {
            let wanted = expected.get_pixel(x, y);
            assert!(
                a.abs_diff(b) <= tolerance,
                "{number}: {x} {y} {pixel:?} {wanted:?}"
            );
        }
    }
}

fn open(path: &Path) -> Box<dyn FrameSource> {
    open_source(path, &SourceOptions::default()).unwrap()
}

fn all(source: &mut dyn FrameSource) -> Vec<Frame> {
    std::iter::from_fn(|| source.next_frame().unwrap()).collect()
}

/// Frames that show the pictures 0, 1, 2 … at an even rate.
fn check_all(source: &mut dyn FrameSource, count: usize, rate: f64, tolerance: u8) {
    let frames = all(source);
    assert_eq!(frames.len(), count);
    for (index, frame) in frames.iter().enumerate() {
        shows(&frame.picture, index as u32, tolerance);
        assert_eq!(frame.number, index as u64);
        let seconds = frame.time.as_secs_f64();
        assert!((seconds - index as f64 / rate).abs() < 1e-6, "{seconds}");
    }
    assert!(source.next_frame().unwrap().is_none());
    assert_eq!(source.broken_frames(), 0);
}

/// The first error of a source, which may be that it cannot be opened.
fn first_error(path: &Path, options: &SourceOptions) -> String {
    let error = match open_source(path, options) {
        Err(error) => error,
        Ok(mut source) => loop {
            match source.next_frame() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{}: no error", path.display()),
                Err(error) => break error,
            }
        },
    };
    let line = error.to_string();
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// Y4M with planes whose chroma stands for blocks of `block` pixels; (0, 0) for none.
fn y4m(count: u32, header: &str, block: (u32, u32)) -> Vec<u8> {
    let mut out = format!("YUV4MPEG2 W{WIDTH} H{HEIGHT} {header}\n").into_bytes();
    for number in 0..count {
        out.extend(b"FRAME\n");
        let mut plane = |channel: usize, step_x: u32, step_y: u32| {
            for y in (0..HEIGHT).step_by(step_y as usize) {
                let row = (0..WIDTH).step_by(step_x as usize);
                out.extend(row.map(|x| COLORS[quarter(x, y, number)][channel]));
            }
        };
        plane(0, 1, 1);
        if block.0 > 0 {
            plane(1, block.0, block.1);
            plane(2, block.0, block.1);
        }
    }
    out
}

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

fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_le_bytes();
    let padding = &[0][..content.len() % 2];
    [id.as_slice(), &length, content, padding].concat()
}

fn list(kind: &[u8; 4], parts: &[Vec<u8>]) -> Vec<u8> {
    chunk(b"LIST", &[kind.as_slice(), &parts.concat()].concat())
}

/// An AVI file with a sound stream and then a video stream of these chunks at 12.5 frames a second.
fn avi(codec: &[u8; 4], frames: &[Vec<u8>]) -> Vec<u8> {
    let words = |words: &[u32]| {
        words
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let sound = list(
        b"strl",
        &[
            chunk(b"strh", &[b"auds".as_slice(), &[0; 52]].concat()),
            chunk(b"strf", &[0; 18]),
        ],
    );
    let count = frames.len() as u32;
    let header = [
        b"vids".as_slice(),
        codec,
        &words(&[0, 0, 0, 2, 25, 0, count, 0, 0, 0, 0, 0]),
    ];
    let format = [
        words(&[40, WIDTH, HEIGHT, 0x0018_0001]),
        codec.to_vec(),
        words(&[0, 0, 0, 0, 0]),
    ];
    let video = list(
        b"strl",
        &[
            chunk(b"strh", &header.concat()),
            chunk(b"strf", &format.concat()),
        ],
    );
    let headers = list(b"hdrl", &[chunk(b"avih", &[0; 56]), sound, video]);
    let mut movie = Vec::new();
    for frame in frames {
        movie.push(chunk(b"00wb", &[1; 11]));
        movie.push(chunk(b"01dc", frame));
    }
    let parts = [
        headers,
        chunk(b"JUNK", &[7; 33]),
        list(b"movi", &movie),
        chunk(b"idx1", &[0; 16]),
    ];
    chunk(b"RIFF", &[b"AVI ".as_slice(), &parts.concat()].concat())
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
fn a_photo_with_another_picture_in_it_is_one_photo() {
    let folder = folder();
    let (_, first) = (0, jpeg(0));
    // CIPA DC-007: an APP2 segment says that more pictures follow.
    let mpf = [b"\xff\xe2\x00\x0aMPF\0".as_slice(), &[0; 4]].concat();
    let photo = [&first[..2], &mpf, &first[2..], &jpeg(1)].concat();
    let path = write(&folder, "photo.jpg", &photo);
    assert_eq!(all(&mut *open(&path)).len(), 1);
    let mut small = Vec::new();
    JpegEncoder::new(&mut small)
        .encode_image(&RgbImage::new(8, 8))
        .unwrap();
    let path = write(&folder, "photo.jpg", &[first, small].concat());
    assert_eq!(all(&mut *open(&path)).len(), 1);
}

#[test]
fn folders_patterns_and_single_photos_are_sequences() {
    let folder = folder();
    for number in 0..3 {
        let path = folder.path().join(format!("shot-{number}.png"));
        picture(number).save(path).unwrap();
    }
    write(&folder, "notes.txt", b"no photo");
    check_all(&mut *open(folder.path()), 3, 25.0, 0);
    check_all(&mut *open(&folder.path().join("shot-?.png")), 3, 25.0, 0);
    check_all(&mut *open(&folder.path().join("*-0*")), 1, 25.0, 0);
    let info = open(folder.path()).info().clone();
    assert_eq!((info.frames, info.rate), (Some(3), Some(25.0)));

    // One that is broken is passed over; when all are, that is an error.
    write(&folder, "shot-1.png", b"broken");
    let mut source = open(folder.path());
    let numbers: Vec<u64> = all(&mut *source).iter().map(|f| f.number).collect();
    assert_eq!((numbers, source.broken_frames()), (vec![0, 2], 1));
    let options = SourceOptions::default();
    let line = first_error(&folder.path().join("*-1.png"), &options);
    assert!(line.contains("shot-1.png: is not a picture"), "{line}");
    let line = first_error(&folder.path().join("*.tif"), &options);
    assert!(line.ends_with("*.tif: no file has such a name"), "{line}");
    let line = first_error(&folder.path().join("missing.mp4"), &options);
    assert!(line.contains("cannot read"), "{line}");
    let empty = write(&folder, "empty.mp4", b"");
    assert!(first_error(&empty, &options).ends_with("empty.mp4: is empty"));
    // A file whose name looks like a pattern is that file.
    let odd = folder.path().join("what*.png");
    picture(2).save(&odd).unwrap();
    shows(&all(&mut *open(&odd))[0].picture, 2, 0);
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

#[test]
fn raw_pixels_need_a_size() {
    let folder = folder();
    let bytes: Vec<u8> = (0..2).flat_map(|n| picture(n).into_raw()).collect();
    let path = write(&folder, "pixels", &bytes);
    let mut options = SourceOptions {
        format: CaptureFormat::Raw(PixelFormat::Rgb24),
        ..SourceOptions::default()
    };
    let Err(error) = open_source(&path, &options) else {
        panic!("opened")
    };
    assert!(matches!(error, RuntimeError::Usage(_)), "{error}");
    options.size = Some(Size::new(WIDTH as usize, HEIGHT as usize));
    check_all(&mut *open_source(&path, &options).unwrap(), 2, 25.0, 0);
    let path = write(&folder, "pixels", &bytes[..bytes.len() - 1]);
    let line = first_error(&path, &options);
    assert!(
        line.contains("ends within frame 1 at byte 9215: 4607 of the 4608"),
        "{line}"
    );
    options.rate = Some(0.0);
    assert!(first_error(&path, &options).contains("more than 0"));
}

/// A named pipe, which like standard input can be read only once.
#[cfg(unix)]
#[test]
fn pipes_are_told_apart_by_their_first_bytes() {
    let folder = folder();
    let path = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no mkfifo");
        return;
    }
    let mjpeg: Vec<u8> = (0..3).flat_map(jpeg).collect();
    let frames: Vec<Vec<u8>> = (0..3).map(jpeg).collect();
    for (bytes, rate) in [
        (mjpeg, 25.0),
        (y4m(3, "F10:1 C444", (1, 1)), 10.0),
        (avi(b"MJPG", &frames), 12.5),
    ] {
        let mut writer = Command::new("sh")
            .arg("-c")
            .arg("cat > \"$0\"")
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = writer.stdin.take().unwrap();
        let writing = std::thread::spawn(move || stdin.write_all(&bytes));
        check_all(&mut *open(&path), 3, rate, 12);
        writing.join().unwrap().unwrap();
        writer.wait().unwrap();
    }
}

fn ffmpeg(arguments: &[&str]) -> bool {
    let done = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-y"])
        .args(arguments)
        .status();
    if done.is_err() {
        eprintln!("skipped: ffmpeg is not installed");
    }
    done.is_ok_and(|status| status.success())
}

#[test]
fn files_that_ffmpeg_writes_and_reads() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let source = write(&folder, "in.y4m", &y4m(8, "F10:1 C420", (2, 2)));
    let source = source.to_str().unwrap();
    for (name, codec, tolerance) in [
        (
            "mjpeg.avi",
            &["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"][..],
            20,
        ),
        (
            "mjpeg.mkv",
            &["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"],
            20,
        ),
        ("mpeg4.avi", &["-c:v", "mpeg4", "-q:v", "2"], 20),
        (
            "a video: with *odd* name.mp4",
            &["-c:v", "mpeg4", "-q:v", "2"],
            20,
        ),
        ("ffv1.mkv", &["-c:v", "ffv1"], 3),
        ("y4m.y4m", &["-pix_fmt", "yuv422p"], 3),
        (
            "raw.mjpeg",
            &[
                "-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p", "-f", "mjpeg",
            ],
            20,
        ),
    ] {
        let target = format!("file:{}", path(name));
        if !ffmpeg(&[&["-i", source], codec, &[&target]].concat()) {
            return;
        }
        let rate = if name.ends_with("mjpeg") { 25.0 } else { 10.0 };
        let mut source = open(path(name).as_ref());
        assert!(!source.info().live);
        check_all(&mut *source, 8, rate, tolerance);
    }
    // A file that nobody can read: what ffmpeg says about it is in the message.
    let text = write(&folder, "text.mp4", b"this is no video at all");
    let line = first_error(&text, &SourceOptions::default());
    assert!(
        line.contains("text.mp4: ffmpeg gives no more frames: "),
        "{line}"
    );
    assert!(line.contains("Invalid data"), "{line}");
    let line = first_error(
        "rtsp://me:secret@127.0.0.1:9/x".as_ref(),
        &SourceOptions::default(),
    );
    assert!(
        line.starts_with("rtsp://127.0.0.1:9/x: ffmpeg gives no more frames: "),
        "{line}"
    );
}

#[test]
fn without_ffmpeg_the_message_says_what_to_do() {
    let folder = folder();
    let path = write(&folder, "video.mp4", b"\0\0\0\x18ftypmp42");
    let options = SourceOptions {
        ffmpeg: "/nowhere/ffmpeg".into(),
        ..SourceOptions::default()
    };
    let line = first_error(&path, &options);
    assert!(
        line.contains("not installed") && line.contains("apt install ffmpeg"),
        "{line}"
    );
    assert!(first_error("rtsp://camera/1".as_ref(), &options).contains("not installed"));
}

/// A program in ffmpeg's place: it writes its process number, one frame, and then nothing.
#[cfg(unix)]
fn stuck_ffmpeg(folder: &TempDir) -> SourceOptions {
    use std::os::unix::fs::PermissionsExt;
    let frame = write(folder, "frame.y4m", &y4m(1, "F10:1 C420", (2, 2)));
    let program = folder.path().join("stuck");
    let script = format!(
        "#!/bin/sh\necho $$ > {}\ncat {}\nexec sleep 1000\n",
        folder.path().join("pid").display(),
        frame.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    SourceOptions {
        ffmpeg: program,
        ..SourceOptions::default()
    }
}

#[cfg(target_os = "linux")]
#[test]
fn ffmpeg_ends_with_its_source_and_when_it_is_told_to() {
    let folder = folder();
    let options = stuck_ffmpeg(&folder);
    let video = write(&folder, "video.mp4", b"whatever");
    let is_alive = || {
        let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
        Path::new("/proc").join(pid.trim()).exists()
    };
    let mut source = open_source(&video, &options).unwrap();
    shows(&source.next_frame().unwrap().unwrap().picture, 0, 1);
    assert!(is_alive());
    drop(source);
    assert!(!is_alive());

    let stop = StopFlag::default();
    let options = SourceOptions {
        stop: stop.clone(),
        ..options
    };
    let mut source = open_source(&video, &options).unwrap();
    source.next_frame().unwrap().unwrap();
    let start = Instant::now();
    let stopping = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        stop.stop();
    });
    assert!(source.next_frame().unwrap().is_none());
    assert!(start.elapsed() < Duration::from_secs(5));
    stopping.join().unwrap();
    drop(source);
    assert!(!is_alive());
}
