//! People annotated in photos, from whatever file they come, and how well they were found:
//!
//! - [`Source`]: which data set, as it is written on a command line; [`load`] reads it.
//! - [`Person`], [`LabelledKeypoint`]: one annotated person, the keypoints mapped by name onto the
//!   set that was asked for, in continuous image coordinates ([`pose`] says what these are).
//! - [`Pck`]: the share of keypoints that are right, joint by joint.
//! - [`clean`]: training labels checked against a [`Teacher`]'s predictions.
//! - [`read_mat`]: the numeric arrays of a MATLAB file.
//!
//! The formats: Leeds Sports Pose and its extension, the `annotations.json` of MPII and of custom
//! data, COCO's keypoint JSON.

#![forbid(unsafe_code)]

mod annotations;
mod clean;
mod coco;
mod error;
mod leeds;
mod load;
mod mat;
mod pck;
mod person;
mod record;
mod source;
mod teacher;

pub use clean::{CleanReport, CleanSettings, clean};
pub use error::{DatasetError, Problem};
pub use load::load;
pub use mat::{MatArray, parse_mat, read_mat};
pub use pck::{GroupPck, JointPck, Pck, PckError, PckReport, PckRule};
pub use person::{LabelledKeypoint, Loaded, Person, Split, Visibility};
pub use source::{Source, SourceKind};
pub use teacher::{Teacher, TeacherKeypoint};
