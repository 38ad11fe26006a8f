//! Pose estimation on small computers: runs keypoint-heatmap ONNX models and draws skeletons.
//!
//! The modules stand along the data's way:
//!
//! - [`find_photos`], [`load_photo`]: photos from files and folders.
//! - [`PoseModel`]: an ONNX file, loaded and checked; [`ModelSpec`] says what it takes and gives,
//!   [`ModelOptions`] what the caller adds to the model card.
//! - [`Preprocessor`]: photo and crop → input tensor.
//! - [`Estimator`]: photo → pose, in one to three looks.
//! - [`draw_skeleton`] on a [`Canvas`] or on any embedded-graphics display ([`DisplayBrush`]).
//! - [`PoseRecord`], [`RecordWriter`], [`save_picture`]: JSON lines, CSV, annotated pictures.
//! - [`evaluate`], [`measure()`]: how many keypoints a network gets right, and how near the others
//!   are; [`BarChart`], [`worst_cases`], [`ContactSheet`]: a look at them. [`MeasureArgs`] are the
//!   options of commands that do so.
//! - `Server` (feature `serve`): poses over HTTP.
//! - [`FrameSource`], [`PoseFinder`]: the parts of a live run.
//! - [`open_source`], [`open_camera`]: frames from photos, videos, pipes and cameras, as
//!   [`SourceOptions`] say; [`list_cameras`].
//! - [`Follower`]: the pose finder that follows people; [`BoxSource`] says where they are, from a
//!   file ([`load_boxes`]) or a [`Detector`].
//! - [`load_pose_lines`]: poses that were written before, to compare with.
//! - [`Live`]: a run over a stream, on three threads; its [`Sink`]s (video files, records, TCP, UDP)
//!   and its [`LiveWindow`].
//! - [`Window`]: a picture on the screen, and keys.
//! - [`bench()`]: how long each stage takes; [`inspect()`]: what is in a model file.
//!
//! ```no_run
//! use edge_runtime::{Estimator, EstimatorSettings, ModelOptions, PoseModel, load_photo};
//! use pose::RgbView;
//!
//! # fn main() -> Result<(), edge_runtime::RuntimeError> {
//! let model = PoseModel::load("models/tiny.onnx", &ModelOptions::default())?;
//! let mut estimator = Estimator::new(model, EstimatorSettings::default())?;
//! let photo = load_photo("photo.jpg".as_ref())?;
//! let view = RgbView::new(photo.as_raw(), photo.width() as usize, photo.height() as usize);
//! let found = estimator.estimate(&view, None)?;
//! for (name, keypoint) in estimator.spec().keypoints.keypoints.iter().zip(&found.pose.keypoints) {
//!     println!("{name} {:.1} {:.1} {:.2}", keypoint.x, keypoint.y, keypoint.confidence);
//! }
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bar_chart;
mod bench;
mod canvas;
mod contact_sheet;
mod draw;
mod error;
mod estimator;
mod eval;
mod follow;
mod inspect;
mod keypoint_choice;
mod live;
mod measure_args;
mod model;
mod output;
mod panic_guard;
mod pose_lines;
mod preprocess;
#[cfg(feature = "serve")]
mod serve;
mod source;
mod spec;
mod stop;
mod stream;
mod window;

pub use bar_chart::{Bar, BarChart, BarPanel};
pub use bench::{BenchReport, BenchSettings, StageTimes, bench};
pub use canvas::Canvas;
pub use contact_sheet::{ContactSheet, SheetEntry};
pub use draw::{Brush, DisplayBrush, SkeletonStyle, draw_skeleton, in_one_color};
pub use error::{RuntimeError, error_line};
pub use estimator::{Estimate, Estimator, EstimatorSettings, Timings};
pub use eval::{
    CocoTruth, EvalSettings, Evaluation, HeatmapPredictor, JointOks, Measured, Measures,
    ModelPredictor, OksReport, WorstCase, chart_of, count, draw_case, evaluate, found_poses,
    match_predictions, measure, measure_predictions, predictor_from_fn, worst_cases,
};
pub use follow::{
    BoxFile, BoxSource, Detector, DetectorSettings, FollowSettings, Follower, Looker, PersonBox,
    YoloForm, load_boxes, non_maximum_suppression,
};
pub use inspect::{Inspection, inspect, inspect_bytes};
pub use keypoint_choice::KeypointChoice;
pub use live::{
    Delivery, EstimatorFinder, FRAME_CSV_HEADER, FrameFormat, FrameRecord, JsonOutput, Listener,
    Live, LiveFrame, LiveOutcome, LiveSettings, LiveStats, LiveWindow, Look, Mailbox, Notice,
    Painter, PersonRecord, PictureSink, PointRecord, RecordSink, Repeat, Sink, SinkOutcome, Stage,
    StageTime, Taken, TcpSink, Throttling, UdpSink, VIDEO_ENDINGS, VideoShape, VideoSink,
    VideoTiming,
};
pub use measure_args::{MeasureArgs, MeasureOutcome, Metric, Norm, SigmasValue, Subject};
pub use model::PoseModel;
pub use output::{
    CSV_HEADER, KeypointRecord, PoseRecord, RecordFormat, RecordWriter, csv_lines, json_line,
    picture_format, picture_names, save_picture,
};
pub use pose_lines::{PoseLine, load_pose_lines};
pub use preprocess::{InputImage, Preprocessor};
#[cfg(feature = "serve")]
pub use serve::{ServeSettings, Server, ServerStop};
pub use source::{
    CameraFormat, CameraInfo, CameraRates, CameraSize, CaptureFormat, ColorRange, MAX_PIXELS,
    Notices, PHOTO_ENDINGS, PhotoSequence, PixelFormat, SizeRange, SourceOptions, decode_photo,
    decode_photo_within, find_photos, list_cameras, load_photo, open_camera, open_source,
};
pub use spec::{InputSpec, MapSpec, ModelOptions, ModelSpec, decoding_of_card};
pub use stop::Stop;
pub use stream::{Frame, FrameSource, PoseFinder, StreamInfo, TrackedPose};
pub use window::{Window, WindowKey};
