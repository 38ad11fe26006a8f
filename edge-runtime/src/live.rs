//! A run over a stream of frames: capture, finding and display on three threads, and every sink on
//! one of its own.

mod animation;
mod avi;
mod ffmpeg;
mod finder;
mod mailbox;
mod pace;
mod painter;
mod record;
mod repeat;
mod run;
mod sink;
mod stats;
mod streams;
mod throttling;
mod video;
mod view;
mod y4m;

pub use finder::EstimatorFinder;
pub use mailbox::{Delivery, Mailbox, Taken};
pub use painter::{Look, Painter};
pub use record::{
    FRAME_CSV_HEADER, FrameFormat, FrameRecord, PersonRecord, PointRecord, RecordSink,
};
pub use repeat::Repeat;
pub use run::{Live, LiveOutcome, LiveSettings};
pub use sink::{Listener, LiveFrame, Notice, Sink, SinkOutcome};
pub use stats::{LiveStats, Stage, StageTime};
pub use streams::{JsonOutput, TcpSink, UdpSink};
pub use throttling::Throttling;
pub use video::{PictureSink, VIDEO_ENDINGS, VideoShape, VideoSink, VideoTiming};
pub use view::LiveWindow;
