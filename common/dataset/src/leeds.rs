//! Leeds Sports Pose (Johnson & Everingham, BMVC 2010) and its extension (CVPR 2011).

use crate::error::DatasetError;
use crate::load::{Mapping, Records, folder};
use crate::mat::{MatArray, read_mat};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::source::{Source, SourceKind};
use pose::{KeypointSet, Rect};
use std::path::Path;

const JOINTS: usize = 14;

/// Photos of LSP's first half that are in the second half, the test set, too (as 1211, 1436, 1366
/// and 1805).
const DUPLICATES_OF_TEST: [usize; 4] = [483, 492, 550, 670];

/// The first photo of LSP's test set.
const FIRST_TEST: usize = 1001;

pub(crate) fn read(source: &Source, target: &KeypointSet) -> Result<Records, DatasetError> {
    let root = folder(source.root.clone(), "joints.mat and images")?;
    let images = source.images.clone().unwrap_or_else(|| root.join("images"));
    let images = folder(images, "photos")?;
    let file = root.join("joints.mat");
    let joints = LeedsJoints::read(&file)?;
    let mapping = Mapping::new(&file, &KeypointSet::lsp(), target)?;
    let extended = source.kind == SourceKind::Lspet;
    let mut records = Records::new(file, "joints");
    for index in 0..joints.people {
        let number = index + 1;
        let (dataset, split, image) = if extended {
            ("lspet", Split::Train, format!("im{number:05}.jpg"))
        } else if DUPLICATES_OF_TEST.contains(&number) {
            continue;
        } else if number < FIRST_TEST {
            ("lsp", Split::Train, format!("im{number:04}.jpg"))
        } else {
            ("lsp", Split::Test, format!("im{number:04}.jpg"))
        };
        let keypoints = mapping.labels(|joint| joints.label(index, joint, extended));
        let labelled = keypoints.iter().filter(|k| k.is_labelled());
        let Some(rect) = Rect::from_points(labelled.map(LabelledKeypoint::point)) else {
            records.problem(index, "joints", "no joint is labelled".into());
            continue;
        };
        records.people.push((
            index,
            Person {
                image: images.join(image),
                dataset: dataset.to_owned(),
                id: format!("{dataset}:{number}"),
                rect,
                keypoints,
                head_size: None,
                area: None,
                split,
            },
        ));
    }
    Ok(records)
}

/// The array `joints` of a Leeds data set: joint × [x, y, flag] × photo, or, with `by_value`,
/// [x, y, flag] × joint × photo.
struct LeedsJoints {
    data: Vec<f64>,
    people: usize,
    by_value: bool,
}

impl LeedsJoints {
    fn read(file: &Path) -> Result<Self, DatasetError> {
        let arrays = read_mat(file)?;
        let shape = |array: &MatArray| match array.dims[..] {
            [JOINTS, 3, people] => Some((people, false)),
            [3, JOINTS, people] => Some((people, true)),
            _ => None,
        };
        let describe = |array: &MatArray| format!("`{}` of size {:?}", array.name, array.dims);
        let found: Vec<String> = arrays.iter().map(describe).collect();
        let joints = arrays
            .into_iter()
            .filter(|array| array.name == "joints")
            .find_map(|array| shape(&array).map(|shape| (array, shape)));
        let Some((array, (people, by_value))) = joints else {
            return Err(DatasetError::MatArray {
                path: file.to_owned(),
                name: "joints",
                expected: "(14, 3, photos) or (3, 14, photos)".into(),
                found: if found.is_empty() {
                    "no numeric array".into()
                } else {
                    found.join(", ")
                },
            });
        };
        Ok(Self {
            data: array.data,
            people,
            by_value,
        })
    }

    /// LSP's flag says that a joint is occluded, and all joints are labelled; the extension's says
    /// that it is labelled. MATLAB counts pixels from 1, with the first one's centre at 1.
    fn label(&self, person: usize, joint: usize, extended: bool) -> LabelledKeypoint {
        let value = |which: usize| {
            let within = if self.by_value {
                joint * 3 + which
            } else {
                which * JOINTS + joint
            };
            self.data[person * 3 * JOINTS + within]
        };
        let (x, y, flag) = (value(0), value(1), value(2) != 0.0);
        let visibility = match (extended, flag) {
            _ if !(x.is_finite() && y.is_finite()) => Visibility::Missing,
            (true, false) => Visibility::Missing,
            (true, true) | (false, false) => Visibility::Visible,
            (false, true) => Visibility::Occluded,
        };
        if visibility == Visibility::Missing {
            return LabelledKeypoint::MISSING;
        }
        LabelledKeypoint::new((x - 0.5) as f32, (y - 0.5) as f32, visibility)
    }
}
