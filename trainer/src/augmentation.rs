//! Which random changes the training pictures undergo, and how large they are.

use std::fmt;
use std::str::FromStr;

use pose::{FlipAxis, KeypointSet};
use serde::{Deserialize, Serialize};

/// Factors around 1, drawn uniformly: `0.3` for 0.7 to 1.3, `0.5..2` for exactly that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Spread {
    /// The smallest factor less 1.
    pub low: f32,
    /// The largest factor less 1.
    pub high: f32,
}

impl Spread {
    /// No change.
    pub const NONE: Self = Self::around(0.0);

    /// Factors from 1 − `amount` to 1 + `amount`.
    pub const fn around(amount: f32) -> Self {
        Self {
            low: -amount,
            high: amount,
        }
    }

    /// Factors from `low` to `high`.
    pub const fn between(low: f32, high: f32) -> Self {
        Self {
            low: low - 1.0,
            high: high - 1.0,
        }
    }

    /// Whether every factor is 1.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { low, high } = *self;
        match low == -high {
            true => write!(f, "{high}"),
            false => write!(f, "{}..{}", 1.0 + low, 1.0 + high),
        }
    }
}

impl FromStr for Spread {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<f32>().ok();
        let spread = match text.split_once("..") {
            Some((low, high)) => number(low)
                .zip(number(high))
                .filter(|(low, high)| 0.0 <= *low && low <= high && high.is_finite())
                .map(|(low, high)| Self::between(low, high)),
            None => number(text)
                .filter(|amount| (0.0..=1.0).contains(amount))
                .map(Self::around),
        };
        spread.ok_or_else(|| {
            format!("`{text}`: expected an amount from 0 to 1, or factors such as 0.5..2")
        })
    }
}

impl TryFrom<String> for Spread {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Spread> for String {
    fn from(spread: Spread) -> Self {
        spread.to_string()
    }
}

/// How a size or an angle is drawn; `amount` is its setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Law {
    /// Normal with deviation `amount`, cut at twice that. Sizes are 2 to this power.
    #[default]
    Normal,
    /// Normal with deviation `amount`, sizes 1 plus this, cut at `amount`; angles cut at twice
    /// that: the law of the first PyTorch implementations.
    Linear,
    /// Uniform from −`amount` to `amount`; sizes 1 plus this.
    Uniform,
}

/// Random changes of the training pictures. Every probability is per sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Probability of mirroring left-right.
    pub flip: f32,
    /// Probability of mirroring top-bottom; only where match points name pairs for it.
    pub vertical_flip: f32,
    /// How much the crop's size varies, see [`Law`].
    pub scale: f32,
    /// How the size is drawn.
    pub scale_law: Law,
    /// How much the crop is turned, in degrees, see [`Law`].
    pub rotation: f32,
    /// How the angle is drawn.
    pub rotation_law: Law,
    /// Probability of turning.
    pub rotation_chance: f32,
    /// Largest shift of the crop, as a fraction of its side.
    pub shift: f32,
    /// Probability of a crop around the upper or the lower half of the body.
    pub half_body: f32,
    /// Brightness factor.
    pub brightness: Spread,
    /// Contrast factor, around the border's grey.
    pub contrast: Spread,
    /// Saturation factor.
    pub saturation: Spread,
    /// Factor of each colour channel on its own.
    pub gain: Spread,
    /// Largest turn of the hue, as a fraction of the circle; brightness stays.
    pub hue: f32,
    /// Probability of a grey picture.
    pub grey: f32,
    /// Sharpness factor: below 1 softer, above 1 sharper.
    pub sharpness: Spread,
    /// Probability of a Gaussian blur.
    pub blur: f32,
    /// Largest deviation of the blur in input pixels; drawn from a third of it.
    pub blur_sigma: f32,
    /// Probability of contrast-limited adaptive histogram equalization.
    pub equalize: f32,
    /// Probability of a rectangle of one colour anywhere.
    pub cutout: f32,
    /// Probability of covering one keypoint with another piece of the picture.
    pub occlusion: f32,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self::STANDARD
    }
}

impl Augmentation {
    /// No change at all.
    pub const NONE: Self = Self {
        flip: 0.0,
        vertical_flip: 0.0,
        scale: 0.0,
        scale_law: Law::Normal,
        rotation: 0.0,
        rotation_law: Law::Normal,
        rotation_chance: 0.0,
        shift: 0.0,
        half_body: 0.0,
        brightness: Spread::NONE,
        contrast: Spread::NONE,
        saturation: Spread::NONE,
        gain: Spread::NONE,
        hue: 0.0,
        grey: 0.0,
        sharpness: Spread::NONE,
        blur: 0.0,
        blur_sigma: 1.5,
        equalize: 0.0,
        cutout: 0.0,
        occlusion: 0.0,
    };

    /// What a training does unless told otherwise.
    pub const STANDARD: Self = Self {
        flip: 0.5,
        scale: 0.25,
        rotation: 30.0,
        rotation_chance: 0.6,
        shift: 0.08,
        half_body: 0.1,
        grey: 0.1,
        cutout: 0.2,
        ..Self::NONE
    }
    .colour(0.3);

    /// For little data of one kind, or short trainings.
    pub const LIGHT: Self = Self {
        flip: 0.5,
        scale: 0.15,
        rotation: 15.0,
        rotation_chance: 0.6,
        shift: 0.05,
        ..Self::NONE
    }
    .colour(0.2);

    /// For long trainings: what the best recipes of other programs do.
    pub const STRONG: Self = Self {
        flip: 0.5,
        scale: 0.35,
        rotation: 40.0,
        rotation_chance: 0.6,
        shift: 0.1,
        half_body: 0.3,
        hue: 0.05,
        grey: 0.1,
        sharpness: Spread::between(0.5, 2.0),
        blur: 0.15,
        cutout: 0.4,
        occlusion: 0.3,
        ..Self::NONE
    }
    .colour(0.4);

    /// As single-person-pose-estimation (S1) has it. Its brightness adds up to 0.2 of white;
    /// here it multiplies.
    pub const S1: Self = Self {
        flip: 0.5,
        scale: 0.25,
        scale_law: Law::Uniform,
        rotation: 30.0,
        rotation_law: Law::Uniform,
        rotation_chance: 1.0,
        brightness: Spread::around(0.2),
        contrast: Spread::between(0.5, 2.0),
        saturation: Spread::around(0.25),
        hue: 0.1,
        ..Self::NONE
    };

    /// As Stacked_Hourglass_Network_Keras (S2) has it.
    pub const S2: Self = Self {
        flip: 0.5,
        scale: 0.2,
        scale_law: Law::Uniform,
        rotation: 30.0,
        rotation_law: Law::Uniform,
        rotation_chance: 0.5,
        ..Self::NONE
    };

    /// As tf-keras-stacked-hourglass-keypoint-detection (S3) has it. Its vertical flip, which it
    /// does to everything, is left to keypoint sets with pairs for it.
    pub const S3: Self = Self {
        vertical_flip: 0.5,
        brightness: Spread::between(0.5, 2.0),
        contrast: Spread::between(0.5, 2.0),
        saturation: Spread::between(0.5, 2.0),
        sharpness: Spread::between(0.5, 2.0),
        grey: 0.1,
        blur: 0.2,
        blur_sigma: 1.1,
        equalize: 0.2,
        ..Self::S2
    };

    /// As pytorch-stacked-hourglass (S4) and its forerunners have it.
    pub const S4: Self = Self {
        flip: 0.5,
        scale: 0.25,
        scale_law: Law::Linear,
        rotation: 30.0,
        rotation_law: Law::Linear,
        rotation_chance: 0.6,
        gain: Spread::around(0.2),
        ..Self::NONE
    };

    /// The presets by name.
    pub const PRESETS: [(&'static str, Self); 8] = [
        ("none", Self::NONE),
        ("light", Self::LIGHT),
        ("standard", Self::STANDARD),
        ("strong", Self::STRONG),
        ("s1", Self::S1),
        ("s2", Self::S2),
        ("s3", Self::S3),
        ("s4", Self::S4),
    ];

    /// A preset by its name.
    ///
    /// # Errors
    /// With the names that there are.
    pub fn preset(name: &str) -> Result<Self, String> {
        let found = Self::PRESETS.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, preset)| preset).ok_or_else(|| {
            let names = Self::PRESETS.map(|(name, _)| name).join(", ");
            format!("no augmentation `{name}`; there are {names}")
        })
    }

    /// Brightness, contrast and saturation changed by up to `amount`, each channel by half of it.
    pub const fn colour(mut self, amount: f32) -> Self {
        self.brightness = Spread::around(amount);
        self.contrast = Spread::around(amount);
        self.saturation = Spread::around(amount);
        self.gain = Spread::around(0.5 * amount);
        self
    }

    /// No change at all.
    pub fn none() -> Self {
        Self::NONE
    }

    /// The number that is outside its range, in words.
    pub fn fault(&self) -> Option<String> {
        let chances = [
            ("flip", self.flip),
            ("vertical-flip", self.vertical_flip),
            ("rotation-chance", self.rotation_chance),
            ("half-body", self.half_body),
            ("grey", self.grey),
            ("blur", self.blur),
            ("equalize", self.equalize),
            ("cutout", self.cutout),
            ("occlusion", self.occlusion),
            ("shift", self.shift),
            ("scale", self.scale),
            ("hue", self.hue),
        ];
        let bad = chances.iter().find(|(_, v)| !(0.0..=1.0).contains(v));
        if let Some((name, value)) = bad {
            return Some(format!("{name} {value}: must be from 0 to 1"));
        }
        let (rotation, sigma) = (self.rotation, self.blur_sigma);
        if !(0.0..=180.0).contains(&rotation) {
            return Some(format!(
                "rotation {rotation}: must be from 0 to 180 degrees"
            ));
        }
        let blurred = sigma > 0.0 && sigma <= 20.0;
        (!blurred).then(|| format!("blur-sigma {sigma}: must be more than 0 and at most 20 pixels"))
    }

    /// The same without the vertical flip where the keypoint set names no pair for it: a person
    /// upside down is no mirror image of one.
    pub fn for_keypoints(mut self, set: &KeypointSet) -> Self {
        let vertical = |pair: &pose::FlipPair| pair.axis == FlipAxis::Vertical;
        if !set.flip_pairs.iter().any(vertical) {
            self.vertical_flip = 0.0;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_read_as_they_are_written() {
        for (text, low, high) in [("0.3", -0.3, 0.3), ("0", 0.0, 0.0), ("0.5..2", -0.5, 1.0)] {
            let spread: Spread = text.parse().unwrap();
            assert_eq!((spread.low, spread.high), (low, high), "{text}");
            assert_eq!(spread.to_string(), text);
        }
        for text in ["", "-0.1", "1.5", "2..1", "-1..2", "0.5..", "a..b"] {
            let error = text.parse::<Spread>().unwrap_err();
            assert!(error.contains("0.5..2"), "{error}");
        }
    }

    #[test]
    fn presets_are_found_by_name_and_within_range() {
        for (name, preset) in Augmentation::PRESETS {
            assert_eq!(Augmentation::preset(name), Ok(preset.clone()));
            assert_eq!(preset.fault(), None, "{name}");
            let json = serde_json::to_string(&preset).unwrap();
            assert_eq!(serde_json::from_str::<Augmentation>(&json).unwrap(), preset);
        }
        let error = Augmentation::preset("wild").unwrap_err();
        assert!(error.contains("standard"), "{error}");
        let bad = Augmentation {
            flip: 1.5,
            ..Augmentation::NONE
        };
        assert!(bad.fault().unwrap().contains("flip 1.5"));
    }

    #[test]
    fn people_are_not_flipped_upside_down() {
        let s3 = Augmentation::S3;
        assert_eq!(
            s3.clone().for_keypoints(&KeypointSet::mpii()).vertical_flip,
            0.0
        );
        let mut set = KeypointSet::mpii();
        set.flip_pairs[0].axis = FlipAxis::Vertical;
        assert_eq!(s3.for_keypoints(&set).vertical_flip, 0.5);
    }
}
