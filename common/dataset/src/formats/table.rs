//! Tables of comma-separated values, one person a line.
//!
//! This project's own columns, in any order; all but `image` and the keypoints' may be absent or
//! empty: `image`, `split` (`train`, `validation`, `test`), `dataset`, `track`, `x`, `y`, `width`,
//! `height` (the box), `head_x`, `head_y`, `head_width`, `head_height`, `area`, and for every
//! keypoint `NAME_x`, `NAME_y`, `NAME_v` (0 no label, 1 hidden, 2 seen; without it every position
//! is a label that is seen). Positions are continuous.
//!
//! The columns of hourglasstensorflow's second version: `set`, `image`, `scale`, `bbox_tl_x`,
//! `bbox_tl_y`, `bbox_br_x`, `bbox_br_y` (the head's box), `center_x`, `center_y`,
//! `joint_0_X`, `joint_0_Y`, `joint_0_visible` … for MPII's 16 keypoints, positions as MATLAB has
//! them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use csv::StringRecord;
use pose::{KeypointSet, Point, Rect};

use crate::data_set::{
    DataSet, FieldError, Place, Record, box_of_labels, checked_box, head_size, is_position,
};
use crate::error::DatasetError;
use crate::load::{folder, images_beside, read_file};
use crate::names::{classes_in, read_names, set_of_names, write_names};
use crate::person::{LabelledKeypoint, Person, Split, Visibility};
use crate::source::Source;
use crate::write::Output;

/// The columns besides the keypoints', in the order in which they are written.
const COLUMNS: [&str; 13] = [
    "image",
    "split",
    "dataset",
    "track",
    "x",
    "y",
    "width",
    "height",
    "head_x",
    "head_y",
    "head_width",
    "head_height",
    "area",
];

pub(crate) fn read(source: &Source) -> Result<DataSet, DatasetError> {
    let path = if source.root.is_dir() {
        source.root.join("people.csv")
    } else {
        source.root.clone()
    };
    let bytes = read_file(&path)?;
    let images = folder(images_beside(source, &path), "photos")?;
    let wrong = |line: usize, reason: String| DatasetError::Table {
        path: path.clone(),
        line,
        reason,
    };
    let mut table = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes));
    let header = table
        .headers()
        .map_err(|error| wrong(1, error.to_string()))?
        .clone();
    let columns = Columns::of(&header);
    let names = names(source, &header, &path).map_err(|error| match error {
        Ok(reason) => wrong(1, reason),
        Err(error) => error,
    })?;
    if columns.find("image").is_none() {
        return Err(wrong(
            1,
            "expected a column `image` in the first line".into(),
        ));
    }
    let mut set = DataSet::new(names, &path, &images);
    let matlab = columns.find("joint_0_X").is_some();
    let keypoints: Vec<[Option<usize>; 3]> = set
        .keypoints
        .keypoints
        .iter()
        .enumerate()
        .map(|(k, name)| {
            if matlab {
                ["X", "Y", "visible"].map(|part| columns.find(&format!("joint_{k}_{part}")))
            } else {
                ["x", "y", "v"].map(|part| columns.find(&format!("{name}_{part}")))
            }
        })
        .collect();
    let file: Arc<Path> = path.as_path().into();
    for (index, row) in table.records().enumerate() {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                let line = error.position().map_or(index + 2, |p| p.line() as usize);
                let error = FieldError::new(".", error.to_string());
                set.take(&Place::line(&file, line), Err(error));
                continue;
            }
        };
        let line = row.position().map_or(index + 2, |p| p.line() as usize);
        let place = Place::line(&file, line);
        let row = Row {
            columns: &columns,
            values: &row,
        };
        if row.values.len() != columns.count {
            let message = format!(
                "expected {} values, found {}",
                columns.count,
                row.values.len()
            );
            set.take(&place, Err(FieldError::new(".", message)));
            continue;
        }
        let record = if matlab {
            row.htf(&keypoints, &images, &place)
        } else {
            row.own(&keypoints, &set.keypoints, &images, &place)
        };
        match record {
            Ok(Some(record)) => set.records.push(record),
            Ok(None) => {}
            Err(error) => set.take(&place, Err(error)),
        }
    }
    Ok(set)
}

/// The keypoints that the columns are of; what is wrong with the header, or with a classes file.
fn names(
    source: &Source,
    header: &StringRecord,
    path: &Path,
) -> Result<KeypointSet, Result<String, DatasetError>> {
    if header.iter().any(|column| column == "joint_0_X") {
        return Ok(KeypointSet::mpii());
    }
    let named: Vec<String> = header
        .iter()
        .filter_map(|column| column.strip_suffix("_x"))
        .filter(|&name| name != "head" && header.iter().any(|c| c.strip_suffix("_y") == Some(name)))
        .map(str::to_owned)
        .collect();
    let file = source
        .names
        .clone()
        .or_else(|| classes_in(path.parent().unwrap_or(Path::new(""))));
    if let Some(file) = file {
        let set = read_names(&file).map_err(Err)?;
        if source.names.is_some() || set.keypoints == named {
            return Ok(set);
        }
    }
    if named.is_empty() {
        return Err(Ok(
            "expected columns NAME_x and NAME_y for every keypoint in the first line".into(),
        ));
    }
    set_of_names("csv", &named).map_err(Ok)
}

struct Columns {
    places: HashMap<String, usize>,
    count: usize,
}

impl Columns {
    fn of(header: &StringRecord) -> Self {
        let places = header.iter().enumerate();
        Self {
            places: places.map(|(k, name)| (name.to_owned(), k)).collect(),
            count: header.len(),
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}

struct Row<'a> {
    columns: &'a Columns,
    values: &'a StringRecord,
}

impl Row<'_> {
    /// The text of a column; `None` where there is no such column or nothing in it.
    fn text(&self, name: &str) -> Option<&str> {
        let value = self.values.get(self.columns.find(name)?)?;
        Some(value).filter(|value| !value.is_empty())
    }

    fn number_at(&self, at: Option<usize>, name: &str) -> Result<Option<f64>, FieldError> {
        let Some(value) = at.and_then(|at| self.values.get(at)) else {
            return Ok(None);
        };
        // pandas and numpy write what is missing as `nan`.
        if value.is_empty() || value.eq_ignore_ascii_case("nan") {
            return Ok(None);
        }
        let number: Option<f64> = value.parse().ok().filter(|&v| is_position(v));
        number.map(Some).ok_or_else(|| {
            let value: String = value.chars().take(30).collect();
            FieldError::new(name, format!("expected a number, found `{value}`"))
        })
    }

    fn number(&self, name: &str) -> Result<Option<f64>, FieldError> {
        self.number_at(self.columns.find(name), name)
    }

    /// Four numbers that make a box; `None` when one is missing.
    fn corners(&self, names: [&str; 4]) -> Result<Option<[f64; 4]>, FieldError> {
        let mut numbers = [0.0; 4];
        for (number, name) in numbers.iter_mut().zip(names) {
            match self.number(name)? {
                Some(value) => *number = value,
                None => return Ok(None),
            }
        }
        Ok(Some(numbers))
    }

    fn image(&self) -> Result<&str, FieldError> {
        let missing = || FieldError::new("image", "expected the photo's name, found nothing");
        self.text("image").ok_or_else(missing)
    }

    fn split(&self, column: &str) -> Result<Split, FieldError> {
        let Some(name) = self.text(column) else {
            return Ok(Split::Train);
        };
        Split::of_name(name).ok_or_else(|| {
            let message = format!("expected train, validation or test, found `{name}`");
            FieldError::new(column, message)
        })
    }

    fn labels(
        &self,
        keypoints: &[[Option<usize>; 3]],
        name: impl Fn(usize) -> String,
        offset: f64,
        label: impl Fn(Option<f64>) -> Visibility,
    ) -> Result<Vec<LabelledKeypoint>, FieldError> {
        let mut labels = Vec::with_capacity(keypoints.len());
        for (k, &[x, y, v]) in keypoints.iter().enumerate() {
            let name = name(k);
            let v = self.number_at(v, &name)?;
            let (x, y) = (self.number_at(x, &name)?, self.number_at(y, &name)?);
            labels.push(match (x, y) {
                (Some(x), Some(y)) => {
                    let visibility = label(v);
                    if visibility == Visibility::Missing {
                        LabelledKeypoint::MISSING
                    } else {
                        LabelledKeypoint::new((x - offset) as f32, (y - offset) as f32, visibility)
                    }
                }
                (None, None) => LabelledKeypoint::MISSING,
                _ => {
                    let message = "expected x and y or neither, found one of them";
                    return Err(FieldError::new(name, message));
                }
            });
        }
        Ok(labels)
    }

    fn own(
        &self,
        keypoints: &[[Option<usize>; 3]],
        set: &KeypointSet,
        images: &Path,
        place: &Place,
    ) -> Result<Option<Record>, FieldError> {
        let name = |k: usize| set.keypoints[k].clone();
        let labels = self.labels(keypoints, name, 0.0, |v| match v {
            None => Visibility::Visible,
            Some(2.0..) => Visibility::Visible,
            Some(1.0..) => Visibility::Occluded,
            Some(_) => Visibility::Missing,
        })?;
        if !labels.iter().any(LabelledKeypoint::is_labelled) {
            return Ok(None);
        }
        let rect = match self.corners(["x", "y", "width", "height"])? {
            Some(corners) => checked_box("width", corners)?,
            None => box_of_labels("keypoints", &labels)?,
        };
        let head = match self.corners(["head_x", "head_y", "head_width", "head_height"])? {
            Some(corners) => Some(checked_box("head_width", corners)?),
            None => None,
        };
        let dataset = self.text("dataset").unwrap_or("csv");
        Ok(Some(Record {
            person: Person {
                image: images.join(self.image()?),
                dataset: dataset.to_owned(),
                id: format!("{dataset}:{}", place.number),
                rect,
                keypoints: labels,
                head_size: head_size(head),
                area: self.number("area")?.map(|area| area as f32),
                split: self.split("split")?,
            },
            place: place.clone(),
            head,
            track: self.number("track")?.map(|track| track as u64),
            stated_size: None,
        }))
    }

    fn htf(
        &self,
        keypoints: &[[Option<usize>; 3]],
        images: &Path,
        place: &Place,
    ) -> Result<Option<Record>, FieldError> {
        /// MATLAB's first pixel has its centre at 1.
        const MATLAB: f64 = 0.5;
        let mut labels = self.labels(
            keypoints,
            |k| format!("joint_{k}_X"),
            MATLAB,
            |v| match v {
                Some(v) if v > 0.0 => Visibility::Visible,
                _ => Visibility::Occluded,
            },
        )?;
        for label in &mut labels {
            // What MPII has no label for is written as -1, -1 or 0, 0.
            let corner = label.x + MATLAB as f32;
            if corner == label.y + MATLAB as f32 && (corner == -1.0 || corner == 0.0) {
                *label = LabelledKeypoint::MISSING;
            }
        }
        if !labels.iter().any(LabelledKeypoint::is_labelled) {
            return Ok(None);
        }
        let center = (self.number("center_x")?, self.number("center_y")?);
        let rect = match (center, self.number("scale")?) {
            ((Some(x), Some(y)), Some(scale)) if scale > 0.0 => {
                let center = Point::new((x - MATLAB) as f32, (y - MATLAB) as f32);
                let side = (200.0 * scale) as f32;
                Rect::around(center, side, side)
            }
            _ => box_of_labels("keypoints", &labels)?,
        };
        let head = match self.corners(["bbox_tl_x", "bbox_tl_y", "bbox_br_x", "bbox_br_y"])? {
            Some([left, top, right, bottom]) if right > left && bottom > top => {
                let corners = [left - MATLAB, top - MATLAB, right - left, bottom - top];
                Some(checked_box("bbox_tl_x", corners)?)
            }
            _ => None,
        };
        Ok(Some(Record {
            person: Person {
                image: images.join(self.image()?),
                dataset: "mpii".into(),
                id: format!("htf:{}", place.number),
                rect,
                keypoints: labels,
                head_size: head_size(head),
                area: None,
                split: self.split("set")?,
            },
            place: place.clone(),
            head,
            track: None,
            stated_size: None,
        }))
    }
}

/// Writes `people.csv` and the keypoint set's text files; photos lie in `images`.
pub(crate) fn write(output: &Output<'_>) -> Result<(), DatasetError> {
    let path = output.root.join("people.csv");
    let io = |error: csv::Error| DatasetError::Io {
        path: path.clone(),
        source: error.into(),
    };
    let mut table = csv::Writer::from_path(&path).map_err(io)?;
    let mut header: Vec<String> = COLUMNS.map(str::to_owned).to_vec();
    for name in &output.keypoints.keypoints {
        header.extend(["x", "y", "v"].map(|part| format!("{name}_{part}")));
    }
    table.write_record(&header).map_err(io)?;
    for record in output.records {
        let person = &record.person;
        let number = |value: f32| value.to_string();
        let mut row = vec![
            output.name(&person.image),
            person.split.name().to_owned(),
            person.dataset.clone(),
            record.track.map_or_else(String::new, |t| t.to_string()),
        ];
        let corners = |r: Rect| [r.x, r.y, r.width, r.height].map(number);
        row.extend(corners(person.rect));
        match output.head(record) {
            Some(head) => row.extend(corners(head)),
            None => row.extend([const { String::new() }; 4]),
        }
        row.push(person.area.map_or_else(String::new, number));
        for k in &person.keypoints {
            row.extend(match k.visibility {
                Visibility::Missing => [String::new(), String::new(), "0".into()],
                Visibility::Occluded => [number(k.x), number(k.y), "1".into()],
                Visibility::Visible => [number(k.x), number(k.y), "2".into()],
            });
        }
        table.write_record(&row).map_err(io)?;
    }
    table.flush().map_err(|source| DatasetError::Io {
        path: path.clone(),
        source,
    })?;
    write_names(output.keypoints, output.root)
}
