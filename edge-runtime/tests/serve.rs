//! The HTTP server, asked over a plain socket: what it answers, whom it refuses, and that it
//! ends.

#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::{BlobModel, blob_photo};
use edge_runtime::{
    Estimator, EstimatorSettings, ModelOptions, PoseModel, RuntimeError, ServeSettings, Server,
    ServerStop, load_photo,
};
use pose::{Point, RgbView};
use serde_json::Value;

const CENTERS: [Point; 3] = [
    Point::new(60.0, 50.0),
    Point::new(110.0, 95.0),
    Point::new(140.0, 70.0),
];

/// A running server with a model and a photo.
struct Running {
    folder: tempfile::TempDir,
    address: SocketAddr,
    stop: ServerStop,
    thread: Option<JoinHandle<Result<(), RuntimeError>>>,
}

fn estimator(folder: &tempfile::TempDir) -> Estimator {
    let model = folder.path().join("blobs.onnx");
    let model = PoseModel::load(model, &ModelOptions::default()).unwrap();
    Estimator::new(model, EstimatorSettings::default()).unwrap()
}

impl Running {
    fn start(settings: ServeSettings) -> Running {
        let folder = tempfile::tempdir().unwrap();
        BlobModel::default().save(folder.path(), "blobs.onnx");
        let photo = blob_photo(240, 180, CENTERS, 9.0);
        photo.save(folder.path().join("blobs.png")).unwrap();
        let settings = ServeSettings {
            listen: ([127, 0, 0, 1], 0).into(),
            ..settings
        };
        let server = Server::bind(settings, vec![estimator(&folder)]).unwrap();
        Running {
            address: server.address(),
            stop: server.stopper(),
            thread: Some(std::thread::spawn(move || server.run())),
            folder,
        }
    }

    fn photo(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("blobs.png")).unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Sends a request, with `Connection: close`, and returns status and body.
    fn ask(&self, head: &str, headers: &[&str], body: &[u8]) -> (u16, Value) {
        let mut stream = self.connect();
        let mut request = format!("{head} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|line| line.starts_with("Host:")) {
            request += &format!("Host: {}\r\n", self.address);
        }
        for line in headers {
            request += &format!("{line}\r\n");
        }
        if !headers
            .iter()
            .any(|line| line.starts_with("Content-Length:"))
        {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        stream.write_all((request + "\r\n").as_bytes()).unwrap();
        // A server that refuses may have stopped to listen already.
        let _ = stream.write_all(body);
        answer(&mut stream)
    }

    fn pose(&self, headers: &[&str], body: &[u8]) -> (u16, Value) {
        self.ask("POST /v1/pose", headers, body)
    }
}

/// Reads one answer to its end.
fn answer(stream: &mut TcpStream) -> (u16, Value) {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let json = serde_json::from_str(body).unwrap_or(Value::Null);
    (status.unwrap_or(0), json)
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
        let ended = self.thread.take().unwrap().join();
        // A failed test has its own message.
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

#[test]
fn a_photo_gets_the_pose_that_the_library_finds() {
    let running = Running::start(ServeSettings::default());
    let (status, json) = running.pose(&[], &running.photo());
    assert_eq!(status, 200, "{json}");

    let photo = load_photo(&running.folder.path().join("blobs.png")).unwrap();
    let view = RgbView::new(photo.as_raw(), 240, 180);
    let found = estimator(&running.folder).estimate(&view, None).unwrap();
    assert_eq!(
        (json["width"].as_u64(), json["height"].as_u64()),
        (Some(240), Some(180))
    );
    let keypoints = json["keypoints"].as_array().unwrap();
    assert_eq!(keypoints.len(), found.pose.keypoints.len());
    for (json, keypoint) in keypoints.iter().zip(&found.pose.keypoints) {
        assert!((json["x"].as_f64().unwrap() - f64::from(keypoint.x)).abs() < 1e-3);
        assert!((json["y"].as_f64().unwrap() - f64::from(keypoint.y)).abs() < 1e-3);
    }
    // The blobs are where they were drawn.
    let (x, y) = (
        keypoints[0]["x"].as_f64().unwrap(),
        keypoints[0]["y"].as_f64().unwrap(),
    );
    assert!((x - 60.0).abs() < 2.0 && (y - 50.0).abs() < 2.0, "{x} {y}");

    let (status, health) = running.ask("GET /healthz", &[], b"");
    assert_eq!((status, health["status"].as_str()), (200, Some("ok")));
}

#[test]
fn one_connection_carries_several_requests() {
    let running = Running::start(ServeSettings::default());
    let photo = running.photo();
    let mut stream = running.connect();
    for last in [false, false, true] {
        let close = if last { "Connection: close\r\n" } else { "" };
        let head = format!(
            "POST /v1/pose HTTP/1.1\r\nHost: localhost\r\n{close}Content-Length: {}\r\n\r\n",
            photo.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&photo).unwrap();
    }
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200").count(), 3, "{text}");
}

#[test]
fn what_is_no_photo_is_refused_with_a_word() {
    let running = Running::start(ServeSettings {
        body_limit: 20_000,
        pixel_limit: 50_000,
        ..ServeSettings::default()
    });
    let refused = |(status, json): (u16, Value), wanted: u16, word: &str| {
        assert_eq!(status, wanted, "{json}");
        let error = json["error"].as_str().unwrap_or_default();
        assert!(error.contains(word), "{error}");
    };
    refused(running.pose(&[], b"not a photo"), 422, "not a picture");
    refused(running.pose(&[], b""), 400, "empty");
    let photo = running.photo();
    refused(running.pose(&[], &photo[..photo.len() / 2]), 422, "upload");
    let form = ["Content-Type: multipart/form-data; boundary=x"];
    refused(running.pose(&form, &photo), 415, "curl");
    // Large by its own word, and large without one.
    refused(
        running.pose(&["Content-Length: 20001"], b""),
        413,
        "20000 bytes",
    );
    let chunk = [
        b"7530\r\n".to_vec(),
        vec![7; 0x7530],
        b"\r\n0\r\n\r\n".to_vec(),
    ]
    .concat();
    let chunked = ["Transfer-Encoding: chunked", "Content-Length:"];
    let mut stream = running.connect();
    let head = format!(
        "POST /v1/pose HTTP/1.1\r\nHost: localhost\r\n{}\r\n\r\n",
        chunked[0]
    );
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(&chunk);
    refused(answer(&mut stream), 413, "20000 bytes");
    // A small file that becomes a large picture.
    let large = image::RgbImage::new(300, 200);
    let mut png = std::io::Cursor::new(Vec::new());
    large.write_to(&mut png, image::ImageFormat::Png).unwrap();
    refused(running.pose(&[], png.get_ref()), 422, "300x200");

    refused(running.ask("GET /v1/pose", &[], b""), 405, "POST");
    refused(running.ask("POST /healthz", &[], b""), 405, "GET");
    refused(running.ask("GET /", &[], b""), 404, "/v1/pose");
    // After all that it works.
    assert_eq!(running.pose(&[], &photo).0, 200);
}

#[test]
fn strangers_stay_out() {
    let token = Some("correct horse".replace(' ', "-"));
    let running = Running::start(ServeSettings {
        token,
        ..ServeSettings::default()
    });
    let photo = running.photo();
    assert_eq!(running.pose(&[], &photo).0, 401);
    assert_eq!(
        running.pose(&["Authorization: Bearer wrong"], &photo).0,
        401
    );
    let right = "Authorization: Bearer correct-horse";
    assert_eq!(running.pose(&[right], &photo).0, 200);
    assert_eq!(running.pose(&[right, "Host: evil.example"], &photo).0, 403);
    // Whether it lives is no secret.
    assert_eq!(running.ask("GET /healthz", &[], b"").0, 200);

    let open = ServeSettings {
        listen: ([0, 0, 0, 0], 0).into(),
        ..ServeSettings::default()
    };
    let error = Server::bind(open, vec![estimator(&running.folder)]).unwrap_err();
    assert!(matches!(error, RuntimeError::Usage(_)), "{error}");
}

#[test]
fn slow_clients_are_let_go_and_do_not_hold_up_others() {
    let running = Running::start(ServeSettings {
        time_limit: Duration::from_secs(1),
        ..ServeSettings::default()
    });
    let mut slow = running.connect();
    slow.write_all(b"POST /v1/pose HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc")
        .unwrap();
    let started = Instant::now();
    assert_eq!(running.pose(&[], &running.photo()).0, 200);
    let (status, json) = answer(&mut slow);
    assert_eq!(status, 408, "{json}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn more_photos_than_may_wait_are_refused() {
    let running = Running::start(ServeSettings {
        queue: 0,
        ..ServeSettings::default()
    });
    let photo = running.photo();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let ask = || running.pose(&[], &photo).0;
        let clients: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();
        clients.into_iter().map(|c| c.join().unwrap()).collect()
    });
    assert!(
        statuses.iter().all(|s| [200, 503].contains(s)),
        "{statuses:?}"
    );
    assert!(statuses.contains(&200), "{statuses:?}");
    // The places are free again.
    assert_eq!(running.pose(&[], &photo).0, 200);
}

#[test]
fn the_program_says_what_is_wrong_before_it_listens() {
    let serve = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_edge-runtime"))
            .arg("serve")
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), error)
    };
    let folder = tempfile::tempdir().unwrap();
    BlobModel::default().save(folder.path(), "blobs.onnx");
    let model = folder.path().join("blobs.onnx");
    let model = ["--model", model.to_str().unwrap(), "--listen"];
    let (code, error) = serve(&[&model[..], &["0.0.0.0:0"]].concat());
    assert!(
        code == Some(2) && error.contains("--insecure"),
        "{code:?} {error}"
    );
    let (code, error) = serve(&[&model[..], &["0.0.0.0:0", "--token-file", "none"]].concat());
    assert!(
        code == Some(1) && error.contains("none"),
        "{code:?} {error}"
    );
    let (code, error) = serve(&[&model[..], &["localhost"]].concat());
    assert!(
        code == Some(2) && error.contains("--listen"),
        "{code:?} {error}"
    );
    // Somebody else is there.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, error) = serve(&[&model[..], &[&address]].concat());
    assert!(
        code == Some(1) && error.contains(&address),
        "{code:?} {error}"
    );
}
