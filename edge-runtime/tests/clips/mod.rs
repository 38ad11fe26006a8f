//! Videos of known pictures, made by hand, and a look at what comes out of them.

#![allow(dead_code)] // Every test file uses a part of it.

use std::fs;
use std::path::{Path, PathBuf};

use edge_runtime::{Frame, FrameSource, SourceOptions, open_source};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use tempfile::TempDir;

pub const WIDTH: u32 = 48;
pub const HEIGHT: u32 = 32;
/// Colours of the four quarters of a picture, in YUV of BT.601, limited range.
pub const COLORS: [[u8; 3]; 4] = [
    [81, 90, 240],
    [145, 54, 34],
    [41, 240, 110],
    [235, 128, 128],
];

/// The quarter of a pixel: they move with every picture.
pub fn quarter(x: u32, y: u32, number: u32) -> usize {
    let (right, low) = (x >= WIDTH / 2, y >= HEIGHT / 2);
    (usize::from(right) + 2 * usize::from(low) + number as usize) % 4
}

pub fn rgb([y, u, v]: [u8; 3]) -> [u8; 3] {
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

pub fn picture(number: u32) -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        Rgb(rgb(COLORS[quarter(x, y, number)]))
    })
}

pub fn jpeg(number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 92)
        .encode_image(&picture(number))
        .unwrap();
    bytes
}

/// Whether it shows the picture with this number, but for what compression costs.
pub fn shows(frame: &RgbImage, number: u32, tolerance: u8) {
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

pub fn open(path: &Path) -> Box<dyn FrameSource> {
    open_source(path, &SourceOptions::default()).unwrap()
}

pub fn all(source: &mut dyn FrameSource) -> Vec<Frame> {
    std::iter::from_fn(|| source.next_frame().unwrap()).collect()
}

/// Frames that show the pictures 0, 1, 2 … at an even rate.
pub fn check_all(source: &mut dyn FrameSource, count: usize, rate: f64, tolerance: u8) {
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
pub fn first_error(path: &Path, options: &SourceOptions) -> String {
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

pub fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// Y4M with planes whose chroma stands for blocks of `block` pixels; (0, 0) for none.
pub fn y4m(count: u32, header: &str, block: (u32, u32)) -> Vec<u8> {
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

pub fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_le_bytes();
    let padding = &[0][..content.len() % 2];
    [id.as_slice(), &length, content, padding].concat()
}

pub fn list(kind: &[u8; 4], parts: &[Vec<u8>]) -> Vec<u8> {
    chunk(b"LIST", &[kind.as_slice(), &parts.concat()].concat())
}

/// An AVI file with a sound stream and then a video stream of these chunks at 12.5 frames a second.
pub fn avi(codec: &[u8; 4], frames: &[Vec<u8>]) -> Vec<u8> {
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
