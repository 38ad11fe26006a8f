//! `trainer run`: what a configuration file's `mode` says.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use clap::{ArgMatches, Args, Command};
use edge_runtime::{Estimator, EstimatorSettings, ModelOptions, ServeSettings, Server, json_line};
use serde_json::Value;
use trainer::config::{ConfigFile, LayerError, Mode, layer, with_switch_values};
use trainer::{BEST, InferenceSettings, TrainError, find_poses, pose_model};

use super::{config, eval, train};

/// Train, test, look for poses or serve, as a configuration file says.
#[derive(Args)]
#[command(after_help = "Examples:
  trainer run --config tiny.toml
  trainer run --config tiny.toml --mode test -- --flip-test
  trainer run --config tiny.toml --mode inference -- --photos holiday/ --output poses
  trainer run --config tiny.toml --mode server -- --listen 127.0.0.1:9000

The file's keys are the long options of `trainer train`. Its tables hold options for the other
modes:
  [test]       those of `trainer eval`; without weights and data, the training's best checkpoint
               and validation people
  [inference]  weights, photos, output, no-pictures, passes, flip-test, min-confidence, threads
  [server]     weights, listen, token-file, insecure, workers, timeout, passes, flip-test, threads")]
pub struct RunArgs {
    /// Configuration file (.toml, .yaml or .json).
    // Another id than `config`: the file is for the mode's options, not for these.
    #[arg(long = "config", value_name = "FILE", required = true)]
    file: PathBuf,
    /// What to do, in place of what the file says.
    #[arg(long)]
    mode: Option<Mode>,
    /// Options that go before the file's.
    #[arg(last = true, value_name = "OPTIONS")]
    options: Vec<OsString>,
}

/// Options of the mode `inference`.
#[derive(Args)]
struct InferenceOptions {
    /// Checkpoint or ONNX file.
    #[arg(long, value_name = "FILE", required = true)]
    weights: PathBuf,
    /// Photos, and folders of photos; may be given several times.
    #[arg(long, value_name = "PATH", required = true)]
    photos: Vec<PathBuf>,
    /// Folder for the pictures, poses.jsonl and poses.csv.
    #[arg(long, short, value_name = "DIR", default_value = "poses")]
    output: PathBuf,
    /// Write no pictures.
    #[arg(long)]
    no_pictures: bool,
    /// Draw keypoints of at least this confidence.
    #[arg(long, default_value_t = 0.2)]
    min_confidence: f32,
    #[command(flatten)]
    looks: LookOptions,
}

/// Options of the mode `server`.
#[derive(Args)]
struct ServerOptions {
    /// Checkpoint or ONNX file.
    #[arg(long, value_name = "FILE", required = true)]
    weights: PathBuf,
    /// Address and port to listen at.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// File with a token that requests must carry as `Authorization: Bearer TOKEN`.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Let other machines in without a token.
    #[arg(long)]
    insecure: bool,
    /// Photos at a time.
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: u16,
    /// Seconds for one request.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u32,
    #[command(flatten)]
    looks: LookOptions,
}

/// How poses are looked for.
#[derive(Args)]
struct LookOptions {
    /// Looks at each photo: the whole first, then closer around what was found.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    passes: u8,
    /// Mean of picture and mirror image.
    #[arg(long)]
    flip_test: bool,
    /// Threads of the runtime for one photo.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
}

impl LookOptions {
    fn settings(&self) -> EstimatorSettings {
        EstimatorSettings {
            passes: usize::from(self.passes),
            flip_test: self.flip_test,
            ..EstimatorSettings::default()
        }
    }
}

/// Does what file and arguments say.
pub fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let mut file = match ConfigFile::read(&args.file) {
        Ok(file) => file,
        Err(error) => return Ok(config::refuse(&error)),
    };
    let mode = args.mode.unwrap_or(file.mode);
    trained(&mut file, mode);
    let done = |()| ExitCode::SUCCESS;
    match mode {
        Mode::Train => match parse::<train::TrainArgs>(&file, mode, &args.options) {
            Ok((arguments, record)) => train::run(arguments, Some(record)),
            Err(code) => Ok(code),
        },
        Mode::Test => match parse::<eval::EvalArgs>(&file, mode, &args.options) {
            Ok((arguments, _)) => eval::run(arguments).map(done),
            Err(code) => Ok(code),
        },
        Mode::Inference => match parse::<InferenceOptions>(&file, mode, &args.options) {
            Ok((options, _)) => inference(options),
            Err(code) => Ok(code),
        },
        Mode::Server => match parse::<ServerOptions>(&file, mode, &args.options) {
            Ok((options, _)) => server(options).map(done),
            Err(code) => Ok(code),
        },
    }
}

/// Without a word about it, the other modes take what the training made and was validated by.
fn trained(file: &mut ConfigFile, mode: Mode) {
    let of_training = |file: &ConfigFile, wanted: &str| {
        let mut entries = file.table(Mode::Train);
        let found = entries.find(|(key, _)| *key == wanted);
        found.map(|(_, value)| value.clone())
    };
    if mode == Mode::Train {
        return;
    }
    if let Some(Value::String(output)) = of_training(file, "output") {
        let best = PathBuf::from(output).join(BEST);
        let best = Value::String(best.to_string_lossy().into_owned());
        file.set_default(mode, "weights", best);
    }
    if let (Mode::Test, Some(data)) = (mode, of_training(file, "validate")) {
        file.set_default(mode, "data", data);
    }
}

/// The options of a mode, with a configuration file that says the same. An error has been said.
fn parse<T: Args>(
    file: &ConfigFile,
    mode: Mode,
    arguments: &[OsString],
) -> Result<(T, String), ExitCode> {
    let command = T::augment_args(Command::new("trainer run").about(""));
    let words = match layer(&command, file, mode, arguments) {
        Ok(words) => words,
        Err(LayerError::Usage(error)) => error.exit(),
        Err(LayerError::Config(error)) => return Err(config::refuse(&error)),
    };
    let command = with_switch_values(command);
    let matches: ArgMatches = command
        .clone()
        .try_get_matches_from(std::iter::once("trainer run".into()).chain(words))
        .unwrap_or_else(|error| error.exit());
    let record = config::record_of(&command, &matches);
    let parsed = T::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok((parsed, record))
}

fn inference(options: InferenceOptions) -> anyhow::Result<ExitCode> {
    let settings = InferenceSettings {
        estimator: options.looks.settings(),
        threads: options.looks.threads,
        weights: options.weights,
        photos: options.photos,
        output: options.output,
        no_pictures: options.no_pictures,
        min_confidence: options.min_confidence,
    };
    let mut failed = 0;
    find_poses(
        &settings,
        |record| println!("{}", json_line(record)),
        |error| {
            eprintln!("error: {error}");
            failed += 1;
        },
    )?;
    ensure!(failed == 0, "{failed} photos could not be read");
    Ok(ExitCode::SUCCESS)
}

fn server(options: ServerOptions) -> anyhow::Result<()> {
    let model = ModelOptions {
        threads: options.looks.threads.max(1),
        ..ModelOptions::default()
    };
    let estimators = (0..options.workers.max(1))
        .map(|_| {
            let model = pose_model(&options.weights, &model)?;
            Ok(Estimator::new(model, options.looks.settings())?)
        })
        .collect::<Result<Vec<_>, TrainError>>()?;
    let token = match &options.token_file {
        Some(path) => Some(
            std::fs::read_to_string(path).map_err(|source| TrainError::Io {
                path: path.clone(),
                source,
            })?,
        ),
        None => None,
    };
    let server = Server::bind(
        ServeSettings {
            listen: options.listen,
            token: token.map(|token| token.trim().to_owned()),
            insecure: options.insecure,
            time_limit: Duration::from_secs(u64::from(options.timeout.max(1))),
            ..ServeSettings::default()
        },
        estimators,
    )?;
    println!("listening on http://{}", server.address());
    Ok(server.run()?)
}
