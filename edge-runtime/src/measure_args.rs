//! The options of commands that measure, and what they make of an evaluation: `edge-runtime eval`
//! and `trainer eval` have the same.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dataset::{
    FoundPose, PckReport, PckRule, Person, Sigmas, Source, SourceKind, read_results, results_json,
};
use onnx_graph::write_atomically;
use pose::{Crop, KeypointSet, Pose, Size};
use serde::Serialize;

use crate::contact_sheet::{ContactSheet, SheetEntry};
use crate::error::RuntimeError;
use crate::eval::{
    CocoTruth, EvalSettings, HeatmapPredictor, Measured, Measures, chart_of, draw_case, evaluate,
    found_poses, measure, measure_predictions, worst_cases,
};
use crate::output::save_picture;
use crate::source::load_photo;

/// What is measured, and what is written about it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Measures")]
pub struct MeasureArgs {
    /// What is measured
    #[arg(long, default_value = "pck")]
    pub metric: Metric,
    /// What a distance is compared with in pck and pckh [default: torso, or box where the
    /// keypoints have none; head]
    #[arg(long, value_name = "NORM")]
    pub by: Option<Norm>,
    /// Largest distance that is right, as a part of the norm [default: torso 0.2, head 0.5,
    /// head-segment 0.5, box 0.05, box-diagonal 0.05, cells 0.5]
    #[arg(long, value_name = "PART", value_parser = part)]
    pub threshold: Option<f32>,
    /// Standard deviations of OKS: COCO's by the joints' names, 0.0625 for all, or what fits the
    /// labels
    #[arg(long, default_value = "auto")]
    pub sigmas: SigmasValue,
    /// Keypoints of which the network is less sure count as not found
    #[arg(long, value_name = "SCORE", default_value_t = 0.0, value_parser = part)]
    pub score_threshold: f32,
    /// Mean of picture and mirror image
    #[arg(long)]
    pub flip_test: bool,
    /// Mean over crops of these sizes, as multiples of the usual one, for example 0.9,1,1.1
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1")]
    pub scales: Vec<f32>,
    /// Measure these results, in COCO's format, instead of running a network
    #[arg(long, value_name = "FILE", conflicts_with_all = ["flip_test", "results", "worst", "contact_sheet"])]
    pub predictions: Option<PathBuf>,
    /// Write what was found in COCO's format of results
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// Keypoints of the results: mpii, coco, lsp or animal_pose [default: the network's]
    #[arg(long, value_name = "NAME", requires = "results", value_parser = built_in_set)]
    pub results_keypoints: Option<KeypointSet>,
    /// Write bar charts, joint by joint, as .svg or .png
    #[arg(long, value_name = "FILE")]
    pub chart: Option<PathBuf>,
    /// Write pictures of the N worst cases: labels white, prediction coloured
    #[arg(long, value_name = "N", requires = "out")]
    pub worst: Option<usize>,
    /// Folder for the pictures of --worst
    #[arg(long, value_name = "DIR", requires = "worst")]
    pub out: Option<PathBuf>,
    /// Write one picture of some people with the skeletons that were found
    #[arg(long, value_name = "FILE")]
    pub contact_sheet: Option<PathBuf>,
    /// People on the contact sheet
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub count: usize,
    /// Draw keypoints of at least this confidence on the contact sheet
    #[arg(long, value_name = "PART", default_value_t = 0.2, value_parser = part)]
    pub min_confidence: f32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// Nearer than a part of the torso, or of another norm.
    Pck,
    /// Nearer than a part of the head size.
    Pckh,
    /// Nearer than 3.2 heatmap cells at 256 pixels, as the Keras hourglass projects count.
    Cells,
    /// Object keypoint similarity, and COCO's average precision and recall.
    Oks,
    /// All of them, as far as the labels allow.
    All,
}

/// What a distance is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Norm {
    /// From the right hip to the left shoulder.
    Torso,
    /// 0.6 × the diagonal of the head's box.
    Head,
    /// From the upper neck to the top of the head.
    HeadSegment,
    /// The longer side of the person's box.
    Box,
    /// The diagonal of the person's box.
    BoxDiagonal,
}

/// Which standard deviations OKS takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SigmasValue {
    /// COCO's where every labelled joint is one of COCO's, else 0.0625.
    Auto,
    /// COCO's by the joints' names, 0.0625 for other joints.
    Coco,
    /// 0.0625 for every joint.
    Uniform,
}

impl From<SigmasValue> for Sigmas {
    fn from(value: SigmasValue) -> Sigmas {
        match value {
            SigmasValue::Auto => Sigmas::Auto,
            SigmasValue::Coco => Sigmas::Coco,
            SigmasValue::Uniform => Sigmas::Uniform,
        }
    }
}

fn part(text: &str) -> Result<f32, String> {
    text.parse()
        .ok()
        .filter(|v| (0.0..=10.0).contains(v))
        .ok_or_else(|| "expected a number of 0 or more, 0.5 for example".into())
}

fn built_in_set(name: &str) -> Result<KeypointSet, String> {
    KeypointSet::builtin(name)
        .ok_or_else(|| format!("expected one of {}", KeypointSet::BUILTIN.join(", ")))
}

/// Whom is measured on, and what.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Name of the network, or of the file of results.
    pub model: String,
    /// The data sets, as the command line has them.
    pub data: Vec<String>,
    /// Their sources.
    pub sources: Vec<&'a Source>,
    /// The people in them.
    pub people: &'a [Person],
    /// The network's settings before this command's options.
    pub settings: EvalSettings,
}

/// What came out.
#[derive(Debug, Serialize)]
pub struct MeasureOutcome {
    model: String,
    data: Vec<String>,
    flip_test: bool,
    scales: Vec<f32>,
    score_threshold: f32,
    /// The first of PCK's reports, where scripts look for it.
    #[serde(flatten)]
    first: Option<PckReport>,
    measures: Measured,
    /// What went wrong with photos.
    problems: Vec<String>,
    #[serde(skip)]
    notes: Vec<String>,
}

impl MeasureArgs {
    /// What is asked for does not go together.
    ///
    /// # Errors
    /// With what does not.
    pub fn check(&self) -> Result<(), RuntimeError> {
        let wrong = |message: &str| Err(RuntimeError::Usage(message.into()));
        if self.count == 0 || self.worst == Some(0) {
            return wrong("--count and --worst: expected at least 1");
        }
        if self.by.is_some() && !matches!(self.metric, Metric::Pck | Metric::Pckh) {
            return wrong("--by is for --metric pck and pckh");
        }
        let by_head = matches!(self.by, None | Some(Norm::Head | Norm::HeadSegment));
        if self.metric == Metric::Pckh && !by_head {
            return wrong("--metric pckh goes by head or head-segment; use --metric pck");
        }
        if self.predictions.is_some() && self.metric == Metric::Cells {
            return wrong("--metric cells needs a network: results have no heatmaps");
        }
        if self.threshold.is_some() && matches!(self.metric, Metric::Oks | Metric::All) {
            return wrong("--threshold is for --metric pck, pckh and cells");
        }
        // Said now, not after the work.
        for path in [&self.results, &self.chart, &self.contact_sheet]
            .into_iter()
            .flatten()
        {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            if folder.is_some_and(|folder| !folder.is_dir()) {
                return Err(RuntimeError::Write {
                    path: path.clone(),
                    source: io::ErrorKind::NotFound.into(),
                });
            }
        }
        Ok(())
    }

    /// The rule that one metric goes by.
    fn rule(&self, metric: Metric, input: Size, keypoints: &KeypointSet) -> PckRule {
        let norm = match (metric, self.by) {
            (Metric::Cells, _) => None,
            (Metric::Pckh, by) => Some(by.unwrap_or(Norm::Head)),
            (_, by) => by,
        };
        let rule = match norm {
            None if metric == Metric::Cells => PckRule::cells(input),
            None => PckRule::usual(keypoints),
            Some(Norm::Torso) => PckRule::LSP,
            Some(Norm::Head) => PckRule::MPII,
            Some(Norm::HeadSegment) => PckRule::HeadSegment { threshold: 0.5 },
            Some(Norm::Box) => PckRule::BoxSide { threshold: 0.05 },
            Some(Norm::BoxDiagonal) => PckRule::BoxDiagonal { threshold: 0.05 },
        };
        self.threshold
            .map_or(rule, |threshold| rule.with_threshold(threshold))
    }

    /// `people` are whom is measured on: where nobody has a head's box, all metrics include PCKh by
    /// the head's segment instead.
    fn measures(&self, input: Size, keypoints: &KeypointSet, people: &[Person]) -> Measures {
        let all = self.metric == Metric::All;
        let rule = |metric: Metric| {
            (all || self.metric == metric).then(|| self.rule(metric, input, keypoints))
        };
        let no_heads = people.iter().all(|person| person.head_size.is_none());
        let pckh = match rule(Metric::Pckh) {
            Some(PckRule::Head { threshold }) if all && no_heads => {
                Some(PckRule::HeadSegment { threshold })
            }
            other => other,
        };
        Measures {
            pck: rule(Metric::Pck),
            pckh,
            cells: rule(Metric::Cells).filter(|_| self.predictions.is_none()),
            oks: (all || self.metric == Metric::Oks).then(|| self.sigmas.into()),
            as_far_as_possible: all,
        }
    }

    /// The network's settings with this command's options. What is right for the pictures of the
    /// worst cases is what the metric says; for OKS, and for all metrics, [`PckRule::usual`].
    fn settings(&self, settings: EvalSettings) -> EvalSettings {
        let rule = match self.metric {
            Metric::Oks | Metric::All => PckRule::usual(&settings.keypoints),
            metric => self.rule(metric, settings.input, &settings.keypoints),
        };
        EvalSettings {
            flip_test: self.flip_test,
            scales: self.scales.clone(),
            min_score: self.score_threshold,
            rule,
            ..settings
        }
    }

    /// Runs the network, measures, and writes the files that are asked for. `progress` is called
    /// with the number of people done so far.
    ///
    /// # Errors
    /// Options that do not go together; whatever goes wrong with the network, the labels or the
    /// files.
    pub fn run<P: HeatmapPredictor + Send>(
        &self,
        subject: Subject<'_>,
        predictors: Vec<P>,
        progress: impl Fn(usize) + Sync,
    ) -> Result<MeasureOutcome, RuntimeError> {
        self.check()?;
        let people = subject.people;
        let settings = self.settings(subject.settings);
        let measures = self.measures(settings.input, &settings.keypoints, people);
        let needs_truth = measures.oks.is_some() || self.results.is_some();
        // Before the work, so that what is wrong with a file is said at once.
        let truth = if needs_truth {
            CocoTruth::read(&subject.sources)?.with_people(people)
        } else {
            CocoTruth::default()
        };
        let evaluation = evaluate(people, &settings, predictors, progress)?;
        let poses = &evaluation.poses;
        let measured = measure(people, poses, &settings, &measures, &truth)?;
        let mut notes = Vec::new();
        if let Some(path) = &self.results {
            let set = &settings.keypoints;
            let target = self.results_keypoints.as_ref().unwrap_or(set);
            let found = found_poses(people, poses, truth.image_ids(), set, target);
            write(path, results_json(&found).as_bytes())?;
            notes.push(format!("results: {}", path.display()));
            if truth.image_ids().are_counted() {
                let why = "image_id counts the photos, because their names do not number them";
                notes.push(why.into());
            }
        }
        if let (Some(count), Some(folder)) = (self.worst, &self.out) {
            let sheet = write_worst(count, folder, people, poses, &settings)?;
            notes.push(format!("worst cases: {}", sheet.display()));
        }
        if let Some(path) = &self.contact_sheet {
            let sheet = contact_sheet(self.count, self.min_confidence, people, poses, &settings)?;
            save_picture(&sheet.into_picture(), path)?;
            notes.push(format!("contact sheet: {}", path.display()));
        }
        self.finish(
            subject.model,
            subject.data,
            measured,
            evaluation.problems,
            notes,
        )
    }

    /// Measures results that are there already. `choice` are their keypoints, where somebody
    /// said which; `people` loads the people with labels for the keypoints that it is given;
    /// `all_people` says that these are all of the sources'.
    ///
    /// # Errors
    /// No results, or with other keypoints than any that are known; as [`run`](Self::run).
    pub fn score(
        &self,
        path: &Path,
        (data, sources): (Vec<String>, &[&Source]),
        choice: Option<KeypointSet>,
        all_people: bool,
        people: impl FnOnce(&KeypointSet) -> Result<Vec<Person>, RuntimeError>,
    ) -> Result<MeasureOutcome, RuntimeError> {
        self.check()?;
        let found = read_results(path).map_err(|e| RuntimeError::Dataset(e.to_string()))?;
        let truth = CocoTruth::read(sources)?;
        let set = match choice {
            Some(set) => set,
            None => set_of_results(path, &found, &truth)?,
        };
        let coco = |source: &&Source| source.kind == SourceKind::Coco && source.split.is_none();
        let whole = all_people && sources.iter().all(coco) && truth.numbers_are_unique();
        // COCO's figures of whole files need nobody's photo.
        let people = if whole && self.metric == Metric::Oks {
            Vec::new()
        } else {
            people(&set)?
        };
        let truth = truth.with_people(&people);
        let settings = self.settings(EvalSettings::for_predictions(set));
        let measures = self.measures(settings.input, &settings.keypoints, &people);
        let measured = measure_predictions(&people, &found, &settings, &measures, &truth, whole)?;
        let model = path.display().to_string();
        self.finish(model, data, measured, Vec::new(), Vec::new())
    }

    fn finish(
        &self,
        model: String,
        data: Vec<String>,
        measured: Measured,
        problems: Vec<String>,
        mut notes: Vec<String>,
    ) -> Result<MeasureOutcome, RuntimeError> {
        if let Some(path) = &self.chart {
            chart_of(&measured).save(path)?;
            notes.push(format!("chart: {}", path.display()));
        }
        let first = measured.pck_reports().next().cloned();
        Ok(MeasureOutcome {
            model,
            data,
            flip_test: self.flip_test,
            scales: self.scales.clone(),
            score_threshold: self.score_threshold,
            first,
            measures: measured,
            problems,
            notes,
        })
    }
}

impl MeasureOutcome {
    /// What was measured.
    pub fn measured(&self) -> &Measured {
        &self.measures
    }

    /// What went wrong with photos.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Writes the tables and what was written where, or the JSON.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn print(&self, out: &mut impl Write, json: bool) -> io::Result<()> {
        if json {
            return writeln!(out, "{}", serde_json::to_string_pretty(self)?);
        }
        writeln!(out, "{}", self.measures)?;
        self.notes
            .iter()
            .try_for_each(|note| writeln!(out, "{note}"))
    }

    /// An error when nothing could be measured.
    ///
    /// # Errors
    /// When no person could be judged by any measure.
    pub fn expect_people(&self) -> Result<(), RuntimeError> {
        let judged = self.measures.pck_reports().any(|report| report.people > 0);
        let compared = self
            .measures
            .oks
            .as_ref()
            .is_some_and(|oks| oks.coco.people > 0);
        if judged || compared {
            return Ok(());
        }
        let message = "nobody could be judged: see the warnings above";
        Err(RuntimeError::Dataset(message.into()))
    }
}

/// The keypoints of results that nobody named: those of the COCO file with as many, or a built-in
/// set of as many.
fn set_of_results(
    path: &Path,
    found: &[FoundPose],
    truth: &CocoTruth,
) -> Result<KeypointSet, RuntimeError> {
    let Some(first) = found.first() else {
        let message = format!("{}: there is no result in it", path.display());
        return Err(RuntimeError::Dataset(message));
    };
    let count = first.keypoints.len();
    let of_file = truth.file_keypoints().filter(|set| set.len() == count);
    let built_in = || {
        let sets = KeypointSet::BUILTIN.into_iter();
        sets.filter_map(KeypointSet::builtin)
            .find(|set| set.len() == count)
    };
    of_file.cloned().or_else(built_in).ok_or_else(|| {
        RuntimeError::Usage(format!(
            "{}: no known set has {count} keypoints; name them with --keypoints",
            path.display()
        ))
    })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RuntimeError> {
    write_atomically(path, bytes).map_err(|source| RuntimeError::Write {
        path: path.into(),
        source,
    })
}

/// Side of the single pictures of worst cases.
const CASE: usize = 512;
/// Side of those on the contact sheet.
const CASE_TILE: usize = 256;

/// Writes a picture of each of the worst cases, and `worst.png` with all of them, into a folder.
fn write_worst(
    count: usize,
    folder: &Path,
    people: &[Person],
    poses: &[Option<Pose>],
    settings: &EvalSettings,
) -> Result<PathBuf, RuntimeError> {
    std::fs::create_dir_all(folder).map_err(|source| RuntimeError::Write {
        path: folder.into(),
        source,
    })?;
    let mut cases = worst_cases(people, poses, settings)?;
    cases.truncate(count);
    let mut sheet = ContactSheet::with_tiles(cases.len(), Size::square(CASE_TILE));
    for (rank, case) in cases.iter().enumerate() {
        let person = &people[case.person];
        let Some(pose) = &poses[case.person] else {
            continue;
        };
        let photo = load_photo(&person.image)?;
        let draw = |side: usize| draw_case(&photo, person, pose, settings, Size::square(side));
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let id: String = person.id.chars().map(plain).collect();
        let name = format!("{:03}-{id}.png", rank + 1);
        save_picture(&draw(CASE)?, &folder.join(name))?;
        let caption = format!("{} {} of {} right", person.id, case.right, case.counted);
        sheet.add_picture(&draw(CASE_TILE)?, &caption);
    }
    let path = folder.join("worst.png");
    save_picture(&sheet.into_picture(), &path)?;
    Ok(path)
}

/// People at equal distances through the list, with the skeletons that were found.
fn contact_sheet(
    count: usize,
    min_confidence: f32,
    people: &[Person],
    poses: &[Option<Pose>],
    settings: &EvalSettings,
) -> Result<ContactSheet, RuntimeError> {
    let found: Vec<_> = people
        .iter()
        .zip(poses)
        .filter_map(|(person, pose)| Some((person, pose.as_ref()?)))
        .collect();
    let count = count.min(found.len());
    let mut sheet = ContactSheet::new(count);
    for (person, pose) in (0..count).map(|i| found[i * found.len() / count]) {
        let photo = load_photo(&person.image)?;
        let margin = settings.crop_margin * 1.1;
        let entry = SheetEntry {
            photo: &photo,
            crop: Crop::around(person.crop_rect(), margin, Size::square(1)),
            pose,
            caption: person.id.clone(),
        };
        sheet.add(&entry, &settings.keypoints, min_confidence)?;
    }
    Ok(sheet)
}
