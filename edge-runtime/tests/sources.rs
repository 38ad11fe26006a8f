//! Which source an input is: photos, pixels without a header, pipes, and what ffmpeg reads.

#![allow(clippy::unwrap_used)]

mod clips;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clips::{
    HEIGHT, WIDTH, all, avi, check_all, first_error, folder, jpeg, open, picture, shows, write, y4m,
};
use edge_runtime::{CaptureFormat, PixelFormat, RuntimeError, SourceOptions, Stop, open_source};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use pose::Size;
use tempfile::TempDir;

#[test]
fn a_photo_with_another_picture_in_it_is_one_photo() {
    let folder = folder();
    let (_, first) = (0, jpeg(0));
    // CIPA DC-007: an APP2 segment says that more pictures follow.
    let mpf = [b"\xff\xe2\x00\x0aMPF\0".as_slice(), &[0; 4]].concat();
    let photo = [&first[..2], &mpf, &first[2..], &jpeg(1)].concat();
    let path = write(&folder, "photo.jpg", &photo);
    assert_eq!(all(&mut *open(&path)).len(), 1);
    let mut small = Vec::new();
    JpegEncoder::new(&mut small)
        .encode_image(&RgbImage::new(8, 8))
        .unwrap();
    let path = write(&folder, "photo.jpg", &[first, small].concat());
    assert_eq!(all(&mut *open(&path)).len(), 1);
}

#[test]
fn folders_patterns_and_single_photos_are_sequences() {
    let folder = folder();
    for number in 0..3 {
        let path = folder.path().join(format!("shot-{number}.png"));
        picture(number).save(path).unwrap();
    }
    write(&folder, "notes.txt", b"no photo");
    check_all(&mut *open(folder.path()), 3, 25.0, 0);
    check_all(&mut *open(&folder.path().join("shot-?.png")), 3, 25.0, 0);
    check_all(&mut *open(&folder.path().join("*-0*")), 1, 25.0, 0);
    let info = open(folder.path()).info().clone();
    assert_eq!((info.frames, info.rate), (Some(3), Some(25.0)));

    // One that is broken is passed over; when all are, that is an error.
    write(&folder, "shot-1.png", b"broken");
    let mut source = open(folder.path());
    let numbers: Vec<u64> = all(&mut *source).iter().map(|f| f.number).collect();
    assert_eq!((numbers, source.broken_frames()), (vec![0, 2], 1));
    let options = SourceOptions::default();
    let line = first_error(&folder.path().join("*-1.png"), &options);
    assert!(line.contains("shot-1.png: is not a picture"), "{line}");
    let line = first_error(&folder.path().join("*.tif"), &options);
    assert!(line.ends_with("*.tif: no file has such a name"), "{line}");
    let line = first_error(&folder.path().join("missing.mp4"), &options);
    assert!(line.contains("cannot read"), "{line}");
    let empty = write(&folder, "empty.mp4", b"");
    assert!(first_error(&empty, &options).ends_with("empty.mp4: is empty"));
    // A file whose name looks like a pattern is that file.
    let odd = folder.path().join("what*.png");
    picture(2).save(&odd).unwrap();
    shows(&all(&mut *open(&odd))[0].picture, 2, 0);
}

#[test]
fn raw_pixels_need_a_size() {
    let folder = folder();
    let bytes: Vec<u8> = (0..2).flat_map(|n| picture(n).into_raw()).collect();
    let path = write(&folder, "pixels", &bytes);
    let mut options = SourceOptions {
        format: CaptureFormat::Raw(PixelFormat::Rgb24),
        ..SourceOptions::default()
    };
    let Err(error) = open_source(&path, &options) else {
        panic!("opened")
    };
    assert!(matches!(error, RuntimeError::Usage(_)), "{error}");
    options.size = Some(Size::new(WIDTH as usize, HEIGHT as usize));
    check_all(&mut *open_source(&path, &options).unwrap(), 2, 25.0, 0);
    let path = write(&folder, "pixels", &bytes[..bytes.len() - 1]);
    let line = first_error(&path, &options);
    assert!(
        line.contains("ends within frame 1 at byte 9215: 4607 of the 4608"),
        "{line}"
    );
    options.rate = Some(0.0);
    assert!(first_error(&path, &options).contains("more than 0"));
}

/// A named pipe, which like standard input can be read only once.
#[cfg(unix)]
#[test]
fn pipes_are_told_apart_by_their_first_bytes() {
    let folder = folder();
    let path = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no mkfifo");
        return;
    }
    let mjpeg: Vec<u8> = (0..3).flat_map(jpeg).collect();
    let frames: Vec<Vec<u8>> = (0..3).map(jpeg).collect();
    for (bytes, rate) in [
        (mjpeg, 25.0),
        (y4m(3, "F10:1 C444", (1, 1)), 10.0),
        (avi(b"MJPG", &frames), 12.5),
    ] {
        let mut writer = Command::new("sh")
            .arg("-c")
            .arg("cat > \"$0\"")
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = writer.stdin.take().unwrap();
        let writing = std::thread::spawn(move || stdin.write_all(&bytes));
        check_all(&mut *open(&path), 3, rate, 12);
        writing.join().unwrap().unwrap();
        writer.wait().unwrap();
    }
}

fn ffmpeg(arguments: &[&str]) -> bool {
    let done = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-y"])
        .args(arguments)
        .status();
    if done.is_err() {
        eprintln!("skipped: ffmpeg is not installed");
    }
    done.is_ok_and(|status| status.success())
}

#[test]
fn files_that_ffmpeg_writes_and_reads() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let source = write(&folder, "in.y4m", &y4m(8, "F10:1 C420", (2, 2)));
    let source = source.to_str().unwrap();
    for (name, codec, tolerance) in [
        (
            "mjpeg.avi",
            &["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"][..],
            20,
        ),
        (
            "mjpeg.mkv",
            &["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"],
            20,
        ),
        ("mpeg4.avi", &["-c:v", "mpeg4", "-q:v", "2"], 20),
        (
            "a video: with *odd* name.mp4",
            &["-c:v", "mpeg4", "-q:v", "2"],
            20,
        ),
        ("ffv1.mkv", &["-c:v", "ffv1"], 3),
        ("y4m.y4m", &["-pix_fmt", "yuv422p"], 3),
        (
            "raw.mjpeg",
            &[
                "-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p", "-f", "mjpeg",
            ],
            20,
        ),
    ] {
        let target = format!("file:{}", path(name));
        if !ffmpeg(&[&["-i", source], codec, &[&target]].concat()) {
            return;
        }
        let rate = if name.ends_with("mjpeg") { 25.0 } else { 10.0 };
        let mut source = open(path(name).as_ref());
        assert!(!source.info().live);
        check_all(&mut *source, 8, rate, tolerance);
    }
    // A file that nobody can read: what ffmpeg says about it is in the message.
    let text = write(&folder, "text.mp4", b"this is no video at all");
    let line = first_error(&text, &SourceOptions::default());
    assert!(
        line.contains("text.mp4: ffmpeg gives no more frames: "),
        "{line}"
    );
    assert!(line.contains("Invalid data"), "{line}");
    let line = first_error(
        "rtsp://me:secret@127.0.0.1:9/x".as_ref(),
        &SourceOptions::default(),
    );
    assert!(
        line.starts_with("rtsp://127.0.0.1:9/x: ffmpeg gives no more frames: "),
        "{line}"
    );
}

#[test]
fn without_ffmpeg_the_message_says_what_to_do() {
    let folder = folder();
    let path = write(&folder, "video.mp4", b"\0\0\0\x18ftypmp42");
    let options = SourceOptions {
        ffmpeg: "/nowhere/ffmpeg".into(),
        ..SourceOptions::default()
    };
    let line = first_error(&path, &options);
    assert!(
        line.contains("not installed") && line.contains("apt install ffmpeg"),
        "{line}"
    );
    assert!(first_error("rtsp://camera/1".as_ref(), &options).contains("not installed"));
}

/// A program in ffmpeg's place: it writes its process number, one frame, and then nothing.
#[cfg(unix)]
fn stuck_ffmpeg(folder: &TempDir) -> SourceOptions {
    use std::os::unix::fs::PermissionsExt;
    let frame = write(folder, "frame.y4m", &y4m(1, "F10:1 C420", (2, 2)));
    let program = folder.path().join("stuck");
    let script = format!(
        "#!/bin/sh\necho $$ > {}\ncat {}\nexec sleep 1000\n",
        folder.path().join("pid").display(),
        frame.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    SourceOptions {
        ffmpeg: program,
        ..SourceOptions::default()
    }
}

#[cfg(target_os = "linux")]
#[test]
fn ffmpeg_ends_with_its_source_and_when_it_is_told_to() {
    let folder = folder();
    let options = stuck_ffmpeg(&folder);
    let video = write(&folder, "video.mp4", b"whatever");
    let is_alive = || {
        let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
        Path::new("/proc").join(pid.trim()).exists()
    };
    let mut source = open_source(&video, &options).unwrap();
    shows(&source.next_frame().unwrap().unwrap().picture, 0, 1);
    assert!(is_alive());
    drop(source);
    assert!(!is_alive());

    let stop = Stop::default();
    let options = SourceOptions {
        stop: stop.clone(),
        ..options
    };
    let mut source = open_source(&video, &options).unwrap();
    source.next_frame().unwrap().unwrap();
    let start = Instant::now();
    let stopping = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        stop.ask();
    });
    assert!(source.next_frame().unwrap().is_none());
    assert!(start.elapsed() < Duration::from_secs(5));
    stopping.join().unwrap();
    drop(source);
    assert!(!is_alive());
}
