//! Random changes of the pictures.

use clap::Args;
use clap::builder::PossibleValuesParser;
use pose::KeypointSet;

use crate::augmentation::{Augmentation, Spread};

/// Random changes of the pictures. What is not given is the preset's.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Augmentation")]
pub struct AugmentationOptions {
    /// Where the other options of this group start from; s1 to s4 are the earlier projects', see
    /// docs/training.md.
    #[arg(long, value_name = "PRESET", default_value = "standard",
        value_parser = PossibleValuesParser::new(Augmentation::PRESETS.map(|(name, _)| name)))]
    pub augmentation: String,
    /// Probability of mirroring left-right.
    #[arg(long, value_name = "SHARE")]
    pub flip: Option<f32>,
    /// Probability of mirroring top-bottom, for keypoint sets that name pairs for it.
    #[arg(long, value_name = "SHARE")]
    pub vertical_flip: Option<f32>,
    /// Standard deviation of the crop's size, in powers of two.
    #[arg(long)]
    pub scale: Option<f32>,
    /// Standard deviation of the rotation in degrees.
    #[arg(long, value_name = "DEGREES")]
    pub rotation: Option<f32>,
    /// Probability of a rotation.
    #[arg(long, value_name = "SHARE")]
    pub rotation_chance: Option<f32>,
    /// Largest shift of the crop, as a fraction of its side.
    #[arg(long)]
    pub shift: Option<f32>,
    /// Probability of a crop around half the body.
    #[arg(long, value_name = "SHARE")]
    pub half_body: Option<f32>,
    /// Largest relative change of brightness, contrast and saturation; each channel changes by
    /// half of it.
    #[arg(long, value_name = "AMOUNT")]
    pub colour: Option<f32>,
    /// Change of the brightness: 0.3 for factors from 0.7 to 1.3, or factors such as 0.5..2.
    #[arg(long, value_name = "SPREAD")]
    pub brightness: Option<Spread>,
    /// Change of the contrast, likewise.
    #[arg(long, value_name = "SPREAD")]
    pub contrast: Option<Spread>,
    /// Change of the saturation, likewise.
    #[arg(long, value_name = "SPREAD")]
    pub saturation: Option<Spread>,
    /// Change of each colour channel on its own, likewise.
    #[arg(long, value_name = "SPREAD")]
    pub gain: Option<Spread>,
    /// Largest turn of the hue, as a fraction of the colour circle.
    #[arg(long, value_name = "TURN")]
    pub hue: Option<f32>,
    /// Probability of a grey picture.
    #[arg(long, value_name = "SHARE")]
    pub grey: Option<f32>,
    /// Change of the sharpness, as for --brightness.
    #[arg(long, value_name = "SPREAD")]
    pub sharpness: Option<Spread>,
    /// Probability of a blur.
    #[arg(long, value_name = "SHARE")]
    pub blur: Option<f32>,
    /// Largest standard deviation of the blur in pixels of the input.
    #[arg(long, value_name = "PIXELS")]
    pub blur_sigma: Option<f32>,
    /// Probability of adaptive histogram equalization (CLAHE).
    #[arg(long, value_name = "SHARE")]
    pub equalize: Option<f32>,
    /// Probability of a rectangle of one colour.
    #[arg(long, value_name = "SHARE")]
    pub cutout: Option<f32>,
    /// Probability of covering a keypoint with another piece of the picture.
    #[arg(long, value_name = "SHARE")]
    pub occlusion: Option<f32>,
}

impl AugmentationOptions {
    /// The changes that the options ask for, to pictures with these keypoints.
    pub fn augmentation(&self, keypoints: &KeypointSet) -> Augmentation {
        let preset = Augmentation::preset(&self.augmentation).unwrap_or_default();
        let mut all = preset.for_keypoints(keypoints);
        if let Some(amount) = self.colour {
            all = all.colour(amount);
        }
        fn set<T: Copy>(value: &mut T, given: Option<T>) {
            *value = given.unwrap_or(*value);
        }
        set(&mut all.flip, self.flip);
        set(&mut all.vertical_flip, self.vertical_flip);
        set(&mut all.scale, self.scale);
        set(&mut all.rotation, self.rotation);
        set(&mut all.rotation_chance, self.rotation_chance);
        set(&mut all.shift, self.shift);
        set(&mut all.half_body, self.half_body);
        set(&mut all.brightness, self.brightness);
        set(&mut all.contrast, self.contrast);
        set(&mut all.saturation, self.saturation);
        set(&mut all.gain, self.gain);
        set(&mut all.hue, self.hue);
        set(&mut all.grey, self.grey);
        set(&mut all.sharpness, self.sharpness);
        set(&mut all.blur, self.blur);
        set(&mut all.blur_sigma, self.blur_sigma);
        set(&mut all.equalize, self.equalize);
        set(&mut all.cutout, self.cutout);
        set(&mut all.occlusion, self.occlusion);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: AugmentationOptions,
    }

    fn read(line: &str) -> Augmentation {
        let words = std::iter::once("line").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).unwrap();
        line.options.augmentation(&KeypointSet::mpii())
    }

    #[test]
    fn options_change_their_preset() {
        assert_eq!(read(""), Augmentation::STANDARD);
        assert_eq!(read("--augmentation none"), Augmentation::NONE);
        let s3 = Augmentation {
            vertical_flip: 0.0,
            ..Augmentation::S3
        };
        assert_eq!(read("--augmentation s3"), s3);
        let colour = Augmentation::STANDARD.colour(0.1);
        let expected = Augmentation {
            saturation: Spread::between(0.5, 2.0),
            hue: 0.1,
            ..colour
        };
        let line = "--hue 0.1 --saturation 0.5..2 --colour 0.1";
        assert_eq!(read(line), expected);
        // One option for every number of an augmentation.
        let all = "--flip 0.1 --vertical-flip 0.2 --scale 0.3 --rotation 4 --rotation-chance 0.5 \
            --shift 0.6 --half-body 0.7 --brightness 0.8 --contrast 0.9 --saturation 0.11 \
            --gain 0.12 --hue 0.13 --grey 0.14 --sharpness 0.15 --blur 0.16 --blur-sigma 1.7 \
            --equalize 0.18 --cutout 0.19 --occlusion 0.21";
        let json = |line: &str| serde_json::to_value(read(line)).unwrap();
        let (plain, changed) = (
            json("--augmentation strong"),
            json(&format!("{all} --augmentation strong")),
        );
        for (name, value) in plain.as_object().unwrap() {
            let same = changed[name] == *value;
            assert_eq!(same, name.ends_with("_law"), "{name}");
        }
    }
}
