//! Networks that take turns.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;
use hyper::body::Bytes;
use pose::RgbView;
use tokio::sync::Semaphore;

use super::answer::Refusal;
use crate::error::RuntimeError;
use crate::estimator::Estimator;
use crate::output::{PoseRecord, json_line};
use crate::panic_guard::without_panic;
use crate::source::decode_photo_within;

/// What photos that come over the network are called.
const LABEL: &str = "upload";

/// Estimators, each for one photo at a time, and those who wait for one.
#[derive(Debug)]
pub struct Workers {
    idle: Arc<Mutex<Vec<Estimator>>>,
    /// As many as there are estimators.
    free: Arc<Semaphore>,
    /// Estimators, and places to wait for one.
    places: Arc<Semaphore>,
    pixel_limit: u64,
}

impl Workers {
    /// Workers with a queue for so many photos.
    pub fn new(estimators: Vec<Estimator>, queue: usize, pixel_limit: u64) -> Workers {
        Workers {
            free: Arc::new(Semaphore::new(estimators.len())),
            places: Arc::new(Semaphore::new(estimators.len() + queue)),
            idle: Arc::new(Mutex::new(estimators)),
            pixel_limit,
        }
    }

    /// The pose in a photo as one line of JSON.
    ///
    /// # Errors
    /// Too many waiting; a photo that cannot be decoded; a network that fails.
    pub async fn pose(&self, photo: Bytes) -> Result<String, Refusal> {
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| Refusal::busy())?;
        let turn = self.free.clone().acquire_owned().await;
        let turn = turn.map_err(|_| Refusal::busy())?;
        let (idle, pixel_limit) = (self.idle.clone(), self.pixel_limit);
        let work = tokio::task::spawn_blocking(move || {
            let lock = || idle.lock().unwrap_or_else(PoisonError::into_inner);
            let estimator = lock().pop();
            let Some(mut estimator) = estimator else {
                return Err(Refusal::busy());
            };
            let line = without_panic(|| line(&mut estimator, &photo, pixel_limit));
            lock().push(estimator);
            // Also when nobody waits for the result any more, the turn ends here.
            drop((turn, place));
            line.unwrap_or_else(|panic| Err(RuntimeError::Predictor(panic)))
                .map_err(refusal)
        });
        let failed = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the server is ending");
        work.await.map_err(failed)?
    }
}

fn line(estimator: &mut Estimator, photo: &[u8], limit: u64) -> Result<String, RuntimeError> {
    let photo = decode_photo_within(photo, Path::new(LABEL), limit)?;
    let (width, height) = photo.dimensions();
    let view = RgbView::new(photo.as_raw(), width as usize, height as usize);
    let found = estimator.estimate(&view, None)?;
    let set = &estimator.spec().keypoints;
    let record = PoseRecord::new(LABEL.into(), width, height, &found.pose, set);
    Ok(json_line(&record))
}

/// Whose fault it is.
fn refusal(error: RuntimeError) -> Refusal {
    let status = match error {
        RuntimeError::Photo { .. } | RuntimeError::Read { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Refusal::new(status, error.to_string())
}
