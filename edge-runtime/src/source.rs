//! Where frames come from: photos, videos, pipes, cameras.
//!
//! [`open_source`] decides which of the modules reads an input; [`open_camera`] opens a camera by
//! its name.

mod animation;
mod avi;
mod camera;
mod clock;
mod ffmpeg;
mod huffman;
mod input;
mod jpeg;
mod mjpeg;
mod open;
mod options;
mod photo;
mod pixel_format;
mod raw;
mod sequence;
mod y4m;
mod yuv;

pub use camera::{
    CameraFormat, CameraInfo, CameraRates, CameraSize, SizeRange, list_cameras, open_camera,
};
pub use open::open_source;
pub use options::{CaptureFormat, Notices, SourceOptions};
pub use photo::{
    MAX_PIXELS, PHOTO_ENDINGS, decode_photo, decode_photo_within, find_photos, load_photo,
};
pub use pixel_format::PixelFormat;
pub use sequence::PhotoSequence;
pub use yuv::ColorRange;
