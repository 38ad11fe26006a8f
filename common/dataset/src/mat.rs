//! MATLAB's level 5 files (MathWorks, "MAT-File Format", chapter 1), plain or compressed: numeric
//! arrays, texts, cells and structs, which is what the data sets of the field are kept in.

mod value;
mod write;

pub use value::{MatStructs, MatValue};
pub(crate) use write::mat_file;

use flate2::read::ZlibDecoder;
use std::io::Read;
use std::path::Path;

use crate::error::DatasetError;
use value::matrix;

/// A numeric array of a `.mat` file.
#[derive(Clone, Debug, PartialEq)]
pub struct MatArray {
    /// The variable's name.
    pub name: String,
    /// The length along each dimension.
    pub dims: Vec<usize>,
    /// The values, the first index running fastest (MATLAB's order).
    pub data: Vec<f64>,
}

const HEADER: usize = 128;
const MI_MATRIX: u32 = 14;
const MI_COMPRESSED: u32 = 15;

/// No array here is near this; a damaged or hostile file must not fill the memory.
const LARGEST_UNPACKED: u64 = 1 << 30;

/// Reads all real numeric arrays of the file; other variables are passed over.
///
/// # Errors
/// When the file cannot be read, is no MATLAB level 5 file, or ends early.
pub fn read_mat(path: &Path) -> Result<Vec<MatArray>, DatasetError> {
    Ok(arrays(read_mat_values(path)?))
}

/// [`read_mat`] for bytes in memory; the error says what is wrong and at which byte.
pub fn parse_mat(bytes: &[u8]) -> Result<Vec<MatArray>, String> {
    Ok(arrays(parse_mat_values(bytes)?))
}

/// Reads all variables of the file, with their names.
///
/// # Errors
/// When the file cannot be read, is no MATLAB level 5 file, or ends early.
pub fn read_mat_values(path: &Path) -> Result<Vec<(String, MatValue)>, DatasetError> {
    let bytes = std::fs::read(path).map_err(|source| DatasetError::Io {
        path: path.to_owned(),
        source,
    })?;
    parse_mat_values(&bytes).map_err(|reason| DatasetError::Mat {
        path: path.to_owned(),
        reason,
    })
}

fn arrays(values: Vec<(String, MatValue)>) -> Vec<MatArray> {
    let array = |(name, value)| match value {
        MatValue::Scalar(value) => Some(MatArray {
            name,
            dims: vec![1, 1],
            data: vec![value],
        }),
        MatValue::Numbers { dims, data } if !dims.is_empty() => Some(MatArray { name, dims, data }),
        _ => None,
    };
    values.into_iter().filter_map(array).collect()
}

/// [`read_mat_values`] for bytes in memory; the error says what is wrong and at which byte.
pub fn parse_mat_values(bytes: &[u8]) -> Result<Vec<(String, MatValue)>, String> {
    if bytes.starts_with(b"\x89HDF") || bytes.starts_with(b"MATLAB 7.3") {
        return Err("this is a version 7.3 file (HDF5); save it with `save -v7`".into());
    }
    let header = bytes.get(..HEADER).ok_or_else(|| {
        format!(
            "expected a header of {HEADER} bytes, found {} bytes",
            bytes.len()
        )
    })?;
    match &header[126..] {
        b"IM" => {}
        b"MI" => return Err("big-endian files are not supported; save it again on a PC".into()),
        other => {
            return Err(format!(
                "expected the byte order mark `IM` at byte 126, found {other:02x?}: \
                 not a MATLAB level 5 file"
            ));
        }
    }
    let mut values = Vec::new();
    let mut rest = Elements { bytes, at: HEADER };
    while let Some(element) = rest.next_element()? {
        match element.kind {
            MI_MATRIX => values.push(matrix(element.data, 0)?),
            MI_COMPRESSED => {
                let mut plain = Vec::new();
                ZlibDecoder::new(element.data)
                    .take(LARGEST_UNPACKED)
                    .read_to_end(&mut plain)
                    .map_err(|e| format!("damaged compressed data at byte {}: {e}", element.at))?;
                let mut inner = Elements {
                    bytes: &plain,
                    at: 0,
                };
                while let Some(element) = inner.next_element()? {
                    if element.kind == MI_MATRIX {
                        values.push(matrix(element.data, 0)?);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(values)
}

/// A tagged piece of the file.
struct Element<'a> {
    kind: u32,
    data: &'a [u8],
    at: usize,
}

struct Elements<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Elements<'a> {
    fn next_element(&mut self) -> Result<Option<Element<'a>>, String> {
        let at = self.at;
        let rest = &self.bytes[at.min(self.bytes.len())..];
        if rest.is_empty() {
            return Ok(None);
        }
        let word = |i: usize| {
            rest.get(i..)
                .and_then(|b| b.first_chunk())
                .map(|b| u32::from_le_bytes(*b))
                .ok_or_else(|| format!("the file ends within a tag at byte {at}"))
        };
        let first = word(0)?;
        // Small element: type and length in one word, up to four bytes of data in the other.
        let (kind, length, start) = if first >> 16 != 0 {
            (first & 0xffff, (first >> 16) as usize, 4usize)
        } else {
            (first, word(4)? as usize, 8)
        };
        let data = start
            .checked_add(length)
            .and_then(|end| rest.get(start..end))
            .ok_or_else(|| {
                format!(
                    "expected {length} bytes of data after the tag at byte {at}, found {}: \
                     the file is truncated",
                    rest.len().saturating_sub(start)
                )
            })?;
        // Everything but compressed data is padded to eight bytes.
        let end = start + length;
        self.at = at
            + match kind {
                MI_COMPRESSED => end,
                _ => end.next_multiple_of(8),
            };
        Ok(Some(Element { kind, data, at }))
    }

    fn expect_next(&mut self, what: &str) -> Result<Element<'a>, String> {
        self.next_element()?
            .ok_or_else(|| format!("an array without {what}: the file is truncated"))
    }
}

/// The values of a numeric element; MATLAB stores them in the smallest type that holds them.
fn numbers(element: &Element<'_>) -> Result<Vec<f64>, String> {
    fn all<const N: usize>(data: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        data.as_chunks::<N>().0.iter().map(|&b| value(b)).collect()
    }
    let data = element.data;
    Ok(match element.kind {
        1 => all(data, |b| f64::from(i8::from_le_bytes(b))),
        2 => all(data, |b| f64::from(u8::from_le_bytes(b))),
        3 => all(data, |b| f64::from(i16::from_le_bytes(b))),
        4 => all(data, |b| f64::from(u16::from_le_bytes(b))),
        5 => all(data, |b| f64::from(i32::from_le_bytes(b))),
        6 => all(data, |b| f64::from(u32::from_le_bytes(b))),
        7 => all(data, |b| f64::from(f32::from_le_bytes(b))),
        9 => all(data, f64::from_le_bytes),
        12 => all(data, |b| i64::from_le_bytes(b) as f64),
        13 => all(data, |b| u64::from_le_bytes(b) as f64),
        other => {
            return Err(format!(
                "unknown number type {other} at byte {}",
                element.at
            ));
        }
    })
}
