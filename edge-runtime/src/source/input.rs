//! The bytes of a file, a pipe or a child process, with their name and place for messages.

use std::fs::File;
use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::path::Path;

use crate::error::RuntimeError;

/// Most bytes of a single frame.
pub(super) const MAX_FRAME: u64 = 512 << 20;

/// Bytes that are read from front to back.
pub(super) struct Input {
    /// What to call it in messages.
    pub name: String,
    reader: Box<dyn Read + Send>,
    offset: u64,
}

impl Input {
    pub fn new(name: String, reader: Box<dyn Read + Send>) -> Input {
        Input {
            name,
            reader,
            offset: 0,
        }
    }

    pub fn open(path: &Path) -> Result<Input, RuntimeError> {
        let file = File::open(path).map_err(|source| RuntimeError::Read {
            path: path.into(),
            source,
        })?;
        let reader = BufReader::with_capacity(1 << 16, file);
        Ok(Input::new(path.display().to_string(), Box::new(reader)))
    }

    pub fn stdin() -> Input {
        let reader = BufReader::with_capacity(1 << 16, io::stdin());
        Input::new("standard input".into(), Box::new(reader))
    }

    /// The first bytes, up to `count`, which will be read again.
    pub fn peek(&mut self, count: usize) -> Result<Vec<u8>, RuntimeError> {
        let mut head = vec![0; count];
        let filled = self.fill(&mut head)?;
        head.truncate(filled);
        self.offset -= filled as u64;
        let empty: Box<dyn Read + Send> = Box::new(io::empty());
        let rest = std::mem::replace(&mut self.reader, empty);
        self.reader = Box::new(Cursor::new(head.clone()).chain(rest));
        Ok(head)
    }

    /// How many bytes were read so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads some bytes: how many; 0 at the end.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, RuntimeError> {
        loop {
            match self.reader.read(buffer) {
                Ok(count) => {
                    self.offset += count as u64;
                    return Ok(count);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.error(format!("cannot be read: {e}"))),
            }
        }
    }

    /// Reads until `buffer` is full or the end is reached: how many bytes.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, RuntimeError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    /// Reads `count` bytes into `bytes`, or fewer at the end, taking memory only for what is there.
    pub fn fill_vec(&mut self, bytes: &mut Vec<u8>, count: u64) -> Result<(), RuntimeError> {
        bytes.clear();
        let result = (&mut self.reader).take(count).read_to_end(bytes);
        self.offset += bytes.len() as u64;
        result.map_err(|e| self.error(format!("cannot be read: {e}")))?;
        Ok(())
    }

    /// Passes over `count` bytes, or fewer at the end: how many.
    pub fn skip(&mut self, count: u64) -> Result<u64, RuntimeError> {
        let result = io::copy(&mut (&mut self.reader).take(count), &mut io::sink());
        let skipped = result.map_err(|e| self.error(format!("cannot be read: {e}")))?;
        self.offset += skipped;
        Ok(skipped)
    }

    /// A line without its end, of at most `limit` bytes; None at the end of the input.
    pub fn line(&mut self, limit: usize) -> Result<Option<String>, RuntimeError> {
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            if self.read(&mut byte)? == 0 {
                return match line.len() {
                    0 => Ok(None),
                    _ => Err(self.error(format!("ends within a line at byte {}", self.offset))),
                };
            }
            if byte == *b"\n" {
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            line.extend(byte);
            if line.len() > limit {
                let at = self.offset - line.len() as u64;
                return Err(self.error(format!("expected a line of text at byte {at}")));
            }
        }
    }

    /// The rest of the bytes.
    pub fn into_reader(self) -> Box<dyn Read + Send> {
        self.reader
    }

    /// What is wrong with this input.
    pub fn error(&self, reason: String) -> RuntimeError {
        RuntimeError::Source {
            name: self.name.clone(),
            reason,
        }
    }
}
