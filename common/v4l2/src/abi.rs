//! The structures and numbers of `linux/videodev2.h` that this crate uses.
//!
//! Every structure is plain data for which all bit patterns, zero included, are values: the kernel
//! may write whatever it likes.

use libc::{Ioctl, c_int, c_ulong, timeval};

pub const BUF_TYPE_VIDEO_CAPTURE: u32 = 1;
pub const MEMORY_MMAP: u32 = 1;
pub const FIELD_ANY: u32 = 0;

pub const CAP_VIDEO_CAPTURE: u32 = 0x0000_0001;
pub const CAP_STREAMING: u32 = 0x0400_0000;
pub const CAP_TIMEPERFRAME: u32 = 0x1000;
pub const CAP_DEVICE_CAPS: u32 = 0x8000_0000;

pub const FMT_FLAG_COMPRESSED: u32 = 1;
pub const FMT_FLAG_EMULATED: u32 = 2;

pub const BUF_FLAG_ERROR: u32 = 0x0000_0040;
pub const BUF_FLAG_TIMESTAMP_MASK: u32 = 0x0000_e000;
pub const BUF_FLAG_TIMESTAMP_MONOTONIC: u32 = 0x0000_2000;

pub const FRAME_DISCRETE: u32 = 1;

pub const QUANTIZATION_FULL_RANGE: u32 = 1;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Capability {
    pub driver: [u8; 16],
    pub card: [u8; 32],
    pub bus_info: [u8; 32],
    pub version: u32,
    pub capabilities: u32,
    pub device_caps: u32,
    pub reserved: [u32; 3],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct FmtDesc {
    pub index: u32,
    pub buf_type: u32,
    pub flags: u32,
    pub description: [u8; 32],
    pub pixelformat: u32,
    pub mbus_code: u32,
    pub reserved: [u32; 3],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct PixFormat {
    pub width: u32,
    pub height: u32,
    pub pixelformat: u32,
    pub field: u32,
    pub bytesperline: u32,
    pub sizeimage: u32,
    pub colorspace: u32,
    pub private: u32,
    pub flags: u32,
    pub encoding: u32,
    pub quantization: u32,
    pub xfer_func: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub union FormatUnion {
    pub pix: PixFormat,
    pub raw: [u8; 200],
    /// `v4l2_window` holds a pointer, which sets the union's alignment.
    align: [c_ulong; 25],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Format {
    pub buf_type: u32,
    pub fmt: FormatUnion,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct FrmSizeEnum {
    pub index: u32,
    pub pixel_format: u32,
    pub kind: u32,
    /// Discrete: width, height. Otherwise: minimum, maximum and step of the width, of the height.
    pub size: [u32; 6],
    pub reserved: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Fract {
    pub numerator: u32,
    pub denominator: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct FrmIvalEnum {
    pub index: u32,
    pub pixel_format: u32,
    pub width: u32,
    pub height: u32,
    pub kind: u32,
    /// Discrete: the interval. Otherwise: minimum, maximum, step.
    pub interval: [Fract; 3],
    pub reserved: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct StreamParm {
    pub buf_type: u32,
    pub capability: u32,
    pub capturemode: u32,
    pub timeperframe: Fract,
    pub extendedmode: u32,
    pub readbuffers: u32,
    pub reserved: [u32; 44],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RequestBuffers {
    pub count: u32,
    pub buf_type: u32,
    pub memory: u32,
    pub capabilities: u32,
    pub flags: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Timecode {
    pub words: [u32; 4],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Buffer {
    pub index: u32,
    pub buf_type: u32,
    pub bytesused: u32,
    pub flags: u32,
    pub field: u32,
    pub timestamp: timeval,
    pub timecode: Timecode,
    pub sequence: u32,
    pub memory: u32,
    /// A union with a pointer in it; of memory-mapped buffers the first word is the offset.
    pub m: Location,
    pub length: u32,
    pub reserved2: u32,
    pub request_fd: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub union Location {
    pub offset: u32,
    userptr: c_ulong,
}

const TYPE: u32 = b'V' as u32;
pub const QUERYCAP: Ioctl = libc::_IOR::<Capability>(TYPE, 0);
pub const ENUM_FMT: Ioctl = libc::_IOWR::<FmtDesc>(TYPE, 2);
pub const S_FMT: Ioctl = libc::_IOWR::<Format>(TYPE, 5);
pub const REQBUFS: Ioctl = libc::_IOWR::<RequestBuffers>(TYPE, 8);
pub const QUERYBUF: Ioctl = libc::_IOWR::<Buffer>(TYPE, 9);
pub const QBUF: Ioctl = libc::_IOWR::<Buffer>(TYPE, 15);
pub const DQBUF: Ioctl = libc::_IOWR::<Buffer>(TYPE, 17);
pub const STREAMON: Ioctl = libc::_IOW::<c_int>(TYPE, 18);
pub const STREAMOFF: Ioctl = libc::_IOW::<c_int>(TYPE, 19);
pub const G_PARM: Ioctl = libc::_IOWR::<StreamParm>(TYPE, 21);
pub const S_PARM: Ioctl = libc::_IOWR::<StreamParm>(TYPE, 22);
pub const ENUM_FRAMESIZES: Ioctl = libc::_IOWR::<FrmSizeEnum>(TYPE, 74);
pub const ENUM_FRAMEINTERVALS: Ioctl = libc::_IOWR::<FrmIvalEnum>(TYPE, 75);

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    /// The request numbers hold the sizes of the structures; these are what `strace` shows of
    /// programs that were compiled with the kernel's own header.
    #[test]
    fn requests_have_the_numbers_of_the_kernels_header() {
        let requests = [
            (QUERYCAP, 0x8068_5600),
            (ENUM_FMT, 0xc040_5602),
            (S_FMT, 0xc0d0_5605),
            (REQBUFS, 0xc014_5608),
            (QUERYBUF, 0xc058_5609),
            (QBUF, 0xc058_560f),
            (DQBUF, 0xc058_5611),
            (STREAMON, 0x4004_5612),
            (STREAMOFF, 0x4004_5613),
            (G_PARM, 0xc0cc_5615),
            (S_PARM, 0xc0cc_5616),
            (ENUM_FRAMESIZES, 0xc02c_564a),
            (ENUM_FRAMEINTERVALS, 0xc034_564b),
        ];
        for (ours, kernel) in requests {
            assert_eq!(ours, kernel, "{ours:#x} {kernel:#x}");
        }
    }
}
