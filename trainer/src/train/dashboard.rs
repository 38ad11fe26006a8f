//! What is seen on a terminal while a training goes: a few lines that renew themselves below the
//! log. No other screen, no raw mode: whatever ends the program leaves a usable terminal.

use std::time::{Duration, Instant};

use console::{Term, style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::session::Plan;
use super::sparkline::History;
use crate::log::{EpochRecord, StepRecord};

/// Times a second that the lines are renewed.
const RATE: u8 = 5;
/// Lines of a curve.
const ROWS: usize = 4;

/// Lines at the bottom of a terminal.
pub struct Dashboard {
    title: String,
    panel: ProgressBar,
    plan: Plan,
    /// Loss of every step.
    loss: History,
    /// PCK of every validation.
    pck: History,
    last: Option<StepRecord>,
    last_pck: Option<f32>,
    best: Option<(f32, u64)>,
    drawn: Option<Instant>,
    began: Instant,
}

impl Dashboard {
    /// A dashboard on standard error; nothing where that is no terminal.
    pub fn open(title: String, plan: Plan) -> Option<Self> {
        let target = ProgressDrawTarget::stderr_with_hz(RATE);
        if target.is_hidden() {
            return None;
        }
        let panel = ProgressBar::with_draw_target(None, target);
        panel.set_style(ProgressStyle::with_template("{msg}").ok()?);
        Some(Self {
            title,
            panel,
            plan,
            loss: History::default(),
            pck: History::default(),
            last: None,
            last_pck: None,
            best: None,
            drawn: None,
            began: Instant::now(),
        })
    }

    /// One step is done.
    pub fn step(&mut self, record: &StepRecord) {
        self.loss.push(record.loss);
        self.last = Some(*record);
        let due = Duration::from_millis(1000 / u64::from(RATE));
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= due) {
            self.draw("");
        }
    }

    /// Shows a word about what goes on, as often as the panel is renewed.
    pub fn draw_when_due(&self, doing: &str) {
        // The panel itself leaves out what comes too soon.
        self.panel.set_message(self.text(doing));
    }

    /// One validation is done.
    pub fn epoch(&mut self, record: &EpochRecord) {
        self.pck.push(record.pck);
        self.last_pck = Some(record.pck);
        if record.pck >= record.best {
            self.best = Some((record.pck, record.step));
        }
        self.draw("");
    }

    /// Shows a word about what goes on.
    pub fn draw(&mut self, doing: &str) {
        self.drawn = Some(Instant::now());
        self.panel.set_message(self.text(doing));
    }

    /// Does something that prints.
    pub fn suspend<T>(&self, work: impl FnOnce() -> T) -> T {
        self.panel.suspend(work)
    }

    fn text(&self, doing: &str) -> String {
        let (rows, columns) = Term::stderr().size();
        let width = usize::from(columns).saturating_sub(1).clamp(20, 160);
        let mut lines = vec![self.head(width), self.progress(width, doing)];
        if usize::from(rows) >= ROWS + 8 && width >= 50 {
            lines.extend(self.curves(width));
        }
        lines.push(self.figures(width));
        // So that a prompt that follows an abrupt end has a line of its own.
        lines.push(String::new());
        lines.join("\n")
    }

    fn head(&self, width: usize) -> String {
        let title: String = self.title.chars().take(width).collect();
        style(title).bold().for_stderr().to_string()
    }

    fn progress(&self, width: usize, doing: &str) -> String {
        let step = self.last.map_or(self.plan.start, |last| last.step);
        let end = self.plan.end.max(1);
        let epoch = step as f64 / self.plan.epoch as f64;
        let epochs = end as f64 / self.plan.epoch as f64;
        let mut words = format!("  step {step}/{end}  epoch {epoch:.2}/{}", short(epochs));
        let done = step.saturating_sub(self.plan.start);
        if doing.is_empty() && done > 0 {
            let left = self.began.elapsed().as_secs_f64() / done as f64 * (end - step) as f64;
            words += &format!("  {} left", duration(left));
        } else if !doing.is_empty() {
            words += &format!("  {doing}");
        }
        let words: String = words.chars().take(width).collect();
        let room = (width - words.chars().count()).min(40);
        let full = (room as f64 * step as f64 / end as f64) as usize;
        let bar = style("━".repeat(full)).cyan().for_stderr();
        let rest = style("━".repeat(room - full)).dim().for_stderr();
        format!("{bar}{rest}{words}")
    }

    fn curves(&self, width: usize) -> Vec<String> {
        let half = (width - 3) / 2;
        let left = self.loss.chart(half, ROWS, true);
        let right = self.pck.chart(half, ROWS, false);
        let pairs = left.into_iter().zip(right);
        pairs
            .map(|(loss, pck)| {
                let loss = style(loss).yellow().for_stderr();
                let pck = style(pck).green().for_stderr();
                format!("{loss}   {pck}")
            })
            .collect()
    }

    fn figures(&self, width: usize) -> String {
        let half = (width.saturating_sub(3)) / 2;
        let left = self.last.map_or_else(String::new, |last| {
            format!(
                "loss {:.6}  rate {:.2e}  {:.1}/s",
                last.mean_loss, last.learning_rate, last.samples_per_second
            )
        });
        let right = match (self.last_pck, self.best) {
            (Some(last), Some((best, step))) => {
                format!("PCK@0.2 {last:.2}  best {best:.2} at step {step}")
            }
            (Some(last), None) => format!("PCK@0.2 {last:.2}"),
            _ => "PCK@0.2: not validated yet".to_owned(),
        };
        let line: String = format!("{left:<half$}   {right}")
            .chars()
            .take(width)
            .collect();
        line
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.panel.finish_and_clear();
    }
}

/// A number of epochs: whole, or with two digits.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Seconds as people say them.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, 1..10) => format!("{minutes} min {:02} s", seconds % 60),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes:02} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_speech() {
        for (seconds, text) in [
            (0.4, "0 s"),
            (59.0, "59 s"),
            (61.0, "1 min 01 s"),
            (1800.0, "30 min"),
            (3660.0, "1 h 01 min"),
            (200_000.0, "2 d 7 h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(short(40.0), "40");
        assert_eq!(short(2.5), "2.5");
    }
}
