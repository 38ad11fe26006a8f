//! Poses as JSON lines for other programs: on standard output, to TCP clients, in UDP datagrams.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use pose::KeypointSet;

use crate::error::RuntimeError;
use crate::live::record::FrameRecord;
use crate::live::sink::{LiveFrame, Sink};
use crate::stop::Stop;

/// Clients of a TCP port at a time.
const MAX_CLIENTS: usize = 32;
/// Lines that wait for a client; one that is further behind is let go.
const CLIENT_QUEUE: usize = 64;
/// How long a client may take nothing at all.
const CLIENT_PATIENCE: Duration = Duration::from_secs(5);
/// How often the listener looks whether it is needed any more.
const LISTEN_EVERY: Duration = Duration::from_millis(50);
/// Bytes in a UDP datagram over IPv4.
const MAX_DATAGRAM: usize = 65_507;

/// JSON lines on standard output, one a frame.
#[derive(Debug)]
pub struct JsonOutput {
    set: KeypointSet,
    stop: Stop,
}

impl JsonOutput {
    /// Asks for the end when nobody reads any more.
    pub fn new(set: KeypointSet, stop: Stop) -> JsonOutput {
        JsonOutput { set, stop }
    }
}

impl Sink for JsonOutput {
    fn name(&self) -> &str {
        "standard output"
    }

    fn take(&mut self, frame: &LiveFrame) -> Result<(), RuntimeError> {
        let line = FrameRecord::new(frame, &self.set).json_line();
        let mut out = io::stdout().lock();
        match out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                // Whoever read our output has had enough of it.
                self.stop.ask();
                Ok(())
            }
            Err(error) => Err(RuntimeError::Sink {
                sink: self.name().into(),
                reason: error.to_string(),
            }),
        }
    }

    fn finish(self: Box<Self>) -> Result<(), RuntimeError> {
        Ok(())
    }
}

/// JSON lines to everybody who connects to a TCP port. Clients that are too slow are let go.
#[derive(Debug)]
pub struct TcpSink {
    name: String,
    address: SocketAddr,
    set: KeypointSet,
    clients: Arc<Mutex<Vec<SyncSender<Arc<str>>>>>,
    /// Raised at the end: the listener goes home.
    over: Stop,
}

impl TcpSink {
    /// Listens at an address.
    ///
    /// # Errors
    /// An address that cannot be listened at.
    pub fn bind(address: SocketAddr, set: KeypointSet) -> Result<TcpSink, RuntimeError> {
        let wrong = |source| RuntimeError::Serve { address, source };
        let listener = TcpListener::bind(address).map_err(wrong)?;
        listener.set_nonblocking(true).map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let clients: Arc<Mutex<Vec<SyncSender<Arc<str>>>>> = Arc::default();
        let over = Stop::new();
        thread::Builder::new()
            .name("tcp".into())
            .spawn({
                let (clients, over) = (clients.clone(), over.clone());
                move || accept(&listener, &clients, &over)
            })
            .map_err(wrong)?;
        Ok(TcpSink {
            name: format!("tcp://{address}"),
            address,
            set,
            clients,
            over,
        })
    }

    /// Where it listens; the port is the true one where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for TcpSink {
    fn drop(&mut self) {
        self.over.ask();
    }
}

fn accept(listener: &TcpListener, clients: &Mutex<Vec<SyncSender<Arc<str>>>>, over: &Stop) {
    while !over.is_asked() {
        let Ok((stream, _)) = listener.accept() else {
            // Nobody there, or somebody who is gone again.
            thread::sleep(LISTEN_EVERY);
            continue;
        };
        let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= MAX_CLIENTS {
            continue;
        }
        let (sender, lines) = sync_channel(CLIENT_QUEUE);
        let served = thread::Builder::new()
            .name("client".into())
            .spawn(move || serve(stream, &lines));
        if served.is_ok() {
            clients.push(sender);
        }
    }
}

/// Sends lines until the client or the run has ended.
fn serve(mut stream: TcpStream, lines: &Receiver<Arc<str>>) {
    let ready = stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_nodelay(true))
        .and_then(|()| stream.set_write_timeout(Some(CLIENT_PATIENCE)));
    if ready.is_err() {
        return;
    }
    while let Ok(line) = lines.recv() {
        if stream.write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}

impl Sink for TcpSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn needs_every_frame(&self) -> bool {
        false
    }

    fn take(&mut self, frame: &LiveFrame) -> Result<(), RuntimeError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.is_empty() {
            return Ok(());
        }
        let line: Arc<str> = FrameRecord::new(frame, &self.set).json_line().into();
        clients.retain(|client| match client.try_send(line.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        });
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), RuntimeError> {
        Ok(())
    }
}

/// One JSON line a frame as a UDP datagram. Nobody needs to listen.
#[derive(Debug)]
pub struct UdpSink {
    name: String,
    socket: UdpSocket,
    to: SocketAddr,
    set: KeypointSet,
}

impl UdpSink {
    /// Sends to an address.
    ///
    /// # Errors
    /// No socket is to be had.
    pub fn new(to: SocketAddr, set: KeypointSet) -> Result<UdpSink, RuntimeError> {
        let name = format!("udp://{to}");
        let any: SocketAddr = match to {
            SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
            SocketAddr::V6(_) => ([0u16; 8], 0).into(),
        };
        let socket = UdpSocket::bind(any)
            .and_then(|socket| {
                socket.set_nonblocking(true)?;
                // Asked for by who names a broadcast address.
                socket.set_broadcast(true)?;
                Ok(socket)
            })
            .map_err(|error| RuntimeError::Sink {
                sink: name.clone(),
                reason: error.to_string(),
            })?;
        Ok(UdpSink {
            name,
            socket,
            to,
            set,
        })
    }
}

impl Sink for UdpSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn needs_every_frame(&self) -> bool {
        false
    }

    fn take(&mut self, frame: &LiveFrame) -> Result<(), RuntimeError> {
        let line = FrameRecord::new(frame, &self.set).json_line();
        if line.len() > MAX_DATAGRAM {
            return Err(RuntimeError::Sink {
                sink: self.name.clone(),
                reason: format!(
                    "a frame with {} people does not fit into a datagram; use TCP",
                    frame.people.len()
                ),
            });
        }
        // A network that is down comes up again; poses are worth nothing when they are old.
        let _ = self.socket.send_to(line.as_bytes(), self.to);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), RuntimeError> {
        Ok(())
    }
}
