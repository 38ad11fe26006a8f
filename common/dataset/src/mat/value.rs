//! What a variable of a MATLAB file holds.

use super::{Element, Elements, MI_MATRIX, numbers};

/// The value of a variable, a cell or a field.
#[derive(Clone, Debug, PartialEq)]
pub enum MatValue {
    /// A single real number.
    Scalar(f64),
    /// A real numeric array; `[]` may have no dimensions.
    Numbers {
        /// The length along each dimension.
        dims: Vec<usize>,
        /// The values, the first index running fastest.
        data: Vec<f64>,
    },
    /// A row of characters.
    Text(String),
    /// A cell array, the first index running fastest.
    Cells(Vec<MatValue>),
    /// A struct, or an array of structs.
    Structs(MatStructs),
    /// Complex and sparse arrays, objects, function handles: passed over.
    Other,
}

/// An array of structs, which all have the same fields.
#[derive(Clone, Debug, PartialEq)]
pub struct MatStructs {
    fields: Vec<String>,
    /// Struct after struct, the fields of each in order.
    values: Vec<MatValue>,
}

impl MatStructs {
    /// How many structs there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.fields.len().max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The names of the fields.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// A field of one of the structs; `None` where there is no such field or struct.
    pub fn get(&self, index: usize, field: &str) -> Option<&MatValue> {
        let field = self.fields.iter().position(|name| name == field)?;
        let start = index.checked_mul(self.fields.len())?;
        self.values.get(start.checked_add(field)?)
    }
}

impl MatValue {
    /// The number, if it is a single one; also one that is written as text.
    pub fn number(&self) -> Option<f64> {
        match self {
            MatValue::Scalar(value) => Some(*value),
            MatValue::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The numbers, if it is a number or an array of them.
    pub fn numbers(&self) -> Option<&[f64]> {
        match self {
            MatValue::Scalar(value) => Some(std::slice::from_ref(value)),
            MatValue::Numbers { data, .. } => Some(data),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            MatValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The structs, if it is one or an array of them.
    pub fn structs(&self) -> Option<&MatStructs> {
        match self {
            MatValue::Structs(structs) => Some(structs),
            _ => None,
        }
    }

    /// Whether there is nothing in it: `[]`, `''` or `{}`.
    pub fn is_empty(&self) -> bool {
        match self {
            MatValue::Scalar(_) | MatValue::Other => false,
            MatValue::Numbers { data, .. } => data.is_empty(),
            MatValue::Text(text) => text.is_empty(),
            MatValue::Cells(cells) => cells.is_empty(),
            MatValue::Structs(structs) => structs.is_empty(),
        }
    }
}

/// Structs within structs within cells: a damaged file must not exhaust the stack.
const DEEPEST: usize = 64;

const MX_CELL: u8 = 1;
const MX_STRUCT: u8 = 2;
const MX_CHAR: u8 = 4;

/// A matrix element's name and value.
pub(super) fn matrix(bytes: &[u8], depth: usize) -> Result<(String, MatValue), String> {
    if bytes.is_empty() {
        let (dims, data) = (Vec::new(), Vec::new());
        return Ok((String::new(), MatValue::Numbers { dims, data }));
    }
    if depth > DEEPEST {
        return Err(format!(
            "values lie within each other deeper than {DEEPEST}"
        ));
    }
    let mut parts = Elements { bytes, at: 0 };
    let flags = parts.expect_next("flags")?;
    let class = flags.data.first().copied().unwrap_or(0);
    let complex = flags.data.get(1).is_some_and(|f| f & 0x08 != 0);
    // 6: double, 7: single, 8–15: integers.
    if !matches!(class, MX_CELL | MX_STRUCT | MX_CHAR | 6..=15) || complex {
        return Ok((String::new(), MatValue::Other));
    }
    let dims: Vec<usize> = numbers(&parts.expect_next("dimensions")?)?
        .into_iter()
        .map(|d| d as usize)
        .collect();
    let name = String::from_utf8_lossy(parts.expect_next("a name")?.data).into_owned();
    let count = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let count = count.ok_or_else(|| format!("array `{name}` has the absurd size {dims:?}"))?;
    let value = match class {
        MX_CELL => {
            let mut cells = Vec::new();
            for _ in 0..count {
                cells.push(inner(&mut parts, depth)?);
            }
            MatValue::Cells(cells)
        }
        MX_STRUCT => MatValue::Structs(structs(&mut parts, count, depth)?),
        MX_CHAR => MatValue::Text(text(&parts.expect_next("characters")?)?),
        _ => {
            let data = numbers(&parts.expect_next("values")?)?;
            if count != data.len() {
                return Err(format!(
                    "array `{name}` of size {dims:?} holds {} values",
                    data.len()
                ));
            }
            match (&dims[..], &data[..]) {
                ([1, 1], [value]) => MatValue::Scalar(*value),
                _ => MatValue::Numbers { dims, data },
            }
        }
    };
    Ok((name, value))
}

/// A cell or a field.
fn inner(parts: &mut Elements<'_>, depth: usize) -> Result<MatValue, String> {
    let element = parts.expect_next("all of its values")?;
    if element.kind != MI_MATRIX {
        return Err(format!(
            "expected a matrix in a cell or field, found an element of type {}",
            element.kind
        ));
    }
    Ok(matrix(element.data, depth + 1)?.1)
}

fn structs(parts: &mut Elements<'_>, count: usize, depth: usize) -> Result<MatStructs, String> {
    let length = numbers(&parts.expect_next("a field name length")?)?;
    let length = length.first().map_or(0, |&length| length as usize);
    let names = parts.expect_next("field names")?;
    if length == 0 && !names.data.is_empty() {
        return Err("field names of length 0".into());
    }
    let fields: Vec<String> = names
        .data
        .chunks(length.max(1))
        .map(|name| {
            let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
            String::from_utf8_lossy(&name[..end]).into_owned()
        })
        .collect();
    let mut values = Vec::new();
    if !fields.is_empty() {
        for _ in 0..count {
            for _ in &fields {
                values.push(inner(parts, depth)?);
            }
        }
    }
    Ok(MatStructs { fields, values })
}

/// Characters: one byte each, UTF-8, or 16 bits each.
fn text(element: &Element<'_>) -> Result<String, String> {
    Ok(match element.kind {
        1 | 2 | 16 => String::from_utf8_lossy(element.data).into_owned(),
        4 | 17 => {
            let units = element.data.as_chunks::<2>().0.iter();
            let units: Vec<u16> = units.map(|&b| u16::from_le_bytes(b)).collect();
            String::from_utf16_lossy(&units)
        }
        other => return Err(format!("unknown type {other} of characters")),
    })
}
