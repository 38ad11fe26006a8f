//! Photos from files and folders.

use std::fs;
use std::io::{BufRead, Seek};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, RgbImage};

use crate::error::RuntimeError;

/// Endings of the photos that are looked for in folders.
pub const PHOTO_ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];
/// Largest photo: 150 megapixels, 450 MB while it is in memory.
pub const MAX_PIXELS: u64 = 150_000_000;
/// Longest side of a photo.
const MAX_SIDE: u32 = 65_535;

/// The photos that `paths` name: folders as the photos directly inside them in the order of their
/// names, everything else as it is (also what does not exist: [`load_photo`] says so).
///
/// # Errors
/// A folder that cannot be read or holds no photo.
pub fn find_photos<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<PathBuf>, RuntimeError> {
    let mut photos = Vec::new();
    for path in paths.iter().map(AsRef::as_ref) {
        let read_error = |source| RuntimeError::Read {
            path: path.into(),
            source,
        };
        if !path.is_dir() {
            photos.push(path.to_path_buf());
            continue;
        }
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).map_err(read_error)? {
            let file = entry.map_err(read_error)?.path();
            if is_photo(&file) && file.is_file() {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            return Err(RuntimeError::EmptyFolder {
                path: path.into(),
                endings: PHOTO_ENDINGS.map(|e| format!(".{e}")).join(", "),
            });
        }
        inside.sort();
        photos.append(&mut inside);
    }
    Ok(photos)
}

fn is_photo(path: &Path) -> bool {
    let ending = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    PHOTO_ENDINGS.iter().any(|e| e.eq_ignore_ascii_case(ending))
}

/// Decodes a JPEG or PNG file, told apart by its content, and turns it the way its EXIF
/// orientation says.
///
/// # Errors
/// A file that cannot be read, is no JPEG or PNG, is broken, or has more than [`MAX_PIXELS`].
pub fn load_photo(path: &Path) -> Result<RgbImage, RuntimeError> {
    let read_error = |source| RuntimeError::Read {
        path: path.into(),
        source,
    };
    let photo_error = |reason: String| RuntimeError::Photo {
        path: path.into(),
        reason,
    };
    if fs::metadata(path).map_err(read_error)?.is_dir() {
        return Err(photo_error("is a folder; expected a photo".into()));
    }
    let file = fs::File::open(path).map_err(read_error)?;
    decode(std::io::BufReader::new(file), path, MAX_PIXELS)
}

/// Decodes a JPEG or PNG file that is in memory, called `label` in messages.
///
/// # Errors
/// As [`load_photo`].
pub fn decode_photo(bytes: &[u8], label: &str) -> Result<RgbImage, RuntimeError> {
    decode_photo_within(bytes, Path::new(label), MAX_PIXELS)
}

/// [`decode_photo`] with a lower limit on the photo's pixels.
///
/// # Errors
/// As [`load_photo`].
pub fn decode_photo_within(
    bytes: &[u8],
    label: &Path,
    max_pixels: u64,
) -> Result<RgbImage, RuntimeError> {
    decode(
        std::io::Cursor::new(bytes),
        label,
        max_pixels.min(MAX_PIXELS),
    )
}

fn decode<R: BufRead + Seek>(
    content: R,
    path: &Path,
    max_pixels: u64,
) -> Result<RgbImage, RuntimeError> {
    let photo_error = |reason: String| RuntimeError::Photo {
        path: path.into(),
        reason,
    };
    // The name's ending is not asked: what counts is what the bytes are.
    let mut reader = ImageReader::new(content)
        .with_guessed_format()
        .map_err(|source| RuntimeError::Read {
            path: path.into(),
            source,
        })?;
    if reader.format().is_none() {
        return Err(photo_error(
            "is not a picture, whatever its name says; expected a JPEG or PNG file".into(),
        ));
    }
    let broken = |error: ImageError| match error {
        ImageError::Limits(_) => photo_error(too_large(max_pixels)),
        ImageError::Unsupported(_) => photo_error(format!("{error}; expected a JPEG or PNG file")),
        _ => photo_error(format!("cannot be decoded: {error}")),
    };
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    // Up to 8 bytes a pixel (16-bit colours with transparency) in the decoder.
    limits.max_alloc = Some(8 * max_pixels);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(photo_error(format!(
            "{width}x{height} pixels: {}",
            too_large(max_pixels)
        )));
    }
    if width == 0 || height == 0 {
        return Err(photo_error("has no pixels".into()));
    }
    // A photo with broken EXIF is still a photo.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

fn too_large(max_pixels: u64) -> String {
    format!(
        "too large; this program takes photos of up to {} megapixels and {MAX_SIDE} pixels a side",
        max_pixels / 1_000_000
    )
}
