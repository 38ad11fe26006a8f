//! A picture on the screen, and the keys that are pressed over it.
//!
//! ```no_run
//! use edge_runtime::{Window, WindowKey};
//! use pose::Size;
//! # fn main() -> Result<(), edge_runtime::RuntimeError> {
//! let mut window = Window::open("grey", Size::new(640, 480))?;
//! window.show(&image::RgbImage::from_pixel(640, 480, image::Rgb([128; 3])));
//! while window.is_open() {
//!     if window.keys()?.contains(&WindowKey::Escape) {
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WindowKey {
    /// A letter (lower case), a digit, a space, or `+`, `-`, `?` (with or without shift, where they
    /// lie on a US keyboard).
    Char(char),
    /// Arrow to the left.
    Left,
    /// Arrow to the right.
    Right,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// A page back.
    PageUp,
    /// A page on.
    PageDown,
    /// To the start.
    Home,
    /// To the end.
    End,
    /// Enter or return.
    Enter,
    /// Escape.
    Escape,
}

pub use screen::Window;

#[cfg(feature = "window")]
mod screen {
    use super::WindowKey;
    use crate::error::RuntimeError;
    use image::RgbImage;
    use minifb::{InputCallback, Key, ScaleMode, WindowOptions};
    use pose::Size;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// How often the window looks for keys, each second.
    const RATE: usize = 30;

    /// A window that shows one picture, as large as it fits, and takes keys.
    pub struct Window {
        window: minifb::Window,
        /// The picture as 0RGB.
        pixels: Vec<u32>,
        size: Size,
        pressed: Receiver<Key>,
    }

    /// Hears of every key: asking which keys are down misses those that were pressed and let go
    /// in between.
    struct Listener(Sender<Key>);

    impl InputCallback for Listener {
        fn add_char(&mut self, _: u32) {}

        fn set_key_state(&mut self, key: Key, is_down: bool) {
            if is_down {
                // The window holds both ends: there is always a receiver.
                let _ = self.0.send(key);
            }
        }
    }

    impl std::fmt::Debug for Window {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Window").field("size", &self.size).finish()
        }
    }

    impl Window {
        /// Opens a window whose inside has this size; users may change it.
        ///
        /// # Errors
        /// [`RuntimeError::Window`] where there is no screen.
        pub fn open(title: &str, size: Size) -> Result<Window, RuntimeError> {
            let options = WindowOptions {
                resize: true,
                scale_mode: ScaleMode::AspectRatioStretch,
                ..WindowOptions::default()
            };
            let mut window = minifb::Window::new(title, size.width, size.height, options)
                .map_err(|error| RuntimeError::Window(error.to_string()))?;
            window.set_target_fps(RATE);
            let (sender, pressed) = channel();
            window.set_input_callback(Box::new(Listener(sender)));
            Ok(Window {
                window,
                pixels: vec![0; size.width * size.height],
                size,
                pressed,
            })
        }

        /// Sets what stands in the title bar.
        pub fn set_title(&mut self, title: &str) {
            self.window.set_title(title);
        }

        /// How often [`keys`](Self::keys) returns each second at most, 30 unless said otherwise; 0
        /// for callers that wait elsewhere.
        pub fn set_rate(&mut self, rate: usize) {
            self.window.set_target_fps(rate);
        }

        /// Shows this picture from now on.
        pub fn show(&mut self, picture: &RgbImage) {
            let (width, height) = picture.dimensions();
            if width == 0 || height == 0 {
                return;
            }
            self.size = Size::new(width as usize, height as usize);
            self.pixels.clear();
            let (pixels, _) = picture.as_chunks::<3>();
            self.pixels.extend(
                pixels
                    .iter()
                    .map(|&[r, g, b]| u32::from_be_bytes([0, r, g, b])),
            );
        }

        /// Whether nobody has closed the window.
        pub fn is_open(&self) -> bool {
            self.window.is_open()
        }

        /// Brings the picture to the screen, waits for a moment, and returns the keys that were
        /// pressed since the last call. A key that is held comes again and again, but only once
        /// each call, so that a slow caller is not run over.
        ///
        /// # Errors
        /// [`RuntimeError::Window`] when the screen is gone.
        pub fn keys(&mut self) -> Result<Vec<WindowKey>, RuntimeError> {
            let Size { width, height } = self.size;
            self.window
                .update_with_buffer(&self.pixels, width, height)
                .map_err(|error| RuntimeError::Window(error.to_string()))?;
            Ok(self.pressed())
        }

        /// The keys that were pressed since the last call, without bringing the picture to the
        /// screen once more.
        pub fn poll(&mut self) -> Vec<WindowKey> {
            self.window.update();
            self.pressed()
        }

        fn pressed(&self) -> Vec<WindowKey> {
            let mut keys: Vec<WindowKey> = self.pressed.try_iter().filter_map(key).collect();
            keys.dedup();
            keys
        }
    }

    fn key(key: Key) -> Option<WindowKey> {
        let letters = [
            (Key::A, 'a'),
            (Key::B, 'b'),
            (Key::C, 'c'),
            (Key::D, 'd'),
            (Key::E, 'e'),
            (Key::F, 'f'),
            (Key::G, 'g'),
            (Key::H, 'h'),
            (Key::I, 'i'),
            (Key::J, 'j'),
            (Key::K, 'k'),
            (Key::L, 'l'),
            (Key::M, 'm'),
            (Key::N, 'n'),
            (Key::O, 'o'),
            (Key::P, 'p'),
            (Key::Q, 'q'),
            (Key::R, 'r'),
            (Key::S, 's'),
            (Key::T, 't'),
            (Key::U, 'u'),
            (Key::V, 'v'),
            (Key::W, 'w'),
            (Key::X, 'x'),
            (Key::Y, 'y'),
            (Key::Z, 'z'),
            (Key::Key0, '0'),
            (Key::Key1, '1'),
            (Key::Key2, '2'),
            (Key::Key3, '3'),
            (Key::Key4, '4'),
            (Key::Key5, '5'),
            (Key::Key6, '6'),
            (Key::Key7, '7'),
            (Key::Key8, '8'),
            (Key::Key9, '9'),
            (Key::Space, ' '),
            (Key::Equal, '+'),
            (Key::NumPadPlus, '+'),
            (Key::Minus, '-'),
            (Key::NumPadMinus, '-'),
            (Key::Slash, '?'),
        ];
        if let Some((_, letter)) = letters.iter().find(|(known, _)| *known == key) {
            return Some(WindowKey::Char(*letter));
        }
        Some(match key {
            Key::Left => WindowKey::Left,
            Key::Right => WindowKey::Right,
            Key::Up => WindowKey::Up,
            Key::Down => WindowKey::Down,
            Key::PageUp => WindowKey::PageUp,
            Key::PageDown => WindowKey::PageDown,
            Key::Home => WindowKey::Home,
            Key::End => WindowKey::End,
            Key::Enter | Key::NumPadEnter => WindowKey::Enter,
            Key::Escape => WindowKey::Escape,
            _ => return None,
        })
    }
}

#[cfg(not(feature = "window"))]
mod screen {
    use super::WindowKey;
    use crate::error::RuntimeError;
    use image::RgbImage;
    use pose::Size;

    /// A window in a program that was built without windows: it cannot be opened.
    #[derive(Debug)]
    pub enum Window {}

    impl Window {
        /// Says that there are no windows.
        ///
        /// # Errors
        /// Always.
        pub fn open(_title: &str, _size: Size) -> Result<Window, RuntimeError> {
            let message = "this program was built without the cargo feature `window`";
            Err(RuntimeError::Window(message.into()))
        }

        /// There is no title bar.
        pub fn set_title(&mut self, _title: &str) {
            match *self {}
        }

        /// There is no rate.
        pub fn set_rate(&mut self, _rate: usize) {
            match *self {}
        }

        /// There are no keys.
        pub fn poll(&mut self) -> Vec<WindowKey> {
            match *self {}
        }

        /// There is nothing to show it on.
        pub fn show(&mut self, _picture: &RgbImage) {
            match *self {}
        }

        /// There is none.
        pub fn is_open(&self) -> bool {
            match *self {}
        }

        /// There are none.
        ///
        /// # Errors
        /// None.
        pub fn keys(&mut self) -> Result<Vec<WindowKey>, RuntimeError> {
            match *self {}
        }
    }
}
