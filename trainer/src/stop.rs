//! Ending early on request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// A request to end, shared with whoever may make it.
#[derive(Clone, Debug, Default)]
pub struct StopRequest {
    /// 0, or the signal that asked.
    signal: Arc<AtomicUsize>,
}

impl StopRequest {
    /// A request that Ctrl-C and SIGTERM make. A second signal ends the program at once, with the
    /// exit code 128 + signal.
    ///
    /// # Errors
    /// When the system refuses to register the signals.
    pub fn on_signals() -> std::io::Result<Self> {
        let stop = Self::default();
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the second flag still down.
            flag::register_conditional_shutdown(signal, 128 + signal, again.clone())?;
            flag::register(signal, again.clone())?;
            flag::register_usize(signal, stop.signal.clone(), signal.unsigned_abs() as usize)?;
        }
        Ok(stop)
    }

    /// Asks for the end, as a signal of this number would.
    pub fn ask(&self, signal: usize) {
        self.signal.store(signal, Ordering::SeqCst);
    }

    /// The signal that asked for the end, if one did.
    pub fn asked(&self) -> Option<usize> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }
}
