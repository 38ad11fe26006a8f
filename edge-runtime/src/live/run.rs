//! Three threads and the sinks': capture, finding, display.
//!
//! ```text
//! capture:  source ── newest frame ──► one-slot mailbox
//! finding:  mailbox ── frame ──► people in it ──► queue of every sink, one-slot mailbox of the display
//! display:  mailbox ── frame with its own people ──► screen          (the caller's thread)
//! ```
//!
//! Of a live source the newest frame wins at every mailbox, so no queue grows and nothing gets
//! older than one turn of the slowest stage. Frames of files wait for each other instead.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::RuntimeError;
use crate::live::mailbox::{Delivery, Mailbox, Taken};
use crate::live::pace::Pace;
use crate::live::sink::{
    CloseAtEnd, Listener, LiveFrame, Notice, Sink, SinkOutcome, SinkQueue, SinkThread,
};
use crate::live::stats::{LiveStats, Meter, Stage};
use crate::live::throttling::Throttling;
use crate::stop::Stop;
use crate::stream::{Frame, FrameSource, PoseFinder};

/// After a request to end, finding has this long to let go of the sinks.
const LET_GO: Duration = Duration::from_secs(2);
/// A sink that takes no frame for so many times longer than after a request to end does not come
/// to its end by itself.
const UNASKED: u32 = 12;
/// How long a source that is asleep is waited for at the end.
const SOURCE_PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked whether a thread has come to its end.
const NAP: Duration = Duration::from_millis(5);
/// How often the machine is asked whether it is too hot.
const THROTTLING_EVERY: Duration = Duration::from_secs(3);

/// How a run goes.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveSettings {
    /// Looks for poses at most this often, each second.
    pub max_fps: Option<f64>,
    /// Takes every n-th frame of the source, from 1.
    pub every: u64,
    /// Frames that wait for a sink at most.
    pub waiting: usize,
    /// Plays files no faster than they were recorded.
    pub real_time: bool,
    /// How long sinks that do nothing are waited for after a request to end; without one twelve
    /// times as long.
    pub patience: Duration,
}

impl Default for LiveSettings {
    fn default() -> LiveSettings {
        LiveSettings {
            max_fps: None,
            every: 1,
            waiting: 8,
            real_time: false,
            patience: Duration::from_secs(10),
        }
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct LiveOutcome {
    /// The figures at the end.
    pub stats: LiveStats,
    /// Why the source or the network could not go on.
    pub error: Option<RuntimeError>,
    /// How it ended with each sink, in the order they were given.
    pub sinks: Vec<SinkOutcome>,
}

/// A run that goes on.
pub struct Live {
    shared: Arc<Shared>,
    capture: JoinHandle<()>,
    finding: JoinHandle<()>,
    sinks: Vec<SinkThread>,
    /// Closed when the run ends.
    watching: Arc<Mailbox<()>>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

/// What all threads of a run know.
struct Shared {
    stop: Stop,
    meter: Mutex<Meter>,
    error: Mutex<Option<RuntimeError>>,
    frames: Mailbox<Frame>,
    display: Option<Mailbox<Arc<LiveFrame>>>,
    listener: Listener,
    settings: LiveSettings,
}

impl Live {
    /// Starts a run. With `display` the caller takes the frames from [`display`](Self::display)
    /// and shows them.
    ///
    /// # Errors
    /// No thread is to be had.
    pub fn start(
        source: Box<dyn FrameSource>,
        finder: Box<dyn PoseFinder>,
        sinks: Vec<Box<dyn Sink>>,
        display: bool,
        settings: LiveSettings,
        stop: Stop,
        listener: Listener,
    ) -> std::io::Result<Live> {
        let live = source.info().live;
        let delivery = if live {
            Delivery::Newest
        } else {
            Delivery::Every
        };
        let waiting = settings.waiting;
        let shared = Arc::new(Shared {
            stop,
            meter: Mutex::new(Meter::new()),
            error: Mutex::new(None),
            frames: Mailbox::new(1, delivery),
            display: display.then(|| Mailbox::new(1, delivery)),
            listener,
            settings,
        });
        let started: Vec<(SinkThread, SinkQueue)> = sinks
            .into_iter()
            .map(|sink| SinkThread::start(sink, waiting, live, &shared.listener))
            .collect::<std::io::Result<_>>()?;
        let (sinks, queues): (Vec<_>, Vec<_>) = started.into_iter().unzip();
        let watching = Arc::new(Mailbox::new(1, Delivery::Newest));
        let named = |name: &str| thread::Builder::new().name(name.into());
        named("throttling").spawn({
            let (watching, listener) = (watching.clone(), shared.listener.clone());
            move || watch(&watching, &listener)
        })?;
        let finding = named("finding").spawn({
            let shared = shared.clone();
            move || shared.find(finder, queues)
        })?;
        let capture = named("capture").spawn({
            let shared = shared.clone();
            move || shared.capture(source)
        })?;
        Ok(Live {
            shared,
            capture,
            finding,
            sinks,
            watching,
        })
    }

    /// Where the frames to show come from; closed at the end. None without display.
    pub fn display(&self) -> Option<&Mailbox<Arc<LiveFrame>>> {
        self.shared.display.as_ref()
    }

    /// How it goes.
    pub fn stats(&self) -> LiveStats {
        self.shared.meter().stats()
    }

    /// Takes the time of a stage that is the caller's: drawing, showing, the frame's age.
    pub fn add_time(&self, stage: Stage, time: Duration) {
        self.shared.meter().add(stage, time);
    }

    /// Whether no more frames come.
    pub fn is_done(&self) -> bool {
        self.finding.is_finished()
    }

    /// Waits for the end: that of the source, or the one that was asked for. Then nobody is waited
    /// for longer than some seconds.
    pub fn finish(self) -> LiveOutcome {
        let patience = self.shared.settings.patience;
        let mut asked = None;
        while !self.finding.is_finished() {
            if self.shared.stop.is_asked() {
                self.shared.end();
                let time = asked.get_or_insert_with(Instant::now).elapsed();
                if time > LET_GO.min(patience) {
                    self.sinks.iter().for_each(SinkThread::close);
                }
                if time > patience {
                    break;
                }
            }
            thread::sleep(NAP);
        }
        self.shared.end();
        self.wait_for_sinks();
        self.watching.close();
        let began = Instant::now();
        while !self.capture.is_finished() && began.elapsed() < SOURCE_PATIENCE {
            thread::sleep(NAP);
        }
        for (thread, what) in [(self.capture, "source"), (self.finding, "network")] {
            if thread.is_finished() && thread.join().is_err() {
                self.shared.fail(RuntimeError::Sink {
                    sink: what.into(),
                    reason: "broke off; this is an error of this program".into(),
                });
            }
        }
        let error = self.shared.error();
        LiveOutcome {
            stats: self.shared.meter().stats(),
            error,
            sinks: self.sinks.into_iter().map(SinkThread::outcome).collect(),
        }
    }
}

impl Live {
    /// Waits for the sinks as long as they do something.
    fn wait_for_sinks(&self) {
        let patience = self.shared.settings.patience;
        let taken = || self.sinks.iter().map(SinkThread::taken).sum::<u64>();
        let mut last = (taken(), Instant::now());
        while !self.sinks.iter().all(SinkThread::is_finished) {
            if last.0 != taken() {
                last = (taken(), Instant::now());
            }
            let limit = if self.shared.stop.is_asked() {
                patience
            } else {
                UNASKED * patience
            };
            if last.1.elapsed() > limit {
                break;
            }
            thread::sleep(NAP);
        }
    }
}

impl Shared {
    fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the first error.
    fn fail(&self, error: RuntimeError) {
        let mut kept = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert(error);
    }

    fn error(&self) -> Option<RuntimeError> {
        let mut kept = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take()
    }

    /// Nothing more goes in anywhere.
    fn end(&self) {
        self.frames.close_and_clear();
        if let Some(display) = &self.display {
            display.close();
        }
    }

    /// The capture thread.
    fn capture(&self, mut source: Box<dyn FrameSource>) {
        let _close = CloseAtEnd(&self.frames);
        let mut came: u64 = 0;
        let mut expected: u64 = 0;
        while !self.stop.is_asked() && !self.frames.is_closed() {
            let frame = match source.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    self.fail(error);
                    break;
                }
            };
            let wanted = came.is_multiple_of(self.settings.every.max(1));
            came += 1;
            let mut meter = self.meter();
            // Frames that the source itself threw away.
            meter.lost += frame.number.saturating_sub(expected);
            expected = frame.number + 1;
            meter.broken = source.broken_frames();
            meter.skipped += u64::from(!wanted);
            drop(meter);
            if wanted && !self.frames.put(frame) {
                break;
            }
        }
    }

    /// The finding thread. The sinks come to their end when it drops their queues.
    fn find(&self, mut finder: Box<dyn PoseFinder>, mut sinks: Vec<SinkQueue>) {
        let _close = (
            CloseAtEnd(&self.frames),
            self.display.as_ref().map(CloseAtEnd),
        );
        let mut pace = Pace::default();
        while pace.wait_for_turn(&self.settings, &self.stop) {
            let Some(frame) = self.frames.take() else {
                break;
            };
            if !pace.wait_for(&frame, &self.settings, &self.stop) {
                break;
            }
            let started = Instant::now();
            let people = match finder.find(&frame) {
                Ok(people) => people,
                Err(error) => {
                    self.fail(error);
                    break;
                }
            };
            let found = Instant::now();
            let mut meter = self.meter();
            meter.add(Stage::Wait, started.saturating_duration_since(frame.taken));
            meter.add(Stage::Find, found - started);
            if self.display.is_none() {
                meter.add(Stage::Age, found.saturating_duration_since(frame.taken));
            }
            meter.dropped = meter.lost + self.frames.dropped();
            meter.frame_done(found);
            drop(meter);
            let frame = Arc::new(LiveFrame { frame, people });
            for sink in &mut sinks {
                sink.offer(&frame, &self.listener);
            }
            if let Some(display) = &self.display {
                display.put(frame);
            }
        }
    }
}

/// Says when the machine has become slower, or is well again, until the mailbox is closed.
fn watch(watching: &Mailbox<()>, listener: &Listener) {
    let mut throttling = Throttling::of_this_machine();
    while watching.take_within(THROTTLING_EVERY) != Taken::Closed {
        if let Some(change) = throttling.change() {
            listener(&Notice::Throttling(change));
        }
    }
}
