//! The three text files of a keypoint set: classes, match points, skeleton.

use crate::keypoint_set::{Bone, FlipAxis, FlipPair, KeypointSet, Rgb};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// A text file that was read; the path is what error messages call it.
#[derive(Clone, Copy, Debug)]
pub struct TextFile<'a> {
    /// Where it came from.
    pub path: &'a str,
    /// Its content.
    pub text: &'a str,
}

/// What is wrong with a keypoint set's text file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeypointSetError {
    /// The classes file names no keypoint.
    #[error("{file}: no keypoint name found; write one name on each line")]
    Empty {
        /// The classes file.
        file: String,
    },
    /// A name stands twice in the classes file.
    #[error(
        "{file}:{line}: the keypoint `{word}` is already on line {first_line}; names must be unique"
    )]
    Duplicate {
        /// The classes file.
        file: String,
        /// Line of the second occurrence, from 1.
        line: usize,
        /// The name.
        word: String,
        /// Line of the first occurrence, from 1.
        first_line: usize,
    },
    /// A name in the classes file has a comma or white space in it.
    #[error(
        "{file}:{line}: `{word}` is not a keypoint name; expected one name without spaces and commas"
    )]
    BadName {
        /// The classes file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What stands there.
        word: String,
    },
    /// A line has more or fewer than three fields.
    #[error(
        "{file}:{line}: expected 3 fields separated by commas ({expected}), found {found} in `{word}`"
    )]
    FieldCount {
        /// The match-point or skeleton file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What the line should hold.
        expected: &'static str,
        /// How many fields it has.
        found: usize,
        /// The line's text.
        word: String,
    },
    /// A name that the classes file does not have.
    #[error("{file}:{line}: unknown keypoint `{word}`; `{set}` has: {known}")]
    UnknownKeypoint {
        /// The match-point or skeleton file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The name.
        word: String,
        /// The name of the keypoint set.
        set: String,
        /// The names that there are.
        known: String,
    },
    /// The last field is none of the letters known.
    #[error("{file}:{line}: unknown letter `{word}`; expected {expected}")]
    BadLetter {
        /// The match-point or skeleton file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What stands there.
        word: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A keypoint is paired with itself, or in two pairs of the same axis.
    #[error(
        "{file}:{line}: `{word}` is already paired on this axis, or paired with itself; each keypoint has one partner"
    )]
    PairedTwice {
        /// The match-point file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The name.
        word: String,
    },
}

/// The lines that hold something, without the white space around it, and their numbers from 1.
fn records(file: TextFile<'_>) -> impl Iterator<Item = (usize, &str)> {
    // Editors on Windows put a byte order mark before the first name.
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(file.text);
    text.lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty())
}

/// The names of a classes file, in order.
pub(crate) fn classes(file: TextFile<'_>) -> Result<Vec<String>, KeypointSetError> {
    let mut names: Vec<(usize, &str)> = Vec::new();
    for (line, word) in records(file) {
        if word.contains(|c: char| c == ',' || c.is_whitespace()) {
            return Err(KeypointSetError::BadName {
                file: file.path.to_owned(),
                line,
                word: word.to_owned(),
            });
        }
        if let Some(&(first_line, _)) = names.iter().find(|(_, name)| *name == word) {
            return Err(KeypointSetError::Duplicate {
                file: file.path.to_owned(),
                line,
                word: word.to_owned(),
                first_line,
            });
        }
        names.push((line, word));
    }
    if names.is_empty() {
        return Err(KeypointSetError::Empty {
            file: file.path.to_owned(),
        });
    }
    Ok(names.into_iter().map(|(_, name)| name.to_owned()).collect())
}

/// The pairs of a match-point file.
pub(crate) fn match_points(
    set: &KeypointSet,
    file: TextFile<'_>,
) -> Result<Vec<FlipPair>, KeypointSetError> {
    let mut pairs: Vec<FlipPair> = Vec::new();
    for (line, record) in records(file) {
        let [one, other, letter] = fields(file, line, record, "name,name,h or v")?;
        let first = keypoint(set, file, line, one)?;
        let second = keypoint(set, file, line, other)?;
        let axis = match letter {
            "h" => FlipAxis::Horizontal,
            "v" => FlipAxis::Vertical,
            _ => {
                return Err(KeypointSetError::BadLetter {
                    file: file.path.to_owned(),
                    line,
                    word: letter.to_owned(),
                    expected: "h (left-right) or v (top-bottom)",
                });
            }
        };
        let taken = |index: usize| {
            pairs
                .iter()
                .any(|p| p.axis == axis && (p.first == index || p.second == index))
        };
        let twice = match (taken(first), taken(second) || first == second) {
            (true, _) => Some(one),
            (false, true) => Some(other),
            (false, false) => None,
        };
        if let Some(word) = twice {
            return Err(KeypointSetError::PairedTwice {
                file: file.path.to_owned(),
                line,
                word: word.to_owned(),
            });
        }
        pairs.push(FlipPair {
            first,
            second,
            axis,
        });
    }
    Ok(pairs)
}

/// The lines of a skeleton file.
pub(crate) fn skeleton(
    set: &KeypointSet,
    file: TextFile<'_>,
) -> Result<Vec<Bone>, KeypointSetError> {
    records(file)
        .map(|(line, record)| {
            let [start, end, letter] = fields(file, line, record, "start,end,r or g or b")?;
            let color = match letter {
                "r" => Rgb::new(255, 0, 0),
                "g" => Rgb::new(0, 255, 0),
                "b" => Rgb::new(0, 0, 255),
                _ => {
                    return Err(KeypointSetError::BadLetter {
                        file: file.path.to_owned(),
                        line,
                        word: letter.to_owned(),
                        expected: "r (red), g (green) or b (blue)",
                    });
                }
            };
            Ok(Bone {
                start: keypoint(set, file, line, start)?,
                end: keypoint(set, file, line, end)?,
                color,
            })
        })
        .collect()
}

fn fields<'a>(
    file: TextFile<'_>,
    line: usize,
    record: &'a str,
    expected: &'static str,
) -> Result<[&'a str; 3], KeypointSetError> {
    let found: Vec<&str> = record.split(',').map(str::trim).collect();
    <[&str; 3]>::try_from(found).map_err(|found| KeypointSetError::FieldCount {
        file: file.path.to_owned(),
        line,
        expected,
        found: found.len(),
        word: record.to_owned(),
    })
}

fn keypoint(
    set: &KeypointSet,
    file: TextFile<'_>,
    line: usize,
    name: &str,
) -> Result<usize, KeypointSetError> {
    set.index_of(name)
        .ok_or_else(|| KeypointSetError::UnknownKeypoint {
            file: file.path.to_owned(),
            line,
            word: name.to_owned(),
            set: set.name.clone(),
            known: set.keypoints.join(", "),
        })
}
