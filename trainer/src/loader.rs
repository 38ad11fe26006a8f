//! Batches made ahead of time by threads of their own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use dataset::Person;
use hourglass::Batch;
use pose::KeypointSet;

use crate::error::TrainError;
use crate::photos::Photos;
use crate::random::Draw;
use crate::sample::{Augmentation, SampleMaker, SampleShape, SampleSlot};

/// What an epoch's order and every sample's changes depend on, beside the data.
#[derive(Clone)]
pub struct LoaderSettings {
    /// Shape of the samples.
    pub shape: SampleShape,
    /// Random changes.
    pub augmentation: Augmentation,
    /// Names and flip pairs.
    pub keypoints: KeypointSet,
    /// Samples of a batch.
    pub batch: usize,
    /// The seed of every random draw.
    pub seed: u64,
}

/// A batch with the people in it.
pub struct LoadedBatch {
    /// The samples.
    pub batch: Batch,
    /// Their ids, in order.
    pub ids: Vec<String>,
}

/// An endless stream of batches: people in random order, epoch after epoch; a batch may reach
/// over the end of an epoch. The stream depends on the seed and the first step alone.
pub struct Loader {
    batches: Option<Receiver<Result<LoadedBatch, TrainError>>>,
    thread: Option<JoinHandle<()>>,
}

impl Loader {
    /// Starts at optimizer step `first_step`. `order` holds the index of a person once for every
    /// time that they come in an epoch.
    pub fn start(
        people: Arc<Vec<Person>>,
        order: Vec<u32>,
        photos: Arc<Photos>,
        settings: LoaderSettings,
        first_step: u64,
    ) -> Self {
        let (sender, batches) = sync_channel(3);
        let thread = std::thread::spawn(move || {
            let mut maker = SampleMaker::new(settings.shape.clone(), &settings.keypoints);
            let mut shuffled = Order::new(order, settings.seed);
            for step in first_step.. {
                let batch =
                    make_batch(&mut maker, &mut shuffled, &people, &photos, &settings, step);
                // The receiver is gone when training ends.
                if sender.send(batch).is_err() {
                    return;
                }
            }
        });
        Self {
            batches: Some(batches),
            thread: Some(thread),
        }
    }

    /// The next batch.
    ///
    /// # Errors
    /// When a photo of the batch cannot be read.
    pub fn next_batch(&mut self) -> Result<LoadedBatch, TrainError> {
        let stopped = || TrainError::Setting("the loader thread stopped".to_owned());
        let batches = self.batches.as_ref().ok_or_else(stopped)?;
        batches.recv().unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        drop(self.batches.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has already been reported through the closed channel.
            let _ = thread.join();
        }
    }
}

/// The people in the order of each epoch.
struct Order {
    base: Vec<u32>,
    seed: u64,
    epoch: Option<u64>,
    current: Vec<u32>,
}

impl Order {
    fn new(base: Vec<u32>, seed: u64) -> Self {
        Self {
            base,
            seed,
            epoch: None,
            current: Vec::new(),
        }
    }

    /// The person at a position of the endless stream, with the epoch.
    fn at(&mut self, position: u64) -> (u64, usize) {
        let len = self.base.len() as u64;
        let epoch = position / len;
        if self.epoch != Some(epoch) {
            self.current.clone_from(&self.base);
            Draw::new(self.seed, [epoch, u64::MAX]).shuffle(&mut self.current);
            self.epoch = Some(epoch);
        }
        (epoch, self.current[(position % len) as usize] as usize)
    }
}

fn make_batch(
    maker: &mut SampleMaker,
    order: &mut Order,
    people: &[Person],
    photos: &Photos,
    settings: &LoaderSettings,
    step: u64,
) -> Result<LoadedBatch, TrainError> {
    let input = settings.shape.input;
    let keypoints = settings.keypoints.len();
    let image_len = input.width * input.height * 3;
    let target_len = input.width * input.height / settings.shape.stride.pow(2) * keypoints;
    let mut batch = Batch {
        pictures: settings.batch,
        height: input.height,
        width: input.width,
        images: vec![0.0; settings.batch * image_len],
        targets: vec![0.0; settings.batch * target_len],
        weights: vec![0.0; settings.batch * keypoints],
    };
    let mut ids = Vec::with_capacity(settings.batch);
    let slots = batch
        .images
        .chunks_exact_mut(image_len)
        .zip(batch.targets.chunks_exact_mut(target_len))
        .zip(batch.weights.chunks_exact_mut(keypoints));
    for (index, ((image, target), weights)) in slots.enumerate() {
        let position = step * settings.batch as u64 + index as u64;
        let (_, person) = order.at(position);
        let person = &people[person];
        let photo = photos.get(&person.image)?;
        let mut draw = Draw::new(settings.seed, [position, 1]);
        maker.make(
            person,
            &photo,
            &settings.augmentation,
            &mut draw,
            SampleSlot {
                image,
                target,
                weights,
            },
        )?;
        ids.push(person.id.clone());
    }
    Ok(LoadedBatch { batch, ids })
}
