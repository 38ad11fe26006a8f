//! Looking at annotated people: one at a time in a window, many on a sheet, and as training sees
//! them.

mod augmented;
mod browse;
mod drawing;
mod filter;

use std::collections::HashMap;
use std::path::PathBuf;

use dataset::{Person, Suspicion, photo_size, suspicions};
use edge_runtime::{ContactSheet, load_photo};
use image::RgbImage;
use pose::{KeypointSet, Rect, Size};
use serde::Serialize;

use crate::error::TrainError;
use crate::random::Draw;

pub use augmented::{AugmentedBatches, heat_overlay};
pub use browse::{browse, browse_augmented};
pub use filter::ViewFilter;

/// How a person is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Names beside the joints.
    pub names: bool,
    /// The person's surroundings alone instead of the whole photo.
    pub close: bool,
}

/// Annotated people to look at, in the order in which they are shown.
#[derive(Debug)]
pub struct Gallery {
    people: Vec<Person>,
    set: KeypointSet,
    /// Indices of `people`.
    order: Vec<usize>,
    by_photo: HashMap<PathBuf, Vec<usize>>,
    /// Boxes of heads by the people's ids.
    heads: HashMap<String, Rect>,
}

/// What is known about one person, for programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ViewRecord {
    /// [`Person::id`].
    pub id: String,
    /// The photo.
    pub image: PathBuf,
    /// Labelled joints.
    pub labelled: usize,
    /// Other annotated people in the photo.
    pub others: usize,
    /// What is suspicious about the labels.
    pub suspicions: Vec<String>,
}

impl Gallery {
    /// The people that pass the filter: in their own order, or, with a seed, in a random one.
    ///
    /// # Errors
    /// When nobody passes.
    pub fn new(
        people: Vec<Person>,
        set: KeypointSet,
        filter: &ViewFilter,
        seed: Option<u64>,
    ) -> Result<Gallery, TrainError> {
        let mut by_photo: HashMap<PathBuf, Vec<usize>> = HashMap::new();
        for (index, person) in people.iter().enumerate() {
            by_photo
                .entry(person.image.clone())
                .or_default()
                .push(index);
        }
        let passes = |&index: &usize| {
            let person: &Person = &people[index];
            let in_photo = by_photo.get(&person.image).map_or(1, Vec::len);
            filter.passes(person, &set, in_photo, || suspicious(person, &set))
        };
        let mut order: Vec<usize> = (0..people.len()).filter(passes).collect();
        if order.is_empty() {
            return Err(TrainError::Setting(format!(
                "none of {} people passes the filter {filter}",
                people.len()
            )));
        }
        if let Some(seed) = seed {
            Draw::new(seed, [0, 0]).shuffle(&mut order);
        }
        Ok(Gallery {
            people,
            set,
            order,
            by_photo,
            heads: HashMap::new(),
        })
    }

    /// With the boxes of heads, by [`Person::id`].
    pub fn with_heads(self, heads: HashMap<String, Rect>) -> Gallery {
        Gallery { heads, ..self }
    }

    /// How many people are shown.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nobody is; never so.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The person at a place of the order.
    pub fn person(&self, at: usize) -> &Person {
        &self.people[self.order[at % self.order.len()]]
    }

    /// The keypoints.
    pub fn keypoints(&self) -> &KeypointSet {
        &self.set
    }

    /// The other people in the photo of the person at this place.
    fn others(&self, at: usize) -> Vec<&Person> {
        let own = self.order[at % self.order.len()];
        let in_photo = self.by_photo.get(&self.people[own].image);
        let others = in_photo
            .into_iter()
            .flatten()
            .filter(|&&index| index != own);
        others.map(|&index| &self.people[index]).collect()
    }

    /// What is known about the person at this place.
    pub fn record(&self, at: usize) -> ViewRecord {
        let person = self.person(at);
        let reasons = suspicious(person, &self.set);
        ViewRecord {
            id: person.id.clone(),
            image: person.image.clone(),
            labelled: person.labelled(),
            others: self.others(at).len(),
            suspicions: reasons.iter().map(ToString::to_string).collect(),
        }
    }

    /// The next person, from `at` on, whose labels are suspicious; `at` itself when nobody's are.
    pub fn next_suspicious(&self, at: usize) -> usize {
        (1..=self.len())
            .map(|step| (at + step) % self.len())
            .find(|&at| !suspicious(self.person(at), &self.set).is_empty())
            .unwrap_or(at)
    }

    /// The photo with everything that is annotated, and a column of text beside it.
    ///
    /// # Errors
    /// When the photo cannot be read.
    pub fn page(&self, at: usize, look: Look, size: Size) -> Result<RgbImage, TrainError> {
        let person = self.person(at);
        let photo = load_photo(&person.image)?;
        let scene = drawing::Scene {
            photo: &photo,
            person,
            head: self.heads.get(&person.id).copied(),
            others: self.others(at),
            set: &self.set,
            suspicions: self.suspicions_in(person, &photo),
        };
        drawing::page(&scene, look, size, (at, self.len()))
    }

    fn suspicions_in(&self, person: &Person, photo: &RgbImage) -> Vec<Suspicion> {
        let size = Size::new(photo.width() as usize, photo.height() as usize);
        suspicions(person, &self.set, Some(size))
    }

    /// The first `count` people, each with what surrounds them, on one sheet with tiles of this
    /// size. A photo that cannot be read is a grey tile, and `warn` is told why.
    pub fn sheet(
        &self,
        count: usize,
        look: Look,
        tile: Size,
        mut warn: impl FnMut(String),
    ) -> Result<RgbImage, TrainError> {
        let count = count.min(self.len());
        let mut sheet = ContactSheet::with_tiles(count, tile);
        for at in 0..count {
            let person = self.person(at);
            let photo = match load_photo(&person.image) {
                Ok(photo) => photo,
                Err(error) => {
                    warn(error.to_string());
                    let grey = image::Rgb([96; 3]);
                    let (width, height) = (tile.width as u32, tile.height as u32);
                    let blank = RgbImage::from_pixel(width, height, grey);
                    sheet.add_picture(&blank, &format!("{}: no photo", person.id));
                    continue;
                }
            };
            let scene = drawing::Scene {
                photo: &photo,
                person,
                head: self.heads.get(&person.id).copied(),
                others: self.others(at),
                set: &self.set,
                suspicions: self.suspicions_in(person, &photo),
            };
            let mut caption = format!("{} {}", person.id, person.labelled());
            if let Some(first) = scene.suspicions.first() {
                caption = format!("{} {first}", person.id);
            }
            sheet.add_picture(&drawing::tile(&scene, look, tile)?, &caption);
        }
        Ok(sheet.into_picture())
    }
}

/// What is suspicious about a person, with the photo's size from its file's head, as far as that
/// can be read.
fn suspicious(person: &Person, set: &KeypointSet) -> Vec<Suspicion> {
    suspicions(person, set, photo_size(&person.image).ok())
}
