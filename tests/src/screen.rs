//! A screen that nobody sees.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// An X server without hardware (Xvfb); ends with the test.
#[derive(Debug)]
pub struct Screen {
    server: Child,
    /// What `DISPLAY` has to be.
    pub display: String,
}

impl Screen {
    /// Starts a server; where Xvfb or xdotool is not installed, says that `test` is skipped.
    ///
    /// # Panics
    /// When the server says no display's number.
    pub fn start(test: &str) -> Option<Screen> {
        let has_tool = Command::new("xdotool").arg("version").output().is_ok();
        // Without -noreset it starts anew, and lets everybody go, when its only client leaves:
        // xdotool, that looks for a window just when the program under test opens it.
        let options = [
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1280x900x24",
            "-nolisten",
            "tcp",
            "-noreset",
        ];
        let server = Command::new("Xvfb")
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let (true, Ok(mut server)) = (has_tool, server) else {
            eprintln!("{test}: skipped, Xvfb and xdotool are not installed");
            return None;
        };
        let mut number = String::new();
        let read = server
            .stdout
            .take()
            .map(|output| BufReader::new(output).read_line(&mut number));
        assert!(
            matches!(read, Some(Ok(1..))),
            "a display's number: {read:?}"
        );
        let display = format!(":{}", number.trim());
        Some(Screen { server, display })
    }

    /// What xdotool prints; none when it fails.
    pub fn tool(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.display)
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
