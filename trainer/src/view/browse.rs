//! The window: one person after the other, at the press of a key.

use edge_runtime::{Window, WindowKey};
use image::RgbImage;
use pose::Size;

use super::augmented::AugmentedBatches;
use super::{Gallery, Look};
use crate::error::TrainError;

/// Inside of the window in pixels.
const SIZE: Size = Size::new(1080, 720);

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Next(usize),
    Back(usize),
    First,
    Last,
    Suspicious,
    Names,
    Close,
    Quit,
}

/// People a page key skips.
const LEAP: usize = 10;

fn action(key: WindowKey) -> Option<Action> {
    Some(match key {
        WindowKey::Char('f' | ' ') | WindowKey::Right | WindowKey::Enter => Action::Next(1),
        WindowKey::Char('b') | WindowKey::Left => Action::Back(1),
        WindowKey::Down | WindowKey::PageDown => Action::Next(LEAP),
        WindowKey::Up | WindowKey::PageUp => Action::Back(LEAP),
        WindowKey::Home => Action::First,
        WindowKey::End => Action::Last,
        WindowKey::Char('s') => Action::Suspicious,
        WindowKey::Char('n') => Action::Names,
        WindowKey::Char('z') => Action::Close,
        WindowKey::Char('q') | WindowKey::Escape => Action::Quit,
        WindowKey::Char(_) => return None,
    })
}

/// Where the keys lead among `count` pages, going round at both ends.
fn step(at: usize, count: usize, action: Action) -> usize {
    match action {
        Action::Next(steps) => (at + steps) % count,
        Action::Back(steps) => (at + count - steps % count) % count,
        Action::First => 0,
        Action::Last => count - 1,
        _ => at,
    }
}

/// Shows the gallery in a window until somebody closes it or presses q or escape. f, space and
/// right go on, b and left go back, up and down ten at a time, home and end to the ends, s to the
/// next suspicious labels; n switches the joints' names, z the surroundings. A photo that cannot
/// be read is told to `warn`.
///
/// # Errors
/// When there is no screen.
pub fn browse(
    gallery: &Gallery,
    mut look: Look,
    mut warn: impl FnMut(String),
) -> Result<(), TrainError> {
    let mut window = Window::open("trainer view", SIZE)?;
    let mut at = 0;
    let mut shown = None;
    while window.is_open() {
        if shown != Some((at, look)) {
            let page = gallery.page(at, look, SIZE).unwrap_or_else(|error| {
                warn(error.to_string());
                RgbImage::from_pixel(SIZE.width as u32, SIZE.height as u32, image::Rgb([96; 3]))
            });
            window.set_title(&format!(
                "{} of {}: {} - f/b next/back, n names, z zoom, s suspicious, q quit",
                at + 1,
                gallery.len(),
                gallery.person(at).id
            ));
            window.show(&page);
            shown = Some((at, look));
        }
        for action in window.keys()?.into_iter().filter_map(action) {
            match action {
                Action::Quit => return Ok(()),
                Action::Names => look.names = !look.names,
                Action::Close => look.close = !look.close,
                Action::Suspicious => at = gallery.next_suspicious(at),
                other => at = step(at, gallery.len(), other),
            }
        }
    }
    Ok(())
}

/// Shows batch after batch in a window, with the keys of [`browse`].
///
/// # Errors
/// When there is no screen, or a photo cannot be read.
pub fn browse_augmented(batches: &mut AugmentedBatches) -> Result<(), TrainError> {
    let mut window = Window::open("trainer view --augmented", SIZE)?;
    let mut at = 0usize;
    let mut shown = None;
    while window.is_open() {
        if shown != Some(at) {
            window.show(batches.page(at)?);
            window.set_title(&format!("batch {} - f/b next/back, q quit", at + 1));
            shown = Some(at);
        }
        for action in window.keys()?.into_iter().filter_map(action) {
            match action {
                Action::Quit => return Ok(()),
                // There is no last batch.
                Action::Next(_) => at += 1,
                Action::Back(_) => at = at.saturating_sub(1),
                Action::First => at = 0,
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_round_at_both_ends() {
        let key = |key| action(key).unwrap();
        assert_eq!(step(0, 7, key(WindowKey::Char('f'))), 1);
        assert_eq!(step(6, 7, key(WindowKey::Right)), 0);
        assert_eq!(step(0, 7, key(WindowKey::Char('b'))), 6);
        assert_eq!(step(3, 7, key(WindowKey::PageDown)), 6);
        assert_eq!(step(3, 7, key(WindowKey::Up)), 0);
        assert_eq!(step(3, 7, key(WindowKey::End)), 6);
        assert_eq!(step(0, 1, key(WindowKey::Left)), 0);
        assert_eq!(action(WindowKey::Char('q')), Some(Action::Quit));
        assert_eq!(action(WindowKey::Char('x')), None);
    }
}
