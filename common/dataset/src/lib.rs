//! People annotated in photos, from whatever file they come, and how well they were found:
//!
//! - [`Source`]: which data set, as it is written on a command line; [`load`] reads it.
//! - [`Person`], [`LabelledKeypoint`]: one annotated person, the keypoints mapped by name onto the
//!   set that was asked for, in continuous image coordinates ([`pose`] says what these are).
//! - [`Pck`]: the share of keypoints that are right, joint by joint.
//! - [`oks`](oks()), [`coco_eval`](coco_eval()): COCO's similarity of poses, average precision and recall;
//!   [`read_results`], [`results_json`]: found poses in COCO's format of results.
//! - [`suspicions`]: labels that are rarely right, by their geometry.
//! - [`clean`]: training labels checked against a [`Teacher`]'s predictions.
//! - [`read_mat`]: the numeric arrays of a MATLAB file.
//!
//! The formats: Leeds Sports Pose and its extension, the `annotations.json` of MPII and of custom
//! data, COCO's keypoint JSON.

#![forbid(unsafe_code)]

mod annotations;
mod clean;
mod coco;
mod coco_eval;
mod coco_results;
mod coco_truth;
mod error;
mod image_ids;
mod leeds;
mod load;
mod mat;
mod oks;
mod pck;
mod pck_report;
mod pck_rule;
mod person;
mod record;
mod source;
mod suspicion;
mod teacher;

pub use clean::{CleanReport, CleanSettings, clean};
pub use coco_eval::{CocoReport, coco_eval};
pub use coco_results::{FoundPose, read_results, results_json};
pub use coco_truth::{CocoFile, TruePose};
pub use error::{DatasetError, Problem};
pub use image_ids::ImageIds;
pub use load::load;
pub use mat::{MatArray, parse_mat, read_mat};
pub use oks::{OTHER_SIGMA, Sigmas, keypoint_similarity, oks};
pub use pck::{Judged, Pck, PckError};
pub use pck_report::{GroupPck, JointPck, PckReport};
pub use pck_rule::{PckRule, PersonSize};
pub use person::{LabelledKeypoint, Loaded, Person, Split, Visibility};
pub use source::{Source, SourceKind};
pub use suspicion::{Suspicion, suspicions};
pub use teacher::{Teacher, TeacherKeypoint};
