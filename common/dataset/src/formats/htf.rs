//! `dataset.txt` of hourglasstensorflow's first version: a line for each person with the photo's
//! name, the box and MPII's 16 keypoints:
//!
//! `image[LETTER] xmin ymin xmax ymax x1 y1 … x16 y16`, −1 where there is no label. The letter tells
//! the people of one photo apart. Positions are MATLAB's, as they were copied from MPII.

use std::path::Path;
use std::sync::Arc;

use pose::KeypointSet;

use crate::data_set::{DataSet, FieldError, Place, Record, box_of_labels, is_position};
use crate::error::DatasetError;
use crate::load::{folder, images_beside, read_text};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::source::Source;

pub(crate) fn read(source: &Source) -> Result<DataSet, DatasetError> {
    let path = if source.root.is_dir() {
        source.root.join("dataset.txt")
    } else {
        source.root.clone()
    };
    let text = read_text(&path)?;
    let images = folder(images_beside(source, &path), "photos")?;
    let mut set = DataSet::new(KeypointSet::mpii(), &path, &images);
    let path: Arc<Path> = path.into();
    for (index, line) in text.lines().enumerate() {
        let place = Place::line(&path, index + 1);
        let mut words = line.split_ascii_whitespace();
        if let Some(name) = words.next() {
            let words: Vec<&str> = words.collect();
            match record(name, &words, &images, &place) {
                Ok(Some(record)) => set.records.push(record),
                Ok(None) => {}
                Err(error) => set.take(&place, Err(error)),
            }
        }
    }
    Ok(set)
}

fn record(
    name: &str,
    words: &[&str],
    images: &Path,
    place: &Place,
) -> Result<Option<Record>, FieldError> {
    if words.len() != 36 {
        let message = format!(
            "expected 36 numbers after the photo's name (box, 16 keypoints × 2), found {}",
            words.len()
        );
        return Err(FieldError::new("keypoints", message));
    }
    let mut numbers = [0.0f64; 36];
    for (k, (number, word)) in numbers.iter_mut().zip(words).enumerate() {
        let value: Option<f64> = word.parse().ok().filter(|&v| is_position(v));
        *number = value.ok_or_else(|| {
            let word: String = word.chars().take(30).collect();
            let message = format!("expected a number of pixels, found `{word}`");
            FieldError::new(format!("number {}", k + 1), message)
        })?;
    }
    let keypoints: Vec<LabelledKeypoint> = numbers[4..]
        .chunks_exact(2)
        .map(|p| match *p {
            [x, y] if x != -1.0 || y != -1.0 => {
                LabelledKeypoint::new((x - 0.5) as f32, (y - 0.5) as f32, Visibility::Visible)
            }
            _ => LabelledKeypoint::MISSING,
        })
        .collect();
    if !keypoints.iter().any(LabelledKeypoint::is_labelled) {
        return Ok(None);
    }
    let [left, top, right, bottom] = [numbers[0], numbers[1], numbers[2], numbers[3]];
    let rect = if (left, top) == (-1.0, -1.0) {
        box_of_labels("keypoints", &keypoints)?
    } else {
        let corner = [left - 0.5, top - 0.5, right - left, bottom - top];
        crate::data_set::checked_box("box", corner)?
    };
    // 015601864.jpgA: the letter follows the ending.
    let has_ending = |name: &str| {
        let name = name.to_ascii_lowercase();
        [".jpg", ".jpeg", ".png", ".bmp"]
            .iter()
            .any(|ending| name.ends_with(ending))
    };
    let image = match name.char_indices().next_back() {
        Some((end, 'A'..='Z')) if !has_ending(name) => &name[..end],
        _ => name,
    };
    Ok(Some(Record::new(
        Person {
            image: images.join(image),
            dataset: "mpii".into(),
            id: format!("htf:{name}"),
            rect,
            keypoints,
            head_size: None,
            area: None,
            split: Split::Train,
        },
        place.clone(),
    )))
}
