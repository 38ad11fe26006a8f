//! An open `/dev/video*`.

use std::ffi::CString;
use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libc::{Ioctl, c_void};

use crate::abi;

/// Most entries that are asked for of a list; a driver that never ends it must not hang us.
const MAX_ENTRIES: u32 = 256;

/// Four letters that name a pixel format, such as `YUYV` or `MJPG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fourcc(pub [u8; 4]);

impl fmt::Display for Fourcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.0.map(|b| if b.is_ascii_graphic() { b } else { b' ' });
        f.write_str(String::from_utf8_lossy(&letters).trim_end())
    }
}

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The driver's name: `uvcvideo`.
    pub driver: String,
    /// The camera's name.
    pub card: String,
    /// Where it is plugged in: `usb-0000:00:14.0-1`.
    pub bus: String,
    /// Whether frames can be taken from it; radios and metadata nodes give none.
    pub captures: bool,
}

/// A pixel format of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatDescription {
    /// Its four letters.
    pub fourcc: Fourcc,
    /// The driver's words for it.
    pub description: String,
    /// Whether frames are compressed, such as MJPEG.
    pub compressed: bool,
    /// Whether a library makes it from another format; cameras do not give it themselves.
    pub emulated: bool,
}

/// Sizes of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// One size: width, height.
    Discrete(u32, u32),
    /// Every size from a minimum to a maximum in steps: width, height of each.
    Stepwise {
        /// Smallest width and height.
        min: (u32, u32),
        /// Largest width and height.
        max: (u32, u32),
        /// Steps of width and height.
        step: (u32, u32),
    },
}

/// A duration in seconds as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    /// Above the line.
    pub numerator: u32,
    /// Below the line.
    pub denominator: u32,
}

impl Fraction {
    /// Frames a second of this frame interval; None when a part is 0.
    pub fn rate(self) -> Option<f64> {
        (self.numerator > 0 && self.denominator > 0)
            .then(|| f64::from(self.denominator) / f64::from(self.numerator))
    }
}

/// Frame intervals of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intervals {
    /// One interval.
    Discrete(Fraction),
    /// Every interval from the shortest to the longest.
    Range(Fraction, Fraction),
}

/// What a device was set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixFormat {
    /// Pixel format.
    pub fourcc: Fourcc,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row to the next; 0 for compressed formats.
    pub bytes_per_line: u32,
    /// Whether luma takes 0..=255 rather than 16..=235.
    pub full_range: bool,
}

/// An open video device.
#[derive(Debug)]
pub struct Device {
    fd: OwnedFd,
}

impl Device {
    /// Opens a device, such as `/dev/video0`.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open<P: AsRef<Path>>(path: P) -> io::Result<Device> {
        let path = CString::new(path.as_ref().as_os_str().as_bytes())?;
        // O_NONBLOCK: taking a frame never waits; waiting is done with a limit.
        let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC;
        // SAFETY: the path is a string that ends with a zero byte.
        let fd = unsafe { libc::open(path.as_ptr(), flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just opened, and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Device { fd })
    }

    pub(crate) fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Asks the driver with one of the requests of [`abi`].
    ///
    /// # Safety
    /// `T` must be the structure of this request: the kernel writes as many bytes as the request's
    /// number says.
    pub(crate) unsafe fn request<T>(&self, request: Ioctl, argument: &mut T) -> io::Result<()> {
        loop {
            // SAFETY: the pointer is valid for the call, and of the request's type by the
            // caller's promise.
            let result = unsafe {
                libc::ioctl(
                    self.raw_fd(),
                    request,
                    std::ptr::from_mut(argument).cast::<c_void>(),
                )
            };
            if result >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// What the device is.
    ///
    /// # Errors
    /// ENOTTY when it is no video device.
    pub fn capability(&self) -> io::Result<Capability> {
        let mut answer: abi::Capability = zeroed();
        // SAFETY: the request's own structure.
        unsafe { self.request(abi::QUERYCAP, &mut answer)? };
        let caps = match answer.capabilities & abi::CAP_DEVICE_CAPS {
            0 => answer.capabilities,
            _ => answer.device_caps,
        };
        let needed = abi::CAP_VIDEO_CAPTURE | abi::CAP_STREAMING;
        Ok(Capability {
            driver: text(&answer.driver),
            card: text(&answer.card),
            bus: text(&answer.bus_info),
            captures: caps & needed == needed,
        })
    }

    /// The pixel formats in the driver's order.
    ///
    /// # Errors
    /// What the driver says.
    pub fn formats(&self) -> io::Result<Vec<FormatDescription>> {
        list(|index| {
            let mut answer: abi::FmtDesc = zeroed();
            answer.index = index;
            answer.buf_type = abi::BUF_TYPE_VIDEO_CAPTURE;
            // SAFETY: the request's own structure.
            unsafe { self.request(abi::ENUM_FMT, &mut answer)? };
            Ok(FormatDescription {
                fourcc: Fourcc(answer.pixelformat.to_le_bytes()),
                description: text(&answer.description),
                compressed: answer.flags & abi::FMT_FLAG_COMPRESSED != 0,
                emulated: answer.flags & abi::FMT_FLAG_EMULATED != 0,
            })
        })
    }

    /// The sizes of a format; none when the driver does not list them.
    ///
    /// # Errors
    /// What the driver says.
    pub fn sizes(&self, format: Fourcc) -> io::Result<Vec<Sizes>> {
        list(|index| {
            let mut answer: abi::FrmSizeEnum = zeroed();
            answer.index = index;
            answer.pixel_format = u32::from_le_bytes(format.0);
            // SAFETY: the request's own structure.
            unsafe { self.request(abi::ENUM_FRAMESIZES, &mut answer)? };
            let s = answer.size;
            Ok(if answer.kind == abi::FRAME_DISCRETE {
                Sizes::Discrete(s[0], s[1])
            } else {
                Sizes::Stepwise {
                    min: (s[0], s[3]),
                    max: (s[1], s[4]),
                    step: (s[2], s[5]),
                }
            })
        })
    }

    /// The frame intervals of a size of a format; none when the driver does not list them.
    ///
    /// # Errors
    /// What the driver says.
    pub fn intervals(&self, format: Fourcc, width: u32, height: u32) -> io::Result<Vec<Intervals>> {
        list(|index| {
            let mut answer: abi::FrmIvalEnum = zeroed();
            answer.index = index;
            answer.pixel_format = u32::from_le_bytes(format.0);
            answer.width = width;
            answer.height = height;
            // SAFETY: the request's own structure.
            unsafe { self.request(abi::ENUM_FRAMEINTERVALS, &mut answer)? };
            let [first, last, _] = answer.interval.map(fraction);
            Ok(if answer.kind == abi::FRAME_DISCRETE {
                Intervals::Discrete(first)
            } else {
                Intervals::Range(first, last)
            })
        })
    }

    /// Sets format and size, and returns what the driver made of it: the nearest that it has.
    ///
    /// # Errors
    /// EBUSY when another program is capturing; EINVAL when there is nothing near.
    pub fn set_format(&self, format: Fourcc, width: u32, height: u32) -> io::Result<PixFormat> {
        let mut answer: abi::Format = zeroed();
        answer.buf_type = abi::BUF_TYPE_VIDEO_CAPTURE;
        let mut wish: abi::PixFormat = zeroed();
        wish.width = width;
        wish.height = height;
        wish.pixelformat = u32::from_le_bytes(format.0);
        wish.field = abi::FIELD_ANY;
        answer.fmt.pix = wish;
        // SAFETY: the request's own structure.
        unsafe { self.request(abi::S_FMT, &mut answer)? };
        // SAFETY: every bit pattern is a value of this member.
        let got = unsafe { answer.fmt.pix };
        Ok(PixFormat {
            fourcc: Fourcc(got.pixelformat.to_le_bytes()),
            width: got.width,
            height: got.height,
            bytes_per_line: got.bytesperline,
            full_range: got.quantization == abi::QUANTIZATION_FULL_RANGE,
        })
    }

    /// Sets the time from frame to frame, and returns what the driver made of it; None when the
    /// device's rate cannot be set.
    ///
    /// # Errors
    /// What the driver says.
    pub fn set_interval(&self, interval: Fraction) -> io::Result<Option<Fraction>> {
        let mut parameters: abi::StreamParm = zeroed();
        parameters.buf_type = abi::BUF_TYPE_VIDEO_CAPTURE;
        // SAFETY: the request's own structure.
        unsafe { self.request(abi::G_PARM, &mut parameters)? };
        if parameters.capability & abi::CAP_TIMEPERFRAME == 0 {
            return Ok(None);
        }
        parameters.timeperframe = abi::Fract {
            numerator: interval.numerator,
            denominator: interval.denominator,
        };
        // SAFETY: the request's own structure.
        unsafe { self.request(abi::S_PARM, &mut parameters)? };
        Ok(Some(fraction(parameters.timeperframe)))
    }
}

/// Asks for entry 0, 1, 2 … until the driver says that there are no more.
fn list<T>(mut entry: impl FnMut(u32) -> io::Result<T>) -> io::Result<Vec<T>> {
    let mut entries = Vec::new();
    for index in 0..MAX_ENTRIES {
        match entry(index) {
            Ok(found) => entries.push(found),
            // ENOTTY: the driver does not know the request, which is as good as an empty list.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENOTTY)) => break,
            Err(e) => return Err(e),
        }
    }
    Ok(entries)
}

/// A structure of zeros.
pub(crate) fn zeroed<T: Copy>() -> T {
    // SAFETY: used for the structures of `abi` only, which are plain data; see there.
    unsafe { mem::zeroed() }
}

fn fraction(fract: abi::Fract) -> Fraction {
    Fraction {
        numerator: fract.numerator,
        denominator: fract.denominator,
    }
}

/// The text before the first zero byte.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_camera_says_so() {
        assert_eq!(
            Device::open("/dev/no-such-camera").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        let null = Device::open("/dev/null").unwrap();
        assert_eq!(
            null.capability().unwrap_err().raw_os_error(),
            Some(libc::ENOTTY)
        );
    }

    #[test]
    fn names_and_rates() {
        assert_eq!(Fourcc(*b"MJPG").to_string(), "MJPG");
        assert_eq!(Fourcc(*b"Y8  ").to_string(), "Y8");
        assert_eq!(Fourcc([0, 255, b'A', 0]).to_string(), "  A");
        let interval = |numerator, denominator| Fraction {
            numerator,
            denominator,
        };
        assert_eq!(interval(2, 15).rate(), Some(7.5));
        assert_eq!(interval(0, 15).rate(), None);
        assert_eq!(text(b"UVC Camera\0rest"), "UVC Camera");
    }
}
