//! Progress on the terminal; nothing where there is none.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts to `count`. indicatif hides it when standard error is no terminal.
pub fn bar(count: usize, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(count as u64);
    let template = "{msg} {wide_bar} {pos}/{len} {per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}
