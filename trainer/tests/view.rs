//! What `trainer view` draws, on made photos.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use dataset::{LabelledKeypoint, Person, Split, Visibility};
use image::{Rgb, RgbImage};
use pose::{Heatmaps, KeypointSet, Layout, Point, Rect, Size, gaussian_target};
use trainer::{
    Augmentation, AugmentedBatches, Gallery, Look, SampleShape, ViewFilter, heat_overlay,
};

/// A black photo with two people: the second 150 px to the right, both with only a right arm; the
/// first one's wrist is outside of the photo.
fn people(folder: &Path) -> Vec<Person> {
    let image = folder.join("photo.png");
    RgbImage::new(400, 300).save(&image).unwrap();
    let person = |index: usize, shift: f32, wrist: f32| {
        let mut keypoints = vec![LabelledKeypoint::MISSING; 16];
        keypoints[12] = LabelledKeypoint::new(100.0 + shift, 100.0, Visibility::Visible);
        keypoints[11] = LabelledKeypoint::new(100.0 + shift, 160.0, Visibility::Occluded);
        keypoints[10] = LabelledKeypoint::new(100.0 + shift, wrist, Visibility::Visible);
        Person {
            image: image.clone(),
            dataset: "test".into(),
            id: format!("test:{index}"),
            rect: Rect::new(60.0 + shift, 60.0, 80.0, 220.0),
            keypoints,
            head_size: None,
            area: None,
            split: Split::Train,
        }
    };
    vec![person(0, 0.0, 304.0), person(1, 150.0, 280.0)]
}

fn gallery(folder: &Path, filter: &str) -> Result<Gallery, trainer::TrainError> {
    let filter: ViewFilter = filter.parse().unwrap();
    Gallery::new(people(folder), KeypointSet::mpii(), &filter, None)
}

#[test]
fn a_page_shows_everything_that_is_annotated() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = gallery(folder.path(), "").unwrap();
    // The photo is shown in its own size, beside a column of 300.
    let size = Size::new(700, 300);
    let page = gallery.page(0, Look::default(), size).unwrap();
    assert_eq!(page.dimensions(), (700, 300));
    let at = |x: u32, y: u32| page.get_pixel(x, y).0;
    // The box's left edge, its centre.
    let [r, g, b] = at(60, 120);
    assert!(r < 10 && g > 150 && b > 150, "{:?}", at(60, 120));
    assert_eq!(at(100, 170 + 3), [255, 60, 60]);
    // The other one's upper arm is white, the own one's is the skeleton's red.
    assert!(at(250, 130).iter().all(|v| *v > 180), "{:?}", at(250, 130));
    let [r, g, b] = at(100, 130);
    assert!(r > 240 && g < 120 && b < 120, "{:?}", at(100, 130));
    // A dark heart in the hidden elbow of the second person, on their page.
    let other = gallery.page(1, Look::default(), size).unwrap();
    let heart = other.get_pixel(250, 160).0;
    assert!(heart.iter().all(|v| *v < 90), "{heart:?}");
    // Names are beside the joints only when asked for.
    let lit = |page: &RgbImage| {
        let beside = (108..180).flat_map(|x| (94..106).map(move |y| (x, y)));
        beside
            .filter(|&(x, y)| page.get_pixel(x, y).0 == [255; 3])
            .count()
    };
    let names = Look {
        names: true,
        close: false,
    };
    assert_eq!(lit(&page), 0);
    assert!(lit(&gallery.page(0, names, size).unwrap()) > 50);
}

#[test]
fn suspicious_labels_are_found_and_marked() {
    let folder = tempfile::tempdir().unwrap();
    let gallery_of = |filter: &str| gallery(folder.path(), filter);
    let all = gallery_of("").unwrap();
    assert_eq!(
        (all.len(), all.next_suspicious(0), all.next_suspicious(1)),
        (2, 0, 0)
    );
    let record = all.record(0);
    assert_eq!((record.labelled, record.others), (3, 1));
    assert!(record.suspicions[0].contains("right_wrist"), "{record:?}");
    assert_eq!(gallery_of("suspicious").unwrap().len(), 1);
    assert_eq!(
        gallery_of("people>1,joints<4,has=right_wrist")
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        gallery_of("occluded=right_elbow,id=test:1").unwrap().len(),
        1
    );
    for nobody in [
        "lacks=right_elbow",
        "split=test",
        "joints>3",
        "people<2",
        "has=left_hip",
    ] {
        let error = gallery_of(nobody).unwrap_err().to_string();
        assert!(
            error.contains("none of 2 people") && error.contains(nobody),
            "{error}"
        );
    }
    // A yellow ring on the sheet, and none on that of the other person.
    let sheet = |filter: &str| {
        let size = Size::square(200);
        let unread = |warning: String| panic!("{warning}");
        gallery_of(filter)
            .unwrap()
            .sheet(9, Look::default(), size, unread)
            .unwrap()
    };
    let is_yellow = |p: &&Rgb<u8>| p.0[0] > 180 && p.0[1] > 160 && p.0[2] < 80;
    let yellow = |sheet: &RgbImage| sheet.pixels().filter(is_yellow).count();
    assert!(yellow(&sheet("id=test:0")) > 20);
    assert_eq!(yellow(&sheet("id=test:1")), 0);
}

#[test]
fn heat_is_strongest_at_the_joint() {
    let mut map = vec![0.0; 3 * 16 * 16];
    for keypoint in 0..3 {
        let center = Point::new(4.5 + 3.0 * keypoint as f32, 8.5);
        let map = &mut map[keypoint * 256..][..256];
        gaussian_target(map, 16, 16, center, 1.0);
    }
    let maps = Heatmaps::new(&map, 3, 16, 16, Layout::Nchw).unwrap();
    let mut picture = RgbImage::from_pixel(64, 64, Rgb([100; 3]));
    heat_overlay(&mut picture, &maps, &[1.0, 0.0, 1.0]);
    // Red, a third of a turn apart; the one of weight 0 is left out.
    let at = |x: u32| picture.get_pixel(x, 34).0;
    let [r, g, b] = at(18);
    assert!(r > 200 && g < 60 && b < 60, "{:?}", at(18));
    let [r, g, b] = at(42);
    assert!(b > 200 && r < 60 && g < 60, "{:?}", at(42));
    assert!(at(30)[1] < 120, "{:?}", at(30));
    assert_eq!(picture.get_pixel(2, 2).0, [100; 3]);
}

#[test]
fn augmented_batches_go_on_and_stay_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let shape = SampleShape {
        input: Size::square(64),
        stride: 4,
        sigma: 1.5,
        margin: 1.25,
    };
    let batches = |people: Vec<Person>| {
        let set = KeypointSet::mpii();
        AugmentedBatches::new(people, set, shape.clone(), Augmentation::default(), 3, 5)
    };
    // Written once: batches are made ahead, and somebody may be reading the photo.
    let people = people(folder.path());
    let mut one = batches(people.clone()).unwrap();
    let mut other = batches(people).unwrap();
    let third = one.page(2).unwrap().clone();
    assert_ne!(one.page(0).unwrap(), &third);
    assert_eq!(other.page(2).unwrap(), &third);
    // Three pairs of crops, each three times as large as the network's input.
    assert!(third.width() > 2 * 192 && third.height() > 192);
    assert!(batches(Vec::new()).is_err());
}
