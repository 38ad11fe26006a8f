//! Decoded photos, kept in memory up to a limit.

use image::RgbImage;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::TrainError;

/// Photos by path. Decoding takes longer than everything else in making a sample, so what fits is
/// kept.
pub struct Photos {
    limit: usize,
    kept: Mutex<(usize, HashMap<PathBuf, Arc<RgbImage>>)>,
}

impl Photos {
    /// Keeps at most `limit` bytes of decoded photos.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: Mutex::default(),
        }
    }

    /// The photo at `path` as RGB.
    ///
    /// # Errors
    /// [`TrainError::Photo`] when the file cannot be read or decoded.
    pub fn get(&self, path: &Path) -> Result<Arc<RgbImage>, TrainError> {
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(photo) = lock().1.get(path) {
            return Ok(photo.clone());
        }
        let photo = image::open(path).map_err(|source| TrainError::Photo {
            path: path.to_owned(),
            source,
        })?;
        let photo = Arc::new(photo.into_rgb8());
        let mut kept = lock();
        let bytes = photo.as_raw().len();
        if kept.0 + bytes <= self.limit {
            kept.0 += bytes;
            kept.1.insert(path.to_owned(), photo.clone());
        }
        Ok(photo)
    }
}
