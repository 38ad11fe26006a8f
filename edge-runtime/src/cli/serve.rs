//! `edge-runtime serve`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use edge_runtime::{Estimator, EstimatorSettings, RuntimeError, ServeSettings, Server};

use super::model_args::ModelArgs;

/// Where is listened, and for whom.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  edge-runtime serve
  curl --data-binary @photo.jpg http://127.0.0.1:8080/v1/pose")]
pub struct ServeArgs {
    /// Address and port to listen at; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// File with a token that requests must carry as `Authorization: Bearer TOKEN`
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The token itself; other users of this machine may see it
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<String>,
    /// Let other machines in without a token
    #[arg(long)]
    insecure: bool,
    /// Largest photo file in megabytes
    #[arg(long, value_name = "MB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    max_body: u32,
    /// Largest photo in megapixels
    #[arg(long, value_name = "MP", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=150))]
    max_pixels: u32,
    /// Seconds for one request
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600))]
    timeout: u32,
    /// Photos at a time, each with a copy of the network
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
    /// Photos that may wait for their turn; more are refused
    #[arg(long, value_name = "N", default_value_t = 16)]
    queue: u16,
    /// Looks at each photo: the whole first, then closer around what was found
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    passes: u8,
    /// Take the mean of picture and mirror image: slower, more accurate
    #[arg(long)]
    flip_test: bool,
    #[command(flatten)]
    model: ModelArgs,
}

impl ServeArgs {
    pub fn execute(self) -> anyhow::Result<()> {
        let settings = EstimatorSettings {
            passes: usize::from(self.passes),
            flip_test: self.flip_test,
            ..EstimatorSettings::default()
        };
        let estimators = (0..self.workers)
            .map(|_| Estimator::new(self.model.load()?, settings))
            .collect::<Result<Vec<_>, RuntimeError>>()?;
        let server = Server::bind(
            ServeSettings {
                listen: self.listen,
                token: self.token()?,
                insecure: self.insecure,
                body_limit: self.max_body as usize * 1_000_000,
                pixel_limit: u64::from(self.max_pixels) * 1_000_000,
                time_limit: Duration::from_secs(u64::from(self.timeout)),
                queue: usize::from(self.queue),
            },
            estimators,
        )?;
        println!("listening on http://{}", server.address());
        Ok(server.run()?)
    }

    fn token(&self) -> Result<Option<String>, RuntimeError> {
        let Some(path) = &self.token_file else {
            return Ok(self.token.clone());
        };
        let text = std::fs::read_to_string(path).map_err(|source| RuntimeError::Read {
            path: path.clone(),
            source,
        })?;
        Ok(Some(text.trim().to_owned()))
    }
}
