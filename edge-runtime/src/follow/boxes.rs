//! Boxes of people, from elsewhere.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;

use pose::Rect;
use serde::Deserialize;

use crate::error::RuntimeError;
use crate::stream::Frame;

/// Where somebody is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PersonBox {
    /// The box around the whole person, in the frame's pixels.
    pub rect: Rect,
    /// How sure its source is, 0..=1.
    pub score: f32,
}

/// Says where people are.
pub trait BoxSource: Send {
    /// The people in this frame; none where nothing is known of it. `lost` says that somebody is
    /// missing: a source that is costly can leave frames out while nobody is.
    ///
    /// # Errors
    /// A failure of a detector.
    fn boxes(&mut self, frame: &Frame, lost: bool) -> Result<Option<Vec<PersonBox>>, RuntimeError>;
}

/// Boxes that were written down before, by frame number. See [`load_boxes`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BoxFile {
    frames: BTreeMap<u64, Vec<PersonBox>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    frame: u64,
    boxes: Vec<Vec<f32>>,
}

impl BoxFile {
    /// Reads boxes from `text`, called `label` in messages. Every line is JSON or CSV:
    ///
    /// ```text
    /// {"frame": 0, "boxes": [[x, y, width, height], [x, y, width, height, score]]}
    /// 0,x,y,width,height,score
    /// ```
    ///
    /// Frames count from 0, boxes are in pixels, the score can be left out (1). Blank lines, lines
    /// that start with `#`, and a CSV header that starts with `frame` are passed over.
    ///
    /// # Errors
    /// A line that cannot be read: its number, what was expected, and what was found.
    pub fn read(text: impl BufRead, label: &str) -> Result<BoxFile, RuntimeError> {
        let mut file = BoxFile::default();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let line = line.map_err(|source| RuntimeError::Read {
                path: label.into(),
                source,
            })?;
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', 'f']) {
                continue;
            }
            let (frame, boxes) = parse(line)
                .map_err(|reason| RuntimeError::Usage(format!("{label}:{number}: {reason}")))?;
            file.frames.entry(frame).or_default().extend(boxes);
        }
        Ok(file)
    }
}

impl BoxSource for BoxFile {
    fn boxes(&mut self, frame: &Frame, _: bool) -> Result<Option<Vec<PersonBox>>, RuntimeError> {
        Ok(self.frames.get(&frame.number).cloned())
    }
}

/// Reads a file of boxes; see [`BoxFile::read`]. `-` is the standard input.
///
/// # Errors
/// A file that cannot be opened; a line that cannot be read.
pub fn load_boxes(path: &Path) -> Result<BoxFile, RuntimeError> {
    if path.as_os_str() == "-" {
        return BoxFile::read(std::io::stdin().lock(), "standard input");
    }
    let file = std::fs::File::open(path).map_err(|source| RuntimeError::Read {
        path: path.into(),
        source,
    })?;
    BoxFile::read(std::io::BufReader::new(file), &path.display().to_string())
}

fn parse(line: &str) -> Result<(u64, Vec<PersonBox>), String> {
    if line.starts_with('{') {
        let Line { frame, boxes } = serde_json::from_str(line).map_err(|e| {
            format!("expected {{\"frame\": 0, \"boxes\": [[x, y, width, height, score]]}}: {e}")
        })?;
        let boxes = boxes.iter().map(|values| person_box(values));
        return Ok((frame, boxes.collect::<Result<_, _>>()?));
    }
    let wrong = || format!("expected frame,x,y,width,height or …,score, found `{line}`");
    let (frame, rest) = line.split_once(',').ok_or_else(wrong)?;
    let frame = frame.trim().parse().map_err(|_| wrong())?;
    let values: Result<Vec<f32>, _> = rest.split(',').map(|v| v.trim().parse()).collect();
    Ok((frame, vec![person_box(&values.map_err(|_| wrong())?)?]))
}

fn person_box(values: &[f32]) -> Result<PersonBox, String> {
    let (&[x, y, width, height], score) = match values {
        [first @ .., score] if values.len() == 5 => (first.first_chunk().ok_or("no box")?, *score),
        _ => (
            values
                .first_chunk()
                .filter(|_| values.len() == 4)
                .ok_or_else(|| {
                    format!(
                        "expected x, y, width, height and maybe a score, found {} numbers",
                        values.len()
                    )
                })?,
            1.0,
        ),
    };
    let finite = values.iter().all(|v| v.is_finite());
    if !(finite && width > 0.0 && height > 0.0) {
        return Err(format!(
            "expected a box with an area, found x {x}, y {y}, width {width}, height {height}"
        ));
    }
    Ok(PersonBox {
        rect: Rect::new(x, y, width, height),
        score,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let text = "# two people\nframe,x,y,width,height,score\n\n0,1,2,30,40\n\
                    {\"frame\": 3, \"boxes\": [[5, 6, 7.5, 8, 0.25]]}\n 0, 9,9,9,9 ,0.5\n";
        let file = BoxFile::read(text.as_bytes(), "boxes").unwrap();
        let at = |x, y, width, height, score| PersonBox {
            rect: Rect::new(x, y, width, height),
            score,
        };
        assert_eq!(
            file.frames,
            BTreeMap::from([
                (
                    0,
                    vec![at(1.0, 2.0, 30.0, 40.0, 1.0), at(9.0, 9.0, 9.0, 9.0, 0.5)]
                ),
                (3, vec![at(5.0, 6.0, 7.5, 8.0, 0.25)]),
            ])
        );
    }

    #[test]
    fn broken_lines_are_named() {
        for (text, part) in [
            ("0,1,2", "found 2 numbers"),
            ("0,1,2,3,4,5,6", "found 6 numbers"),
            ("\nx,1,2,3,4", "boxes:2: expected frame,x"),
            ("7", "found `7`"),
            ("0,1,2,-3,4", "expected a box with an area"),
            ("0,1,2,nan,4", "expected a box with an area"),
            ("{\"frame\": 1}", "missing field `boxes`"),
            ("{\"frame\": 1, \"boxes\": [[1]]}", "found 1 numbers"),
        ] {
            let error = BoxFile::read(text.as_bytes(), "boxes").unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
