//! Leeds Sports Pose (Johnson & Everingham, BMVC 2010) and its extension (CVPR 2011).

use std::path::Path;
use std::sync::Arc;

use pose::KeypointSet;

use crate::data_set::{DataSet, Place, Record, box_of_labels, mapped};
use crate::error::DatasetError;
use crate::load::folder;
use crate::mat::{MatArray, mat_file, read_mat};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::source::{Source, SourceKind};
use crate::write::Output;

const JOINTS: usize = 14;

/// Photos of LSP's first half that are in the second half, the test set, too (as 1211, 1436, 1366
/// and 1805).
const DUPLICATES_OF_TEST: [usize; 4] = [483, 492, 550, 670];

/// The first photo of LSP's test set.
const FIRST_TEST: usize = 1001;

pub(crate) fn read(source: &Source) -> Result<DataSet, DatasetError> {
    let root = folder(source.root.clone(), "joints.mat and images")?;
    let images = source.images.clone().unwrap_or_else(|| root.join("images"));
    let images = folder(images, "photos")?;
    let file = root.join("joints.mat");
    let joints = LeedsJoints::read(&file)?;
    let extended = source.kind == SourceKind::Lspet;
    let mut set = DataSet::new(KeypointSet::lsp(), &file, &images);
    set.image_field = "joints";
    let file: Arc<Path> = file.into();
    for index in 0..joints.people {
        let place = Place::record(&file, index);
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
        let keypoints: Vec<LabelledKeypoint> = (0..JOINTS)
            .map(|joint| joints.label(index, joint, extended))
            .collect();
        let record = box_of_labels("joints", &keypoints).map(|rect| {
            let person = Person {
                image: images.join(image),
                dataset: dataset.to_owned(),
                id: format!("{dataset}:{number}"),
                rect,
                keypoints,
                head_size: None,
                area: None,
                split,
            };
            Record::new(person, place.clone())
        });
        set.take(&place, record);
    }
    Ok(set)
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

/// Writes `joints.mat` as the extension has it: joint × [x, y, labelled] × photo. The photos lie in
/// `images`, numbered in the records' order.
pub(crate) fn write(output: &Output<'_>) -> Result<(), DatasetError> {
    let path = output.root.join("joints.mat");
    let map = KeypointSet::lsp().map_from(output.keypoints);
    let mut data = Vec::with_capacity(output.records.len() * 3 * JOINTS);
    for record in output.records {
        let labels = mapped(&record.person.keypoints, &map);
        let column = |value: &dyn Fn(&LabelledKeypoint) -> f64| {
            let of = |k: &LabelledKeypoint| if k.is_labelled() { value(k) } else { 0.0 };
            labels.iter().map(of).collect::<Vec<f64>>()
        };
        data.extend(column(&|k| f64::from(k.x) + 0.5));
        data.extend(column(&|k| f64::from(k.y) + 0.5));
        data.extend(column(&|_| 1.0));
    }
    let array = MatArray {
        name: "joints".into(),
        dims: vec![JOINTS, 3, output.records.len()],
        data,
    };
    let bytes = mat_file(&array).map_err(|reason| DatasetError::Mat {
        path: path.clone(),
        reason,
    })?;
    std::fs::write(&path, bytes).map_err(|source| DatasetError::Io { path, source })
}
