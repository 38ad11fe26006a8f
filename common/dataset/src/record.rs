//! One record of a JSON file.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The record, or the field that is wrong and what is wrong with it.
pub(crate) fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, (String, String)> {
    let mut json = serde_json::Deserializer::from_str(raw.get());
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        (field, without_place(&error.into_inner().to_string()))
    })
}

/// The parser counts lines and columns from the record's start: of no use to anyone.
fn without_place(message: &str) -> String {
    match message.find(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message.to_owned(),
    }
}
