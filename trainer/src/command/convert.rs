//! `trainer convert`

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use dataset::{CheckReport, CheckSettings, DataSet, PhotoMode, Source, Split, Target, check, read};
use pose::KeypointSet;
use trainer::parse_keypoints;

use super::progress::progress;

/// Convert annotated people from one format to another, or check them for mistakes.
#[derive(Args)]
#[command(after_help = "\
Formats that are read (KIND:PATH[,IMAGES][?OPTIONS]) and written (FORMAT:FOLDER):
  annotations   read, written   annotations.json of the stacked hourglass projects
  coco          read, written   COCO's keypoint JSON
  labelme       read, written   labelme's JSON beside each photo
  yolo          read, written   YOLO-pose: data.yaml, images/, labels/
  animal-pose   read, written   Animal-Pose's keypoints.json
  csv           read, written   a table
  lspet         read, written   joints.mat of Leeds Sports Pose Extended
  lsp           read            joints.mat of Leeds Sports Pose
  mpii          read            MPII's own .mat
  mpii-h5       read            train.h5 and valid.h5 of the first hourglass
  htf           read            dataset.txt of hourglasstensorflow
docs/data.md says what each holds.

Examples:
  trainer convert --from mpii:data/mpii/mpii_human_pose_v1_u12_1.mat,data/mpii/images \\
      --to annotations:mpii --validation-every 10 --photos link
  trainer convert --from labelme:my-photos --to yolo:my-photos-yolo
  trainer convert --from 'coco:data/coco?split=train' --keypoints mpii --to annotations:people
  trainer convert --from annotations:people --check")]
pub struct ConvertArgs {
    /// What to read; may be given several times, then all have the keypoints of the first or of
    /// --keypoints.
    #[arg(long, required = true, value_name = "SPEC")]
    from: Vec<Source>,
    /// Where to write, and in which format.
    #[arg(
        long,
        value_name = "FORMAT:FOLDER",
        required_unless_present = "check",
        conflicts_with = "check"
    )]
    to: Option<Target>,
    /// Look for mistakes instead: photos that are missing or damaged, keypoints outside of them,
    /// records that cannot be used, people who are there twice.
    #[arg(long)]
    check: bool,
    /// Keypoints to write: mpii, coco, lsp, animal_pose or a classes file. They are found by name;
    /// those that the data does not have are missing [default: the data's own].
    #[arg(long, value_name = "SET|FILE", value_parser = parse_keypoints)]
    keypoints: Option<KeypointSet>,
    /// Another name for a keypoint, as for `?rename=` of a source; before --keypoints. May be given
    /// several times.
    #[arg(long, value_name = "OLD=NEW", value_parser = parse_rename)]
    rename: Vec<(String, String)>,
    /// Put every N-th photo's people into the validation split and the others into the training
    /// split; people of a test split stay there.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    validation_every: Option<u32>,
    /// What becomes of the photos.
    #[arg(long, value_enum, default_value = "copy", conflicts_with = "check")]
    photos: Photos,
    /// With --check: end with exit code 1 when there is a mistake. Otherwise: stop at records that
    /// cannot be used instead of leaving them out.
    #[arg(long)]
    strict: bool,
    /// With --check: also report what is rarely right, such as left and right that look swapped.
    /// Dancers and divers look so too.
    #[arg(long, requires = "check")]
    suspicious: bool,
    /// With --check: read the sizes of photos only, do not decode them.
    #[arg(long, requires = "check")]
    quick: bool,
    /// With --check: mistakes of a kind to print; the rest is counted.
    #[arg(long, value_name = "N", default_value_t = 20, requires = "check")]
    show: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Photos {
    /// They are copied.
    Copy,
    /// Links to them are made.
    Link,
}

fn parse_rename(text: &str) -> Result<(String, String), String> {
    let (old, new) = text.split_once('=').ok_or("expected OLD=NEW")?;
    Ok((old.to_owned(), new.to_owned()))
}

/// Converts or checks as the arguments say.
pub fn run(args: ConvertArgs) -> anyhow::Result<()> {
    if args.check {
        return run_check(&args);
    }
    let Some(target) = &args.to else {
        anyhow::bail!("--to is missing");
    };
    target.check_free()?;
    let mut whole: Option<DataSet> = None;
    let mut left_out = Vec::new();
    for source in &args.from {
        let mut set = read_one(&args, source)?;
        set.drop_missing_photos();
        left_out.append(&mut set.problems);
        match &mut whole {
            None => whole = Some(set),
            Some(whole) => {
                anyhow::ensure!(
                    whole.keypoints.keypoints == set.keypoints.keypoints,
                    "{source} has other keypoints ({}) than {} ({}); say with --keypoints which to write",
                    set.keypoints.keypoints.join(", "),
                    args.from[0],
                    whole.keypoints.keypoints.join(", "),
                );
                whole.records.append(&mut set.records);
            }
        }
    }
    let mut set = whole.context("nothing to read")?;
    for problem in &left_out {
        eprintln!("left out: {problem}");
    }
    anyhow::ensure!(
        !args.strict || left_out.is_empty(),
        "{} records cannot be used; nothing is written",
        left_out.len()
    );
    anyhow::ensure!(
        !set.records.is_empty(),
        "no person with labelled keypoints; nothing is written"
    );
    if let Some(every) = args.validation_every {
        resplit(&mut set, every as usize);
    }
    let mode = match args.photos {
        Photos::Copy => PhotoMode::Copy,
        Photos::Link => PhotoMode::Link,
    };
    let bar = progress(photo_count(&set) as u64, "photos");
    let report = dataset::write(&set, target, mode, &mut |done| {
        bar.set_position(done as u64)
    })?;
    bar.finish_and_clear();
    if args.json {
        let json = serde_json::json!({
            "target": target.to_string(),
            "people": report.people,
            "photos": report.photos,
            "left_out": left_out,
            "lost": report.lost,
        });
        println!("{json}");
    } else {
        println!(
            "{target}: {} people in {} photos",
            report.people, report.photos
        );
        if !left_out.is_empty() {
            println!("left out: {} records", left_out.len());
        }
        for lost in &report.lost {
            println!("{} does not hold {lost}", target.format);
        }
    }
    Ok(())
}

/// Reads a source with the names that were asked for; people without any label are left out.
fn read_one(args: &ConvertArgs, source: &Source) -> anyhow::Result<DataSet> {
    let mut set = read(source)?;
    set.rename_keypoints(&args.rename);
    if let Some(target) = &args.keypoints {
        let common = target.map_from(&set.keypoints);
        anyhow::ensure!(
            common.iter().any(Option::is_some),
            "{source}: none of its keypoints ({}) is one of {}; see --rename",
            set.keypoints.keypoints.join(", "),
            target.keypoints.join(", "),
        );
        set = set.mapped(target);
        set.records.retain(|record| record.person.labelled() > 0);
    }
    Ok(set)
}

fn photo_count(set: &DataSet) -> usize {
    let mut photos: Vec<&PathBuf> = set.records.iter().map(|r| &r.person.image).collect();
    photos.sort();
    photos.dedup();
    photos.len()
}

/// Every N-th photo is for validation.
fn resplit(set: &mut DataSet, every: usize) {
    let mut photos: std::collections::HashMap<PathBuf, usize> = std::collections::HashMap::new();
    for record in &mut set.records {
        let person = &mut record.person;
        let next = photos.len();
        let number = *photos.entry(person.image.clone()).or_insert(next);
        if person.split != Split::Test {
            person.split = if (number + 1).is_multiple_of(every) {
                Split::Validation
            } else {
                Split::Train
            };
        }
    }
}

fn run_check(args: &ConvertArgs) -> anyhow::Result<()> {
    let settings = CheckSettings {
        decode: !args.quick,
        suspicious: args.suspicious,
        ..CheckSettings::default()
    };
    let mut found = 0;
    for source in &args.from {
        let set = read_one(args, source)?;
        let bar = progress(photo_count(&set) as u64, "photos");
        let report = check(&set, &settings, &|_| bar.inc(1));
        bar.finish_and_clear();
        found += report.findings.len();
        if args.json {
            let mut json = serde_json::to_value(&report)?;
            json["source"] = source.to_string().into();
            json["keypoints"] = set.keypoints.keypoints.clone().into();
            println!("{json}");
        } else {
            print_report(source, &set, &report, args.show);
        }
    }
    anyhow::ensure!(found == 0 || !args.strict, "{found} mistakes");
    Ok(())
}

fn print_report(source: &Source, set: &DataSet, report: &CheckReport, show: usize) {
    let mut shown = std::collections::BTreeMap::new();
    for finding in &report.findings {
        let count = shown.entry(finding.kind).or_insert(0);
        *count += 1;
        if *count <= show {
            println!("{}", finding.problem);
        }
    }
    let splits: Vec<String> = report
        .splits
        .iter()
        .map(|(split, count)| format!("{count} {split}"))
        .collect();
    println!(
        "{source}: {} people ({}) in {} photos, {} labels of {} keypoints",
        report.people,
        splits.join(", "),
        report.photos,
        report.labels,
        set.keypoints.len()
    );
    let counts = report.counts();
    for (kind, count) in &counts {
        println!("{count:>8} {kind}");
    }
    if counts.is_empty() {
        println!("no mistakes found");
    }
}
