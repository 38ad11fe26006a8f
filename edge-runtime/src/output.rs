//! Where poses go: records for programs, pictures for people.

use std::io::{self, BufWriter, Cursor, Write};
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};
use onnx_graph::{AtomicFile, write_atomically};
use pose::{KeypointSet, Pose};
use serde::Serialize;

use crate::error::RuntimeError;

/// Quality of written JPEG files, of 100.
const JPEG_QUALITY: u8 = 92;

/// What is known about one photo, in the form that goes into JSON and CSV.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoseRecord {
    /// The photo.
    pub photo: String,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// Mean confidence of the keypoints, 0 to 1.
    pub confidence: f32,
    /// The keypoints, in the model's order.
    pub keypoints: Vec<KeypointRecord>,
}

/// One keypoint of a [`PoseRecord`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeypointRecord {
    /// Its name.
    pub name: String,
    /// Pixels from the photo's left edge.
    pub x: f32,
    /// Pixels from the photo's top edge.
    pub y: f32,
    /// How sure the network is, 0 to 1.
    pub confidence: f32,
}

impl PoseRecord {
    /// The record of a pose in a photo of `width` × `height` pixels.
    pub fn new(photo: String, width: u32, height: u32, pose: &Pose, set: &KeypointSet) -> Self {
        let keypoints = set
            .keypoints
            .iter()
            .zip(&pose.keypoints)
            .map(|(name, k)| KeypointRecord {
                name: name.clone(),
                x: k.x,
                y: k.y,
                confidence: k.confidence,
            })
            .collect();
        PoseRecord {
            photo,
            width,
            height,
            confidence: pose.confidence,
            keypoints,
        }
    }
}

/// Form of a record file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFormat {
    /// One JSON object a line, one line a photo.
    JsonLines,
    /// A header, then one line a keypoint: `photo,keypoint,x,y,confidence`.
    Csv,
}

/// Writes pose records to a file, which appears under its name when it is complete.
#[derive(Debug)]
pub struct RecordWriter {
    path: PathBuf,
    file: BufWriter<AtomicFile>,
    format: RecordFormat,
}

impl RecordWriter {
    /// Starts a file.
    ///
    /// # Errors
    /// A folder that does not exist or cannot be written to.
    pub fn create(path: &Path, format: RecordFormat) -> Result<RecordWriter, RuntimeError> {
        let file = AtomicFile::create(path).map_err(|source| write_error(path, source))?;
        let mut writer = RecordWriter {
            path: path.into(),
            file: BufWriter::new(file),
            format,
        };
        if format == RecordFormat::Csv {
            writer.line(CSV_HEADER)?;
        }
        Ok(writer)
    }

    /// Adds a record.
    ///
    /// # Errors
    /// A disk that is full, for example.
    pub fn write(&mut self, record: &PoseRecord) -> Result<(), RuntimeError> {
        match self.format {
            RecordFormat::JsonLines => self.line(&json_line(record)),
            RecordFormat::Csv => csv_lines(record).try_for_each(|line| self.line(&line)),
        }
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// A disk that is full, for example.
    pub fn finish(self) -> Result<(), RuntimeError> {
        let file = self.file.into_inner().map_err(|e| e.into_error());
        file.and_then(AtomicFile::commit)
            .map_err(|source| write_error(&self.path, source))
    }

    fn line(&mut self, line: &str) -> Result<(), RuntimeError> {
        writeln!(self.file, "{line}").map_err(|source| write_error(&self.path, source))
    }
}

fn write_error(path: &Path, source: io::Error) -> RuntimeError {
    RuntimeError::Write {
        path: path.into(),
        source,
    }
}

/// First line of a CSV file.
pub const CSV_HEADER: &str = "photo,keypoint,x,y,confidence";

/// A record as one line of JSON.
pub fn json_line(record: &PoseRecord) -> String {
    // Numbers and texts only: nothing in a record can fail to become JSON.
    serde_json::to_string(record).unwrap_or_default()
}

/// A record as CSV lines (RFC 4180), one for each keypoint.
pub fn csv_lines(record: &PoseRecord) -> impl Iterator<Item = String> {
    let photo = csv_field(&record.photo);
    record.keypoints.iter().map(move |k| {
        let name = csv_field(&k.name);
        format!("{photo},{name},{:.2},{:.2},{:.4}", k.x, k.y, k.confidence)
    })
}

fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

/// Writes a picture as JPEG or PNG, as the ending of `path` says; readers never see half of it.
///
/// # Errors
/// Another ending; a path that cannot be written.
pub fn save_picture(picture: &RgbImage, path: &Path) -> Result<(), RuntimeError> {
    let mut bytes = Vec::new();
    let encoded = match picture_format(path)? {
        ImageFormat::Jpeg => {
            JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(picture)
        }
        format => picture.write_to(&mut Cursor::new(&mut bytes), format),
    };
    encoded.map_err(|e| RuntimeError::Photo {
        path: path.into(),
        reason: format!("cannot be encoded: {e}"),
    })?;
    write_atomically(path, &bytes).map_err(|source| write_error(path, source))
}

/// The format that a path's ending asks for.
///
/// # Errors
/// An ending other than `.png`, `.jpg` and `.jpeg`.
pub fn picture_format(path: &Path) -> Result<ImageFormat, RuntimeError> {
    match ImageFormat::from_path(path) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => Ok(format),
        _ => Err(RuntimeError::Usage(format!(
            "{}: pictures are written as .png or .jpg",
            path.display()
        ))),
    }
}

/// Names for the annotated pictures of several photos in one folder: each photo's own name, with
/// `-2`, `-3` … behind those that occur again.
pub fn picture_names(photos: &[PathBuf]) -> Vec<PathBuf> {
    let mut taken = std::collections::HashSet::new();
    photos
        .iter()
        .map(|photo| {
            let stem = photo.file_stem().unwrap_or_default().to_string_lossy();
            let ending = match picture_format(photo) {
                Ok(ImageFormat::Png) => "png",
                _ => "jpg",
            };
            (1..)
                .map(|n| match n {
                    1 => PathBuf::from(format!("{stem}.{ending}")),
                    n => PathBuf::from(format!("{stem}-{n}.{ending}")),
                })
                .find(|name| taken.insert(name.clone()))
                .unwrap_or_default()
        })
        .collect()
}
