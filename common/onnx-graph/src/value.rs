//! Names and types of a graph's inputs and outputs.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::data_type::DataType;
use crate::proto::{
    DimensionProto, DimensionValue, TensorShapeProto, TensorTypeProto, TypeProto, TypeValue,
    ValueInfoProto,
};

/// One dimension of an input or output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dimension {
    /// A size that never changes.
    Fixed(usize),
    /// A name for a size that is known only at run time, such as `batch`.
    Symbol(String),
}

impl Dimension {
    /// The size if it never changes.
    pub fn fixed(&self) -> Option<usize> {
        match self {
            Dimension::Fixed(size) => Some(*size),
            Dimension::Symbol(_) => None,
        }
    }
}

impl From<usize> for Dimension {
    fn from(size: usize) -> Dimension {
        Dimension::Fixed(size)
    }
}

impl From<&str> for Dimension {
    fn from(symbol: &str) -> Dimension {
        Dimension::Symbol(symbol.into())
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dimension::Fixed(size) => size.fmt(f),
            Dimension::Symbol(symbol) => f.write_str(symbol),
        }
    }
}

impl ValueInfoProto {
    /// A tensor value with this name, element type and shape.
    pub fn tensor(
        name: impl Into<String>,
        data_type: DataType,
        shape: &[Dimension],
    ) -> ValueInfoProto {
        let dim = shape
            .iter()
            .map(|d| DimensionProto {
                value: Some(match d {
                    Dimension::Fixed(size) => DimensionValue::Size(*size as i64),
                    Dimension::Symbol(symbol) => DimensionValue::Symbol(symbol.clone()),
                }),
                denotation: String::new(),
            })
            .collect();
        ValueInfoProto {
            name: name.into(),
            r#type: Some(TypeProto {
                value: Some(TypeValue::Tensor(TensorTypeProto {
                    elem_type: data_type.code(),
                    shape: Some(TensorShapeProto { dim }),
                })),
                denotation: String::new(),
            }),
            ..ValueInfoProto::default()
        }
    }

    fn tensor_type(&self) -> Option<&TensorTypeProto> {
        match self.r#type.as_ref()?.value.as_ref()? {
            TypeValue::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// The element type; none when the value is no tensor or the type has no name here.
    pub fn data_type(&self) -> Option<DataType> {
        DataType::from_code(self.tensor_type()?.elem_type)
    }

    /// The shape; none when the value is no tensor or even the rank is unknown. A dimension of
    /// unknown or negative size is the symbol `?`.
    pub fn dimensions(&self) -> Option<Vec<Dimension>> {
        let shape = self.tensor_type()?.shape.as_ref()?;
        let dimension = |d: &DimensionProto| match &d.value {
            Some(DimensionValue::Size(size)) => usize::try_from(*size)
                .map(Dimension::Fixed)
                .unwrap_or_else(|_| "?".into()),
            Some(DimensionValue::Symbol(symbol)) if !symbol.is_empty() => symbol.as_str().into(),
            _ => "?".into(),
        };
        Some(shape.dim.iter().map(dimension).collect())
    }
}
