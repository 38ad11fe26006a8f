//! Bodies: where figures come from.

mod built_in;
mod charts;
mod drape;
mod folder;
mod loft;
mod makehuman;
mod morph;
mod obj;
mod parts;
mod shape;
mod skeleton_file;

pub use built_in::BuiltIn;
pub use makehuman::MakeHuman;
pub(crate) use obj::three;
pub use shape::Shape;

use crate::bvh::Clip;
use crate::figure::Figure;
use crate::random::Random;

/// A source of figures.
pub trait Body: Sync {
    /// A person of random shape.
    fn figure(&self, random: &mut Random) -> Figure;

    /// Recorded motions that poses can be taken from; may be empty.
    fn clips(&self) -> &[Clip] {
        &[]
    }
}

impl Body for MakeHuman {
    fn figure(&self, random: &mut Random) -> Figure {
        self.random_figure(random)
    }

    fn clips(&self) -> &[Clip] {
        MakeHuman::clips(self)
    }
}
