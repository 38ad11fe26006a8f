//! What errors of cameras mean.

use std::io;

/// Numbers of Linux's errors.
pub const EIO: i32 = 5;
pub const EBUSY: i32 = 16;
pub const ENODEV: i32 = 19;
pub const ENOSPC: i32 = 28;

pub fn why_gone(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(ENODEV) => "unplugged".into(),
        Some(EIO) => "the stream broke off".into(),
        _ => format!("the stream broke off: {error}"),
    }
}

pub fn why_not_started(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(EBUSY) => "another program uses the camera".into(),
        Some(ENOSPC) => {
            "the USB bus has no room for it; a smaller size, a lower rate, MJPEG or another USB \
             port helps"
                .into()
        }
        _ => format!("cannot be started: {error}"),
    }
}
