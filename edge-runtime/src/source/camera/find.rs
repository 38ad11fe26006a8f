//! Which camera is meant.

use std::path::Path;

use super::CameraInfo;
use crate::error::RuntimeError;

/// The camera that is called so: by its number, its device, or a part of its name.
pub fn find(cameras: Vec<CameraInfo>, name: &str) -> Result<CameraInfo, RuntimeError> {
    let error = |reason: String| RuntimeError::Source {
        name: format!("camera {name}"),
        reason,
    };
    let found: Vec<&CameraInfo> = if let Ok(index) = name.parse::<u32>() {
        cameras.iter().filter(|c| c.index == index).collect()
    } else if name.starts_with('/') {
        // Also links such as those in /dev/v4l/by-id.
        let path = Path::new(name);
        let path = path.canonicalize().unwrap_or_else(|_| path.into());
        cameras.iter().filter(|c| c.path == path).collect()
    } else {
        let wanted = name.to_lowercase();
        let part = |c: &&CameraInfo| c.name.to_lowercase().contains(&wanted);
        cameras.iter().filter(part).collect()
    };
    let listed = || {
        let names = cameras.iter().map(|c| format!("{} ({})", c.index, c.name));
        names.collect::<Vec<_>>().join(", ")
    };
    match found[..] {
        [camera] => match &camera.problem {
            None => Ok(camera.clone()),
            Some(problem) => Err(error(problem.clone())),
        },
        [] if cameras.is_empty() => Err(error(
            "no camera is plugged in, or none that this system has a driver for".into(),
        )),
        [] => Err(error(format!("no such camera; there are {}", listed()))),
        _ => Err(error(format!(
            "several cameras are called so; there are {}",
            listed()
        ))),
    }
}
