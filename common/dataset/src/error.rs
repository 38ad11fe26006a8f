//! What can be wrong with a data set.

use std::path::PathBuf;

use crate::data_set::Unit;

/// Why a data set cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A file or folder that cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A folder that should be there.
    #[error("{}: no such folder; expected the data set's {what} there", path.display())]
    MissingFolder {
        /// The folder.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A `.mat` file that is damaged or of another kind.
    #[error("{}: {reason}", path.display())]
    Mat {
        /// The file.
        path: PathBuf,
        /// What was expected and found, and where.
        reason: String,
    },
    /// A `.mat` file without the array that is needed.
    #[error("{}: expected an array `{name}` of size {expected}, found {found}", path.display())]
    MatArray {
        /// The file.
        path: PathBuf,
        /// The array's name.
        name: &'static str,
        /// The size it should have.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A file that is no JSON, or JSON of another shape as a whole.
    #[error("{}: expected {expected}; {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the file should be.
        expected: &'static str,
        /// What the parser says, with line and column.
        source: serde_json::Error,
    },
    /// Annotations whose number of keypoints fits no known set.
    #[error(
        "{}: record {record} has {found} keypoints, and no known set has that many \
         (mpii 16, coco 17, lsp 14, animal_pose 20); name them with `?names=CLASSES_FILE`",
        path.display()
    )]
    UnknownKeypoints {
        /// The file.
        path: PathBuf,
        /// The record's index, from 0.
        record: usize,
        /// How many keypoints it has.
        found: usize,
    },
    /// A classes file with something wrong in it.
    #[error(transparent)]
    Names(#[from] pose::KeypointSetError),
    /// None of the data set's keypoints has the name of one of the model's.
    #[error(
        "{}: none of its keypoints ({found}) is one of `{target}` ({expected})",
        path.display()
    )]
    NothingInCommon {
        /// The data set's file.
        path: PathBuf,
        /// The data set's names.
        found: String,
        /// The wanted set.
        target: String,
        /// The wanted set's names.
        expected: String,
    },
    /// A source that cannot be understood.
    #[error(
        "data source `{text}`: {reason}; write KIND:PATH[,IMAGES][?OPTION=VALUE&...] with one of the kinds \
             annotations, coco, mpii, mpii-h5, lsp, lspet, labelme, yolo, animal-pose, csv and htf, \
             for example annotations:people?split=train"
    )]
    Source {
        /// What was written.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A record with something wrong in it, in a file that is taken whole or not at all.
    #[error("{}: record {record}, field `{field}`: {message}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The record's index, from 0.
        record: usize,
        /// The field.
        field: String,
        /// What was expected and found.
        message: String,
    },
    /// A table of predictions with something wrong in it.
    #[error("{}:{line}: {reason}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was expected and found.
        reason: String,
    },
    /// An HDF5 file that is damaged, or lacks an array.
    #[error("{}: {reason}", path.display())]
    H5 {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        reason: String,
    },
    /// A picture that cannot be read, decoded or written.
    #[error("photo {}: {source}", path.display())]
    Photo {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: image::ImageError,
    },
    /// A place to write to that cannot be understood.
    #[error(
        "`{text}`: {reason}; write FORMAT:FOLDER with one of the formats annotations, coco, labelme, \
             yolo, animal-pose, csv and lspet, for example coco:people-coco"
    )]
    Target {
        /// What was written.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A folder to write to that holds a data set already.
    #[error("{} exists already; choose another folder, or remove it", path.display())]
    Exists {
        /// The file that is there.
        path: PathBuf,
    },
    /// A cleaning step was about to touch test data.
    #[error("{id} is a test person; labels of test data are never changed: leave them out")]
    TestPerson {
        /// The person's id.
        id: String,
    },
}

/// A record that was left out because something in it is wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The annotation file.
    pub file: PathBuf,
    /// The record's index in it, from 0, or its line, from 1.
    pub record: usize,
    /// What `record` counts.
    pub unit: Unit,
    /// The field, `joint_self[3][1]` for example.
    pub field: String,
    /// What was expected and found.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {} {}, field `{}`: {}",
            self.file.display(),
            self.unit,
            self.record,
            self.field,
            self.message
        )
    }
}
