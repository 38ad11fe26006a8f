//! The loop with made-up sources, finders and sinks: what it promises about order, age and ends.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::stream::{Counting, ReadsNumber, number_of};
use edge_runtime::{
    Frame, FrameSource, Listener, Live, LiveFrame, LiveOutcome, LiveSettings, Notice, PoseFinder,
    RuntimeError, Sink, Stage, Stop, StreamInfo, Taken, TrackedPose,
};

/// Keeps the numbers of the frames that it gets; takes its time where told so.
#[derive(Clone, Default)]
struct Keeps {
    name: &'static str,
    pause: Duration,
    got: Arc<Mutex<Vec<u64>>>,
    finished: Arc<AtomicBool>,
    fails_at: Option<usize>,
    /// Takes nothing while this is up.
    stalled: Option<Arc<AtomicBool>>,
}

impl Sink for Keeps {
    fn name(&self) -> &str {
        self.name
    }

    fn take(&mut self, frame: &LiveFrame) -> Result<(), RuntimeError> {
        while self
            .stalled
            .as_ref()
            .is_some_and(|s| s.load(Ordering::SeqCst))
        {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(self.pause);
        // The pose is that of this very picture.
        let x = frame.people[0].pose.keypoints[0].x;
        assert_eq!(x as u64, number_of(&frame.frame.picture));
        assert_eq!(x as u64, frame.frame.number);
        let mut got = self.got.lock().unwrap();
        got.push(frame.frame.number);
        if self.fails_at == Some(got.len()) {
            return Err(RuntimeError::Sink {
                sink: self.name.into(),
                reason: "the disk is full".into(),
            });
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), RuntimeError> {
        self.finished.store(true, Ordering::SeqCst);
        Ok(())
    }
}

fn keeps(name: &'static str) -> Keeps {
    Keeps {
        name,
        ..Keeps::default()
    }
}

fn settings() -> LiveSettings {
    LiveSettings {
        patience: Duration::from_millis(300),
        ..LiveSettings::default()
    }
}

fn silent() -> Listener {
    Arc::new(|_: &Notice| ())
}

fn start(source: Counting, finder: ReadsNumber, sinks: &[Keeps], settings: LiveSettings) -> Live {
    let sinks = sinks.iter().map(|s| Box::new(s.clone()) as Box<dyn Sink>);
    Live::start(
        Box::new(source),
        Box::new(finder),
        sinks.collect(),
        false,
        settings,
        Stop::new(),
        silent(),
    )
    .unwrap()
}

fn sure(outcome: &LiveOutcome) {
    assert!(outcome.error.is_none(), "{outcome:?}");
    assert!(
        outcome.sinks.iter().all(|s| s.error.is_none()),
        "{outcome:?}"
    );
}

#[test]
fn of_a_file_nothing_is_dropped() {
    let slow = Keeps {
        pause: Duration::from_millis(3),
        ..keeps("slow")
    };
    let fast = keeps("fast");
    let live = start(
        Counting::file(60),
        ReadsNumber::default(),
        &[slow.clone(), fast.clone()],
        settings(),
    );
    let outcome = live.finish();
    sure(&outcome);
    let all: Vec<u64> = (0..60).collect();
    assert_eq!(*slow.got.lock().unwrap(), all);
    assert_eq!(*fast.got.lock().unwrap(), all);
    assert_eq!((outcome.stats.frames, outcome.stats.dropped), (60, 0));
    assert!(slow.finished.load(Ordering::SeqCst) && fast.finished.load(Ordering::SeqCst));
}

#[test]
fn of_a_camera_the_newest_frame_wins() {
    let sink = keeps("file");
    let finder = ReadsNumber {
        pause: Duration::from_millis(20),
    };
    let live = start(
        Counting::camera(200, 2),
        finder,
        std::slice::from_ref(&sink),
        settings(),
    );
    let outcome = live.finish();
    sure(&outcome);
    let got = sink.got.lock().unwrap();
    assert!(got.is_sorted_by(|a, b| a < b), "{got:?}");
    let LiveOutcome { stats, .. } = &outcome;
    assert_eq!(stats.frames + stats.dropped, 200, "{stats:?}");
    assert!(stats.dropped > 100, "{stats:?}");
    // A frame waits for at most one turn of the finder, however long the run.
    let wait = stats.stage(Stage::Wait);
    assert!(wait.median < 25.0, "{wait:?}");
}

#[test]
fn a_stalled_sink_costs_nothing() {
    let stalled = Arc::new(AtomicBool::new(true));
    let bad = Keeps {
        stalled: Some(stalled.clone()),
        ..keeps("stalled")
    };
    let good = keeps("good");
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let live = Live::start(
        Box::new(Counting::camera(100, 2)),
        Box::new(ReadsNumber::default()),
        vec![Box::new(bad.clone()), Box::new(good.clone())],
        false,
        settings(),
        Stop::new(),
        Arc::new(move |notice: &Notice| heard.lock().unwrap().push(notice.clone())),
    )
    .unwrap();
    while !live.is_done() {
        thread::sleep(Duration::from_millis(1));
    }
    let stats = live.stats();
    // All frames but those that a busy machine made this test's threads miss.
    assert!(stats.frames > 50, "{stats:?}");
    stalled.store(false, Ordering::SeqCst);
    let outcome = live.finish();
    sure(&outcome);
    assert_eq!(
        good.got.lock().unwrap().len() as u64,
        outcome.sinks[1].taken
    );
    let [bad, good] = &outcome.sinks[..] else {
        panic!("{outcome:?}")
    };
    assert!(bad.dropped > 30, "{bad:?}");
    assert_eq!(good.taken + good.dropped, stats.frames);
    assert!(good.taken > bad.taken, "{outcome:?}");
    let drops = Notice::SinkDrops("stalled".into());
    let said = said.lock().unwrap();
    assert_eq!(said.iter().filter(|n| **n == drops).count(), 1, "said once");
}

#[test]
fn a_sink_that_never_comes_back_is_left_behind() {
    let bad = Keeps {
        stalled: Some(Arc::new(AtomicBool::new(true))),
        ..keeps("hung")
    };
    for live in [true, false] {
        let stop = Stop::new();
        let source = if live {
            Counting::camera(10_000, 1)
        } else {
            Counting::file(10_000)
        };
        let run = Live::start(
            Box::new(source),
            Box::new(ReadsNumber::default()),
            vec![Box::new(bad.clone())],
            false,
            settings(),
            stop.clone(),
            silent(),
        )
        .unwrap();
        thread::sleep(Duration::from_millis(50));
        stop.ask();
        let began = Instant::now();
        let outcome = run.finish();
        assert!(began.elapsed() < Duration::from_secs(5));
        let error = outcome.sinks[0].error.as_ref().unwrap().to_string();
        assert!(
            error.contains("hung") && error.contains("in time"),
            "{error}"
        );
    }
}

#[test]
fn a_sink_that_fails_is_left_out_and_the_others_go_on() {
    let bad = Keeps {
        fails_at: Some(5),
        ..keeps("bad")
    };
    let good = keeps("good");
    let sinks = [bad.clone(), good.clone()];
    let live = start(
        Counting::file(50),
        ReadsNumber::default(),
        &sinks,
        settings(),
    );
    let outcome = live.finish();
    assert!(outcome.error.is_none());
    assert_eq!(good.got.lock().unwrap().len(), 50);
    assert_eq!(bad.got.lock().unwrap().len(), 5);
    let error = outcome.sinks[0].error.as_ref().unwrap().to_string();
    assert_eq!(error, "bad: the disk is full");
    assert!(!bad.finished.load(Ordering::SeqCst));
}

#[test]
fn an_error_of_the_source_in_the_middle_leaves_all_before_it() {
    let sink = keeps("file");
    let mut source = Counting::file(50);
    source.fails_at = Some(12);
    let live = start(
        source,
        ReadsNumber::default(),
        std::slice::from_ref(&sink),
        settings(),
    );
    let outcome = live.finish();
    let error = outcome.error.unwrap().to_string();
    assert!(error.contains("unplugged"), "{error}");
    assert_eq!(sink.got.lock().unwrap().len(), 12);
    assert!(sink.finished.load(Ordering::SeqCst));
}

/// Panics at its third frame.
struct Breaks(u32);

impl PoseFinder for Breaks {
    fn find(&mut self, frame: &Frame) -> Result<Vec<TrackedPose>, RuntimeError> {
        self.0 += 1;
        assert!(self.0 < 3, "made to break");
        ReadsNumber::default().find(frame)
    }
}

#[test]
fn a_thread_that_breaks_ends_the_run_in_good_order() {
    let sink = keeps("file");
    let live = Live::start(
        Box::new(Counting::file(50)),
        Box::new(Breaks(0)),
        vec![Box::new(sink.clone())],
        true,
        settings(),
        Stop::new(),
        silent(),
    )
    .unwrap();
    let shown = live.display().unwrap();
    while shown.take().is_some() {}
    let outcome = live.finish();
    let error = outcome.error.unwrap().to_string();
    assert!(error.contains("network"), "{error}");
    assert_eq!(*sink.got.lock().unwrap(), [0, 1]);
    assert!(sink.finished.load(Ordering::SeqCst));
}

/// A camera that says nothing any more.
struct Silent(StreamInfo);

impl FrameSource for Silent {
    fn info(&self) -> &StreamInfo {
        &self.0
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        thread::sleep(Duration::from_secs(3600));
        Ok(None)
    }
}

#[test]
fn a_source_that_is_asleep_is_not_waited_for() {
    let sink = keeps("file");
    let stop = Stop::new();
    let live = Live::start(
        Box::new(Silent(Counting::camera(1, 1).info().clone())),
        Box::new(ReadsNumber::default()),
        vec![Box::new(sink.clone())],
        false,
        settings(),
        stop.clone(),
        silent(),
    )
    .unwrap();
    stop.ask();
    let began = Instant::now();
    sure(&live.finish());
    assert!(began.elapsed() < Duration::from_secs(4));
    assert!(sink.finished.load(Ordering::SeqCst));
}

#[test]
fn what_is_shown_is_a_frame_with_its_own_pose() {
    let stop = Stop::new();
    let live = Live::start(
        Box::new(Counting::camera(10_000, 1)),
        Box::new(ReadsNumber {
            pause: Duration::from_millis(2),
        }),
        Vec::new(),
        true,
        settings(),
        stop.clone(),
        silent(),
    )
    .unwrap();
    let display = live.display().unwrap();
    let mut last = None;
    for _ in 0..30 {
        let Taken::Item(shown) = display.take_within(Duration::from_secs(10)) else {
            panic!("nothing to show");
        };
        let number = shown.frame.number;
        assert_eq!(number_of(&shown.frame.picture), number);
        assert_eq!(shown.people[0].pose.keypoints[0].x as u64, number);
        assert!(last < Some(number));
        last = Some(number);
        // Slower than everything before it.
        thread::sleep(Duration::from_millis(7));
        live.add_time(Stage::Age, shown.frame.taken.elapsed());
    }
    stop.ask();
    let outcome = live.finish();
    sure(&outcome);
    let age = outcome.stats.stage(Stage::Age);
    assert!(age.median < 60.0, "no queue grows: {age:?}");
}

#[test]
fn every_nth_frame_and_a_limit_on_the_rate() {
    let sink = keeps("file");
    let every = LiveSettings {
        every: 3,
        ..settings()
    };
    let live = start(
        Counting::file(10),
        ReadsNumber::default(),
        std::slice::from_ref(&sink),
        every,
    );
    let outcome = live.finish();
    assert_eq!(*sink.got.lock().unwrap(), [0, 3, 6, 9]);
    assert_eq!((outcome.stats.skipped, outcome.stats.dropped), (6, 0));

    let limited = LiveSettings {
        max_fps: Some(50.0),
        ..settings()
    };
    let began = Instant::now();
    let live = start(Counting::file(11), ReadsNumber::default(), &[], limited);
    let outcome = live.finish();
    assert!(
        began.elapsed() >= Duration::from_millis(200),
        "ten intervals"
    );
    assert_eq!(outcome.stats.frames, 11);
    assert!(outcome.stats.fps < 51.0, "{:?}", outcome.stats);
}

#[test]
fn files_are_played_no_faster_than_recorded() {
    let real_time = LiveSettings {
        real_time: true,
        ..settings()
    };
    let began = Instant::now();
    // 100 frames a second.
    let live = start(Counting::file(21), ReadsNumber::default(), &[], real_time);
    sure(&live.finish());
    assert!(
        began.elapsed() >= Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn broken_frames_and_those_the_source_lost_are_counted() {
    let mut source = Counting::file(20);
    source.leaves_out = 5;
    let live = start(source, ReadsNumber::default(), &[], settings());
    let outcome = live.finish();
    // Numbers 0, 5, 10, 15: four frames are missing before each but the first.
    assert_eq!((outcome.stats.frames, outcome.stats.dropped), (4, 12));
    assert_eq!(outcome.stats.broken, 12);
}

#[test]
fn the_end_can_be_asked_for_from_anywhere() {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let stop = Stop::new();
    let asks = stop.clone();
    struct Asks(Stop);
    impl Sink for Asks {
        fn name(&self) -> &str {
            "asks"
        }
        fn take(&mut self, _: &LiveFrame) -> Result<(), RuntimeError> {
            if COUNT.fetch_add(1, Ordering::SeqCst) == 9 {
                self.0.ask();
            }
            Ok(())
        }
        fn finish(self: Box<Self>) -> Result<(), RuntimeError> {
            Ok(())
        }
    }
    let live = Live::start(
        Box::new(Counting::file(u64::MAX)),
        Box::new(ReadsNumber::default()),
        vec![Box::new(Asks(asks))],
        false,
        settings(),
        stop,
        silent(),
    )
    .unwrap();
    sure(&live.finish());
    assert!(COUNT.load(Ordering::SeqCst) >= 10);
}
