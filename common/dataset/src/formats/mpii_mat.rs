//! MPII Human Pose's own annotations (Andriluka et al., CVPR 2014): structs of structs in
//! `mpii_human_pose_v1_u12_1.mat`.
//!
//! `RELEASE.annolist(i)` is a photo with `image.name` and `annorect(r)`, its people: `x1`, `y1`,
//! `x2`, `y2` (the head's box), `scale` (height / 200 px), `objpos.x`, `objpos.y`, and
//! `annopoints.point(k)` with `x`, `y`, `id` (0–15) and `is_visible`. `RELEASE.img_train(i)` is 0
//! for test photos, whose people have no points; `RELEASE.single_person{i}` lists the people (from
//! 1) who stand apart from others.

use std::path::Path;
use std::sync::Arc;

use pose::{KeypointSet, Point, Rect};

use crate::data_set::{DataSet, FieldError, Place, Record, box_of_labels, head_size, is_position};
use crate::error::DatasetError;
use crate::load::{folder, images_beside};
use crate::mat::{MatStructs, MatValue, read_mat_values};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::source::Source;

/// MATLAB's first pixel has its centre at 1.
const MATLAB: f64 = 0.5;

const KEYPOINTS: usize = 16;

pub(crate) fn read(source: &Source) -> Result<DataSet, DatasetError> {
    let file = &source.root;
    let values = read_mat_values(file)?;
    let images = folder(images_beside(source, file), "photos")?;
    let mut set = DataSet::new(KeypointSet::mpii(), file, &images);
    set.image_field = "annolist.image.name";
    let missing = |name, expected: &str| DatasetError::MatArray {
        path: file.clone(),
        name,
        expected: expected.into(),
        found: values
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", "),
    };
    let release = values
        .iter()
        .find(|(name, _)| name == "RELEASE")
        .and_then(|(_, value)| value.structs())
        .ok_or_else(|| missing("RELEASE", "1, a struct with the field annolist"))?;
    let photos = release
        .get(0, "annolist")
        .and_then(MatValue::structs)
        .ok_or_else(|| missing("RELEASE.annolist", "photos, a struct array"))?;
    let train = release.get(0, "img_train").and_then(MatValue::numbers);
    let single = match release.get(0, "single_person") {
        Some(MatValue::Cells(cells)) => Some(cells),
        _ => None,
    };
    let file: Arc<Path> = file.as_path().into();
    for photo in 0..photos.len() {
        let place = Place::record(&file, photo);
        let is_train = train.and_then(|train| train.get(photo)) != Some(&0.0);
        let alone = single
            .and_then(|single| single.get(photo))
            .and_then(MatValue::numbers);
        let Some(people) = photos.get(photo, "annorect").and_then(MatValue::structs) else {
            continue;
        };
        let name = photos
            .get(photo, "image")
            .and_then(MatValue::structs)
            .and_then(|image| image.get(0, "name"))
            .and_then(MatValue::text);
        for index in 0..people.len() {
            let stands_apart = || alone.is_some_and(|a| a.contains(&(index as f64 + 1.0)));
            if source.single && !stands_apart() {
                continue;
            }
            match person(people, index) {
                Ok(None) => {}
                Err(FieldError { field, message }) => {
                    let field = format!("annorect({}).{field}", index + 1);
                    set.take(&place, Err(FieldError::new(field, message)));
                }
                Ok(Some(mut found)) => {
                    let Some(name) = name else {
                        let message = "expected the photo's name, found none";
                        set.take(&place, Err(FieldError::new("image.name", message)));
                        break;
                    };
                    found.person.image = images.join(name);
                    found.person.id = format!("mpii:{photo}.{index}");
                    found.person.split = if is_train { Split::Train } else { Split::Test };
                    found.place = place.clone();
                    set.records.push(found);
                }
            }
        }
    }
    Ok(set)
}

/// A person's record but for photo, split and place; `None` for one without labels.
fn person(people: &MatStructs, index: usize) -> Result<Option<Record>, FieldError> {
    let Some(points) = people
        .get(index, "annopoints")
        .and_then(MatValue::structs)
        .and_then(|points| points.get(0, "point"))
        .and_then(MatValue::structs)
    else {
        return Ok(None);
    };
    let mut keypoints = vec![LabelledKeypoint::MISSING; KEYPOINTS];
    for k in 0..points.len() {
        let field = |name: &str| format!("annopoints.point({}).{name}", k + 1);
        let number = |name: &'static str| {
            let value = points.get(k, name).and_then(MatValue::number);
            value
                .filter(|&v| is_position(v))
                .ok_or_else(|| FieldError::new(field(name), "expected a number"))
        };
        let (x, y, id) = (number("x")?, number("y")?, number("id")?);
        let keypoint = (id >= 0.0)
            .then(|| keypoints.get_mut(id as usize))
            .flatten();
        let keypoint = keypoint.ok_or_else(|| {
            let message = format!("expected 0 to {}, found {id}", KEYPOINTS - 1);
            FieldError::new(field("id"), message)
        })?;
        // Nothing is said of head and neck, which the first converters take as hidden.
        let visible = points.get(k, "is_visible").and_then(MatValue::number);
        let visibility = match visible {
            Some(v) if v > 0.0 => Visibility::Visible,
            _ => Visibility::Occluded,
        };
        *keypoint = LabelledKeypoint::new((x - MATLAB) as f32, (y - MATLAB) as f32, visibility);
    }
    let number = |value: Option<&MatValue>| value.and_then(MatValue::number);
    let scale = number(people.get(index, "scale"));
    let objpos = people.get(index, "objpos").and_then(MatValue::structs);
    let center = objpos.and_then(|objpos| {
        let x = number(objpos.get(0, "x"))?;
        Some((x, number(objpos.get(0, "y"))?))
    });
    let rect = match (center, scale) {
        (Some((x, y)), Some(scale)) if is_position(x) && is_position(y) => {
            if !(scale > 0.0 && scale < 1e6) {
                let message =
                    format!("expected the person's height / 200 px, above 0, found {scale}");
                return Err(FieldError::new("scale", message));
            }
            let side = (scale * 200.0) as f32;
            let center = Point::new((x - MATLAB) as f32, (y - MATLAB) as f32);
            Rect::around(center, side, side)
        }
        _ => box_of_labels("annopoints", &keypoints)?,
    };
    let corner = |name| number(people.get(index, name)).filter(|&v| is_position(v));
    let head = match (corner("x1"), corner("y1"), corner("x2"), corner("y2")) {
        (Some(x1), Some(y1), Some(x2), Some(y2)) if x2 > x1 && y2 > y1 => Some(Rect::new(
            (x1 - MATLAB) as f32,
            (y1 - MATLAB) as f32,
            (x2 - x1) as f32,
            (y2 - y1) as f32,
        )),
        _ => None,
    };
    let person = Person {
        image: Default::default(),
        dataset: "mpii".into(),
        id: String::new(),
        rect,
        keypoints,
        head_size: head_size(head),
        area: None,
        split: Split::Train,
    };
    let nowhere = Place::record(&Arc::from(Path::new("")), 0);
    Ok(Some(Record {
        head,
        ..Record::new(person, nowhere)
    }))
}
