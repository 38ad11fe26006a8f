//! Writing a numeric array as a MATLAB file.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::{HEADER, MI_COMPRESSED, MI_MATRIX, MatArray};

/// A level 5 file with one array of doubles, compressed.
///
/// # Errors
/// When the array is larger than the format allows (4 GiB).
pub(crate) fn mat_file(array: &MatArray) -> Result<Vec<u8>, String> {
    let too_large = || format!("array `{}` is too large for a MATLAB file", array.name);
    let dims: Option<Vec<i32>> = array.dims.iter().map(|&d| d.try_into().ok()).collect();
    let dims: Vec<u8> = dims
        .ok_or_else(too_large)?
        .iter()
        .flat_map(|d| d.to_le_bytes())
        .collect();
    let values: Vec<u8> = array.data.iter().flat_map(|v| v.to_le_bytes()).collect();
    // Class 6: double.
    let mut body = element(6, &[6, 0, 0, 0, 0, 0, 0, 0]).ok_or_else(too_large)?;
    for (kind, data) in [(5, &dims[..]), (1, array.name.as_bytes()), (9, &values)] {
        body.extend(element(kind, data).ok_or_else(too_large)?);
    }
    let matrix = element(MI_MATRIX, &body).ok_or_else(too_large)?;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let packed = encoder
        .write_all(&matrix)
        .and_then(|()| encoder.finish())
        .map_err(|error| error.to_string())?;
    let mut file = b"MATLAB 5.0 MAT-file".to_vec();
    file.resize(HEADER - 4, b' ');
    file.extend([0x00, 0x01, b'I', b'M']);
    file.extend(MI_COMPRESSED.to_le_bytes());
    file.extend(
        u32::try_from(packed.len())
            .map_err(|_| too_large())?
            .to_le_bytes(),
    );
    file.extend(packed);
    Ok(file)
}

/// A tagged piece, padded to eight bytes; `None` when it is too long.
fn element(kind: u32, data: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend(u32::try_from(data.len()).ok()?.to_le_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    Some(bytes)
}
