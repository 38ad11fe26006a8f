//! Writing a file so that nobody ever sees half of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Writes `bytes` to `path`: first to a new file beside it, which then takes the name. Readers see
/// the old file or the new one, and a full disk leaves the old one as it was.
///
/// A path that exists and is no regular file (a device, a pipe) is written to directly; a symbolic
/// link keeps being one.
///
/// # Errors
/// What the operating system says; the new file is removed then.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Ok(existing) = fs::metadata(path)
        && !existing.is_file()
    {
        return File::options().write(true).open(path)?.write_all(bytes);
    }
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let temporary = temporary_beside(&path)?;
    let written = write_and_rename(&temporary, &path, bytes);
    if written.is_err() {
        // The first error is the one worth telling.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn temporary_beside(path: &Path) -> io::Result<PathBuf> {
    // Unique within the process by the counter, between processes by the process id.
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(
        ".{}-{}.tmp",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    ));
    Ok(path.with_file_name(temporary))
}

fn write_and_rename(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    file.write_all(bytes)?;
    // Without this the rename can reach the disk before the bytes do.
    file.sync_all()?;
    drop(file);
    fs::rename(temporary, path)
}
