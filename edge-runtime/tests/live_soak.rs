//! A long run with every sink: nothing grows. Alone in its program, because it counts threads.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::stream::{Counting, ReadsNumber};
use edge_runtime::{
    FrameFormat, Live, LiveSettings, Look, Notice, RecordSink, Sink, Stop, TcpSink, UdpSink,
    VideoSink, VideoTiming,
};
use pose::KeypointSet;

fn video(path: &Path) -> Box<dyn Sink> {
    let timing = VideoTiming {
        rate: 100.0,
        fill: false,
    };
    Box::new(VideoSink::create(path, KeypointSet::mpii(), Look::default(), timing).unwrap())
}

fn records(path: &Path, format: FrameFormat) -> Box<dyn Sink> {
    Box::new(RecordSink::create(path, format, KeypointSet::mpii()).unwrap())
}

/// Resident memory in kB, threads and open files of this process.
fn resources() -> (i64, usize, usize) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let memory = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    let memory = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
    let count = |folder: &str| fs::read_dir(folder).unwrap().count();
    (memory, count("/proc/self/task"), count("/proc/self/fd"))
}

/// `SOAK_FRAMES=100000 cargo test … soak -- --nocapture` makes it longer, and prints the figures.
#[test]
fn soak_with_every_sink() {
    let frames = std::env::var("SOAK_FRAMES").ok();
    let frames: u64 = frames.map_or(4000, |frames| frames.parse().unwrap());
    let desk = tempfile::tempdir().unwrap();
    let path = |name: &str| desk.path().join(name);
    let tcp = TcpSink::bind(([127, 0, 0, 1], 0).into(), KeypointSet::mpii()).unwrap();
    let address = tcp.address();
    let udp = UdpSink::new(([127, 0, 0, 1], 9).into(), KeypointSet::mpii()).unwrap();
    let sinks = vec![
        video(&path("a.avi")),
        video(&path("a.y4m")),
        video(&path("a.gif")),
        records(&path("a.jsonl"), FrameFormat::JsonLines),
        records(&path("a.csv"), FrameFormat::Csv),
        records(&path("a.json"), FrameFormat::Coco),
        Box::new(tcp),
        Box::new(udp),
    ];
    let live = Live::start(
        Box::new(Counting::file(frames)),
        Box::new(ReadsNumber::default()),
        sinks,
        false,
        LiveSettings::default(),
        Stop::new(),
        Arc::new(|_: &Notice| ()),
    )
    .unwrap();
    let mut seen: Vec<(u64, i64, usize, usize)> = Vec::new();
    let began = Instant::now();
    let mut stalled = Vec::new();
    while !live.is_done() {
        // Clients that come, read a little and go; some that stay and read nothing.
        if let Ok(mut client) = TcpStream::connect(address) {
            let mut some = [0; 64];
            let _ = client.set_read_timeout(Some(Duration::from_millis(200)));
            let _ = client.read(&mut some);
            if seen.len().is_multiple_of(10) {
                stalled.push(client);
                stalled.truncate(3);
            }
        }
        let (memory, threads, handles) = resources();
        seen.push((live.stats().frames, memory, threads, handles));
        thread::sleep(Duration::from_millis(20));
    }
    let outcome = live.finish();
    assert!(
        outcome.sinks.iter().all(|s| s.error.is_none()),
        "{outcome:?}"
    );
    assert_eq!(outcome.sinks[0].taken, frames);
    let quarter = |part: u64| {
        let range = frames * part / 4..frames * (part + 1) / 4;
        let inside = seen.iter().filter(|s| range.contains(&s.0));
        inside.fold((0, 0, 0), |most, s| {
            (most.0.max(s.1), most.1.max(s.2), most.2.max(s.3))
        })
    };
    let (second, last) = (quarter(1), quarter(3));
    println!(
        "{frames} frames in {:?}: kB, threads, handles {second:?} then {last:?}",
        began.elapsed()
    );
    assert!(
        last.0 - second.0 < 6_000,
        "memory grows: {second:?} {last:?}"
    );
    assert!(
        last.1 <= second.1 + 6 && last.2 <= second.2 + 6,
        "{second:?} {last:?}"
    );
}
