//! The arithmetic of human pose estimation, `no_std` + `alloc`, in the order the data flows:
//!
//! - [`Crop`] and [`Affine`]: which part of a frame the network sees, as one affine map.
//! - [`warp_rgb`]: the pixels of that part, bilinear, area-averaged where it shrinks.
//! - [`Heatmaps`], [`Decoder`], [`gaussian_target`], [`merge_flipped`]: the network's output as
//!   points of the frame, and the targets that it is trained on.
//! - [`Pose`] and [`Keypoint`]: the result.
//! - [`Tracker`]: people from frame to frame ([`Presence`], OKS in [`pose_similarity`]), the crop of
//!   the next frame ([`FollowCrop`]), poses smoothed over time ([`PoseSmoother`], [`OneEuro`]).
//! - [`joint_angles`], [`compare_poses`], [`ClipFollower`]: a body's angles, and how a pose compares
//!   with a reference pose or clip.
//! - [`KeypointSet`]: names, flip pairs and skeleton, read from three text files; `mpii`, `coco`,
//!   `lsp` and `animal_pose` are built in.
//!
//! # Coordinates
//! Everything is in continuous image coordinates: pixel (i, j) covers `[i, i+1) × [j, j+1)`, its
//! centre is (i + 0.5, j + 0.5), x points right and y down. Heatmap cell (i, j) stands for the
//! network's input point ((i + 0.5) · stride, (j + 0.5) · stride), which is what
//! [`Affine::scale`]`(stride)` maps it to.
//!
//! # Example
//! A frame's way through the crate, with a drawn heatmap in the network's place:
//!
//! ```
//! use pose::*;
//! let (frame, input, stride) = (Size::new(640, 480), Size::square(192), 4.0);
//! let crop = Crop::around(Rect::new(200.0, 100.0, 150.0, 300.0), 1.25, input);
//!
//! let pixels = vec![0; frame.width * frame.height * 3];
//! let view = RgbView::new(&pixels, frame.width, frame.height);
//! let mut network_input = vec![0; input.width * input.height * 3];
//! warp_rgb(&view, &crop.to_frame(input), &mut network_input, input, BORDER)?;
//!
//! let nose = crop.to_input(input).apply(Point::new(270.0, 130.0));
//! let mut map = vec![0.0; 48 * 48];
//! gaussian_target(&mut map, 48, 48, Point::new(nose.x / stride, nose.y / stride), 1.5);
//!
//! let maps = Heatmaps::new(&map, 1, 48, 48, Layout::Nchw)?;
//! let pose = decode(&maps, Decoding::Dark, &crop.cells_to_frame(input, stride));
//! let found = pose.keypoints[0];
//! assert!((found.x - 270.0).abs() < 0.1 && (found.y - 130.0).abs() < 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod angles;
mod body;
mod clip_match;
mod compare;
mod crop;
mod follow_crop;
mod geometry;
mod heatmap;
mod keypoint_set;
mod one_euro;
mod pose;
mod prefilter;
mod presence;
mod similarity;
mod smoother;
mod subpixel;
mod target;
mod text_files;
mod tracker;
mod warp;

pub use angles::{JointAngle, angle, joint_angles};
pub use body::{Torso, sure_box};
pub use clip_match::{ClipFollower, ReferenceClip};
pub use compare::{CompareSettings, Comparison, Deviation, LimbHint, compare_poses};
pub use crop::{Crop, Size};
pub use follow_crop::FollowCrop;
pub use geometry::{Affine, Point, Rect};
pub use heatmap::{Decoder, Decoding, HeatmapError, Heatmaps, Layout, decode, merge_flipped};
pub use keypoint_set::{Bone, FlipAxis, FlipPair, KeypointSet, Rgb};
pub use one_euro::{OneEuro, OneEuroSettings};
pub use pose::{Keypoint, Pose};
pub use presence::{Presence, PresenceSettings};
pub use similarity::{box_overlap, pose_similarity};
pub use smoother::{PoseSmoother, Smoothing};
pub use target::gaussian_target;
pub use text_files::{KeypointSetError, TextFile};
pub use tracker::{Sighting, Track, Tracker, TrackerSettings};
pub use warp::{BORDER, RgbView, WarpError, Warper, warp_rgb};
