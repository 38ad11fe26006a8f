//! Draws poses that arrive over a wire on small displays.
//!
//! Purpose: a `no_std` core that decodes pose frames and draws them on any embedded-graphics
//! display, and a program that runs this core on a PC or Raspberry Pi against emulated or real
//! panels. Nothing is built here yet; the crate holds its place in the workspace.
