//! What a run writes and sends, read back by other readers than its writers.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::stream::{Counting, ReadsNumber};
use edge_runtime::{
    FrameFormat, FrameSource, Live, LiveSettings, Look, Notice, PictureSink, RecordSink, Repeat,
    Sink, Stop, TcpSink, UdpSink, VideoSink, VideoTiming,
};
use image::RgbImage;
use pose::KeypointSet;
use serde_json::Value;

fn timing() -> VideoTiming {
    VideoTiming {
        rate: 100.0,
        fill: false,
    }
}

fn video(path: &Path, timing: VideoTiming) -> Box<dyn Sink> {
    Box::new(VideoSink::create(path, KeypointSet::mpii(), Look::default(), timing).unwrap())
}

fn records(path: &Path, format: FrameFormat) -> Box<dyn Sink> {
    Box::new(RecordSink::create(path, format, KeypointSet::mpii()).unwrap())
}

fn start(source: impl FrameSource + 'static, sinks: Vec<Box<dyn Sink>>, stop: Stop) -> Live {
    let (finder, settings) = (Box::new(ReadsNumber::default()), LiveSettings::default());
    let listener = Arc::new(|_: &Notice| ());
    Live::start(
        Box::new(source),
        finder,
        sinks,
        false,
        settings,
        stop,
        listener,
    )
    .unwrap()
}

fn run(source: impl FrameSource + 'static, sinks: Vec<Box<dyn Sink>>) {
    let outcome = start(source, sinks, Stop::new()).finish();
    let fine = outcome.error.is_none() && outcome.sinks.iter().all(|s| s.error.is_none());
    assert!(fine, "{outcome:?}");
}

/// The files in a folder, hidden ones too.
fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = names
        .map(|f| f.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A chunk of a RIFF file: its name, and where its content lies.
fn chunk(bytes: &[u8], at: usize) -> (&[u8], std::ops::Range<usize>) {
    let size = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
    assert!(
        at + 8 + size <= bytes.len(),
        "a chunk at {at} reaches beyond the file"
    );
    (&bytes[at..at + 4], at + 8..at + 8 + size)
}

/// The pictures of an AVI file, found by its index; none for "the one before, once more".
fn avi_pictures(bytes: &[u8]) -> Vec<Option<RgbImage>> {
    let (riff, content) = chunk(bytes, 0);
    assert_eq!((riff, content.end), (&b"RIFF"[..], bytes.len()));
    assert_eq!(&bytes[8..12], b"AVI ");
    let (list, header) = chunk(bytes, 12);
    assert_eq!((list, &bytes[20..24]), (&b"LIST"[..], &b"hdrl"[..]));
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let frames = number(12 + 12 + 8 + 16);
    let (list, movi) = chunk(bytes, header.end);
    assert_eq!(
        (list, &bytes[movi.start..][..4]),
        (&b"LIST"[..], &b"movi"[..])
    );
    let (idx1, index) = chunk(bytes, movi.end);
    assert_eq!((idx1, index.end), (&b"idx1"[..], bytes.len()));
    assert_eq!(frames as usize, index.len() / 16);
    index
        .step_by(16)
        .map(|row| {
            let at = movi.start + number(row + 8) as usize;
            let (name, content) = chunk(bytes, at);
            assert_eq!(
                (name, content.len()),
                (&b"00dc"[..], number(row + 12) as usize)
            );
            let jpeg = &bytes[content];
            (!jpeg.is_empty()).then(|| image::load_from_memory(jpeg).unwrap().to_rgb8())
        })
        .collect()
}

/// Frames, width, height and codec, as ffprobe sees them; none where it is not installed.
fn probe(path: &Path) -> Option<String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v:0"])
        .args([
            "-show_entries",
            "stream=codec_name,width,height,nb_read_frames",
        ])
        .args(["-of", "csv=p=0"])
        .arg(path)
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.is_empty(), "{}: {said}", path.display());
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn videos_are_read_by_other_readers() {
    let desk = tempfile::tempdir().unwrap();
    let path = |name: &str| desk.path().join(name);
    let names = ["a.avi", "a.y4m", "a.gif"];
    let sinks = names.map(|name| video(&path(name), timing()));
    run(Counting::file(25), sinks.into());
    assert_eq!(files(desk.path()), ["a.avi", "a.gif", "a.y4m"]);

    let pictures = avi_pictures(&fs::read(path("a.avi")).unwrap());
    assert_eq!(pictures.len(), 25);
    for picture in pictures {
        let picture = picture.unwrap();
        // The source's own colours, away from the skeleton at the left.
        let (found, expected) = (picture.get_pixel(50, 20).0, [200, 100, 90]);
        let far = found.iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max();
        assert!(far < Some(12), "{found:?}");
    }

    let y4m = fs::read(path("a.y4m")).unwrap();
    let head = b"YUV4MPEG2 W64 H48 F100000:1000 Ip A1:1 C420jpeg\n";
    assert_eq!(&y4m[..head.len()], head);
    assert_eq!(y4m.len(), head.len() + 25 * (6 + 64 * 48 * 3 / 2));

    let mut decoder = gif::DecodeOptions::new()
        .read_info(fs::File::open(path("a.gif")).unwrap())
        .unwrap();
    let mut time = 0;
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        time += frame.delay;
    }
    // GIF knows hundredths of a second, and at least two of them a picture.
    assert!((25..=26).contains(&time), "{time}");

    let sizes = "64,48";
    let Some(avi) = probe(&path("a.avi")) else {
        eprintln!("videos_are_read_by_other_readers: ffprobe is not installed");
        return;
    };
    assert_eq!(avi, format!("mjpeg,{sizes},25"));
    assert_eq!(
        probe(&path("a.y4m")).unwrap(),
        format!("rawvideo,{sizes},25")
    );
    let gif = probe(&path("a.gif")).unwrap();
    assert!(gif.starts_with(&format!("gif,{sizes},1")), "{gif}");
}

#[test]
fn ffmpeg_writes_the_other_formats_where_it_is_installed() {
    let desk = tempfile::tempdir().unwrap();
    let path = |name: &str| desk.path().join(name);
    let look = Look::default();
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        let refused = VideoSink::create(&path("a.mp4"), KeypointSet::mpii(), look, timing());
        let error = refused.unwrap_err().to_string();
        assert!(
            error.contains("ffmpeg") && error.contains(".avi"),
            "{error}"
        );
        return;
    }
    let sinks = ["a.mp4", "a.mkv"].map(|name| video(&path(name), timing()));
    run(Counting::file(25), sinks.into());
    assert_eq!(files(desk.path()), ["a.mkv", "a.mp4"]);
    if let Some(mp4) = probe(&path("a.mp4")) {
        assert!(mp4.ends_with(",64,48,25"), "{mp4}");
        let mkv = probe(&path("a.mkv")).unwrap();
        assert!(mkv.ends_with(",64,48,25"), "{mkv}");
    }
}

#[test]
fn irregular_frames_fill_a_constant_rate() {
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("a.avi");
    let fill = VideoTiming {
        rate: 100.0,
        fill: true,
    };
    // Of every five frames one.
    let mut source = Counting::file(20);
    source.leaves_out = 5;
    run(source, vec![video(&path, fill)]);
    let pictures = avi_pictures(&fs::read(&path).unwrap());
    let fresh: Vec<bool> = pictures.iter().map(Option::is_some).collect();
    let expected: Vec<bool> = (0..16).map(|slot| slot % 5 == 0).collect();
    assert_eq!(fresh, expected);
    if let Some(avi) = probe(&path) {
        assert_eq!(
            avi, "mjpeg,64,48,4",
            "empty chunks are no pictures of their own"
        );
    }
}

#[test]
fn records_say_what_was_found() {
    let desk = tempfile::tempdir().unwrap();
    let path = |name: &str| desk.path().join(name);
    let pictures = PictureSink::create(&path("frames"), KeypointSet::mpii(), Look::default());
    let sinks = vec![
        records(&path("a.jsonl"), FrameFormat::JsonLines),
        records(&path("a.csv"), FrameFormat::Csv),
        records(&path("a.json"), FrameFormat::Coco),
        Box::new(pictures.unwrap()),
    ];
    run(Counting::file(7), sinks);
    let lines = fs::read_to_string(path("a.jsonl")).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 7);
    assert_eq!(lines[3]["frame"], 3);
    assert_eq!(lines[3]["time"], 0.03);
    assert_eq!(
        (&lines[3]["width"], &lines[3]["height"]),
        (&64.into(), &48.into())
    );
    let person = &lines[3]["people"][0];
    assert_eq!(
        (&person["id"], &person["keypoints"][2]["name"]),
        (&1.into(), &"right_hip".into())
    );
    assert_eq!(person["keypoints"][2]["x"], 3.0);
    assert_eq!(person["keypoints"][2]["y"], 6.0);

    let csv = fs::read_to_string(path("a.csv")).unwrap();
    let mut rows = csv.lines();
    assert_eq!(
        rows.next(),
        Some("frame,time,person,keypoint,x,y,confidence")
    );
    assert_eq!(rows.clone().count(), 7 * 16);
    assert_eq!(
        rows.nth(16 + 2),
        Some("1,0.0100,1,right_hip,1.00,6.00,0.9000")
    );

    let found = dataset::read_results(&path("a.json")).unwrap();
    assert_eq!(found.len(), 7);
    assert_eq!((found[4].image_id, found[4].keypoints.len()), (4, 16));
    assert_eq!(found[4].keypoints[1], [4.0, 3.0, f64::from(0.9f32)]);

    let expected: Vec<String> = (0..7).map(|n| format!("{n:06}.jpg")).collect();
    assert_eq!(files(&path("frames")), expected);
}

#[test]
fn an_end_in_the_middle_leaves_complete_files() {
    let desk = tempfile::tempdir().unwrap();
    let path = |name: &str| desk.path().join(name);
    let stop = Stop::new();
    let sinks = vec![
        video(&path("a.avi"), timing()),
        video(&path("a.gif"), timing()),
        records(&path("a.jsonl"), FrameFormat::JsonLines),
        records(&path("a.json"), FrameFormat::Coco),
    ];
    let live = start(Counting::file(u64::MAX), sinks, stop.clone());
    while live.stats().frames < 30 {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!path("a.avi").exists(), "not before it is complete");
    stop.ask();
    let outcome = live.finish();
    assert!(
        outcome.sinks.iter().all(|s| s.error.is_none()),
        "{outcome:?}"
    );
    let frames = outcome.stats.frames as usize;
    assert_eq!(files(desk.path()), ["a.avi", "a.gif", "a.json", "a.jsonl"]);
    let lines = fs::read_to_string(path("a.jsonl")).unwrap().lines().count();
    let written = avi_pictures(&fs::read(path("a.avi")).unwrap()).len();
    let found = dataset::read_results(&path("a.json")).unwrap().len();
    // All that was found before the end is in all of them.
    assert_eq!((lines, written, found), (frames, frames, frames));
}

#[test]
fn a_run_without_frames_leaves_no_half_files() {
    let desk = tempfile::tempdir().unwrap();
    let path = |name: &str| desk.path().join(name);
    let sinks = vec![
        video(&path("a.avi"), timing()),
        records(&path("a.json"), FrameFormat::Coco),
    ];
    run(Counting::file(0), sinks);
    assert_eq!(files(desk.path()), ["a.json"]);
    assert_eq!(dataset::read_results(&path("a.json")).unwrap().len(), 0);
}

#[test]
fn wrong_paths_are_said_before_the_first_frame() {
    let create = |path: &str| {
        let path = PathBuf::from(path);
        VideoSink::create(&path, KeypointSet::mpii(), Look::default(), timing()).map(drop)
    };
    let error = create("clip.wmv").unwrap_err().to_string();
    assert!(
        error.contains("clip.wmv") && error.contains(".avi"),
        "{error}"
    );
    let error = create("no/such/folder/a.avi").unwrap_err().to_string();
    assert!(error.contains("no/such/folder"), "{error}");
}

#[test]
fn a_source_that_repeats_counts_on() {
    let mut source = Repeat::new(|| Ok(Box::new(Counting::file(3)))).unwrap();
    let frames: Vec<_> = (0..8)
        .map(|_| source.next_frame().unwrap().unwrap())
        .collect();
    for (number, frame) in frames.iter().enumerate() {
        assert_eq!(frame.number, number as u64);
        assert_eq!(frame.time, Duration::from_millis(10 * number as u64));
    }
    let mut empty = Repeat::new(|| Ok(Box::new(Counting::file(0)))).unwrap();
    assert!(empty.next_frame().unwrap().is_none());
}

#[test]
fn clients_come_go_and_stall() {
    let tcp = TcpSink::bind(([127, 0, 0, 1], 0).into(), KeypointSet::mpii()).unwrap();
    let address = tcp.address();
    let stop = Stop::new();
    let live = start(
        Counting::camera(u64::MAX, 1),
        vec![Box::new(tcp)],
        stop.clone(),
    );
    // One that never reads, and two that do, one after the other.
    let mut stalls = TcpStream::connect(address).unwrap();
    for _ in 0..2 {
        let client = TcpStream::connect(address).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut last = None;
        for line in BufReader::new(client).lines().take(50) {
            let record: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let number = record["frame"].as_u64().unwrap();
            assert!(Some(number) > last);
            last = Some(number);
        }
    }
    // The loop never waited.
    let before = live.stats().frames;
    thread::sleep(Duration::from_millis(300));
    let stats = live.stats();
    assert!(stats.frames > before + 30, "{before} {stats:?}");
    stop.ask();
    let outcome = live.finish();
    assert!(outcome.sinks[0].error.is_none(), "{outcome:?}");
    // The run is over: after what lies in the buffers comes the end.
    stalls
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut rest = Vec::new();
    stalls.read_to_end(&mut rest).unwrap();
    assert!(rest.starts_with(b"{\"frame\":"));
}

#[test]
fn datagrams_are_whole_lines_of_json() {
    let receiver = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    receiver
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let nobody = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let closed = nobody.local_addr().unwrap();
    drop(nobody);
    let udp = |to| Box::new(UdpSink::new(to, KeypointSet::mpii()).unwrap()) as Box<dyn Sink>;
    let sinks = vec![udp(receiver.local_addr().unwrap()), udp(closed)];
    run(Counting::file(5), sinks);
    let mut buffer = vec![0; 65_536];
    let size = receiver.recv(&mut buffer).unwrap();
    let record: Value = serde_json::from_slice(&buffer[..size]).unwrap();
    assert_eq!(
        record["people"][0]["keypoints"].as_array().unwrap().len(),
        16
    );
}
