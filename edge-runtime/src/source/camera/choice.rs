//! Which format and size a camera is set to.

use pose::Size;

use super::{CameraFormat, CameraInfo};
use crate::source::options::CaptureFormat;
use crate::source::pixel_format::PixelFormat;

/// What a camera is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The camera's own name of the format.
    pub fourcc: String,
    /// The format.
    pub format: CaptureFormat,
    /// Width and height.
    pub size: Size,
    /// Frames a second.
    pub rate: f64,
}

/// Rates this close to each other count as equal: 29.97 is 30.
const SAME_RATE: f64 = 0.95;

/// The format and size of a camera that are nearest to what is wanted: first the size, then the
/// rate; raw pixels rather than MJPEG where both reach the rate, because they need no decoding and
/// lose nothing.
///
/// # Errors
/// In words, when the camera has no format that can be read, or not the one that is wanted.
pub fn choose(
    camera: &CameraInfo,
    format: CaptureFormat,
    size: Size,
    rate: f64,
) -> Result<Choice, String> {
    let usable = camera.formats.iter().filter_map(|found| {
        let known = found.format?;
        (format == CaptureFormat::Auto || format == known).then_some((found, known))
    });
    let mut best: Option<((u64, bool, i64, usize), Choice)> = None;
    for (found, known) in usable {
        let (nearest, highest) = nearest_size(found, size);
        let highest = highest.unwrap_or(f64::INFINITY);
        let reaches = highest >= rate * SAME_RATE;
        let lost = if reaches {
            0
        } else {
            -(highest * 1000.0) as i64
        };
        let score = (distance(nearest, size), !reaches, lost, preference(known));
        if best.as_ref().is_none_or(|(old, _)| score < *old) {
            let choice = Choice {
                fourcc: found.fourcc.clone(),
                format: known,
                size: nearest,
                rate,
            };
            best = Some((score, choice));
        }
    }
    best.map(|(_, choice)| choice).ok_or_else(|| {
        let has: Vec<&str> = camera.formats.iter().map(|f| f.fourcc.as_str()).collect();
        let has = match has.is_empty() {
            true => "no formats".to_string(),
            false => has.join(", "),
        };
        match format {
            CaptureFormat::Auto => format!(
                "the camera gives {has}, none of which this program reads (raw sensor formats \
                 need the board's own program: `rpicam-vid -t 0 --codec mjpeg -o - | edge-runtime \
                 run -`)"
            ),
            format => format!("the camera gives {has}, but not {format}"),
        }
    })
}

/// The order in which formats are tried that reach the rate.
fn preference(format: CaptureFormat) -> usize {
    let raw = PixelFormat::ALL.iter();
    match format {
        // Before what has no colour.
        CaptureFormat::Mjpeg | CaptureFormat::Auto => raw.len() - 1,
        CaptureFormat::Raw(PixelFormat::Grey) => raw.len(),
        CaptureFormat::Raw(format) => raw.take_while(|f| **f != format).count(),
    }
}

/// The size that is nearest to `wanted`, and its highest rate.
fn nearest_size(format: &CameraFormat, wanted: Size) -> (Size, Option<f64>) {
    let of = |width: u32, height: u32| Size::new(width as usize, height as usize);
    let listed = format
        .sizes
        .iter()
        .min_by_key(|s| distance(of(s.width, s.height), wanted));
    let listed = listed.map(|s| (of(s.width, s.height), s.rates.highest()));
    match (listed, format.range) {
        (Some((size, rate)), _) if size == wanted => (size, rate),
        // The driver moves it to one of its steps.
        (listed, Some(range)) => {
            let inside = Size::new(
                wanted
                    .width
                    .clamp(range.min.0 as usize, range.max.0.max(range.min.0) as usize),
                wanted
                    .height
                    .clamp(range.min.1 as usize, range.max.1.max(range.min.1) as usize),
            );
            (inside, listed.and_then(|(_, rate)| rate))
        }
        (Some(listed), None) => listed,
        (None, None) => (wanted, None),
    }
}

/// 0 for equal sizes.
fn distance(a: Size, b: Size) -> u64 {
    (a.width.abs_diff(b.width) + a.height.abs_diff(b.height)) as u64
}

#[cfg(test)]
mod tests {
    use super::super::fake::{camera, format};
    use super::*;
    use crate::source::camera::{CameraRates, SizeRange};

    /// A webcam as they are: raw pixels fast enough only when they are small.
    fn webcam() -> CameraInfo {
        let raw = CaptureFormat::Raw(PixelFormat::Yuyv);
        let grey = CaptureFormat::Raw(PixelFormat::Grey);
        camera(vec![
            format("GREY", Some(grey), &[(640, 480, 60.0)]),
            format(
                "MJPG",
                Some(CaptureFormat::Mjpeg),
                &[(640, 480, 30.0), (1280, 720, 30.0), (1920, 1080, 30.0)],
            ),
            format(
                "YUYV",
                Some(raw),
                &[(640, 480, 30.0), (1280, 720, 10.0), (320, 240, 30.0)],
            ),
            format("H264", None, &[(1920, 1080, 30.0)]),
        ])
    }

    #[test]
    fn raw_pixels_while_they_reach_the_rate_else_mjpeg() {
        let chosen = |format, width, height, rate| {
            let choice = choose(&webcam(), format, Size::new(width, height), rate).unwrap();
            (choice.fourcc, choice.size.width, choice.size.height)
        };
        let auto = CaptureFormat::Auto;
        assert_eq!(chosen(auto, 640, 480, 30.0), ("YUYV".into(), 640, 480));
        assert_eq!(chosen(auto, 1280, 720, 30.0), ("MJPG".into(), 1280, 720));
        assert_eq!(chosen(auto, 1280, 720, 10.0), ("YUYV".into(), 1280, 720));
        assert_eq!(chosen(auto, 1900, 1000, 30.0), ("MJPG".into(), 1920, 1080));
        assert_eq!(chosen(auto, 640, 480, 60.0), ("GREY".into(), 640, 480));
        assert_eq!(chosen(auto, 1280, 720, 60.0), ("MJPG".into(), 1280, 720));
        let raw = CaptureFormat::Raw(PixelFormat::Yuyv);
        assert_eq!(chosen(raw, 1280, 720, 30.0), ("YUYV".into(), 1280, 720));
        assert_eq!(chosen(raw, 1920, 1080, 30.0), ("YUYV".into(), 1280, 720));
    }

    #[test]
    fn cameras_without_lists_and_with_ranges() {
        let raw = CaptureFormat::Raw(PixelFormat::Nv12);
        let mut camera = camera(vec![format("NV12", Some(raw), &[])]);
        let wanted = Size::new(640, 480);
        let choose = |camera: &CameraInfo| choose(camera, CaptureFormat::Auto, wanted, 30.0);
        assert_eq!(choose(&camera).unwrap().size, wanted);
        let range = SizeRange {
            min: (32, 32),
            max: (500, 2000),
        };
        camera.formats[0].range = Some(range);
        assert_eq!(choose(&camera).unwrap().size, Size::new(500, 480));
        camera.formats[0].range = Some(SizeRange {
            max: (4000, 2000),
            ..range
        });
        camera.formats[0].sizes = format("NV12", None, &[(1280, 720, 15.0)]).sizes;
        assert_eq!(choose(&camera).unwrap().size, wanted);
        assert_eq!(CameraRates::Range(1.0, 60.0).highest(), Some(60.0));
    }

    #[test]
    fn a_camera_without_a_known_format_is_told_what_to_do() {
        let sensor = camera(vec![format("pBAA", None, &[(640, 480, 30.0)])]);
        let size = Size::new(640, 480);
        let error = choose(&sensor, CaptureFormat::Auto, size, 30.0).unwrap_err();
        assert!(
            error.contains("pBAA") && error.contains("rpicam-vid"),
            "{error}"
        );
        let nv12 = CaptureFormat::Raw(PixelFormat::Nv12);
        let error = choose(&webcam(), nv12, size, 30.0).unwrap_err();
        assert!(error.ends_with("but not nv12"), "{error}");
    }
}
