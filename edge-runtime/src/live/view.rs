//! The window of a run: the picture, the skeletons, how it goes, and keys.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pose::{KeypointSet, Size};

use crate::error::RuntimeError;
use crate::live::mailbox::Taken;
use crate::live::painter::{Look, Painter, Place, draw_confidence, write_box};
use crate::live::run::Live;
use crate::live::sink::LiveFrame;
use crate::live::stats::{LiveStats, Stage};
use crate::output::save_picture;
use crate::stop::Stop;
use crate::window::{Window, WindowKey};

/// How long keys wait for an answer at most.
const KEYS_EVERY: Duration = Duration::from_millis(10);
/// How often a picture that does not change is brought to the screen again: somebody may have
/// uncovered the window.
const AGAIN_EVERY: Duration = Duration::from_millis(100);
/// How often the figures change: faster nobody reads.
const FIGURES_EVERY: Duration = Duration::from_millis(500);
/// How long a message stands.
const MESSAGE_STANDS: Duration = Duration::from_secs(3);
/// Step of the keys + and -.
const STEP: f32 = 0.05;
/// The window until the first frame says how large it has to be.
const FIRST_SIZE: Size = Size::new(640, 480);
/// Larger pictures are shown smaller at first.
const LARGEST: Size = Size::new(1280, 960);

const HELP: &str = "q, Esc   end
space    pause
s        snapshot
m        mirror
k        skeleton only
n        names of the keypoints
i        figures
+ -      threshold of the keypoints
?        this help";

/// Shows a run in a window and obeys its keys.
pub struct LiveWindow {
    name: String,
    painter: Painter,
    look: Look,
    snapshots: PathBuf,
    window: Option<Window>,
    shown: Option<Arc<LiveFrame>>,
    paused: bool,
    help: bool,
    figures: bool,
    stats: LiveStats,
    stats_at: Option<Instant>,
    message: Option<(String, Instant)>,
    /// The text on the picture, made anew without new memory.
    text: String,
}

impl std::fmt::Debug for LiveWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveWindow")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl LiveWindow {
    /// Opens a window for a stream of this name; `size` is that of its frames where it is known.
    /// Snapshots go into the folder `snapshots`, which is made for the first one.
    ///
    /// # Errors
    /// [`RuntimeError::Window`] where there is no screen.
    pub fn open(
        name: &str,
        size: Option<Size>,
        set: KeypointSet,
        look: Look,
        snapshots: &Path,
    ) -> Result<LiveWindow, RuntimeError> {
        let mut view = LiveWindow {
            name: name.into(),
            painter: Painter::new(set),
            look,
            snapshots: snapshots.into(),
            window: None,
            shown: None,
            paused: false,
            help: false,
            figures: true,
            stats: LiveStats::default(),
            stats_at: None,
            message: None,
            text: String::new(),
        };
        view.window = Some(view.window_of(size.unwrap_or(FIRST_SIZE))?);
        Ok(view)
    }

    fn window_of(&self, size: Size) -> Result<Window, RuntimeError> {
        let factor = |side: usize, largest: usize| largest as f64 / side.max(1) as f64;
        let smaller = factor(size.width, LARGEST.width)
            .min(factor(size.height, LARGEST.height))
            .min(1.0);
        let side = |side: usize| ((side as f64 * smaller).round() as usize).max(1);
        let size = Size::new(side(size.width), side(size.height));
        let mut window = Window::open(&self.name, size)?;
        window.set_rate(0);
        Ok(window)
    }

    /// Shows the run until it ends, or the window is closed, which ends the run too.
    ///
    /// # Errors
    /// [`RuntimeError::Window`] when the screen is gone.
    pub fn show(&mut self, live: &Live, stop: &Stop) -> Result<(), RuntimeError> {
        let Some(mailbox) = live.display() else {
            return Ok(());
        };
        let mut again = Instant::now();
        while !stop.is_asked() {
            let mut fresh = false;
            if self.paused {
                // Frames of a file wait in the mailbox; those of a camera replace each other.
                std::thread::sleep(KEYS_EVERY);
            } else {
                match mailbox.take_within(KEYS_EVERY) {
                    Taken::Item(frame) => {
                        self.shown = Some(frame);
                        fresh = true;
                    }
                    Taken::Nothing => {}
                    Taken::Closed => break,
                }
            }
            if mailbox.is_closed() && self.paused && live.is_done() {
                // The source has ended during the pause; what is shown stays until a key comes.
                self.say("the stream has ended");
            }
            self.update_figures(live);
            if fresh || again.elapsed() > AGAIN_EVERY {
                again = Instant::now();
                self.draw(live, fresh);
            }
            let Some(window) = &mut self.window else {
                break;
            };
            let keys = if again.elapsed() < KEYS_EVERY {
                let began = Instant::now();
                let keys = window.keys()?;
                if let Some(frame) = self.shown.as_ref().filter(|_| fresh) {
                    live.add_time(Stage::Show, began.elapsed());
                    live.add_time(Stage::Age, frame.frame.taken.elapsed());
                }
                keys
            } else {
                window.poll()
            };
            let is_open = window.is_open();
            if !keys.is_empty() {
                again = Instant::now() - AGAIN_EVERY;
                self.title();
            }
            if !is_open || keys.into_iter().any(|key| self.obey(key)) {
                stop.ask();
            }
        }
        Ok(())
    }

    /// Does what a key says; true for the end.
    fn obey(&mut self, key: WindowKey) -> bool {
        let WindowKey::Char(letter) = key else {
            return key == WindowKey::Escape;
        };
        match letter {
            'q' => return true,
            ' ' => self.paused = !self.paused,
            's' => self.snapshot(),
            'm' => self.look.mirror = !self.look.mirror,
            'k' => self.look.black = !self.look.black,
            'n' => self.look.names = !self.look.names,
            'i' => self.figures = !self.figures,
            '?' => self.help = !self.help,
            '+' => self.step(STEP),
            '-' => self.step(-STEP),
            _ => {}
        }
        self.title();
        false
    }

    fn step(&mut self, step: f32) {
        let steps = ((self.look.min_confidence + step) / STEP).round();
        self.look.min_confidence = (steps * STEP).clamp(0.0, 1.0);
        self.say(&format!("threshold {:.2}", self.look.min_confidence));
    }

    fn say(&mut self, message: &str) {
        self.message = Some((message.into(), Instant::now()));
    }

    /// Writes what is seen, without figures and help.
    fn snapshot(&mut self) {
        let Some(frame) = self.shown.clone() else {
            return;
        };
        let time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let name = format!("snapshot-{}.png", time.as_millis());
        let path = self.snapshots.join(name);
        let picture = self.painter.paint(&frame, &self.look);
        let saved = std::fs::create_dir_all(&self.snapshots)
            .map_err(|source| RuntimeError::Write {
                path: self.snapshots.clone(),
                source,
            })
            .and_then(|()| save_picture(picture, &path));
        match saved {
            Ok(()) => self.say(&format!("wrote {}", path.display())),
            Err(error) => self.say(&error.to_string()),
        }
    }

    fn update_figures(&mut self, live: &Live) {
        if self.stats_at.is_some_and(|at| at.elapsed() < FIGURES_EVERY) {
            return;
        }
        self.stats_at = Some(Instant::now());
        self.stats = live.stats();
        self.title();
    }

    /// What stands in the title bar: the state, so that it is seen where the picture is small.
    fn title(&mut self) {
        self.text.clear();
        // Writing to a string cannot fail.
        let _ = write!(
            self.text,
            "{}: {:.1} fps, threshold {:.2}",
            self.name, self.stats.fps, self.look.min_confidence
        );
        for (is_so, word) in [
            (self.look.mirror, ", mirrored"),
            (self.look.black, ", skeleton only"),
            (self.look.names, ", names"),
            (self.help, ", help"),
            (self.paused, ", paused"),
        ] {
            if is_so {
                self.text.push_str(word);
            }
        }
        if let Some(window) = &mut self.window {
            window.set_title(&self.text);
        }
    }

    /// Paints the frame and hands it to the window.
    fn draw(&mut self, live: &Live, fresh: bool) {
        let Some(frame) = &self.shown else {
            return;
        };
        let began = Instant::now();
        let confidence = frame.people.iter().map(|p| p.pose.confidence);
        let confidence = confidence.fold(0.0, f32::max);
        let picture = self.painter.paint(frame, &self.look);
        draw_confidence(picture, confidence);
        self.text.clear();
        if self.figures {
            write_figures(&mut self.text, &self.stats, frame.people.len(), confidence);
        }
        if let Some((message, _)) = self
            .message
            .as_ref()
            .filter(|m| m.1.elapsed() < MESSAGE_STANDS)
        {
            self.text.push_str(message);
            self.text.push('\n');
        }
        if !self.text.is_empty() {
            write_box(picture, &self.text, Place::Top);
        }
        if self.help || self.paused {
            let text = if self.help {
                HELP
            } else {
                "paused: space goes on"
            };
            write_box(picture, text, Place::Middle);
        }
        if let Some(window) = &mut self.window {
            window.show(picture);
        }
        if fresh {
            live.add_time(Stage::Draw, began.elapsed());
        }
    }
}

/// Some lines on how it goes.
fn write_figures(text: &mut String, stats: &LiveStats, people: usize, confidence: f32) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{:.1} fps", stats.fps);
    if stats.dropped > 0 {
        let _ = write!(text, ", {} dropped", stats.dropped);
    }
    if stats.broken > 0 {
        let _ = write!(text, ", {} broken", stats.broken);
    }
    text.push('\n');
    for stage in Stage::ALL {
        let time = stats.stage(stage);
        let name = stage.name();
        let _ = writeln!(text, "{name:<4}{:>6.1} ms", time.median);
    }
    let _ = match people {
        0 => writeln!(text, "nobody"),
        1 => writeln!(text, "confidence {confidence:.2}"),
        _ => writeln!(text, "{people} people, confidence {confidence:.2}"),
    };
}
