//! `edge-runtime run` over a stream: videos, cameras, photos played as a video.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use edge_runtime::{
    CaptureFormat, FrameFormat, FrameSource, JsonOutput, Live, LiveOutcome, LiveSettings,
    LiveWindow, Look, PhotoSequence, PictureSink, RecordSink, Repeat, RuntimeError, Sink,
    SourceOptions, Stage, Stop, StreamInfo, TcpSink, UdpSink, VIDEO_ENDINGS, VideoSink,
    VideoTiming, find_photos, open_camera, open_source,
};
use indicatif::ProgressBar;
use pose::KeypointSet;

use super::follow_args::{FollowArgs, Looking};
use super::values::SizeValue;

/// Pictures a second of a written video, where the source does not say.
const DEFAULT_RATE: f64 = 25.0;
/// Endings of inputs that are played as a stream.
const STREAM_ENDINGS: [&str; 13] = [
    "avi", "y4m", "gif", "mp4", "mkv", "mov", "webm", "m4v", "mjpeg", "mjpg", "mpg", "mpeg", "ts",
];
/// How often the line on the terminal changes.
const STATUS_EVERY: Duration = Duration::from_millis(250);

/// The options of streams.
#[derive(Debug, Args)]
#[command(next_help_heading = "Videos and cameras")]
pub struct LiveArgs {
    /// Take pictures from a camera: its number, device file or name
    #[arg(long, value_name = "CAMERA", conflicts_with = "photos")]
    camera: Option<String>,
    /// Size of a camera's pictures [default: 640x480], or of raw ones on standard input
    #[arg(long, value_name = "WxH")]
    size: Option<SizeValue>,
    /// Pictures that a camera takes each second [default: 30], or at which pictures are played
    /// that do not say: photos, raw MJPEG [default: 25]
    #[arg(long, value_name = "N", value_parser = positive)]
    fps: Option<f64>,
    /// Format of a camera's pictures, or of those on standard input: auto, mjpeg, or a raw one:
    /// yuyv, uyvy, nv12, nv21, i420, rgb24, bgr24, grey
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    format: CaptureFormat,
    /// Only the newest picture counts, as with cameras: for those that come through a pipe
    #[arg(long)]
    live: bool,
    /// Play videos and photos again and again
    #[arg(long, conflicts_with = "camera")]
    repeat: bool,
    /// Show pictures and skeletons in a window; the key ? lists its keys
    #[arg(long)]
    window: bool,
    /// Open no window
    #[arg(long, conflicts_with = "window")]
    headless: bool,
    /// Show the picture as a mirror does; poses and files stay as they are
    #[arg(long)]
    mirror: bool,
    /// Look for poses at most this often each second
    #[arg(long, value_name = "N", value_parser = positive)]
    max_fps: Option<f64>,
    /// Look at every n-th picture only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
    /// Also write COCO results (JSON) to a file; image_id is the frame's number, from 0
    #[arg(long, value_name = "FILE")]
    coco: Option<PathBuf>,
    /// Send JSON lines to everybody who connects here
    #[arg(long, value_name = "ADDRESS:PORT")]
    tcp: Vec<SocketAddr>,
    /// Send a JSON line for each frame to this address
    #[arg(long, value_name = "HOST:PORT", value_parser = host)]
    udp: Vec<SocketAddr>,
    /// Where the window's key s puts its pictures
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    snapshot_dir: PathBuf,
    #[command(flatten)]
    follow: FollowArgs,
}

/// What other options of `run` say about a stream.
#[derive(Debug)]
pub struct LiveRun<'a> {
    pub inputs: &'a [PathBuf],
    pub out: &'a [PathBuf],
    pub json: bool,
    pub jsonl: Option<&'a Path>,
    pub csv: Option<&'a Path>,
    pub looking: Looking<'a>,
}

impl LiveArgs {
    /// Whether a stream is meant rather than photos one by one.
    pub fn is_asked_for(&self, inputs: &[PathBuf], out: &[PathBuf]) -> bool {
        let has_ending = |path: &PathBuf, endings: &[&str]| {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            endings.iter().any(|e| e.eq_ignore_ascii_case(&ending))
        };
        let is_stream = |input: &PathBuf| {
            let text = input.to_string_lossy();
            text == "-" || text.contains("://") || has_ending(input, &STREAM_ENDINGS)
        };
        // One photo makes no video.
        let several = inputs.len() > 1 || inputs.iter().any(|input| input.is_dir());
        self.camera.is_some()
            || self.window
            || self.headless
            || self.live
            || self.repeat
            || self.max_fps.is_some()
            || self.every.is_some()
            || self.coco.is_some()
            || !self.tcp.is_empty()
            || !self.udp.is_empty()
            || inputs.iter().any(is_stream)
            || several && out.iter().any(|path| has_ending(path, &VIDEO_ENDINGS))
    }

    /// Runs until the stream ends or the end is asked for.
    pub fn execute(&self, run: LiveRun<'_>) -> anyhow::Result<()> {
        let stop = Stop::on_signals().context("cannot listen for Ctrl-C")?;
        let (finder, set) = self.follow.finder(run.looking)?;
        let source = self.open(run.inputs, &stop)?;
        let info = source.info().clone();
        let sinks = self.sinks(&run, &info, &set, &stop)?;
        // Who says nothing about where the poses go wants to see them.
        let window = self.window || (sinks.is_empty() && !self.headless);
        let look = Look {
            mirror: self.mirror,
            ..look(&run)
        };
        let mut window = window
            .then(|| LiveWindow::open(&info.name, info.size, set, look, &self.snapshot_dir))
            .transpose()
            .map_err(|error| anyhow::anyhow!("{error} (--out FILE and --headless need none)"))?;
        let settings = LiveSettings {
            max_fps: self.max_fps,
            every: self.every.unwrap_or(1),
            real_time: window.is_some() && !info.live,
            ..LiveSettings::default()
        };
        let status = match (&window, run.json) {
            (None, false) => ProgressBar::new_spinner(),
            _ => ProgressBar::hidden(),
        };
        let listener = {
            let status = status.clone();
            Arc::new(move |notice: &_| status.suspend(|| eprintln!("note: {notice}")))
        };
        let has_window = window.is_some();
        let live = Live::start(
            source,
            finder,
            sinks,
            has_window,
            settings,
            stop.clone(),
            listener,
        )
        .context("cannot start a thread")?;
        let shown = match &mut window {
            Some(window) => window.show(&live, &stop),
            None => {
                watch(&live, &stop, &status);
                Ok(())
            }
        };
        if shown.is_err() {
            stop.ask();
        }
        let outcome = live.finish();
        status.finish_and_clear();
        eprintln!("{}", summary(&info, &outcome));
        shown?;
        match outcome.error {
            Some(error) => Err(error.into()),
            None => outcome
                .sinks
                .into_iter()
                .find_map(|sink| sink.error)
                .map_or(Ok(()), |error| Err(error.into())),
        }
    }

    fn open(&self, inputs: &[PathBuf], stop: &Stop) -> Result<Box<dyn FrameSource>, RuntimeError> {
        let options = SourceOptions {
            format: self.format,
            size: self.size.map(|size| size.0),
            rate: self.fps,
            live: self.live.then_some(true),
            stop: stop.clone(),
            ..SourceOptions::default()
        };
        if let Some(camera) = &self.camera {
            return open_camera(camera, &options);
        }
        let inputs = inputs.to_vec();
        if self.repeat {
            return Ok(Box::new(Repeat::new(move || open(&inputs, &options))?));
        }
        open(&inputs, &options)
    }

    fn sinks(
        &self,
        run: &LiveRun<'_>,
        info: &StreamInfo,
        set: &KeypointSet,
        stop: &Stop,
    ) -> Result<Vec<Box<dyn Sink>>, RuntimeError> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        for path in run.out {
            sinks.push(if is_folder(path) {
                Box::new(PictureSink::create(path, set.clone(), look(run))?)
            } else {
                let timing = self.timing(info);
                Box::new(VideoSink::create(path, set.clone(), look(run), timing)?)
            });
        }
        for (path, format) in [
            (run.jsonl, FrameFormat::JsonLines),
            (run.csv, FrameFormat::Csv),
            (self.coco.as_deref(), FrameFormat::Coco),
        ] {
            if let Some(path) = path {
                sinks.push(Box::new(RecordSink::create(path, format, set.clone())?));
            }
        }
        if run.json {
            sinks.push(Box::new(JsonOutput::new(set.clone(), stop.clone())));
        }
        for address in &self.tcp {
            let sink = TcpSink::bind(*address, set.clone())?;
            eprintln!("listening on tcp://{}", sink.address());
            sinks.push(Box::new(sink));
        }
        for address in &self.udp {
            sinks.push(Box::new(UdpSink::new(*address, set.clone())?));
        }
        Ok(sinks)
    }

    /// How frames become pictures of a video file.
    fn timing(&self, info: &StreamInfo) -> VideoTiming {
        let every = self.every.unwrap_or(1) as f64;
        let rate = info.rate.unwrap_or(DEFAULT_RATE) / every;
        VideoTiming {
            // A file keeps its length, however fast it is looked at.
            rate: if info.live {
                self.max_fps.map_or(rate, |fps| fps.min(rate))
            } else {
                rate
            },
            fill: info.live || info.rate.is_none(),
        }
    }
}

fn look(run: &LiveRun<'_>) -> Look {
    Look {
        min_confidence: run.looking.min_confidence,
        ..Look::default()
    }
}

/// One video, or photos and folders of photos played one after the other.
fn open(inputs: &[PathBuf], options: &SourceOptions) -> Result<Box<dyn FrameSource>, RuntimeError> {
    match inputs {
        [] => Err(RuntimeError::Usage(
            "name a video or photos to play, or --camera 0".into(),
        )),
        [input] => open_source(input, options),
        [first, ..] => {
            let photos = find_photos(inputs)?;
            let name = format!("{} …", first.display());
            Ok(Box::new(PhotoSequence::new(name, photos, options.rate)))
        }
    }
}

/// A folder that is there, or a path that says it is to be one.
pub fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().to_string_lossy().ends_with(['/', '\\'])
}

/// Says how it goes until the run ends.
fn watch(live: &Live, stop: &Stop, status: &ProgressBar) {
    while !live.is_done() && !stop.is_asked() {
        let stats = live.stats();
        status.set_message(format!(
            "{} frames, {:.1} fps, {:.1} ms each, age {:.1} ms, {} dropped",
            stats.frames,
            stats.fps,
            stats.stage(Stage::Find).median,
            stats.stage(Stage::Age).median,
            stats.dropped
        ));
        status.tick();
        let pause = std::time::Instant::now();
        while pause.elapsed() < STATUS_EVERY && !live.is_done() && !stop.is_asked() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// One line on how it went.
fn summary(info: &StreamInfo, outcome: &LiveOutcome) -> String {
    let stats = &outcome.stats;
    let mut line = format!(
        "{}: {} frames, {:.1} fps",
        info.name, stats.frames, stats.fps
    );
    for stage in [Stage::Find, Stage::Age] {
        let time = stats.stage(stage);
        let name = stage.name();
        line.push_str(&format!(
            ", {name} {:.1} ms (p95 {:.1})",
            time.median, time.p95
        ));
    }
    for (count, what) in [
        (stats.dropped, "dropped"),
        (stats.skipped, "left out"),
        (stats.broken, "broken"),
    ] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    for sink in outcome.sinks.iter().filter(|sink| sink.dropped > 0) {
        line.push_str(&format!(
            "; {} frames did not reach {}",
            sink.dropped, sink.name
        ));
    }
    line
}

/// A number above 0.
fn positive(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|v: &f64| *v > 0.0 && v.is_finite())
        .ok_or_else(|| "expected a number above 0".into())
}

/// `HOST:PORT`, looked up once.
fn host(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|e| e.to_string())?;
    found.next().ok_or_else(|| "no such host".into())
}
