//! People annotated in photos, from whatever file they come, and how well they were found:
//!
//! - [`Source`]: which data set, as it is written on a command line; [`load`] reads it.
//! - [`Person`], [`LabelledKeypoint`]: one annotated person, the keypoints mapped by name onto the
//!   set that was asked for, in continuous image coordinates ([`pose`] says what these are).
//! - [`DataSet`], [`Record`]: a data set as its files have it, from [`read()`]; [`write()`] writes it
//!   to a [`Target`] in another format, [`check`] looks for mistakes in it.
//! - [`Pck`]: the share of keypoints that are right, joint by joint.
//! - [`oks`](oks()), [`coco_eval`](coco_eval()): COCO's similarity of poses, average precision and recall;
//!   [`read_results`], [`results_json`]: found poses in COCO's format of results.
//! - [`suspicions`]: labels that are rarely right, by their geometry.
//! - [`clean`]: training labels checked against a [`Teacher`]'s predictions.
//! - [`read_mat`], [`read_mat_values`]: what is in a MATLAB file.
//!
//! The formats: `annotations.json` of MPII and of custom data, COCO's keypoint JSON, MPII's own
//! `.mat` and `.h5` files, Leeds Sports Pose and its extension, labelme, YOLO-pose, Animal-Pose,
//! tables, and the text file of the first hourglass in TensorFlow.

#![forbid(unsafe_code)]

mod clean;
mod coco_eval;
mod coco_results;
mod coco_truth;
mod data_set;
mod error;
mod formats;
mod image_ids;
mod json;
mod load;
mod mat;
mod names;
mod oks;
mod pck;
mod pck_report;
mod pck_rule;
mod person;
mod photo;
mod source;
mod suspicion;
mod teacher;
mod validate;
mod write;

pub use clean::{CleanReport, CleanSettings, clean};
pub use coco_eval::{CocoReport, coco_eval};
pub use coco_results::{FoundPose, read_results, results_json};
pub use coco_truth::{CocoFile, TruePose};
pub use data_set::{DataSet, Place, Record, Unit};
pub use error::{DatasetError, Problem};
pub use image_ids::ImageIds;
pub use load::{load, read};
pub use mat::{
    MatArray, MatStructs, MatValue, parse_mat, parse_mat_values, read_mat, read_mat_values,
};
pub use names::{read_names, write_names};
pub use oks::{OTHER_SIGMA, Sigmas, keypoint_similarity, oks};
pub use pck::{Judged, Pck, PckError};
pub use pck_report::{GroupPck, JointPck, PckReport};
pub use pck_rule::{PckRule, PersonSize};
pub use person::{LabelledKeypoint, Loaded, Person, Split, Visibility};
pub use photo::photo_size;
pub use source::{Source, SourceKind};
pub use suspicion::{Suspicion, suspicions};
pub use teacher::{Teacher, TeacherKeypoint};
pub use validate::{CheckReport, CheckSettings, Finding, FindingKind, check};
pub use write::{Format, PhotoMode, Target, WriteReport, write};
