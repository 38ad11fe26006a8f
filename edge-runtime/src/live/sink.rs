//! Where frames and poses go, each on a thread of its own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crate::error::{RuntimeError, error_line};
use crate::live::mailbox::{Delivery, Mailbox};
use crate::stream::{Frame, TrackedPose};

/// A frame with the people that were found in it.
#[derive(Clone, Debug)]
pub struct LiveFrame {
    /// The frame.
    pub frame: Frame,
    /// The people in this very frame.
    pub people: Vec<TrackedPose>,
}

/// Something that takes the frames and poses of a run: a file, a stream.
pub trait Sink: Send {
    /// What to call it in messages: a file or an address.
    fn name(&self) -> &str;

    /// Whether it is worth waiting for, where the frames come from files: a written video has all
    /// frames, a stream to somebody who may stall has those that get through.
    fn needs_every_frame(&self) -> bool {
        true
    }

    /// Takes a frame. It may take its time: it has its own thread.
    ///
    /// # Errors
    /// When it cannot go on. It is not asked again then.
    fn take(&mut self, frame: &LiveFrame) -> Result<(), RuntimeError>;

    /// The end, on request too: files become complete.
    ///
    /// # Errors
    /// A file that cannot be finished.
    fn finish(self: Box<Self>) -> Result<(), RuntimeError>;
}

/// What a run has to say while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A sink has failed; the run goes on without it.
    SinkFailed(String),
    /// A sink cannot keep up; from now on frames do not reach it.
    SinkDrops(String),
    /// The machine has become slower or faster because of heat or power.
    Throttling(String),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::SinkFailed(why) => write!(f, "{why}; the run goes on without it"),
            Notice::SinkDrops(name) => write!(f, "{name} cannot keep up: frames do not reach it"),
            Notice::Throttling(what) => f.write_str(what),
        }
    }
}

/// Hears of notices. Called from several threads.
pub type Listener = Arc<dyn Fn(&Notice) + Send + Sync>;

/// How it ended with a sink.
#[derive(Debug)]
pub struct SinkOutcome {
    /// Its name.
    pub name: String,
    /// Frames that it took.
    pub taken: u64,
    /// Frames that did not reach it.
    pub dropped: u64,
    /// What it failed of.
    pub error: Option<RuntimeError>,
}

/// The queue before a sink, as the thread sees it that fills it.
pub(crate) struct SinkQueue {
    name: String,
    queue: Arc<Mailbox<Arc<LiveFrame>>>,
    /// It was said that frames do not reach it.
    said: bool,
}

impl SinkQueue {
    /// Hands a frame over. Waits only where the frames come from files and the sink needs all.
    pub fn offer(&mut self, frame: &Arc<LiveFrame>, listener: &Listener) {
        // A sink that has failed has closed its queue: it gets nothing more.
        self.queue.put(frame.clone());
        if !self.said && self.queue.dropped() > 0 {
            self.said = true;
            listener(&Notice::SinkDrops(self.name.clone()));
        }
    }
}

impl Drop for SinkQueue {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// A sink at work.
pub(crate) struct SinkThread {
    name: String,
    queue: Arc<Mailbox<Arc<LiveFrame>>>,
    /// Frames that it has taken.
    taken: Arc<AtomicU64>,
    thread: JoinHandle<Result<(), RuntimeError>>,
}

impl SinkThread {
    /// Starts it behind a queue of `waiting` frames; where `live`, nobody waits for it.
    ///
    /// # Errors
    /// No thread is to be had.
    pub fn start(
        sink: Box<dyn Sink>,
        waiting: usize,
        live: bool,
        listener: &Listener,
    ) -> std::io::Result<(SinkThread, SinkQueue)> {
        let delivery = if live || !sink.needs_every_frame() {
            Delivery::Newest
        } else {
            Delivery::Every
        };
        let name = sink.name().to_owned();
        let queue = Arc::new(Mailbox::new(waiting, delivery));
        let taken = Arc::new(AtomicU64::new(0));
        let (frames, listener, counter) = (queue.clone(), listener.clone(), taken.clone());
        let thread = thread::Builder::new()
            .name("sink".into())
            .spawn(move || serve(sink, &frames, &listener, &counter))?;
        let filled = SinkQueue {
            name: name.clone(),
            queue: queue.clone(),
            said: false,
        };
        let sink = SinkThread {
            name,
            queue,
            taken,
            thread,
        };
        Ok((sink, filled))
    }

    /// Whether it is done.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Frames that it has taken: grows as long as it is at work.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes nothing more in.
    pub fn close(&self) {
        self.queue.close();
    }

    /// How it ended; one that has not is left alone.
    pub fn outcome(self) -> SinkOutcome {
        let failed = |reason: &str| RuntimeError::Sink {
            sink: self.name.clone(),
            reason: reason.into(),
        };
        let error = if self.thread.is_finished() {
            match self.thread.join() {
                Ok(result) => result.err(),
                Err(_) => Some(failed("broke off; this is an error of this program")),
            }
        } else {
            Some(failed(
                "did not come to an end in time and may be incomplete",
            ))
        };
        SinkOutcome {
            name: self.name,
            taken: self.taken.load(Ordering::Relaxed),
            dropped: self.queue.dropped(),
            error,
        }
    }
}

/// Closes a mailbox at the end of a thread, also of one that panics.
pub(crate) struct CloseAtEnd<'a, T>(pub &'a Mailbox<T>);

impl<T> Drop for CloseAtEnd<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn serve(
    mut sink: Box<dyn Sink>,
    frames: &Mailbox<Arc<LiveFrame>>,
    listener: &Listener,
    taken: &AtomicU64,
) -> Result<(), RuntimeError> {
    let _close = CloseAtEnd(frames);
    while let Some(frame) = frames.take() {
        if let Err(error) = sink.take(&frame) {
            frames.close_and_clear();
            listener(&Notice::SinkFailed(error_line(&error)));
            return Err(error);
        }
        taken.fetch_add(1, Ordering::Relaxed);
    }
    sink.finish()
}
