//! `edge-runtime run`

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use edge_runtime::{
    Canvas, Estimate, Estimator, EstimatorSettings, PoseRecord, RecordFormat, RecordWriter,
    RuntimeError, SkeletonStyle, decode_photo, draw_skeleton, find_photos, json_line, load_photo,
    picture_format, picture_names, save_picture,
};
use image::RgbImage;
use pose::RgbView;

use super::follow_args::Looking;
use super::live::{LiveArgs, LiveRun, is_folder};
use super::model_args::ModelArgs;
use super::values::{RectValue, fraction};
use super::{progress, shipped};

/// Where the picture of a single photo goes.
const DEFAULT_PICTURE: &str = "pose.png";
/// Where the pictures of several photos go.
const DEFAULT_FOLDER: &str = "poses";

/// What is looked at, how, and where the results go.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  edge-runtime run                                     the sample photo inside the program
  edge-runtime run photo.jpg --out skeleton.png
  edge-runtime run photos/ --out skeletons/ --csv poses.csv
  edge-runtime run photo.jpg --json --no-picture | jq .keypoints
  edge-runtime run --camera 0                          in a window; q ends, ? lists the other keys
  edge-runtime run dance.mp4 --out skeleton.avi --jsonl poses.jsonl
  edge-runtime run rtsp://camera/stream --people 3 --headless --tcp 127.0.0.1:9000
  rpicam-vid -t 0 --codec mjpeg -o - | edge-runtime run - --live
  edge-runtime run photos/ --out clip.gif --every 2    a folder as a clip
  edge-runtime run clip.gif --repeat --window")]
pub struct RunArgs {
    /// Photos (JPEG, PNG), folders of photos, videos [default: the sample inside the program]
    photos: Vec<PathBuf>,
    /// Picture with the skeleton; for several photos a folder [default: pose.png, or poses/]; for
    /// streams a video (.avi, .y4m, .gif; with ffmpeg .mp4, .mkv, .mov, .webm) or a folder of
    /// numbered pictures, and there may be several
    #[arg(long, short, value_name = "PATH", conflicts_with = "no_picture")]
    out: Vec<PathBuf>,
    /// Write no pictures
    #[arg(long)]
    no_picture: bool,
    /// Print one line of JSON for each photo or frame instead of a table
    #[arg(long)]
    json: bool,
    /// Also write JSON lines to a file
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,
    /// Also write CSV to a file: photo,keypoint,x,y,confidence; for streams
    /// frame,time,person,keypoint,x,y,confidence
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Part of the photo where the person is, in pixels [default: the whole photo]
    #[arg(long, value_name = "X,Y,W,H", allow_hyphen_values = true)]
    roi: Option<RectValue>,
    /// Looks at each photo: the whole first, then closer around what was found
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    passes: u8,
    /// Take the mean of picture and mirror image: slower, more accurate
    #[arg(long)]
    flip_test: bool,
    /// Draw keypoints of at least this confidence
    #[arg(long, value_name = "PART", default_value_t = 0.2, value_parser = fraction)]
    min_confidence: f32,
    /// Take options from a TOML file, `name = value` a line; `inputs` are the photos and videos.
    /// The command line goes before the file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    model: ModelArgs,
}

impl RunArgs {
    pub fn execute(self) -> anyhow::Result<()> {
        if self.live.is_asked_for(&self.photos, &self.out) {
            let wanted = LiveRun {
                inputs: &self.photos,
                out: &self.out,
                json: self.json,
                jsonl: self.jsonl.as_deref(),
                csv: self.csv.as_deref(),
                looking: Looking {
                    model: &self.model,
                    settings: self.settings(),
                    region: self.roi.map(|r| r.0),
                    min_confidence: self.min_confidence,
                },
            };
            return self.live.execute(wanted);
        }
        let photos = find_photos(&self.photos)?;
        let pictures = self.picture_paths(&photos)?;
        let mut estimator = Estimator::new(self.model.load()?, self.settings())?;
        let mut records = self.record_writers()?;

        if self.photos.is_empty() {
            let photo = decode_photo(shipped::sample()?, shipped::SAMPLE_LABEL)?;
            let label = Path::new(shipped::SAMPLE_LABEL);
            self.one_photo(&mut estimator, photo, label, pictures.first(), &mut records)?;
            return finish(records);
        }
        let several = photos.len() > 1;
        let bar = progress::bar(photos.len(), "photos");
        if !several {
            bar.finish_and_clear();
        }
        let mut failed = 0;
        for (index, path) in photos.iter().enumerate() {
            let result = load_photo(path)
                .map_err(anyhow::Error::from)
                .and_then(|photo| {
                    bar.suspend(|| {
                        let picture = pictures.get(index);
                        self.one_photo(&mut estimator, photo, path, picture, &mut records)
                    })
                });
            match result {
                Ok(()) => {}
                // A bad photo is passed over; an output that cannot be written ends the run.
                Err(error) if several && is_about_the_photo(&error) => {
                    failed += 1;
                    bar.suspend(|| eprintln!("error: {error:#}"));
                }
                Err(error) => return Err(error),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        finish(records)?;
        if failed > 0 {
            bail!("{failed} of {} photos could not be read", photos.len());
        }
        Ok(())
    }

    fn settings(&self) -> EstimatorSettings {
        EstimatorSettings {
            passes: usize::from(self.passes),
            flip_test: self.flip_test,
            ..EstimatorSettings::default()
        }
    }

    /// Where the annotated pictures go, one for each photo; none when none are wanted.
    fn picture_paths(&self, photos: &[PathBuf]) -> Result<Vec<PathBuf>, RuntimeError> {
        if self.no_picture {
            return Ok(Vec::new());
        }
        let out = match &self.out[..] {
            [] => None,
            [out] => Some(out),
            _ => {
                let message = "photos have one --out; several are for streams";
                return Err(RuntimeError::Usage(message.into()));
            }
        };
        let is_folder = out.is_some_and(|out| is_folder(out));
        if photos.len() <= 1 && !is_folder {
            let path = out.cloned().unwrap_or_else(|| DEFAULT_PICTURE.into());
            picture_format(&path)?;
            return Ok(vec![path]);
        }
        let folder = out.cloned().unwrap_or_else(|| DEFAULT_FOLDER.into());
        fs::create_dir_all(&folder).map_err(|source| RuntimeError::Write {
            path: folder.clone(),
            source,
        })?;
        let sample = [PathBuf::from(shipped::SAMPLE_LABEL)];
        let photos = if photos.is_empty() { &sample } else { photos };
        Ok(picture_names(photos)
            .iter()
            .map(|n| folder.join(n))
            .collect())
    }

    fn record_writers(&self) -> Result<Vec<RecordWriter>, RuntimeError> {
        [
            (&self.jsonl, RecordFormat::JsonLines),
            (&self.csv, RecordFormat::Csv),
        ]
        .into_iter()
        .filter_map(|(path, format)| Some(RecordWriter::create(path.as_ref()?, format)))
        .collect()
    }

    /// Finds, prints, records and draws the pose of one photo.
    fn one_photo(
        &self,
        estimator: &mut Estimator,
        mut photo: RgbImage,
        label: &Path,
        picture: Option<&PathBuf>,
        records: &mut [RecordWriter],
    ) -> anyhow::Result<()> {
        let (width, height) = photo.dimensions();
        let view = RgbView::new(photo.as_raw(), width as usize, height as usize);
        let found = estimator.estimate(&view, self.roi.map(|r| r.0))?;
        let set = &estimator.spec().keypoints;
        let name = label.display().to_string();
        let record = PoseRecord::new(name, width, height, &found.pose, set);
        for writer in records {
            writer.write(&record)?;
        }
        if let Some(path) = picture {
            let style = SkeletonStyle::for_pose(&found.pose, width, height, self.min_confidence);
            draw_skeleton(&mut Canvas::new(&mut photo), &found.pose, set, &style);
            save_picture(&photo, path)?;
        }
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", json_line(&record))?;
        } else {
            print_table(&mut out, &record, &found, picture)?;
        }
        Ok(())
    }
}

fn print_table(
    out: &mut impl Write,
    record: &PoseRecord,
    found: &Estimate,
    picture: Option<&PathBuf>,
) -> io::Result<()> {
    writeln!(
        out,
        "{}  {}x{}, confidence {:.2}, {:.1} ms",
        record.photo,
        record.width,
        record.height,
        record.confidence,
        found.timings.total().as_secs_f64() * 1e3
    )?;
    for k in &record.keypoints {
        writeln!(
            out,
            "{:<18}{:>9.1}{:>9.1}{:>7.2}",
            k.name, k.x, k.y, k.confidence
        )?;
    }
    match picture {
        Some(path) => writeln!(out, "picture: {}", path.display()),
        None => Ok(()),
    }
}

fn is_about_the_photo(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(RuntimeError::Photo { .. } | RuntimeError::Read { .. })
    )
}

fn finish(records: Vec<RecordWriter>) -> anyhow::Result<()> {
    for writer in records {
        writer.finish()?;
    }
    Ok(())
}
