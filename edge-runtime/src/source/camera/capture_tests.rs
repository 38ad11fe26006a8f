//! Faults of cameras.

use super::*;
use crate::source::camera::causes::{EBUSY, ENODEV, ENOSPC};
use crate::source::camera::fake::{Act, FakeBus};
use crate::source::jpeg::tests::{numbered, without_tables};
use crate::source::options::Notices;
use crate::stop::Stop;
use std::sync::{Arc, Mutex};

/// A camera that does this, and what it says.
struct Scene {
    bus: FakeBus,
    options: SourceOptions,
    heard: Arc<Mutex<Vec<String>>>,
}

fn scene(acts: Vec<Act>) -> Scene {
    let bus = FakeBus::default();
    bus.0.lock().unwrap().acts = acts.into();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let options = SourceOptions {
        format: CaptureFormat::Mjpeg,
        notices: Notices::new(move |notice| ear.lock().unwrap().push(notice.to_string())),
        ..SourceOptions::default()
    };
    Scene {
        bus,
        options,
        heard,
    }
}

impl Scene {
    fn open(&self, name: &str) -> Result<CameraSource, RuntimeError> {
        let patience = Patience {
            frame: Duration::from_millis(60),
            retry: Duration::from_millis(2),
            slice: Duration::from_millis(10),
        };
        CameraSource::open(Box::new(self.bus.clone()), name, &self.options, patience)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn starts(&self) -> Vec<u32> {
        let stage = self.bus.0.lock().unwrap();
        stage.starts.iter().map(|(index, _)| *index).collect()
    }
}

/// A good frame.
fn good(number: u32) -> Act {
    Act::Frame(numbered(number, 64, 48).1, number, 0)
}

#[test]
fn the_newest_frame_wins_and_the_others_are_counted_in_its_number() {
    let scene = scene(vec![
        good(3),
        Act::Gap,
        good(4),
        good(5),
        good(6),
        Act::Gap,
        good(9),
    ]);
    let mut camera = scene.open("0").unwrap();
    let numbers: Vec<u64> = (0..3)
        .map(|_| camera.next_frame().unwrap().unwrap().number)
        .collect();
    assert_eq!(numbers, [0, 3, 6]);
    assert_eq!(camera.broken_frames(), 0);
    let info = camera.info();
    assert_eq!(
        (info.name.as_str(), info.size, info.rate, info.live),
        ("Test Camera", Some(Size::new(64, 48)), Some(30.0), true)
    );
    assert!(scene.heard().is_empty(), "{:?}", scene.heard());
}

#[test]
fn a_frames_age_is_in_its_time_and_an_old_one_is_passed_over_once() {
    let bytes = numbered(0, 64, 48).1;
    let frame = |sequence, age| Act::Frame(bytes.clone(), sequence, age);
    let mut acts = vec![frame(0, 40), Act::Gap, frame(1, 900), Act::Gap, frame(2, 5)];
    acts.extend([Act::Gap, frame(3, 800), Act::Gap, frame(4, 700)]);
    let scene = scene(acts);
    let mut camera = scene.open("0").unwrap();
    let first = camera.next_frame().unwrap().unwrap();
    assert!(first.taken.elapsed() >= Duration::from_millis(40));
    assert_eq!(first.time, Duration::ZERO);
    let second = camera.next_frame().unwrap().unwrap();
    assert_eq!(second.number, 2);
    assert_eq!(second.time, second.taken - first.taken);
    // A camera that is always late still gives frames.
    assert_eq!(camera.next_frame().unwrap().unwrap().number, 4);
}

#[test]
fn empty_damaged_and_garbage_frames_are_counted_and_passed_over() {
    let (_, jpeg) = numbered(7, 64, 48);
    let garbage = (0..5000u32).map(|i| (i * 7919 % 251) as u8).collect();
    let mut acts = vec![
        Act::Frame(Vec::new(), 0, 0),
        Act::Gap,
        Act::Damaged,
        Act::Gap,
    ];
    acts.extend([Act::Frame(garbage, 2, 0), Act::Gap]);
    acts.extend([Act::Frame(jpeg[..jpeg.len() / 2].to_vec(), 3, 0), Act::Gap]);
    // Without tables, and with a stale tail behind it.
    acts.push(Act::Frame(
        [without_tables(&jpeg), vec![0x55; 900]].concat(),
        4,
        0,
    ));
    let scene = scene(acts);
    let mut camera = scene.open("Test").unwrap();
    let frame = camera.next_frame().unwrap().unwrap();
    assert_eq!(frame.picture, decode_jpeg(&jpeg).unwrap());
    assert_eq!(camera.broken_frames(), 4);
}

#[test]
fn an_unplugged_camera_comes_back_with_another_number() {
    let scene = scene(vec![
        good(0),
        Act::Gap,
        Act::Fail(ENODEV),
        good(0),
        Act::Gap,
        good(1),
    ]);
    let mut camera = scene.open("/dev/video0").unwrap();
    let first = camera.next_frame().unwrap().unwrap();
    scene.bus.0.lock().unwrap().plugged = [None, None, Some(2)].into();
    let second = camera.next_frame().unwrap().unwrap();
    let third = camera.next_frame().unwrap().unwrap();
    assert_eq!([first.number, second.number, third.number], [0, 1, 2]);
    assert!(second.time >= Duration::from_millis(6));
    assert_eq!(scene.starts(), [0, 2]);
    assert_eq!(
        scene.heard(),
        [
            "Test Camera: unplugged; waiting for the camera",
            "Test Camera: the camera is back"
        ]
    );
}

#[test]
fn a_stalled_camera_is_started_anew() {
    let mut acts = vec![good(0), Act::Gap];
    acts.extend(vec![Act::Nothing; 7]);
    acts.push(good(0));
    let scene = scene(acts);
    let mut camera = scene.open("0").unwrap();
    camera.next_frame().unwrap().unwrap();
    assert_eq!(camera.next_frame().unwrap().unwrap().number, 1);
    assert_eq!(scene.starts(), [0, 0]);
    assert!(
        scene.heard()[0].contains("no frame in 0 s"),
        "{:?}",
        scene.heard()
    );
}

#[test]
fn a_camera_that_never_gives_a_frame_is_an_error() {
    let error = scene(vec![]).open("0").unwrap().next_frame().unwrap_err();
    assert_eq!(error.to_string(), "Test Camera: no frame in 0 s");
    let mut broken = Vec::new();
    for _ in 0..6 {
        broken.extend([Act::Frame(vec![1, 2, 3], 0, 0), Act::Gap]);
    }
    let error = scene(broken).open("0").unwrap().next_frame().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("6 broken ones so far: no JPEG starts"),
        "{error}"
    );
    let gone = scene(vec![Act::Fail(ENODEV)]);
    let error = gone.open("0").unwrap().next_frame().unwrap_err();
    assert_eq!(error.to_string(), "Test Camera: unplugged");
}

#[test]
fn stopping_ends_every_wait() {
    let mut scene = scene(vec![good(0), Act::Fail(ENODEV)]);
    let stop = Stop::default();
    scene.options.stop = stop.clone();
    let mut camera = scene.open("0").unwrap();
    camera.next_frame().unwrap().unwrap();
    scene.bus.0.lock().unwrap().plugged = [None].into();
    let stopping = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        stop.ask();
    });
    assert!(camera.next_frame().unwrap().is_none());
    assert!(camera.next_frame().unwrap().is_none());
    stopping.join().unwrap();
}

#[test]
fn a_refused_rate_and_size_are_notes() {
    let mut scene = scene(vec![good(0)]);
    scene.options.rate = Some(60.0);
    scene.options.size = Some(Size::new(640, 480));
    scene.bus.0.lock().unwrap().granted_rate = Some(Err("not supported".into()));
    scene.open("0").unwrap().next_frame().unwrap().unwrap();
    scene.bus.0.lock().unwrap().granted_rate = Some(Ok(15.0));
    scene.open("0").unwrap();
    let heard = scene.heard();
    assert!(heard[0].contains("64x48 instead of 640x480"), "{heard:?}");
    assert!(
        heard[1].ends_with("60 frames a second cannot be set: not supported"),
        "{heard:?}"
    );
    assert!(
        heard[3].ends_with("15.0 instead of 60 frames a second"),
        "{heard:?}"
    );
}

#[test]
fn raw_frames_are_converted_and_short_ones_counted() {
    let whole = [235u8, 128].repeat(32 * 24);
    let mut scene = scene(vec![
        Act::Frame(whole[..100].to_vec(), 0, 0),
        Act::Gap,
        Act::Frame(whole, 1, 0),
    ]);
    scene.options.format = CaptureFormat::Auto;
    scene.options.size = Some(Size::new(32, 24));
    let mut camera = scene.open("0").unwrap();
    let frame = camera.next_frame().unwrap().unwrap();
    assert!(frame.picture.iter().all(|b| *b == 255));
    assert_eq!(
        (camera.broken_frames(), frame.size()),
        (1, Size::new(32, 24))
    );
}

#[test]
fn errors_name_the_camera_and_what_to_do() {
    let error = |scene: &Scene, name: &str| match scene.open(name) {
        Ok(_) => panic!("opened"),
        Err(e) => e.to_string(),
    };
    let scene = scene(vec![]);
    assert_eq!(
        error(&scene, "7"),
        "camera 7: no such camera; there are 0 (Test Camera)"
    );
    scene.bus.0.lock().unwrap().start_error = Some(EBUSY);
    assert_eq!(
        error(&scene, "0"),
        "Test Camera: another program uses the camera"
    );
    scene.bus.0.lock().unwrap().start_error = Some(ENOSPC);
    assert!(error(&scene, "0").contains("USB bus has no room"));
    scene.bus.0.lock().unwrap().plugged = [None].into();
    assert!(error(&scene, "0").contains("no camera is plugged in"));
}
