//! Writing a file so that nobody ever sees half of it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A file in the making: a hidden file beside the wanted one, which takes its name when it is
/// complete ([`commit`](Self::commit)). Readers see the old file or the new one; dropped without
/// commit, after an error for example, it leaves the old one as it was.
///
/// A path that exists and is no regular file (a device, a pipe) is written to directly; a symbolic
/// link keeps being one.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    /// Hidden file and the name that it will take; none when the path is written to directly.
    names: Option<(PathBuf, PathBuf)>,
}

impl AtomicFile {
    /// Starts a file that will be called `path`.
    ///
    /// # Errors
    /// What the operating system says; a path that is a folder.
    pub fn create(path: &Path) -> io::Result<AtomicFile> {
        let existing = fs::metadata(path);
        if existing.as_ref().is_ok_and(|m| m.is_dir()) {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a folder"));
        }
        if existing.is_ok_and(|m| !m.is_file()) {
            let file = File::options().write(true).open(path)?;
            return Ok(AtomicFile { file, names: None });
        }
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let hidden = hidden_beside(&path)?;
        Ok(AtomicFile {
            file: File::create_new(&hidden)?,
            names: Some((hidden, path)),
        })
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn commit(mut self) -> io::Result<()> {
        if let Some((hidden, path)) = &self.names {
            // Without this the new name can reach the disk before the bytes do.
            self.file.sync_all()?;
            fs::rename(hidden, path)?;
            self.names = None;
        }
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// For formats whose head says what is only known at the end. A pipe cannot be sought in.
impl Seek for AtomicFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some((hidden, _)) = &self.names {
            // There was an error already, and that is the one worth telling.
            let _ = fs::remove_file(hidden);
        }
    }
}

/// A name beside `path` that no other file of this process or another one has.
fn hidden_beside(path: &Path) -> io::Result<PathBuf> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(
        ".{}-{}.tmp",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    ));
    Ok(path.with_file_name(hidden))
}

/// Writes `bytes` to `path` by way of an [`AtomicFile`].
///
/// # Errors
/// What the operating system says.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}
