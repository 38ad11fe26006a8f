//! Buffers that outlive the step that needs them.

use super::buffer::Buffer;
use std::collections::HashMap;
use std::rc::Rc;

/// Buffers by length, reused from step to step so that no page is faulted in twice.
pub(super) struct Arena<E> {
    free: HashMap<usize, Vec<Buffer<E>>>,
}

impl<E> Default for Arena<E> {
    fn default() -> Self {
        Self {
            free: HashMap::new(),
        }
    }
}

impl<E: Copy> Arena<E> {
    /// A buffer of `len` values with arbitrary content.
    pub fn take(&mut self, len: usize) -> Buffer<E> {
        self.free
            .get_mut(&len)
            .and_then(Vec::pop)
            .unwrap_or_else(|| Buffer::zeroed(len))
    }

    pub fn give(&mut self, buffer: Buffer<E>) {
        self.free.entry(buffer.len()).or_default().push(buffer);
    }

    /// Takes a shared buffer back, if this was the last share.
    pub fn give_shared(&mut self, buffer: Rc<Buffer<E>>) {
        if let Ok(buffer) = Rc::try_unwrap(buffer) {
            self.give(buffer);
        }
    }

    /// A buffer of one's own: the shared one where nobody else holds it, else a copy.
    pub fn unshare(&mut self, buffer: Rc<Buffer<E>>) -> Buffer<E> {
        Rc::try_unwrap(buffer).unwrap_or_else(|shared| {
            let mut copy = self.take(shared.len());
            copy.copy_from_slice(&shared);
            copy
        })
    }
}
