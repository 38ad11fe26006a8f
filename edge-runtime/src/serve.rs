//! Poses over HTTP.
//!
//! - `POST /v1/pose`: a JPEG or PNG file as the body → the pose as JSON, as `edge-runtime run
//!   --json` prints it.
//! - `GET /healthz`: `{"status":"ok"}` as long as the server takes requests.
//!
//! Refusals are JSON too: `{"error":"…"}` with a status that says whose fault it is.

mod access;
mod answer;
mod workers;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::{Semaphore, watch};

use crate::error::RuntimeError;
use crate::estimator::Estimator;
use access::Access;
use answer::Service;
use workers::Workers;

/// Connections at a time; further ones wait.
const CONNECTIONS: usize = 64;
/// Time for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Time for answers in progress when the server ends.
const GRACE: Duration = Duration::from_secs(5);

/// Where and how a server listens.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What requests for poses must carry as `Authorization: Bearer TOKEN`.
    pub token: Option<String>,
    /// Allows an address that other machines reach without a token.
    pub insecure: bool,
    /// Largest body in bytes.
    pub body_limit: usize,
    /// Most pixels of a photo.
    pub pixel_limit: u64,
    /// Time for one request, from its head to the answer.
    pub time_limit: Duration,
    /// Photos that may wait for a free network; more are refused.
    pub queue: usize,
}

impl Default for ServeSettings {
    fn default() -> ServeSettings {
        ServeSettings {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            token: None,
            insecure: false,
            body_limit: 16 << 20,
            pixel_limit: 25_000_000,
            time_limit: Duration::from_secs(30),
            queue: 16,
        }
    }
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    service: Service,
    stop: (watch::Sender<bool>, watch::Receiver<bool>),
}

/// Ends a [`Server`] from elsewhere.
#[derive(Clone, Debug)]
pub struct ServerStop(watch::Sender<bool>);

impl ServerStop {
    /// Takes no more connections; answers in progress are given.
    pub fn stop(&self) {
        // It fails when the server is gone already.
        let _ = self.0.send(true);
    }
}

impl Server {
    /// Listens. Each of `estimators` works on one photo at a time.
    ///
    /// # Errors
    /// No estimator; an address that other machines reach, without a token and without being told
    /// that this is wanted; an address that cannot be listened at.
    pub fn bind(
        settings: ServeSettings,
        estimators: Vec<Estimator>,
    ) -> Result<Server, RuntimeError> {
        if estimators.is_empty() {
            return Err(RuntimeError::Usage("a server needs one estimator".into()));
        }
        let access = Access::new(&settings)?;
        let failed = |source: io::Error| RuntimeError::Serve {
            address: settings.listen,
            source,
        };
        let listener = TcpListener::bind(settings.listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Server {
            address: listener.local_addr().map_err(failed)?,
            listener,
            service: Service {
                access: Arc::new(access),
                workers: Arc::new(Workers::new(
                    estimators,
                    settings.queue,
                    settings.pixel_limit,
                )),
                body_limit: settings.body_limit,
                time_limit: settings.time_limit,
            },
            stop: watch::channel(false),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What ends it.
    pub fn stopper(&self) -> ServerStop {
        ServerStop(self.stop.0.clone())
    }

    /// Answers until Ctrl-C, SIGTERM or [`ServerStop::stop`].
    ///
    /// # Errors
    /// When the system does not let it work.
    pub fn run(self) -> Result<(), RuntimeError> {
        let address = self.address;
        let failed = |source: io::Error| RuntimeError::Serve { address, source };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        runtime.block_on(self.accept()).map_err(failed)?;
        // Networks that still run for nobody are not waited for.
        runtime.shutdown_timeout(GRACE);
        Ok(())
    }

    async fn accept(self) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        let graceful = GracefulShutdown::new();
        let mut asked = self.stop.1;
        let end = async move {
            tokio::select! {
                _ = asked.wait_for(|stop| *stop) => {}
                () = signalled() => {}
            }
        };
        tokio::pin!(end);
        loop {
            let accepted = async {
                // The semaphore is never closed.
                let permit = connections.clone().acquire_owned().await.ok();
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                accepted = accepted => accepted,
                () = &mut end => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // Too many open files, for example: it passes when others close.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let service = self.service.clone();
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .max_buf_size(64 << 10)
                .serve_connection(
                    TokioIo::new(stream),
                    service_fn(move |request| {
                        let service = service.clone();
                        async move { service.answer(request).await }
                    }),
                );
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // A client that breaks off has had its way.
                let _ = connection.await;
                drop(permit);
            });
        }
        drop(listener);
        let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
        Ok(())
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn signalled() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // No such signal here: never.
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    () = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(_) => interrupt.await,
        }
    }
    #[cfg(not(unix))]
    interrupt.await;
}
