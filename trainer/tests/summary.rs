//! Summaries and pictures of networks against published figures and against one another.

use hourglass::{Engine, Form, HourglassConfig, random_weights};
use onnx_graph::GraphFacts;
use pose::KeypointSet;
use trainer::{
    Checkpoint, CheckpointInfo, ExportNotes, LayerKind, Summary, draw_graph, export, summarize,
    summarize_onnx,
};

fn classic(config: HourglassConfig) -> HourglassConfig {
    HourglassConfig {
        form: Form::Classic,
        ..config
    }
}

/// Parameters, with running statistics, multiply-adds and operations as the earlier projects
/// publish them for 17 keypoints; what they call FLOPS counts two for each multiply-add and some
/// for the rest.
#[test]
fn totals_are_the_published_ones() {
    for (config, side, parameters, with_statistics, gmac, flops) in [
        (
            HourglassConfig::full(17),
            256,
            6_571_554,
            6_603_426,
            10.117,
            20.28,
        ),
        (
            HourglassConfig::mobile(17),
            256,
            2_751_010,
            2_782_882,
            4.670,
            9.38,
        ),
        (
            HourglassConfig::tiny(17),
            256,
            720_802,
            736_802,
            1.298,
            2.62,
        ),
        (
            HourglassConfig::tiny(17),
            192,
            720_802,
            736_802,
            0.730,
            1.47,
        ),
    ] {
        let summary = summarize(&classic(config), (side, side));
        assert_eq!(summary.parameters, parameters);
        assert_eq!(
            summary.parameters + summary.running_statistics,
            with_statistics
        );
        let found = summary.macs as f64 / 1e9;
        assert!((found - gmac).abs() < 0.0011, "{found} {gmac}");
        let operations = summary.operations as f64 / 1e9;
        assert!(
            (operations / flops - 1.0).abs() < 0.02,
            "{operations} {flops}"
        );
        for parts in [&summary.blocks, &summary.stages] {
            assert_eq!(parts.iter().map(|p| p.parameters).sum::<u64>(), parameters);
            assert_eq!(parts.iter().map(|p| p.macs).sum::<u64>(), summary.macs);
        }
    }
}

/// By hand, from layer to layer: `field += (kernel - 1) · stride`. Front: 7, 11, pooled 13, 21, 29;
/// an hourglass adds 396 (8 at a quarter of the size, 4 + 16, 8 + 32, 16 + 64 and three times 64
/// at the bottom, 32, 16 and 8 on the way up).
#[test]
fn receptive_fields_are_those_of_the_closed_form() {
    for stacks in [1, 2, 3] {
        let config = HourglassConfig {
            stacks,
            ..HourglassConfig::mobile(16)
        };
        let summary = summarize(&config, (256, 256));
        let field = |name: &str| {
            let layer = summary.layers.iter().find(|l| l.name == name).unwrap();
            layer.receptive_field
        };
        assert_eq!(field("front_conv_1x1_1"), 7.0);
        assert_eq!(field("front_residual_1_add"), 11.0);
        assert_eq!(field("front_residual_3_add"), 29.0);
        assert_eq!(summary.receptive_field, 29.0 + 396.0 * stacks as f64);
    }
}

/// A pixel changes the cells whose field it is in: with a field of 29 and a stride of 4, columns
/// at four neighbouring pixels change 29 columns of cells in sum.
#[test]
fn a_pixel_changes_the_cells_of_its_field() {
    let config = HourglassConfig {
        stacks: 1,
        channels: 16,
        ..HourglassConfig::full(3)
    };
    let mut graph = config.graph();
    let weights = random_weights(&graph, &mut {
        let mut state = 3u64;
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 3.4
        }
    });
    let summary = summarize(&config, (128, 128));
    let node = summary
        .layers
        .iter()
        .position(|l| l.name == "front_residual_3_add");
    let node = node.unwrap();
    graph.outputs = vec![node];
    let picture: Vec<f32> = (0..128 * 128 * 3)
        .map(|i| ((i * 37) % 101) as f32 / 50.0)
        .collect();
    let mut engine = Engine::new(graph, 1);
    let before = engine.forward(&weights, &picture, (128, 128));
    let channels = before.len() / (32 * 32);
    let mut changed = 0;
    for column in 60..64 {
        let mut other = picture.clone();
        // A whole column of pixels, so that no maximum hides the change.
        for row in 0..128 {
            for value in &mut other[(row * 128 + column) * 3..][..3] {
                *value += 5.0;
            }
        }
        let after = engine.forward(&weights, &other, (128, 128));
        changed += (0..32)
            .filter(|x| {
                (0..32 * channels).any(|i| {
                    let at = ((i / channels) * 32 + x) * channels + i % channels;
                    before[at] != after[at]
                })
            })
            .count();
    }
    assert_eq!(changed as f64, summary.layers[node].receptive_field);
}

fn checkpoint(config: &HourglassConfig, side: usize) -> Checkpoint {
    Checkpoint {
        info: CheckpointInfo {
            network: config.clone(),
            keypoints: KeypointSet::mpii(),
            input: [side, side],
            sigma: 2.0,
            margin: 1.25,
            step: 0,
            samples: 0,
            epoch_samples: 1,
            best: 0.0,
            data: Vec::new(),
        },
        weights: random_weights(&config.graph(), &mut || 0.5),
    }
}

/// The exported file is counted by another crate, and has the same fields.
#[test]
fn files_have_the_figures_of_their_networks() {
    for config in [
        HourglassConfig::tiny(16),
        HourglassConfig {
            stacks: 1,
            ..HourglassConfig::full(16).with_widths(32, 96)
        },
        classic(HourglassConfig {
            stacks: 3,
            channels: 32,
            ..HourglassConfig::mobile(16)
        }),
    ] {
        let summary = summarize(&config, (128, 128));
        let model = export(&checkpoint(&config, 128), &ExportNotes::default()).unwrap();
        let facts = GraphFacts::of(&model);
        assert_eq!(summary.exported, Some((facts.parameters, facts.macs)));
        let of_file = summarize_onnx("file", &model);
        assert_eq!(
            (of_file.parameters, of_file.macs),
            (facts.parameters, facts.macs)
        );
        assert_eq!(of_file.receptive_field, summary.receptive_field);
        let names = |s: &Summary| s.stages.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&of_file), names(&summary));
        // Without the training's other outputs, a file never holds more at one time.
        assert!(of_file.memory.peak > 0 && of_file.memory.peak <= of_file.memory.results);
    }
}

/// By hand for the first steps of tiny at 128²: while the first sum of the front is made, the
/// stem's map, the branch's and the sum are there.
#[test]
fn peak_memory_is_that_of_the_widest_moment() {
    let summary = summarize(&HourglassConfig::tiny(16), (128, 128));
    let map = 64 * 64 * 64 * 4;
    assert_eq!(summary.memory.peak, 3 * map);
    let all: usize = summary
        .layers
        .iter()
        .map(|l| l.output.iter().product::<usize>() * 4)
        .sum();
    assert_eq!(summary.memory.results, all as u64);
    assert_eq!(summary.memory.parameters, 4 * summary.parameters);
}

#[test]
fn a_picture_has_every_operation_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("net.svg");
    for stacks in [1, 2, 8] {
        let config = HourglassConfig {
            stacks,
            ..HourglassConfig::tiny(16)
        };
        let summary = summarize(&config, (192, 192));
        draw_graph(&summary, &file).unwrap();
        let svg = std::fs::read_to_string(&file).unwrap();
        assert_eq!(svg.matches("<title>").count(), summary.layers.len());
        for layer in &summary.layers {
            assert!(
                svg.contains(&format!("<title>{}\n", layer.name)),
                "{}",
                layer.name
            );
        }
        for stack in 0..stacks {
            assert!(svg.contains(&format!(">hg{stack}</text>")));
        }
        // Nothing lies outside.
        let number = |text: &str, key: &str| -> f64 {
            let from = text.find(key).unwrap() + key.len();
            text[from..].split('"').next().unwrap().parse().unwrap()
        };
        let (width, height) = (number(&svg, "width=\""), number(&svg, "height=\""));
        for line in svg.lines().filter(|l| l.contains("<title>")) {
            let (x, y) = (number(line, " x=\""), number(line, " y=\""));
            assert!(x > 0.0 && x < width && y > 0.0 && y < height, "{line}");
        }
    }
    let pools = summarize(&HourglassConfig::tiny(16), (192, 192));
    let pools = pools.layers.iter().filter(|l| l.kind == LayerKind::Pool);
    assert_eq!(pools.count(), 1 + 2 * 3);
}
