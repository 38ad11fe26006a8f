//! Annotated pictures of people of our own making.
//!
//! An articulated figure ([`Figure`]) comes from a [`Body`]: MakeHuman's CC0 body, or the simple
//! one that is built in. It takes a [`Pose`] (drawn by lot or from a BVH [`Clip`]), an [`Outfit`],
//! and stands in a [`Scene`] of [`Backdrop`], [`Light`] and [`Camera`]; [`Scene::paint`] draws the
//! picture with a rasterizer of ours and gives the exact keypoints with it.
//!
//! ```
//! use synth::{BuiltIn, KEYPOINT_NAMES, SceneOptions, render};
//!
//! let options = SceneOptions { width: 96, height: 96, ..SceneOptions::default() };
//! let sample = render(&BuiltIn, 7, &options);
//! assert_eq!(sample.image.dimensions(), (96, 96));
//! for (name, point) in KEYPOINT_NAMES.iter().zip(sample.keypoints[0]) {
//!     println!("{name}: {:.1}, {:.1} {:?}", point.x, point.y, point.visibility);
//! }
//! ```
//!
//! [`MovingScene`] gives the frames of clips. [`write_dataset`] fills a folder with pictures and
//! their annotations, in any format that [`dataset`] writes.
//!
//! MakeHuman's files are not part of this project: [`MakeHuman::load`] takes the folder
//! `makehuman/data` of <https://github.com/makehumancommunity/makehuman>, all of it CC0.
//!
//! One seed gives one picture, byte for byte, on every machine: the random numbers are PCG's, the
//! functions beyond plain IEEE arithmetic come from `libm`, and nothing depends on threads.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backdrop;
mod body;
mod bvh;
mod camera;
mod error;
mod figure;
mod light;
mod material;
mod moving;
mod noise;
mod outfit;
mod paint;
mod random;
mod random_pose;
mod raster;
mod retarget;
mod rig;
mod sample;
mod scene;
mod segment;
mod writer;

pub use backdrop::{Backdrop, Background, BackgroundKind, Floor};
pub use body::{Body, BuiltIn, MakeHuman, Shape};
pub use bvh::Clip;
pub use camera::Camera;
pub use dataset::{Format, Target};
pub use error::SynthError;
pub use figure::{
    Anchor, Chart, Figure, KEYPOINT_NAMES, KEYPOINTS, Layer, Posed, Triangle, Vertex,
};
pub use light::Light;
pub use moving::MovingScene;
pub use outfit::{Cloth, HairCut, Outfit, Pattern, Wardrobe};
pub use random::Random;
pub use random_pose::{Stances, random_pose};
pub use rig::{Bone, BoneMotion, Drive, INFLUENCES, Rig, SkinWeights, skin};
pub use sample::{Keypoint, Sample, Visibility};
pub use scene::{Block, Finish, LightKind, Person, Scene, SceneOptions};
pub use segment::{Pose, SEGMENTS, Segment};
pub use writer::{ClipOptions, DatasetOptions, picture_seed, write_dataset, write_jpeg};

/// Draws the scene of a seed: the same bytes on every run.
pub fn render(body: &dyn Body, seed: u64, options: &SceneOptions) -> Sample {
    Scene::random(body, seed, options).paint()
}
