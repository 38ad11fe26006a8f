//! Buffers that outlive the step that needs them.

use std::collections::HashMap;
use std::rc::Rc;

/// Buffers by length, reused from step to step so that no page is faulted in twice.
#[derive(Default)]
pub(super) struct Arena {
    free: HashMap<usize, Vec<Vec<f32>>>,
}

impl Arena {
    /// A buffer of `len` values with arbitrary content.
    pub fn take(&mut self, len: usize) -> Vec<f32> {
        self.free
            .get_mut(&len)
            .and_then(Vec::pop)
            .unwrap_or_else(|| vec![0.0; len])
    }

    pub fn give(&mut self, buffer: Vec<f32>) {
        self.free.entry(buffer.len()).or_default().push(buffer);
    }

    /// Takes a shared buffer back, if this was the last share.
    pub fn give_shared(&mut self, buffer: Rc<Vec<f32>>) {
        if let Ok(buffer) = Rc::try_unwrap(buffer) {
            self.give(buffer);
        }
    }

    /// A buffer of one's own: the shared one where nobody else holds it, else a copy.
    pub fn unshare(&mut self, buffer: Rc<Vec<f32>>) -> Vec<f32> {
        Rc::try_unwrap(buffer).unwrap_or_else(|shared| {
            let mut copy = self.take(shared.len());
            copy.copy_from_slice(&shared);
            copy
        })
    }
}
