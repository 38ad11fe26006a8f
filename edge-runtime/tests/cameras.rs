//! The real calls of V4L2 against a made-up webcam that a preloaded library puts at `/dev/video7`.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use edge_runtime::{
    CameraRates, CaptureFormat, Notices, PixelFormat, SourceOptions, list_cameras, open_camera,
};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use pose::Size;
use tempfile::TempDir;

/// Set in the process that has the camera.
const INSIDE: &str = "CAMERA_TEST_INSIDE";

/// Builds the camera; None without a C compiler.
fn camera_library(folder: &TempDir) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tools/fake_camera.c");
    let library = folder.path().join("libfake_camera.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .output();
    match built {
        Ok(done) if done.status.success() => Some(library),
        Ok(done) => {
            let errors = String::from_utf8_lossy(&done.stderr);
            assert!(
                errors.contains("linux/videodev2.h: No such file"),
                "{errors}"
            );
            eprintln!("skipped: the kernel's headers are not installed");
            None
        }
        Err(_) => {
            eprintln!("skipped: no C compiler (cc) to build the camera with");
            None
        }
    }
}

/// Runs the test of this name once more, in a process that has the camera. True in that process.
fn with_camera(test: &str, settings: &[(&str, &str)]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = camera_library(&folder) else {
        return false;
    };
    let jpeg = folder.path().join("frame.jpg");
    let mut bytes = Vec::new();
    JpegEncoder::new(&mut bytes)
        .encode_image(&RgbImage::from_pixel(64, 48, Rgb([200, 100, 50])))
        .unwrap();
    std::fs::write(&jpeg, bytes).unwrap();
    let done: Output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .env("LD_PRELOAD", library)
        .env("FAKE_CAMERA_JPEG", jpeg)
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() && text.contains("1 passed"),
        "{text}{errors}"
    );
    false
}

fn options(format: CaptureFormat) -> (SourceOptions, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let options = SourceOptions {
        format,
        size: Some(Size::new(64, 48)),
        rate: Some(100.0),
        notices: Notices::new(move |notice| ear.lock().unwrap().push(notice.to_string())),
        ..SourceOptions::default()
    };
    (options, heard)
}

#[test]
fn the_camera_is_listed_with_its_formats() {
    if !with_camera("the_camera_is_listed_with_its_formats", &[]) {
        return;
    }
    let cameras = list_cameras().unwrap();
    let camera = cameras.iter().find(|c| c.index == 7).unwrap();
    assert_eq!(
        (camera.name.as_str(), camera.bus.as_str()),
        ("Fake Webcam", "usb-fake-1")
    );
    let formats: Vec<(&str, Option<CaptureFormat>)> = camera
        .formats
        .iter()
        .map(|f| (f.fourcc.as_str(), f.format))
        .collect();
    let yuyv = CaptureFormat::Raw(PixelFormat::Yuyv);
    assert_eq!(
        formats,
        [("MJPG", Some(CaptureFormat::Mjpeg)), ("YUYV", Some(yuyv))]
    );
    let size = &camera.formats[1].sizes[0];
    assert_eq!((size.width, size.height), (64, 48));
    assert_eq!(size.rates, CameraRates::Some(vec![100.0, 7.5]));
}

#[test]
fn frames_come_with_the_time_they_were_taken_and_the_newest_wins() {
    if !with_camera(
        "frames_come_with_the_time_they_were_taken_and_the_newest_wins",
        &[],
    ) {
        return;
    }
    let (options, heard) = options(CaptureFormat::Auto);
    let mut camera = open_camera("fake web", &options).unwrap();
    let info = camera.info().clone();
    assert_eq!((info.name.as_str(), info.live), ("Fake Webcam", true));
    assert_eq!(
        (info.size, info.rate),
        (Some(Size::new(64, 48)), Some(100.0))
    );
    let mut last = None;
    for _ in 0..10 {
        let frame = camera.next_frame().unwrap().unwrap();
        assert!(frame.taken.elapsed() < Duration::from_secs(2));
        // Grey, brighter with every frame.
        let [r, g, b] = frame.picture.get_pixel(63, 47).0;
        assert!(r == g && g == b);
        if let Some((number, time)) = last {
            assert!(frame.number > number && frame.time > time);
        }
        last = Some((frame.number, frame.time));
    }
    // A caller that was away gets a fresh frame, not what the buffers still hold.
    std::thread::sleep(Duration::from_millis(300));
    let back = Instant::now();
    let frame = camera.next_frame().unwrap().unwrap();
    assert!(frame.taken > back);
    assert!(heard.lock().unwrap().is_empty());
}

#[test]
fn mjpeg_with_a_stale_tail_empty_and_damaged_frames_and_a_refused_rate() {
    let name = "mjpeg_with_a_stale_tail_empty_and_damaged_frames_and_a_refused_rate";
    if !with_camera(
        name,
        &[("FAKE_CAMERA_FAULTS", "1"), ("FAKE_CAMERA_RATE", "20")],
    ) {
        return;
    }
    let (options, heard) = options(CaptureFormat::Mjpeg);
    let mut camera = open_camera("/dev/video7", &options).unwrap();
    for _ in 0..6 {
        let frame = camera.next_frame().unwrap().unwrap();
        for (got, drawn) in frame
            .picture
            .get_pixel(30, 20)
            .0
            .iter()
            .zip([200, 100, 50u8])
        {
            assert!(got.abs_diff(drawn) < 8);
        }
    }
    assert_eq!(camera.broken_frames(), 2);
    let heard = heard.lock().unwrap();
    assert!(
        heard[0].contains("100 frames a second cannot be set"),
        "{heard:?}"
    );
}

#[test]
fn unplugging_and_plugging_in_again_is_survived() {
    let name = "unplugging_and_plugging_in_again_is_survived";
    if !with_camera(name, &[("FAKE_CAMERA_UNPLUG", "5")]) {
        return;
    }
    let (options, heard) = options(CaptureFormat::Mjpeg);
    let mut camera = open_camera("7", &options).unwrap();
    for _ in 0..12 {
        camera.next_frame().unwrap().unwrap();
    }
    assert_eq!(
        *heard.lock().unwrap(),
        [
            "Fake Webcam: unplugged; waiting for the camera",
            "Fake Webcam: the camera is back"
        ]
    );
    // Whoever else wants the camera now cannot have it.
    let error = match open_camera("7", &options) {
        Ok(_) => panic!("opened twice"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("busy"), "{error}");
}

#[test]
fn the_command_lists_cameras_for_people_and_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = camera_library(&folder) else {
        return;
    };
    let cameras = |arguments: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_edge-runtime"))
            .arg("cameras")
            .args(arguments)
            .env("LD_PRELOAD", &library)
            .output()
            .unwrap();
        assert!(done.status.success());
        String::from_utf8(done.stdout).unwrap()
    };
    let text = cameras(&[]);
    for line in [
        "7  Fake Webcam  /dev/video7  usb-fake-1\n",
        "   MJPG  mjpeg\n",
        "   YUYV  yuyv\n",
        "      64x48      100, 7.5 fps\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&cameras(&["--json"])).unwrap();
    let list = json.as_array().unwrap();
    let camera = list.iter().find(|c| c["index"] == 7).unwrap();
    assert_eq!(camera["name"], "Fake Webcam");
    assert_eq!(camera["formats"][0]["name"], "mjpeg");
    assert_eq!(camera["formats"][1]["sizes"][0]["rates"]["some"][1], 7.5);
    assert_eq!(camera["problem"], serde_json::Value::Null);
}
