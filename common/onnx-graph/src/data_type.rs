//! Element types of tensors.

use core::fmt;

/// Element type of a tensor (`TensorProto.DataType`), as far as inference models use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum DataType {
    /// 32-bit float
    Float = 1,
    /// Unsigned byte
    Uint8 = 2,
    /// Signed byte
    Int8 = 3,
    /// Unsigned 16-bit integer
    Uint16 = 4,
    /// Signed 16-bit integer
    Int16 = 5,
    /// Signed 32-bit integer
    Int32 = 6,
    /// Signed 64-bit integer
    Int64 = 7,
    /// Text
    String = 8,
    /// Truth value, one byte
    Bool = 9,
    /// 16-bit float (IEEE)
    Float16 = 10,
    /// 64-bit float
    Double = 11,
    /// Unsigned 32-bit integer
    Uint32 = 12,
    /// Unsigned 64-bit integer
    Uint64 = 13,
    /// 16-bit float with the exponent of 32-bit floats
    Bfloat16 = 16,
}

impl DataType {
    /// The type with the number `code`, none when this crate has no name for it.
    pub const fn from_code(code: i32) -> Option<DataType> {
        Some(match code {
            1 => DataType::Float,
            2 => DataType::Uint8,
            3 => DataType::Int8,
            4 => DataType::Uint16,
            5 => DataType::Int16,
            6 => DataType::Int32,
            7 => DataType::Int64,
            8 => DataType::String,
            9 => DataType::Bool,
            10 => DataType::Float16,
            11 => DataType::Double,
            12 => DataType::Uint32,
            13 => DataType::Uint64,
            16 => DataType::Bfloat16,
            _ => return None,
        })
    }

    /// The number that stands for this type in the file.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// Bytes of one element in `raw_data`; 0 for texts, which are never raw.
    pub const fn size(self) -> usize {
        match self {
            DataType::Uint8 | DataType::Int8 | DataType::Bool => 1,
            DataType::Uint16 | DataType::Int16 | DataType::Float16 | DataType::Bfloat16 => 2,
            DataType::Float | DataType::Int32 | DataType::Uint32 => 4,
            DataType::Int64 | DataType::Uint64 | DataType::Double => 8,
            DataType::String => 0,
        }
    }

    /// The name that ONNX tools and numpy use, for example `float32`.
    pub const fn name(self) -> &'static str {
        match self {
            DataType::Float => "float32",
            DataType::Uint8 => "uint8",
            DataType::Int8 => "int8",
            DataType::Uint16 => "uint16",
            DataType::Int16 => "int16",
            DataType::Int32 => "int32",
            DataType::Int64 => "int64",
            DataType::String => "string",
            DataType::Bool => "bool",
            DataType::Float16 => "float16",
            DataType::Double => "float64",
            DataType::Uint32 => "uint32",
            DataType::Uint64 => "uint64",
            DataType::Bfloat16 => "bfloat16",
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
