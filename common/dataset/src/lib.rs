//! People annotated in photos, from whatever file they come, and how well they were found:
//!
//! - [`Source`]: which data set, as it is written on a command line; [`load`] reads it.
//! - [`Person`], [`LabelledKeypoint`]: one annotated person, the keypoints mapped by name onto the
//!   set that was asked for, in continuous image coordinates ([`pose`] says what these are).
//! - [`DataSet`], [`Record`]: a data set as its files have it, from [`read()`]; [`write()`] writes it
//!   to a [`Target`] in another format, [`check`] looks for mistakes in it.
//! - [`Pck`]: the share of keypoints that are right, joint by joint.
//! - [`clean`]: training labels checked against a [`Teacher`]'s predictions.
//! - [`read_mat`], [`read_mat_values`]: what is in a MATLAB file.
//!
//! The formats: `annotations.json` of MPII and of custom data, COCO's keypoint JSON, MPII's own
//! `.mat` and `.h5` files, Leeds Sports Pose and its extension, labelme, YOLO-pose, Animal-Pose,
//! tables, and the text file of the first hourglass in TensorFlow.

#![forbid(unsafe_code)]

mod clean;
mod data_set;
mod error;
mod formats;
mod json;
mod load;
mod mat;
mod names;
mod pck;
mod person;
mod photo;
mod source;
mod teacher;
mod validate;
mod write;

pub use clean::{CleanReport, CleanSettings, clean};
pub use data_set::{DataSet, Place, Record, Unit};
pub use error::{DatasetError, Problem};
pub use load::{load, read};
pub use mat::{
    MatArray, MatStructs, MatValue, parse_mat, parse_mat_values, read_mat, read_mat_values,
};
pub use names::{read_names, write_names};
pub use pck::{GroupPck, JointPck, Pck, PckError, PckReport, PckRule};
pub use person::{LabelledKeypoint, Loaded, Person, Split, Visibility};
pub use photo::photo_size;
pub use source::{Source, SourceKind};
pub use teacher::{Teacher, TeacherKeypoint};
pub use validate::{CheckReport, CheckSettings, Finding, FindingKind, check};
pub use write::{Format, PhotoMode, Target, WriteReport, write};
