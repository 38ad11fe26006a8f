//! Memory for maps and matrices.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Values that begin at a cache line, so that no register is loaded from two of them. Long buffers
/// lie in huge pages where the system has them: a step streams through hundreds of megabytes, and
/// looking up every 4 KiB of them takes its time.
///
/// `T` is one of the kernels' number formats: a plain value for which all zero bits are valid.
pub(super) struct Buffer<T> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: a buffer owns its values, as a `Vec` does.
unsafe impl<T: Send> Send for Buffer<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Buffer<T> {}

const LINE: usize = 64;
const HUGE_PAGE: usize = 2 << 20;

impl<T: Copy> Buffer<T> {
    /// Zeros.
    pub fn zeroed(len: usize) -> Self {
        let layout = Self::layout(len);
        if layout.size() == 0 {
            return Self::default();
        }
        // SAFETY: the size is not zero. The zeros are written after the advice, so that the first
        // write to a page finds it already given.
        unsafe {
            let start = alloc(layout);
            let Some(memory) = NonNull::new(start.cast::<T>()) else {
                handle_alloc_error(layout);
            };
            #[cfg(target_os = "linux")]
            if layout.align() == HUGE_PAGE {
                // Where the system refuses, ordinary pages do as well.
                libc::madvise(start.cast(), layout.size(), libc::MADV_HUGEPAGE);
            }
            start.write_bytes(0, layout.size());
            Self { start: memory, len }
        }
    }

    /// The first `len` values; a buffer that is too short is replaced by zeros.
    pub fn first(&mut self, len: usize) -> &mut [T] {
        if self.len < len {
            *self = Self::zeroed(len);
        }
        &mut self[..len]
    }
}

impl<T> Buffer<T> {
    fn layout(len: usize) -> Layout {
        let size = len * size_of::<T>();
        let align = if size >= HUGE_PAGE { HUGE_PAGE } else { LINE };
        match Layout::from_size_align(size.next_multiple_of(align), align) {
            Ok(layout) => layout,
            Err(_) => panic!("a map of {len} values does not fit into memory"),
        }
    }
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Self {
            start: NonNull::dangling(),
            len: 0,
        }
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        let layout = Self::layout(self.len);
        if layout.size() > 0 {
            // SAFETY: `zeroed` allocated with the same layout.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) }
        }
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `len` initialized values begin at `start`, or none.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and nobody else holds them.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zero_aligned_and_long_enough() {
        for len in [0, 1, 17, 1 << 10, (1 << 20) + 3] {
            let mut buffer = Buffer::<f32>::zeroed(len);
            assert_eq!(buffer.len(), len);
            assert!(buffer.iter().all(|&v| v == 0.0));
            assert!(len == 0 || buffer.as_ptr().addr().is_multiple_of(LINE));
            buffer.fill(1.0);
            assert_eq!(buffer.first(len.min(5)).len(), len.min(5));
            assert_eq!(buffer.first(len + 1)[len], 0.0);
        }
    }
}
