//! Photos as files: their size, and bringing them to another folder.

use std::io::{Cursor, ErrorKind};
use std::path::Path;

use image::{ImageError, ImageFormat, ImageReader};
use pose::Size;

use crate::error::DatasetError;
use crate::write::PhotoMode;

fn photo_error(path: &Path) -> impl Fn(ImageError) -> DatasetError {
    move |source| DatasetError::Photo {
        path: path.to_owned(),
        source,
    }
}

fn reader(path: &Path) -> Result<ImageReader<std::io::BufReader<std::fs::File>>, DatasetError> {
    let open = || ImageReader::open(path)?.with_guessed_format();
    open().map_err(|error| photo_error(path)(ImageError::IoError(error)))
}

/// The size of a photo, from the beginning of its file.
///
/// # Errors
/// When it cannot be read, or is no picture.
pub fn photo_size(path: &Path) -> Result<Size, DatasetError> {
    let (width, height) = reader(path)?.into_dimensions().map_err(photo_error(path))?;
    Ok(Size {
        width: width as usize,
        height: height as usize,
    })
}

/// The size of a photo that is decoded whole, to see that all of it is there.
///
/// # Errors
/// When it cannot be read or decoded, or breaks off.
pub(crate) fn decoded_size(path: &Path) -> Result<Size, DatasetError> {
    let wrong = photo_error(path);
    let bytes = std::fs::read(path).map_err(|error| wrong(ImageError::IoError(error)))?;
    let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format();
    let reader = reader.map_err(|error| wrong(ImageError::IoError(error)))?;
    let is_jpeg = reader.format() == Some(ImageFormat::Jpeg);
    let photo = reader.decode().map_err(&wrong)?;
    if is_jpeg && breaks_off(&bytes) {
        let error = std::io::Error::new(ErrorKind::UnexpectedEof, "the JPEG breaks off");
        return Err(wrong(ImageError::IoError(error)));
    }
    Ok(Size {
        width: photo.width() as usize,
        height: photo.height() as usize,
    })
}

/// Whether a JPEG ends within its picture: decoders fill the rest with grey and say nothing. After
/// the last start of picture data (FF DA) there must be an end (FF D9); within the data, neither
/// can stand.
fn breaks_off(jpeg: &[u8]) -> bool {
    let last = |marker: u8| jpeg.windows(2).rposition(|pair| pair == [0xff, marker]);
    last(0xd9) < last(0xda)
}

/// JPEG quality where a photo must be encoded again.
const QUALITY: u8 = 95;

/// Copies or links a photo. A picture in another format than the new name says is converted.
pub(crate) fn transfer(from: &Path, to: &Path, mode: PhotoMode) -> Result<(), DatasetError> {
    let io = |source| DatasetError::Io {
        path: to.to_owned(),
        source,
    };
    let wanted = ImageFormat::from_path(to).ok();
    let needs_jpeg =
        wanted == Some(ImageFormat::Jpeg) && ImageFormat::from_path(from).ok() != wanted;
    if needs_jpeg {
        let photo = reader(from)?
            .decode()
            .map_err(photo_error(from))?
            .into_rgb8();
        let mut file = std::io::BufWriter::new(std::fs::File::create(to).map_err(io)?);
        return image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, QUALITY)
            .encode_image(&photo)
            .map_err(photo_error(to));
    }
    match mode {
        PhotoMode::Copy => std::fs::copy(from, to).map(|_| ()).map_err(|source| {
            let path = if from.is_file() { to } else { from };
            DatasetError::Io {
                path: path.to_owned(),
                source,
            }
        }),
        PhotoMode::Link => link(from, to).map_err(io),
        PhotoMode::InPlace => Ok(()),
    }
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    // A relative path would be looked for from the link's own folder.
    std::os::unix::fs::symlink(from.canonicalize()?, to)
}

#[cfg(not(unix))]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::hard_link(from, to)
}
