//! One record of a JSON file, and lists of them.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::data_set::FieldError;

/// The record, or the field that is wrong and what is wrong with it.
pub(crate) fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, FieldError> {
    let mut json = serde_json::Deserializer::from_str(raw.get());
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        FieldError::new(field, without_place(&error.into_inner().to_string()))
    })
}

/// The parser counts lines and columns from the record's start: of no use to anyone.
fn without_place(message: &str) -> String {
    match message.find(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message.to_owned(),
    }
}

/// JSON as Python writes it may hold `NaN`, `Infinity` and `-Infinity`, which JSON does not have:
/// one such number would make the whole file unreadable. They become `null`, so that the record
/// that holds one is named and the others are read.
pub(crate) fn without_nan(json: Vec<u8>) -> Vec<u8> {
    const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let at_word = |at: usize| WORDS.into_iter().find(|word| json[at..].starts_with(word));
    let mut words = Vec::new();
    let (mut at, mut in_string) = (0, false);
    while at < json.len() {
        match json[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'-' | b'I' | b'N' if !in_string => {
                if let Some(word) = at_word(at) {
                    words.push((at, word.len()));
                    at += word.len() - 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    if words.is_empty() {
        return json;
    }
    let mut plain = Vec::with_capacity(json.len() + 2 * words.len());
    let mut from = 0;
    for (at, length) in words {
        plain.extend(&json[from..at]);
        plain.extend(b"null");
        from = at + length;
    }
    plain.extend(&json[from..]);
    plain
}

#[cfg(test)]
mod tests {
    use super::without_nan;

    #[test]
    fn numbers_that_json_lacks_become_null_outside_of_texts() {
        let plain = |text: &str| String::from_utf8(without_nan(text.into()));
        let json = r#"[NaN, -Infinity, {"NaN": "a \" NaN"}, Infinity, -1]"#;
        let expected = r#"[null, null, {"NaN": "a \" NaN"}, null, -1]"#;
        assert_eq!(plain(json).as_deref(), Ok(expected));
        assert_eq!(plain("[-1, \"N\\"), Ok("[-1, \"N\\".to_owned()));
    }
}
