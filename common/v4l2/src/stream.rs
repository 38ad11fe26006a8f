//! A device that is capturing.

use std::io;
use std::ptr::{self, NonNull};
use std::time::Duration;

use libc::{c_int, c_void};

use crate::abi;
use crate::device::{Device, zeroed};

/// A captured frame, apart from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The driver marks the frame as damaged.
    pub damaged: bool,
    /// The driver's count of frames, those included that it dropped for want of a buffer.
    pub sequence: u32,
    /// How long ago it was taken, where the driver's timestamps are of the monotonic clock.
    pub age: Option<Duration>,
}

/// A device that is capturing into buffers that it shares with the kernel.
#[derive(Debug)]
pub struct Stream {
    device: Device,
    buffers: Vec<Mapping>,
}

impl Stream {
    /// Starts capturing into `buffers` buffers (2..=32); the driver may take more.
    ///
    /// # Errors
    /// EBUSY when another program is capturing, ENOSPC when the bus has no room for the stream, and
    /// whatever else the driver says.
    pub fn start(device: Device, buffers: u32) -> io::Result<Stream> {
        let mut request: abi::RequestBuffers = zeroed();
        request.count = buffers;
        request.buf_type = abi::BUF_TYPE_VIDEO_CAPTURE;
        request.memory = abi::MEMORY_MMAP;
        // SAFETY: the request's own structure.
        unsafe { device.request(abi::REQBUFS, &mut request)? };
        if request.count == 0 {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let mut stream = Stream {
            device,
            buffers: Vec::new(),
        };
        for index in 0..request.count {
            let mut buffer = blank(index);
            // SAFETY: the request's own structure.
            unsafe { stream.device.request(abi::QUERYBUF, &mut buffer)? };
            // SAFETY: every bit pattern is a value of this member.
            let offset = unsafe { buffer.m.offset };
            let mapping = Mapping::new(&stream.device, offset, buffer.length as usize)?;
            stream.buffers.push(mapping);
            stream.enqueue(index)?;
        }
        let mut kind = abi::BUF_TYPE_VIDEO_CAPTURE as c_int;
        // SAFETY: the request takes an int.
        unsafe { stream.device.request(abi::STREAMON, &mut kind)? };
        Ok(stream)
    }

    /// Waits until a frame is there, but no longer than `limit`. False when none came.
    ///
    /// # Errors
    /// ENODEV when the device is gone.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        let mut poll = libc::pollfd {
            fd: self.device.raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let limit = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: one valid entry, as the count says.
        let ready = unsafe { libc::poll(&raw mut poll, 1, limit) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            // A signal: as if no frame had come; the caller waits again if it wants to.
            return match error.kind() {
                io::ErrorKind::Interrupted => Ok(false),
                _ => Err(error),
            };
        }
        if poll.revents & libc::POLLIN == 0 && poll.revents & (libc::POLLHUP | libc::POLLERR) != 0 {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        Ok(ready > 0)
    }

    /// Takes the oldest frame that is there, without waiting, copies its bytes to `bytes` and gives
    /// the buffer back to the driver. None when no frame is there. A copy, because the buffers of
    /// many boards are not cached: reading them once, in order, is faster than decoding from them.
    ///
    /// # Errors
    /// ENODEV when the device is gone, EIO when the stream is broken.
    pub fn take(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<Filled>> {
        let mut buffer = blank(0);
        // SAFETY: the request's own structure.
        if let Err(error) = unsafe { self.device.request(abi::DQBUF, &mut buffer) } {
            return match error.kind() {
                io::ErrorKind::WouldBlock => Ok(None),
                _ => Err(error),
            };
        }
        let mapping = self
            .buffers
            .get(buffer.index as usize)
            .ok_or(io::ErrorKind::InvalidData)?;
        bytes.clear();
        mapping.append_to(bytes, buffer.bytesused as usize);
        let monotonic =
            buffer.flags & abi::BUF_FLAG_TIMESTAMP_MASK == abi::BUF_FLAG_TIMESTAMP_MONOTONIC;
        let filled = Filled {
            damaged: buffer.flags & abi::BUF_FLAG_ERROR != 0,
            sequence: buffer.sequence,
            age: if monotonic {
                age(buffer.timestamp)
            } else {
                None
            },
        };
        self.enqueue(buffer.index)?;
        Ok(Some(filled))
    }

    fn enqueue(&self, index: u32) -> io::Result<()> {
        // SAFETY: the request's own structure.
        unsafe { self.device.request(abi::QBUF, &mut blank(index)) }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut kind = abi::BUF_TYPE_VIDEO_CAPTURE as c_int;
        // A device that is gone cannot be stopped, and need not be.
        // SAFETY: the request takes an int.
        let _ = unsafe { self.device.request(abi::STREAMOFF, &mut kind) };
    }
}

fn blank(index: u32) -> abi::Buffer {
    let mut buffer: abi::Buffer = zeroed();
    buffer.index = index;
    buffer.buf_type = abi::BUF_TYPE_VIDEO_CAPTURE;
    buffer.memory = abi::MEMORY_MMAP;
    buffer
}

/// How long ago the monotonic clock showed this time; None when that lies in the future.
fn age(then: libc::timeval) -> Option<Duration> {
    let mut now: libc::timespec = zeroed();
    // SAFETY: the pointer is valid for the call.
    if unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) } != 0 {
        return None;
    }
    let duration = |seconds: i64, nanoseconds: i64| {
        Some(Duration::new(
            u64::try_from(seconds).ok()?,
            u32::try_from(nanoseconds).ok()?,
        ))
    };
    // On 32-bit systems these are 32 bits.
    #[allow(clippy::useless_conversion)]
    let now = duration(now.tv_sec.into(), now.tv_nsec.into())?;
    #[allow(clippy::useless_conversion)]
    let then = duration(then.tv_sec.into(), i64::from(then.tv_usec) * 1000)?;
    now.checked_sub(then)
}

/// A buffer of the driver in this process's memory.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping is not tied to the thread that made it.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(device: &Device, offset: u32, length: usize) -> io::Result<Mapping> {
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_SHARED,
                device.raw_fd(),
                offset as libc::off_t,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { start, length })
    }

    /// Appends the first `count` bytes, or all if there are fewer. Called while the buffer is ours,
    /// between taking it from the driver's queue and giving it back.
    fn append_to(&self, bytes: &mut Vec<u8>, count: usize) {
        let count = count.min(self.length);
        bytes.reserve(count);
        // SAFETY: source and target are valid for `count` bytes, cannot overlap, and the target's
        // bytes are written before the length says that they are there. No reference to the shared
        // memory is made: a driver that writes to it at the wrong time spoils the picture only.
        unsafe {
            ptr::copy_nonoverlapping(
                self.start.as_ptr(),
                bytes.as_mut_ptr().add(bytes.len()),
                count,
            );
            bytes.set_len(bytes.len() + count);
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, and not used after this.
        unsafe { libc::munmap(self.start.as_ptr().cast::<c_void>(), self.length) };
    }
}
