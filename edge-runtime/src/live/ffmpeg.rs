//! MP4, Matroska, MOV and WebM by way of the `ffmpeg` program, where it is installed.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;

use image::RgbImage;

use crate::error::RuntimeError;
use crate::live::video::{VideoShape, VideoWriter};
use crate::live::y4m::Y4mWriter;

/// Endings and what ffmpeg calls these formats.
const FORMATS: [(&str, &str); 4] = [
    ("mp4", "mp4"),
    ("mkv", "matroska"),
    ("mov", "mov"),
    ("webm", "webm"),
];

/// ffmpeg's name of the format with this ending.
pub fn ffmpeg_format(ending: &str) -> Option<&'static str> {
    let known = FORMATS.iter().find(|(known, _)| *known == ending);
    known.map(|(_, format)| *format)
}

/// That the program is there.
///
/// # Errors
/// [`RuntimeError::Sink`] that says how to get it, or what to write instead.
pub fn find_ffmpeg(path: &Path) -> Result<(), RuntimeError> {
    let mut command = Command::new("ffmpeg");
    command.arg("-version").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(RuntimeError::Sink {
            sink: path.display().to_string(),
            reason: "this format needs the program ffmpeg, which is not installed; install it, or \
                     write .avi, .y4m or .gif"
                .into(),
        }),
    }
}

/// Sends pictures to an `ffmpeg` process that writes a hidden file, which gets its name at the end.
#[derive(Debug)]
pub struct FfmpegWriter {
    child: Child,
    input: Option<Y4mWriter<ChildStdin>>,
    /// Reads what ffmpeg complains about; gives back the last line.
    complaints: Option<JoinHandle<String>>,
    hidden: PathBuf,
    path: PathBuf,
}

impl FfmpegWriter {
    /// Starts ffmpeg.
    ///
    /// # Errors
    /// A program that cannot be started.
    pub fn new(path: &Path, format: &str, shape: VideoShape) -> io::Result<FfmpegWriter> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let hidden = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let mut command = Command::new("ffmpeg");
        command
            .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
            .args(["-f", "yuv4mpegpipe", "-i", "pipe:0"])
            // H.264 and its kin take even sizes only.
            .args([
                "-vf",
                "pad=ceil(iw/2)*2:ceil(ih/2)*2",
                "-pix_fmt",
                "yuv420p",
            ])
            .args(["-f", format])
            .arg(&hidden)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // Ctrl-C is for this program: ffmpeg ends when its input does, and not before.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let errors = child.stderr.take();
        let complaints = std::thread::Builder::new()
            .name("ffmpeg".into())
            .spawn(move || {
                let lines = errors.map(|e| BufReader::new(e).lines());
                let lines = lines.into_iter().flatten().map_while(Result::ok);
                lines.last().unwrap_or_default()
            })?;
        let input = child.stdin.take();
        let input = input.ok_or_else(|| io::Error::other("ffmpeg has no input"))?;
        let mut writer = FfmpegWriter {
            child,
            input: None,
            complaints: Some(complaints),
            hidden,
            path: path.into(),
        };
        writer.input = Some(Y4mWriter::new(input, shape)?);
        Ok(writer)
    }

    fn send(
        &mut self,
        send: impl FnOnce(&mut Y4mWriter<ChildStdin>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(input) = &mut self.input else {
            return Ok(());
        };
        send(input).map_err(|error| {
            self.input = None;
            let _ = self.child.wait();
            let said = self.complaints.take().and_then(|c| c.join().ok());
            match said.filter(|s| !s.is_empty()) {
                Some(said) => io::Error::other(format!("ffmpeg: {said}")),
                None => error,
            }
        })
    }
}

impl VideoWriter for FfmpegWriter {
    fn write(&mut self, picture: &RgbImage) -> io::Result<()> {
        self.send(|input| input.write_picture(picture))
    }

    fn repeat(&mut self, times: u32) -> io::Result<()> {
        self.send(|input| input.repeat_picture(times))
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if let Some(input) = self.input.take() {
            drop(input.into_inner()?);
        }
        let status = self.child.wait()?;
        if !status.success() {
            let said = self.complaints.take().and_then(|c| c.join().ok());
            let said = said.unwrap_or_default();
            return Err(io::Error::other(format!("ffmpeg: {status}: {said}")));
        }
        fs::rename(&self.hidden, &self.path)
    }
}

impl Drop for FfmpegWriter {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Gone already when all went well.
        let _ = fs::remove_file(&self.hidden);
    }
}
