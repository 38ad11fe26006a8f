//! Attributes of operators: building and reading them.

use crate::proto::{AttributeProto, AttributeType, NodeProto, TensorProto};

impl AttributeProto {
    fn of_type(name: &str, kind: AttributeType) -> AttributeProto {
        AttributeProto {
            name: name.into(),
            r#type: kind as i32,
            ..AttributeProto::default()
        }
    }

    /// A whole number.
    pub fn int(name: &str, value: i64) -> AttributeProto {
        AttributeProto {
            i: Some(value),
            ..AttributeProto::of_type(name, AttributeType::Int)
        }
    }

    /// A number.
    pub fn float(name: &str, value: f32) -> AttributeProto {
        AttributeProto {
            f: Some(value),
            ..AttributeProto::of_type(name, AttributeType::Float)
        }
    }

    /// A text.
    pub fn string(name: &str, value: &str) -> AttributeProto {
        AttributeProto {
            s: Some(value.as_bytes().to_vec()),
            ..AttributeProto::of_type(name, AttributeType::String)
        }
    }

    /// Whole numbers.
    pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
        AttributeProto {
            ints: values.to_vec(),
            ..AttributeProto::of_type(name, AttributeType::Ints)
        }
    }

    /// Numbers.
    pub fn floats(name: &str, values: &[f32]) -> AttributeProto {
        AttributeProto {
            floats: values.to_vec(),
            ..AttributeProto::of_type(name, AttributeType::Floats)
        }
    }

    /// A tensor.
    pub fn tensor(name: &str, value: TensorProto) -> AttributeProto {
        AttributeProto {
            t: Some(Box::new(value)),
            ..AttributeProto::of_type(name, AttributeType::Tensor)
        }
    }
}

impl NodeProto {
    /// The attribute called `name`.
    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|a| a.name == name)
    }

    /// The whole number `name`, none when the node does not state it.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.attribute(name).and_then(|a| match a.i {
            // Writers leave a zero out; the stated type still says that it is there.
            None if a.r#type == AttributeType::Int as i32 => Some(0),
            value => value,
        })
    }

    /// The number `name`.
    pub fn float(&self, name: &str) -> Option<f32> {
        self.attribute(name).and_then(|a| match a.f {
            None if a.r#type == AttributeType::Float as i32 => Some(0.0),
            value => value,
        })
    }

    /// The text `name`; none also when it is not UTF-8.
    pub fn string(&self, name: &str) -> Option<&str> {
        let bytes = self.attribute(name)?.s.as_deref().unwrap_or_default();
        std::str::from_utf8(bytes).ok()
    }

    /// The whole numbers `name`.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    /// The numbers `name`.
    pub fn floats(&self, name: &str) -> Option<&[f32]> {
        self.attribute(name).map(|a| a.floats.as_slice())
    }

    /// The tensor `name`.
    pub fn tensor(&self, name: &str) -> Option<&TensorProto> {
        self.attribute(name)?.t.as_deref()
    }

    /// Input number `index`; none when it is left out.
    pub fn input_at(&self, index: usize) -> Option<&str> {
        self.input
            .get(index)
            .map(String::as_str)
            .filter(|n| !n.is_empty())
    }

    /// How errors name this node: its name, or its operator and first output.
    pub fn label(&self) -> String {
        if self.name.is_empty() {
            let output = self.output.first().map_or("", String::as_str);
            format!("{} -> `{output}`", self.op_type)
        } else {
            format!("{} `{}`", self.op_type, self.name)
        }
    }
}
