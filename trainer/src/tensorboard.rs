//! TensorBoard event files: scalars only, written and read.
//!
//! An event file is a chain of TFRecords: length, masked CRC32C of the length, bytes, masked
//! CRC32C of the bytes, all little-endian
//! (tensorflow/core/lib/io/record_writer.h). The bytes are an `Event` message
//! (tensorflow/core/util/event.proto), of which the fields below are what curves need.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::{Message, Oneof};

use crate::error::TrainError;

/// Start of an event file's name; TensorBoard looks for `tfevents` in names.
pub const PREFIX: &str = "events.out.tfevents.";
const VERSION: &str = "brain.Event:2";
/// `DT_FLOAT` of tensorflow/core/framework/types.proto.
const FLOAT: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<SummaryValue>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryValue {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    /// What TensorFlow 2 writes in place of a simple value.
    #[prost(message, optional, tag = "8")]
    tensor: Option<TensorProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(bytes = "vec", tag = "4")]
    tensor_content: Vec<u8>,
    #[prost(float, repeated, tag = "5")]
    float_val: Vec<f32>,
}

impl SummaryValue {
    /// The value, when it is a single float.
    fn scalar(&self) -> Option<f32> {
        if let Some(value) = self.simple_value {
            return Some(value);
        }
        let tensor = self.tensor.as_ref().filter(|t| t.dtype == FLOAT)?;
        match (&tensor.float_val[..], &tensor.tensor_content[..]) {
            ([value], _) => Some(*value),
            (_, bytes) => Some(f32::from_le_bytes(bytes.try_into().ok()?)),
        }
    }
}

/// One scalar of an event file.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// Name of the curve.
    pub tag: String,
    /// Step.
    pub step: i64,
    /// Value.
    pub value: f32,
}

/// Writes an event file.
pub struct EventWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventWriter {
    /// Starts a new event file in `folder`; there may be others already.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(folder: &Path) -> Result<Self, TrainError> {
        let now = since_epoch();
        let names = std::iter::once(format!("{PREFIX}{:010}.trainer", now.as_secs()))
            .chain((2..).map(|n| format!("{PREFIX}{:010}.trainer.{n}", now.as_secs())));
        for name in names.take(1000) {
            let path = folder.join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let mut writer = Self {
                        path,
                        file: BufWriter::new(file),
                    };
                    let version = What::FileVersion(VERSION.to_owned());
                    writer.event(now, 0, version)?;
                    writer.flush()?;
                    return Ok(writer);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(TrainError::Io { path, source }),
            }
        }
        Err(TrainError::Setting(format!(
            "{} holds too many event files of this second",
            folder.display()
        )))
    }

    /// Adds scalars of one step.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn scalars<T: Into<String>>(
        &mut self,
        step: u64,
        scalars: impl IntoIterator<Item = (T, f32)>,
    ) -> Result<(), TrainError> {
        let value = scalars
            .into_iter()
            .map(|(tag, value)| SummaryValue {
                tag: tag.into(),
                simple_value: Some(value),
                tensor: None,
            })
            .collect();
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        self.event(since_epoch(), step, What::Summary(Summary { value }))
    }

    /// Hands everything to the system, so that TensorBoard sees it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> Result<(), TrainError> {
        self.file.flush().map_err(|source| self.fail(source))
    }

    fn event(&mut self, time: Duration, step: i64, what: What) -> Result<(), TrainError> {
        let event = Event {
            wall_time: time.as_secs_f64(),
            step,
            what: Some(what),
        };
        let written = self.file.write_all(&framed(&event.encode_to_vec()));
        written.map_err(|source| self.fail(source))
    }

    fn fail(&self, source: std::io::Error) -> TrainError {
        TrainError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

/// Reads the scalars of an event file. A record that is cut off at the end, as in a file that is
/// still being written, ends the reading.
///
/// # Errors
/// A file that cannot be read, or whose check sums are wrong.
pub fn read_events(path: &Path) -> Result<Vec<Scalar>, TrainError> {
    let bytes = std::fs::read(path).map_err(|source| TrainError::Io {
        path: path.to_owned(),
        source,
    })?;
    scalars(&bytes).map_err(|(offset, reason)| {
        TrainError::Setting(format!(
            "{}: byte {offset}: {reason}; expected a TensorBoard event file",
            path.display()
        ))
    })
}

fn scalars(bytes: &[u8]) -> Result<Vec<Scalar>, (usize, String)> {
    let mut found = Vec::new();
    let mut offset = 0;
    while let Some((length, rest)) = bytes[offset..].split_at_checked(8) {
        let Some((check, rest)) = rest.split_at_checked(4) else {
            break;
        };
        if check != masked_crc(length).to_le_bytes() {
            return Err((offset, "wrong check sum of a record's length".into()));
        }
        let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
        let record = usize::try_from(length)
            .ok()
            .and_then(|length| Some((rest.get(..length)?, rest.get(length..length + 4)?)));
        let Some((record, check)) = record else { break };
        if check != masked_crc(record).to_le_bytes() {
            return Err((offset, "wrong check sum of a record".into()));
        }
        let event = Event::decode(record).map_err(|error| (offset, error.to_string()))?;
        if let Some(What::Summary(summary)) = event.what {
            found.extend(summary.value.into_iter().filter_map(|value| {
                Some(Scalar {
                    value: value.scalar()?,
                    tag: value.tag,
                    step: event.step,
                })
            }));
        }
        offset += 8 + 4 + record.len() + 4;
    }
    Ok(found)
}

fn since_epoch() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

/// A TFRecord around some bytes.
fn framed(record: &[u8]) -> Vec<u8> {
    let length = (record.len() as u64).to_le_bytes();
    let parts = [
        &length[..],
        &masked_crc(&length).to_le_bytes(),
        record,
        &masked_crc(record).to_le_bytes(),
    ];
    parts.concat()
}

/// The check sum of TFRecords: CRC32C, rotated right by 15 bits, plus a constant, so that the
/// check sum of data that holds check sums stays a good one.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), reflected polynomial 0x82f63b78 (RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 8 {
                let low = value & 1;
                value = (value >> 1) ^ (low * 0x82f6_3b78);
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|p| pair(p).unwrap()).collect()
    }

    /// What TensorBoard 2.21.0's `RecordWriter` makes of the same two events
    /// (`tests/tools/tensorboard_events.py --expected`).
    const SIMPLE: &str = "
        1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9
        3700000000000000e7e8ca590900006040fc54d94110ac022a290a110a0a6c6f73732f747261696e
        150000003e0a140a0d6c6561726e696e675f72617465156f12033be92b225a";
    /// Two events in the form that TensorFlow 2 writes, by the same program.
    const TENSORS: &str = "
        3200000000000000241956ec09000000000000084010022a250a230a0a65706f63685f6c6f737342
        0808012a040000403f4a0b0a090a077363616c6172733e8169823200000000000000241956ec0900
        0000000000104010032a250a230a0a65706f63685f6c6f73734208080122040000003f4a0b0a090a
        077363616c617273858c35e6";

    #[test]
    fn crc_of_the_published_vectors() {
        // RFC 3720, appendix B.4, and the check value of the CRC catalogue.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn same_bytes_as_tensorboard_writes() {
        let event = |wall_time, step, what| {
            let what = Some(what);
            framed(
                &Event {
                    wall_time,
                    step,
                    what,
                }
                .encode_to_vec(),
            )
        };
        let value = |tag: &str, value| SummaryValue {
            tag: tag.into(),
            simple_value: Some(value),
            tensor: None,
        };
        let summary = Summary {
            value: vec![value("loss/train", 0.125), value("learning_rate", 0.002)],
        };
        let file = [
            event(1_700_000_000.25, 0, What::FileVersion(VERSION.into())),
            event(1_700_000_001.5, 300, What::Summary(summary)),
        ];
        assert_eq!(file.concat(), bytes(SIMPLE));
    }

    #[test]
    fn reads_both_forms_that_others_write() {
        let list = |text: &str| -> Vec<(String, i64, f32)> {
            let found = scalars(&bytes(text)).unwrap();
            found
                .into_iter()
                .map(|s| (s.tag, s.step, s.value))
                .collect()
        };
        let simple = list(SIMPLE);
        assert_eq!(simple[0], ("loss/train".into(), 300, 0.125));
        assert_eq!(simple[1], ("learning_rate".into(), 300, 0.002));
        let tensors = list(TENSORS);
        assert_eq!(tensors[0], ("epoch_loss".into(), 2, 0.75));
        assert_eq!(tensors[1], ("epoch_loss".into(), 3, 0.5));
    }

    #[test]
    fn a_cut_end_is_no_error_and_a_wrong_byte_is() {
        let whole = bytes(SIMPLE);
        for end in 0..whole.len() {
            assert!(scalars(&whole[..end]).unwrap().len() < 2, "{end}");
        }
        for place in 0..whole.len() {
            let mut wrong = whole.clone();
            wrong[place] ^= 4;
            assert!(scalars(&wrong).is_err(), "byte {place}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_files_never_clash() {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for run in 0..2u64 {
            let mut writer = EventWriter::create(folder.path()).unwrap();
            writer.scalars(7 + run, [("a", 0.0), ("b", -1.5)]).unwrap();
            writer.flush().unwrap();
            paths.push(writer.path.clone());
        }
        assert_ne!(paths[0], paths[1]);
        let scalar = |tag: &str, step, value| Scalar {
            tag: tag.into(),
            step,
            value,
        };
        let second = read_events(&paths[1]).unwrap();
        assert_eq!(second, [scalar("a", 8, 0.0), scalar("b", 8, -1.5)]);
    }
}
