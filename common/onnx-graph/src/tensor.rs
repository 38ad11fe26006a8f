//! Constants: building them and reading their numbers.

use crate::data_type::DataType;
use crate::error::OnnxError;
use crate::proto::TensorProto;

impl TensorProto {
    fn from_raw(
        name: impl Into<String>,
        dims: &[usize],
        data_type: DataType,
        raw_data: Vec<u8>,
    ) -> TensorProto {
        TensorProto {
            name: name.into(),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: data_type.code(),
            raw_data,
            ..TensorProto::default()
        }
    }

    /// A float tensor. `values` has one number per element of the shape `dims`, row-major.
    pub fn from_f32(name: impl Into<String>, dims: &[usize], values: &[f32]) -> TensorProto {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        TensorProto::from_raw(name, dims, DataType::Float, raw)
    }

    /// An int64 tensor.
    pub fn from_i64(name: impl Into<String>, dims: &[usize], values: &[i64]) -> TensorProto {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        TensorProto::from_raw(name, dims, DataType::Int64, raw)
    }

    /// An int32 tensor (biases of integer convolutions).
    pub fn from_i32(name: impl Into<String>, dims: &[usize], values: &[i32]) -> TensorProto {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        TensorProto::from_raw(name, dims, DataType::Int32, raw)
    }

    /// A uint8 tensor.
    pub fn from_u8(name: impl Into<String>, dims: &[usize], values: &[u8]) -> TensorProto {
        TensorProto::from_raw(name, dims, DataType::Uint8, values.to_vec())
    }

    /// An int8 tensor (weights of integer convolutions).
    pub fn from_i8(name: impl Into<String>, dims: &[usize], values: &[i8]) -> TensorProto {
        let raw = values.iter().map(|&v| v as u8).collect();
        TensorProto::from_raw(name, dims, DataType::Int8, raw)
    }

    /// The element type.
    ///
    /// # Errors
    /// A type that this crate does not know.
    pub fn element_type(&self) -> Result<DataType, OnnxError> {
        DataType::from_code(self.data_type)
            .ok_or_else(|| self.error(format!("unknown data type {}", self.data_type)))
    }

    /// The shape.
    ///
    /// # Errors
    /// A negative dimension, or more elements than memory can address.
    pub fn shape(&self) -> Result<Vec<usize>, OnnxError> {
        let shape: Option<Vec<usize>> = self.dims.iter().map(|&d| d.try_into().ok()).collect();
        let shape =
            shape.ok_or_else(|| self.error(format!("negative dimension in {:?}", self.dims)))?;
        shape
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d))
            .filter(|&n| n <= isize::MAX as usize / 8)
            .ok_or_else(|| self.error(format!("shape {:?} is too large", self.dims)))?;
        Ok(shape)
    }

    /// How many elements the shape holds.
    ///
    /// # Errors
    /// As [`shape`](Self::shape).
    pub fn element_count(&self) -> Result<usize, OnnxError> {
        Ok(self.shape()?.iter().product())
    }

    /// The numbers of a float tensor (32-bit, 64-bit rounded, or 16-bit of either kind widened).
    ///
    /// # Errors
    /// Another type; a count that does not fit the shape; values in another file.
    pub fn to_f32(&self) -> Result<Vec<f32>, OnnxError> {
        let raw = !self.raw_data.is_empty();
        let values: Vec<f32> = match self.element_type()? {
            DataType::Float if raw => self.raw(f32::from_le_bytes)?,
            DataType::Float => self.float_data.clone(),
            DataType::Double if raw => self.raw(|b| f64::from_le_bytes(b) as f32)?,
            DataType::Double => self.double_data.iter().map(|&v| v as f32).collect(),
            DataType::Float16 if raw => self.raw(|b| f16_to_f32(u16::from_le_bytes(b)))?,
            DataType::Float16 => self.bits16(f16_to_f32),
            DataType::Bfloat16 if raw => self.raw(|b| bf16_to_f32(u16::from_le_bytes(b)))?,
            DataType::Bfloat16 => self.bits16(bf16_to_f32),
            other => return Err(self.error(format!("expected float32, found {other}"))),
        };
        self.counted(values)
    }

    /// The numbers of an integer tensor of any width up to 64 bits.
    ///
    /// # Errors
    /// Another type; a count that does not fit the shape; values in another file.
    pub fn to_i64(&self) -> Result<Vec<i64>, OnnxError> {
        let narrow = || self.int32_data.iter().map(|&v| i64::from(v)).collect();
        let values: Vec<i64> = match (self.element_type()?, !self.raw_data.is_empty()) {
            (DataType::Int64, true) => self.raw(i64::from_le_bytes)?,
            (DataType::Int64, false) => self.int64_data.clone(),
            (DataType::Int32, true) => self.raw(|b| i64::from(i32::from_le_bytes(b)))?,
            (DataType::Uint32, true) => self.raw(|b| i64::from(u32::from_le_bytes(b)))?,
            (DataType::Uint32, false) => self.uint64_data.iter().map(|&v| v as i64).collect(),
            (DataType::Int16, true) => self.raw(|b| i64::from(i16::from_le_bytes(b)))?,
            (DataType::Uint16, true) => self.raw(|b| i64::from(u16::from_le_bytes(b)))?,
            (DataType::Int8, true) => self.raw(|b| i64::from(i8::from_le_bytes(b)))?,
            (DataType::Uint8 | DataType::Bool, true) => self.raw(|b: [u8; 1]| i64::from(b[0]))?,
            (
                DataType::Int32
                | DataType::Int16
                | DataType::Uint16
                | DataType::Int8
                | DataType::Uint8
                | DataType::Bool,
                false,
            ) => narrow(),
            (other, _) => return Err(self.error(format!("expected integers, found {other}"))),
        };
        self.counted(values)
    }

    fn raw<const N: usize, T>(&self, convert: impl Fn([u8; N]) -> T) -> Result<Vec<T>, OnnxError> {
        let (chunks, rest) = self.raw_data.as_chunks::<N>();
        if !rest.is_empty() {
            return Err(self.error(format!(
                "{} bytes of data are no whole number of {N}-byte elements",
                self.raw_data.len()
            )));
        }
        Ok(chunks.iter().map(|&c| convert(c)).collect())
    }

    fn bits16(&self, convert: impl Fn(u16) -> f32) -> Vec<f32> {
        self.int32_data.iter().map(|&v| convert(v as u16)).collect()
    }

    fn counted<T>(&self, values: Vec<T>) -> Result<Vec<T>, OnnxError> {
        if self.data_location == 1 {
            return Err(self.error(
                "its values are in another file (external data); save the model as one file".into(),
            ));
        }
        let expected = self.element_count()?;
        if values.len() != expected {
            return Err(self.error(format!(
                "shape {:?} needs {expected} values, the file has {}",
                self.dims,
                values.len()
            )));
        }
        Ok(values)
    }

    fn error(&self, reason: String) -> OnnxError {
        OnnxError::Tensor {
            name: self.name.clone(),
            reason,
        }
    }
}

fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// IEEE 754 binary16 to binary32; exact for every value.
fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let exponent = u32::from(bits >> 10) & 0x1f;
    let mantissa = u32::from(bits) & 0x3ff;
    match exponent {
        0 => {
            // Zero and subnormals: mantissa · 2⁻²⁴.
            let magnitude = mantissa as f32 / (1 << 24) as f32;
            f32::from_bits(sign | magnitude.to_bits())
        }
        0x1f => f32::from_bits(sign | 0x7f80_0000 | (mantissa << 13)),
        _ => f32::from_bits(sign | ((exponent + 112) << 23) | (mantissa << 13)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_in_every_type_that_has_a_constructor() {
        let floats = [1.5f32, -0.0, f32::MAX, 1e-40];
        assert_eq!(
            TensorProto::from_f32("x", &[2, 2], &floats)
                .to_f32()
                .unwrap(),
            floats
        );
        let wide = [i64::MIN, -1, i64::MAX];
        assert_eq!(
            TensorProto::from_i64("x", &[3], &wide).to_i64().unwrap(),
            wide
        );
        let i32s = TensorProto::from_i32("x", &[2], &[i32::MIN, i32::MAX]);
        assert_eq!(
            i32s.to_i64().unwrap(),
            [i64::from(i32::MIN), i64::from(i32::MAX)]
        );
        let i8s = TensorProto::from_i8("x", &[2], &[-128, 127]);
        assert_eq!(i8s.to_i64().unwrap(), [-128, 127]);
        let u8s = TensorProto::from_u8("x", &[2], &[0, 255]);
        assert_eq!(u8s.to_i64().unwrap(), [0, 255]);
    }

    #[test]
    fn half_floats_are_widened_as_ieee_754_says() {
        // Values from the table of examples in Wikipedia's "Half-precision floating-point format".
        for (bits, value) in [
            (0x0000, 0.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0x3c00, 1.0),
            (0x3c01, 1.000_976_6),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(f16_to_f32(bits), value, "{bits:#06x}");
        }
        assert!(f16_to_f32(0x7e00).is_nan());
        assert_eq!(bf16_to_f32(0x3fc0), 1.5);
    }

    #[test]
    fn wrong_counts_and_types_are_named() {
        let short = TensorProto::from_f32("w", &[3], &[1.0, 2.0]);
        assert_eq!(
            short.to_f32().unwrap_err().to_string(),
            "tensor `w`: shape [3] needs 3 values, the file has 2"
        );
        assert!(short.to_i64().is_err());
        let mut huge = TensorProto::from_f32("w", &[], &[]);
        huge.dims = vec![i64::MAX, i64::MAX];
        assert!(huge.element_count().is_err());
        huge.dims = vec![-1];
        assert!(huge.element_count().is_err());
        let mut odd = TensorProto::from_f32("w", &[1], &[1.0]);
        odd.raw_data.pop();
        assert!(odd.to_f32().unwrap_err().to_string().contains("3 bytes"));
    }
}
