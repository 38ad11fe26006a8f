//! Photos as the frames of a stream.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::clock::{DEFAULT_RATE, FileClock};
use super::photo::load_photo;
use crate::error::RuntimeError;
use crate::stream::{Frame, FrameSource, StreamInfo};

/// Photos one after the other. One that cannot be read is passed over when there are others.
#[derive(Debug)]
pub struct PhotoSequence {
    photos: std::vec::IntoIter<PathBuf>,
    info: StreamInfo,
    clock: FileClock,
    good: u64,
    broken: u64,
    first_error: Option<RuntimeError>,
}

impl PhotoSequence {
    /// Photos that follow each other at `rate` frames a second (25 unless stated), as a stream
    /// called `name`. They are read when their turn comes.
    pub fn new(name: String, photos: Vec<PathBuf>, rate: Option<f64>) -> PhotoSequence {
        PhotoSequence {
            info: StreamInfo {
                name,
                size: None,
                rate: Some(rate.unwrap_or(DEFAULT_RATE)),
                frames: Some(photos.len() as u64),
                live: false,
            },
            photos: photos.into_iter(),
            clock: FileClock::new(rate),
            good: 0,
            broken: 0,
            first_error: None,
        }
    }
}

impl FrameSource for PhotoSequence {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        for path in self.photos.by_ref() {
            let taken = Instant::now();
            match load_photo(&path) {
                Ok(picture) => {
                    self.good += 1;
                    return Ok(Some(self.clock.frame(picture, taken)));
                }
                Err(error) => {
                    self.first_error.get_or_insert(error);
                    self.broken += 1;
                    self.clock.skip();
                }
            }
        }
        match self.first_error.take() {
            Some(error) if self.good == 0 => Err(error),
            _ => Ok(None),
        }
    }

    fn broken_frames(&self) -> u64 {
        self.broken
    }
}

/// Whether the file's name holds wildcards.
pub(super) fn is_pattern(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str());
    name.is_some_and(|n| n.contains(['*', '?']))
}

/// The files whose names fit a pattern, in the order of their names: `*` stands for any letters, `?`
/// for one. Only the last part of the path is a pattern.
pub(super) fn matching_files(pattern: &Path) -> Result<Vec<PathBuf>, RuntimeError> {
    let folder = match pattern.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    let read_error = |source| RuntimeError::Read {
        path: folder.into(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(read_error)? {
        let file = entry.map_err(read_error)?.path();
        let fits = file
            .file_name()
            .is_some_and(|n| fits(name.as_bytes(), n.to_string_lossy().as_bytes()));
        if fits && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(RuntimeError::Source {
            name: pattern.display().to_string(),
            reason: "no file has such a name".into(),
        });
    }
    files.sort();
    Ok(files)
}

/// Whether a name fits a pattern of letters, `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    // Where to go on when what follows the last star does not fit: let it stand for one more.
    let (mut p, mut n, mut retry) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match retry {
                Some((after_star, start)) => {
                    p = after_star;
                    n = start + 1;
                    retry = Some((after_star, start + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*.jpg", "a.jpg", true),
            ("*.jpg", "a.jpg.png", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("??.png", "12.png", true),
            ("??.png", "1.png", false),
            ("*", "", true),
            ("a", "", false),
            ("**a", "ba", true),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
