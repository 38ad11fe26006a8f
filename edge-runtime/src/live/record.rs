//! The poses of a frame as records: JSON lines, CSV, COCO results.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use dataset::{FoundPose, results_json};
use onnx_graph::AtomicFile;
use pose::KeypointSet;
use serde::Serialize;

use crate::error::RuntimeError;
use crate::live::sink::{LiveFrame, Sink};

/// What is known about one frame, in the form that goes into JSON lines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FrameRecord<'a> {
    /// The frame's number in its stream, from 0.
    pub frame: u64,
    /// When it was taken, in seconds since the stream's first frame.
    pub time: f64,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// The people in it.
    pub people: Vec<PersonRecord<'a>>,
}

/// One person of a [`FrameRecord`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PersonRecord<'a> {
    /// The same number for the same person from frame to frame.
    pub id: u32,
    /// Mean confidence of the keypoints, 0 to 1.
    pub confidence: f32,
    /// The keypoints, in the model's order.
    pub keypoints: Vec<PointRecord<'a>>,
}

/// One keypoint of a [`PersonRecord`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PointRecord<'a> {
    /// Its name.
    pub name: &'a str,
    /// Pixels from the frame's left edge.
    pub x: f32,
    /// Pixels from the frame's top edge.
    pub y: f32,
    /// How sure the network is, 0 to 1.
    pub confidence: f32,
}

impl<'a> FrameRecord<'a> {
    /// The record of a frame.
    pub fn new(frame: &LiveFrame, set: &'a KeypointSet) -> FrameRecord<'a> {
        let (width, height) = frame.frame.picture.dimensions();
        let people = frame.people.iter().map(|person| {
            let points = set.keypoints.iter().zip(&person.pose.keypoints);
            PersonRecord {
                id: person.id,
                confidence: person.pose.confidence,
                keypoints: points
                    .map(|(name, k)| PointRecord {
                        name,
                        x: k.x,
                        y: k.y,
                        confidence: k.confidence,
                    })
                    .collect(),
            }
        });
        FrameRecord {
            frame: frame.frame.number,
            time: frame.frame.time.as_secs_f64(),
            width,
            height,
            people: people.collect(),
        }
    }

    /// One line of JSON, with its end.
    pub fn json_line(&self) -> String {
        // Numbers and texts only: nothing in a record can fail to become JSON.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// First line of a CSV file of frames.
pub const FRAME_CSV_HEADER: &str = "frame,time,person,keypoint,x,y,confidence";

/// Form of a file of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFormat {
    /// One JSON object a line, one line a frame, also for frames without people.
    JsonLines,
    /// A header, then one line a keypoint: `frame,time,person,keypoint,x,y,confidence`.
    Csv,
    /// A JSON list in the form of COCO's results; `image_id` is the frame's number.
    Coco,
}

/// Writes records to a file, which appears under its name when it is complete.
#[derive(Debug)]
pub struct RecordSink {
    path: PathBuf,
    name: String,
    file: BufWriter<AtomicFile>,
    format: FrameFormat,
    set: KeypointSet,
    /// COCO: whether there is an entry to put a comma behind.
    begun: bool,
}

impl RecordSink {
    /// Starts a file.
    ///
    /// # Errors
    /// A folder that does not exist or cannot be written to.
    pub fn create(
        path: &Path,
        format: FrameFormat,
        set: KeypointSet,
    ) -> Result<RecordSink, RuntimeError> {
        let file = AtomicFile::create(path).map_err(|source| RuntimeError::Write {
            path: path.into(),
            source,
        })?;
        let mut sink = RecordSink {
            path: path.into(),
            name: path.display().to_string(),
            file: BufWriter::new(file),
            format,
            set,
            begun: false,
        };
        match format {
            FrameFormat::JsonLines => {}
            FrameFormat::Csv => sink.write(&format!("{FRAME_CSV_HEADER}\n"))?,
            FrameFormat::Coco => sink.write("[")?,
        }
        Ok(sink)
    }

    fn write(&mut self, text: &str) -> Result<(), RuntimeError> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|source| RuntimeError::Write {
            path: self.path.clone(),
            source,
        })
    }

    fn write_csv(&mut self, frame: &LiveFrame) -> Result<(), RuntimeError> {
        let (number, time) = (frame.frame.number, frame.frame.time.as_secs_f64());
        let mut lines = String::new();
        for person in &frame.people {
            for (name, k) in self.set.keypoints.iter().zip(&person.pose.keypoints) {
                let id = person.id;
                lines.push_str(&format!(
                    "{number},{time:.4},{id},{name},{:.2},{:.2},{:.4}\n",
                    k.x, k.y, k.confidence
                ));
            }
        }
        self.write(&lines)
    }

    fn write_coco(&mut self, frame: &LiveFrame) -> Result<(), RuntimeError> {
        for person in &frame.people {
            let entry = coco_entry(frame.frame.number, person);
            self.write(if self.begun { ",\n" } else { "" })?;
            self.write(&entry)?;
            self.begun = true;
        }
        Ok(())
    }
}

/// One entry of a file of COCO results.
fn coco_entry(frame: u64, person: &crate::stream::TrackedPose) -> String {
    let wide = |k: &pose::Keypoint| [f64::from(k.x), f64::from(k.y), f64::from(k.confidence)];
    let list = results_json(&[FoundPose {
        image_id: frame,
        category_id: 1,
        keypoints: person.pose.keypoints.iter().map(wide).collect(),
        score: f64::from(person.pose.confidence),
        bbox: None,
        person: Some(person.id.to_string()),
    }]);
    let list = list.trim();
    let list = list.strip_prefix('[').unwrap_or(list);
    list.strip_suffix(']').unwrap_or(list).to_owned()
}

impl Sink for RecordSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn take(&mut self, frame: &LiveFrame) -> Result<(), RuntimeError> {
        match self.format {
            FrameFormat::JsonLines => {
                let line = FrameRecord::new(frame, &self.set).json_line();
                self.write(&line)
            }
            FrameFormat::Csv => self.write_csv(frame),
            FrameFormat::Coco => self.write_coco(frame),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<(), RuntimeError> {
        if self.format == FrameFormat::Coco {
            self.write("]\n")?;
        }
        let RecordSink { path, file, .. } = *self;
        let file = file.into_inner().map_err(|e| e.into_error());
        file.and_then(AtomicFile::commit)
            .map_err(|source| RuntimeError::Write { path, source })
    }
}
