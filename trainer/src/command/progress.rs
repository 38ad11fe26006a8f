//! Progress on the terminal; nothing where there is none.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts to `count`. indicatif hides it when standard error is no terminal.
pub fn progress(count: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(count);
    let template = format!("{{wide_bar}} {{pos}}/{{len}} {what}  {{per_sec}}  {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}
