//! Follows people through pictures in the order of their names, such as the frames of a video, and
//! writes a sheet of every so many of them to look at:
//! `cargo run --release --example follow_pictures -- MODEL FOLDER RATE OUT.png [PEOPLE [FIRST [COUNT [EVERY]]]]`,
//! where RATE is pictures a second.
//!
//! Every line says of one picture who is there: number, confidence, the middle of the crop, its
//! width, and how many looks it took.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use edge_runtime::{
    Canvas, ContactSheet, Estimator, EstimatorSettings, FollowSettings, Follower, Frame, Looker,
    ModelOptions, PoseFinder, PoseModel, SkeletonStyle, draw_skeleton, find_photos, load_photo,
};
use image::imageops;
use pose::Size;

/// Width of a tile of the sheet in pixels.
const TILE: u32 = 384;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, folder, rate, out, more @ ..] = &arguments[..] else {
        return Err(
            "usage: follow_pictures MODEL FOLDER RATE OUT.png [PEOPLE [FIRST [COUNT [EVERY]]]]"
                .into(),
        );
    };
    let number = |k: usize, otherwise: usize| more.get(k).map_or(Ok(otherwise), |v| v.parse());
    let (people, first) = (number(0, 1)?, number(1, 0)?);
    let (count, every) = (number(2, usize::MAX)?, number(3, 5)?.max(1));
    let rate: f64 = rate.parse()?;
    let model = PoseModel::load(model, &ModelOptions::default())?;
    let estimator = Estimator::new(model, EstimatorSettings::default())?;
    let settings = FollowSettings {
        people,
        ..FollowSettings::default()
    };
    let lookers = vec![Box::new(estimator) as Box<dyn Looker>];
    let mut follower = Follower::new(lookers, settings)?;
    let set = follower.keypoints().clone();

    let photos: Vec<PathBuf> = find_photos(&[PathBuf::from(folder)])?;
    let photos: Vec<PathBuf> = photos.into_iter().skip(first).take(count).collect();
    let mut sheet: Option<ContactSheet> = None;
    for (k, path) in photos.iter().enumerate() {
        let frame = Frame {
            picture: load_photo(path)?,
            number: k as u64,
            time: Duration::from_secs_f64(k as f64 / rate),
            taken: Instant::now(),
        };
        let found = follower.find(&frame)?;
        print!("{} looks {}", path.display(), follower.looks());
        for person in &found {
            print!(
                "  #{} {:.2} at {:.0},{:.0} width {:.0}",
                person.id,
                person.pose.confidence,
                person.crop.center.x,
                person.crop.center.y,
                person.crop.width
            );
        }
        println!();
        if k % every != 0 {
            continue;
        }
        let mut picture = frame.picture;
        let (width, height) = picture.dimensions();
        for person in &found {
            let style = SkeletonStyle::for_pose(&person.pose, width, height, 0.2);
            draw_skeleton(&mut Canvas::new(&mut picture), &person.pose, &set, &style);
        }
        let tile = Size::new(TILE as usize, (height * TILE / width.max(1)) as usize);
        let small = imageops::thumbnail(&picture, TILE, tile.height as u32);
        let who: Vec<String> = found
            .iter()
            .map(|p| format!("#{} {:.2}", p.id, p.pose.confidence))
            .collect();
        let tiles = photos.len().div_ceil(every);
        sheet
            .get_or_insert_with(|| ContactSheet::with_tiles(tiles, tile))
            .add_picture(&small, &format!("{} {}", first + k, who.join(" ")));
    }
    if let Some(sheet) = sheet {
        sheet.into_picture().save(out)?;
    }
    Ok(())
}
