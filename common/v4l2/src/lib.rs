//! Cameras on Linux: Video4Linux2 devices, their formats, and frames from them.
//!
//! - [`Device`]: an open `/dev/video*`; what it is ([`Capability`]), which formats, sizes and rates
//!   it has, and which of them are set.
//! - [`Stream`]: a device that is capturing into a few buffers that it shares with the kernel.
//! - `abi`: the structures and numbers of `linux/videodev2.h`.
//!
//! Nothing here blocks without a time limit. The single-planar API with memory-mapped buffers is
//! spoken, as every UVC webcam does; no system library is needed. All of this project's unsafe code
//! for cameras is in this crate. On other systems it is empty.
//!
//! Source: the kernel's Linux Media Infrastructure userspace API, part I, "Video for Linux API".

#![cfg(target_os = "linux")]

mod abi;
mod device;
mod stream;

pub use device::{
    Capability, Device, FormatDescription, Fourcc, Fraction, Intervals, PixFormat, Sizes,
};
pub use stream::{Filled, Stream};
