//! Videos and network streams through the program `ffmpeg`.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::input::Input;
use super::options::SourceOptions;
use super::y4m::Y4mSource;
use crate::error::RuntimeError;
use crate::stream::{Frame, FrameSource, StreamInfo};

/// How long a network stream may give no frame.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the watcher looks.
const WATCH: Duration = Duration::from_millis(50);
/// How long to wait for the last messages of a child that has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Lines of ffmpeg's messages that are kept.
const LINES: usize = 40;

/// Frames of a video that ffmpeg decodes. It runs as long as this lives.
pub(super) struct FfmpegSource {
    frames: Y4mSource,
    info: StreamInfo,
    watch: Watch,
    ended: bool,
}

/// What the reader, the watcher and the listener share.
struct Shared {
    child: Mutex<Child>,
    messages: Mutex<VecDeque<String>>,
    /// Since when the reader has been waiting for a frame; None while it is not.
    waiting: Mutex<Option<Instant>>,
    done: AtomicBool,
    timed_out: AtomicBool,
    /// Whether the input has no known end.
    endless: AtomicBool,
}

/// Ends the child and the threads when it is dropped.
struct Watch {
    shared: Arc<Shared>,
    patience: Option<Duration>,
    threads: Vec<JoinHandle<()>>,
}

impl FfmpegSource {
    /// Starts ffmpeg on a file.
    pub fn file(path: &Path, options: &SourceOptions) -> Result<FfmpegSource, RuntimeError> {
        // So that a file is never taken for anything else, whatever it is called.
        let mut input = OsString::from("file:");
        input.push(path);
        FfmpegSource::start(path.display().to_string(), &[], &input, options, None)
    }

    /// Starts ffmpeg on an address such as `rtsp://camera/stream`.
    pub fn address(address: &str, options: &SourceOptions) -> Result<FfmpegSource, RuntimeError> {
        let mut before = vec!["-fflags", "nobuffer", "-flags", "low_delay"];
        if address.starts_with("rtsp") {
            before.extend(["-rtsp_transport", "tcp"]);
        }
        let name = without_password(address);
        FfmpegSource::start(name, &before, OsStr::new(address), options, Some(PATIENCE))
    }

    fn start(
        name: String,
        before: &[&str],
        input: &OsStr,
        options: &SourceOptions,
        patience: Option<Duration>,
    ) -> Result<FfmpegSource, RuntimeError> {
        let error = |reason: String| RuntimeError::Source {
            name: name.clone(),
            reason,
        };
        let mut child = Command::new(&options.ffmpeg)
            .args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "info"])
            .args(before)
            .arg("-i")
            .arg(input)
            .args(["-map", "0:v:0", "-an", "-sn", "-dn"])
            .args(["-vf", "scale=out_color_matrix=bt601:out_range=limited"])
            .args(["-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| match e.kind() {
                ErrorKind::NotFound => error(format!(
                    "is read by the program {:?}, which is not installed; install it (Debian: apt \
                     install ffmpeg), or convert to AVI with MJPEG, Y4M or photos",
                    options.ffmpeg
                )),
                _ => error(format!("cannot start {:?}: {e}", options.ffmpeg)),
            })?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let shared = Arc::new(Shared {
            child: Mutex::new(child),
            messages: Mutex::default(),
            waiting: Mutex::new(Some(Instant::now())),
            done: AtomicBool::new(false),
            timed_out: AtomicBool::new(false),
            endless: AtomicBool::new(false),
        });
        let mut watch = Watch {
            shared: Arc::clone(&shared),
            patience,
            threads: Vec::new(),
        };
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            return Err(error("ffmpeg has no output".into()));
        };
        let listening = Arc::clone(&shared);
        watch.threads.push(thread::spawn(move || {
            listening.listen(BufReader::new(stderr))
        }));
        let (watching, stop) = (Arc::clone(&shared), options.stop.clone());
        watch.threads.push(thread::spawn(move || {
            watching.watch(patience, &|| stop.is_asked());
        }));

        let reader = BufReader::with_capacity(1 << 16, stdout);
        let mut input = Input::new(name.clone(), Box::new(reader));
        // Nothing comes out before the first frame is there.
        if input.peek(1)?.is_empty() {
            return Err(watch.failure(&name));
        }
        let frames = Y4mSource::new(input, false)?;
        *lock(&shared.waiting) = None;
        let mut info = frames.info().clone();
        let endless = patience.is_some() && shared.endless.load(Ordering::Relaxed);
        info.live = options.live.unwrap_or(endless);
        Ok(FfmpegSource {
            frames,
            info,
            watch,
            ended: false,
        })
    }
}

impl FrameSource for FfmpegSource {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, RuntimeError> {
        if self.ended {
            return Ok(None);
        }
        let shared = &self.watch.shared;
        *lock(&shared.waiting) = Some(Instant::now());
        let result = self.frames.next_frame();
        *lock(&shared.waiting) = None;
        if let Ok(Some(_)) = result {
            return result;
        }
        self.ended = true;
        if shared.done.load(Ordering::Relaxed) && !shared.timed_out.load(Ordering::Relaxed) {
            // Asked to stop: what is cut off is nobody's fault.
            return Ok(None);
        }
        let success = lock(&shared.child)
            .wait()
            .is_ok_and(|status| status.success());
        match result {
            Ok(_) if success => Ok(None),
            _ => Err(self.watch.failure(&self.info.name)),
        }
    }
}

impl Shared {
    /// Keeps the last lines of what ffmpeg says.
    fn listen(&self, stderr: impl BufRead) {
        for line in stderr.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim().to_string();
            if line.starts_with("Duration: N/A") {
                self.endless.store(true, Ordering::Relaxed);
            }
            if line.is_empty() {
                continue;
            }
            let mut messages = lock(&self.messages);
            messages.push_back(line);
            if messages.len() > LINES {
                messages.pop_front();
            }
        }
    }

    /// Ends ffmpeg when it is told to or when no frame comes for too long, so that whoever reads
    /// from it reaches an end.
    fn watch(&self, patience: Option<Duration>, stopped: &dyn Fn() -> bool) {
        while !self.done.load(Ordering::Relaxed) {
            let late = patience.is_some_and(|patience| {
                lock(&self.waiting).is_some_and(|since| since.elapsed() > patience)
            });
            if late || stopped() {
                self.timed_out.store(late, Ordering::Relaxed);
                self.done.store(true, Ordering::Relaxed);
                // It may have ended by itself.
                let _ = lock(&self.child).kill();
                return;
            }
            thread::sleep(WATCH);
        }
    }
}

impl Watch {
    /// What ffmpeg said last.
    fn failure(&mut self, name: &str) -> RuntimeError {
        let timed_out = self.shared.timed_out.load(Ordering::Relaxed);
        self.end();
        let messages = lock(&self.shared.messages);
        let last = messages.back().map_or("it says nothing", String::as_str);
        RuntimeError::Source {
            name: name.into(),
            reason: if timed_out {
                format!(
                    "no frame in {:.0?}; ffmpeg says: {last}",
                    self.patience.unwrap_or_default()
                )
            } else {
                format!("ffmpeg gives no more frames: {last}")
            },
        }
    }

    fn end(&mut self) {
        self.shared.done.store(true, Ordering::Relaxed);
        let mut child = lock(&self.shared.child);
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
        drop(child);
        // A child of the child may hold its output open; that thread is left to itself.
        let start = Instant::now();
        while start.elapsed() < LAST_WORDS && !self.threads.iter().all(JoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An address for messages and records: `rtsp://user:password@host` as `rtsp://host`.
fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.into();
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_repeated() {
        assert_eq!(
            without_password("rtsp://me:secret@cam:554/a@b"),
            "rtsp://cam:554/a@b"
        );
        assert_eq!(without_password("http://cam/x"), "http://cam/x");
    }

    /// A stream that stops giving frames, and one that never gives any.
    #[cfg(unix)]
    #[test]
    fn a_stream_that_stalls_is_an_error() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("stuck");
        let options = SourceOptions {
            ffmpeg: program.clone(),
            ..SourceOptions::default()
        };
        let start = |script: &str| {
            let script = format!("#!/bin/sh\necho Duration: N/A >&2\n{script}\nexec sleep 1000\n");
            std::fs::write(&program, script).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            let patience = Some(Duration::from_millis(400));
            FfmpegSource::start("cam".into(), &[], OsStr::new("x"), &options, patience)
        };
        let frame = "sleep 0.1; printf 'YUV4MPEG2 W2 H2 F5:1 Cmono\\nFRAME\\nabcd'";
        let mut source = start(frame).unwrap();
        assert!(source.info().live);
        assert_eq!(source.next_frame().unwrap().unwrap().number, 0);
        // Time that the caller takes does not count.
        thread::sleep(Duration::from_millis(600));
        let error = source.next_frame().unwrap_err().to_string();
        assert_eq!(error, "cam: no frame in 400ms; ffmpeg says: Duration: N/A");
        assert!(source.next_frame().unwrap().is_none());
        let Err(error) = start("") else {
            panic!("opened")
        };
        assert!(
            error.to_string().starts_with("cam: no frame in 400ms"),
            "{error}"
        );
    }
}
