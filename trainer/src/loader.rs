//! Batches made ahead of time by threads of their own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use dataset::Person;
use hourglass::Batch;
use pose::KeypointSet;

use crate::augmentation::Augmentation;
use crate::error::TrainError;
use crate::photos::Photos;
use crate::random::Draw;
use crate::sample::{SampleMaker, SampleShape, SampleSlot};

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
    /// Threads that make batches, at least one.
    pub threads: usize,
}

/// A batch with the people in it.
pub struct LoadedBatch {
    /// The samples.
    pub batch: Batch,
    /// Their ids with the names of their photos, in order.
    pub ids: Vec<String>,
}

/// An endless stream of batches: people in random order, epoch after epoch; a batch may reach
/// over the end of an epoch. The stream depends on the seed and the first batch's number alone.
pub struct Loader {
    /// Of n threads each makes every n-th batch; they are taken in turn.
    threads: Vec<LoaderThread>,
    next: usize,
}

struct LoaderThread {
    batches: Option<Receiver<Result<LoadedBatch, TrainError>>>,
    thread: Option<JoinHandle<()>>,
}

impl Loader {
    /// Starts at batch `first`. `order` holds the index of a person once for every
    /// time that they come in an epoch.
    pub fn start(
        people: Arc<Vec<Person>>,
        order: Vec<u32>,
        photos: Arc<Photos>,
        settings: LoaderSettings,
        first: u64,
    ) -> Self {
        let count = settings.threads.max(1);
        // Batches that wait to be taken, of all threads together.
        let waiting = 3usize.div_ceil(count);
        let start = |thread| {
            let (sender, batches) = sync_channel(waiting);
            let (people, photos) = (people.clone(), photos.clone());
            let (settings, order) = (settings.clone(), order.clone());
            let numbers = (first + thread as u64..).step_by(count);
            let thread = std::thread::spawn(move || {
                let mut maker = SampleMaker::new(settings.shape.clone(), &settings.keypoints);
                let mut order = Order::new(order, settings.seed);
                for number in numbers {
                    let batch =
                        make_batch(&mut maker, &mut order, &people, &photos, &settings, number);
                    // The receiver is gone when training ends.
                    if sender.send(batch).is_err() {
                        return;
                    }
                }
            });
            LoaderThread {
                batches: Some(batches),
                thread: Some(thread),
            }
        };
        Self {
            threads: (0..count).map(start).collect(),
            next: 0,
        }
    }

    /// The next batch.
    ///
    /// # Errors
    /// When a photo of the batch cannot be read.
    pub fn next_batch(&mut self) -> Result<LoadedBatch, TrainError> {
        let stopped = || TrainError::Setting("the loader thread stopped".to_owned());
        let thread = &self.threads[self.next];
        self.next = (self.next + 1) % self.threads.len();
        let batches = thread.batches.as_ref().ok_or_else(stopped)?;
        batches.recv().unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        for thread in &mut self.threads {
            drop(thread.batches.take());
        }
        for thread in &mut self.threads {
            if let Some(thread) = thread.thread.take() {
                // A panic in the thread has already been reported through the closed channel.
                let _ = thread.join();
            }
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
    number: u64,
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
        let position = number * settings.batch as u64 + index as u64;
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
        let photo = person.image.file_name().unwrap_or_default();
        ids.push(format!("{} ({})", person.id, photo.to_string_lossy()));
    }
    Ok(LoadedBatch { batch, ids })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataset::{LabelledKeypoint, Split, Visibility};
    use image::{Rgb, RgbImage};
    use pose::{Rect, Size};

    fn people(folder: &std::path::Path) -> Vec<Person> {
        let photo = RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8 * 3, y as u8 * 3, 90]));
        let path = folder.join("photo.png");
        photo.save(&path).unwrap();
        (0..7)
            .map(|i| Person {
                image: path.clone(),
                dataset: "test".into(),
                id: format!("test:{i}"),
                rect: Rect {
                    x: 10.0,
                    y: 10.0,
                    width: 40.0,
                    height: 40.0,
                },
                keypoints: (0..16)
                    .map(|k| {
                        let (x, y) = (12.0 + k as f32 * 2.0, 15.0 + i as f32 * 4.0);
                        LabelledKeypoint::new(x, y, Visibility::Visible)
                    })
                    .collect(),
                head_size: None,
                area: None,
                split: Split::Train,
            })
            .collect()
    }

    const SHAPE: SampleShape = SampleShape {
        input: Size {
            width: 32,
            height: 32,
        },
        stride: 4,
        sigma: 1.0,
        margin: 1.25,
    };

    fn stream(people: &[Person], seed: u64, first: u64, count: usize) -> Vec<LoadedBatch> {
        start(
            people,
            Augmentation::STRONG,
            (1 << 20, 1),
            seed,
            first,
            count,
        )
    }

    fn start(
        people: &[Person],
        augmentation: Augmentation,
        (memory, threads): (usize, usize),
        seed: u64,
        first: u64,
        count: usize,
    ) -> Vec<LoadedBatch> {
        let settings = LoaderSettings {
            shape: SHAPE,
            augmentation,
            keypoints: KeypointSet::mpii(),
            batch: 3,
            seed,
            threads,
        };
        let order = (0..people.len() as u32).collect();
        let photos = Arc::new(Photos::new(memory));
        let people = Arc::new(people.to_vec());
        let mut loader = Loader::start(people, order, photos, settings, first);
        (0..count).map(|_| loader.next_batch().unwrap()).collect()
    }

    #[test]
    fn one_seed_gives_one_stream_from_any_step() {
        let folder = tempfile::tempdir().unwrap();
        let people = people(folder.path());
        let whole = stream(&people, 5, 0, 8);
        let later = stream(&people, 5, 3, 5);
        for (a, b) in whole[3..].iter().zip(&later) {
            assert_eq!(a.ids, b.ids);
            assert_eq!(a.batch.images, b.batch.images);
            assert_eq!(a.batch.targets, b.batch.targets);
        }
        let other = stream(&people, 6, 0, 8);
        assert!(whole.iter().zip(&other).any(|(a, b)| a.ids != b.ids));
        assert_ne!(whole[0].batch.images, other[0].batch.images);
        // Every person comes once an epoch: the first 21 samples are three epochs of seven.
        let ids: Vec<&String> = whole.iter().flat_map(|b| &b.ids).collect();
        for epoch in ids.chunks_exact(7).take(3) {
            let mut epoch = epoch.to_vec();
            epoch.sort();
            epoch.dedup();
            assert_eq!(epoch.len(), 7);
        }
    }

    #[test]
    fn other_threads_and_less_memory_give_the_same_batches() {
        let folder = tempfile::tempdir().unwrap();
        let people = people(folder.path());
        for (_, preset) in Augmentation::PRESETS {
            let run = |machine| start(&people, preset.clone(), machine, 3, 2, 9);
            // All at once; some decode every photo again.
            let streams = std::thread::scope(|scope| {
                let machines = [(1 << 20, 1), (0, 1), (1 << 20, 2), (0, 5), (100, 16)];
                let threads = machines.map(|machine| scope.spawn(move || run(machine)));
                threads.map(|thread| thread.join().unwrap())
            });
            for stream in &streams[1..] {
                for (a, b) in streams[0].iter().zip(stream) {
                    assert_eq!(a.ids, b.ids);
                    assert!(a.batch.images == b.batch.images);
                    assert!(a.batch.targets == b.batch.targets);
                    assert!(a.batch.weights == b.batch.weights);
                }
            }
        }
    }

    #[test]
    fn a_missing_photo_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut people = people(folder.path());
        people[2].image = folder.path().join("absent.jpg");
        let order = (0..people.len() as u32).collect();
        let settings = LoaderSettings {
            shape: SHAPE,
            augmentation: Augmentation::none(),
            keypoints: KeypointSet::mpii(),
            batch: 7,
            seed: 1,
            threads: 1,
        };
        let photos = Arc::new(Photos::new(0));
        let mut loader = Loader::start(Arc::new(people), order, photos, settings, 0);
        let error = loader.next_batch().err().unwrap().to_string();
        assert!(error.contains("absent.jpg"), "{error}");
    }
}
