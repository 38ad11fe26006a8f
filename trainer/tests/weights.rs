//! Weights of other programs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hourglass::{Engine, Graph, HourglassConfig, LayerWeights, random_weights};
use safetensors::tensor::{Dtype, TensorView};
use trainer::{Start, WeightFile};

fn noise(mut state: u64) -> impl FnMut() -> f32 {
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 3.4
    }
}

fn random(graph: &Graph) -> Vec<LayerWeights> {
    random_weights(graph, &mut noise(7))
}

fn small(keypoints: usize) -> HourglassConfig {
    HourglassConfig {
        stacks: 1,
        channels: 8,
        ..HourglassConfig::tiny(keypoints)
    }
}

/// A safetensors file of another program with these tensors.
fn write(path: &Path, tensors: &[(String, Vec<usize>, Vec<f32>)]) {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("a tensor");
        (name.clone(), view)
    });
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let file = safetensors::serialize(views, Some(metadata)).expect("a file");
    std::fs::write(path, file).expect("written");
}

/// The tensors of a network under the names of PyTorch's modules.
fn torch_names(graph: &Graph, weights: &[LayerWeights]) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let mut list = Vec::new();
    for (layer, weights) in graph.layers.iter().zip(weights) {
        let mut add = |part: &str, shape: Vec<usize>, values: &[f32]| {
            list.push((
                format!("module.{}.{part}", layer.name),
                shape,
                values.to_vec(),
            ));
        };
        add(
            "conv.weight",
            layer.weight_shape().to_vec(),
            &weights.weight,
        );
        if let Some(bias) = &weights.bias {
            add("conv.bias", vec![layer.outputs], bias);
        }
        if let Some(norm) = &weights.norm {
            add("norm.weight", vec![layer.outputs], &norm.gamma);
            add("norm.bias", vec![layer.outputs], &norm.beta);
            add("norm.running_mean", vec![layer.outputs], &norm.mean);
            add("norm.running_var", vec![layer.outputs], &norm.variance);
            add("norm.num_batches_tracked", vec![1], &[12.0]);
        }
    }
    list
}

/// `tests/tools/twin.py` wrote checkpoint and heatmaps with PyTorch 2.9: a dictionary as training
/// programs save it, with a wrapped module's names in half precision and an optimizer beside them.
#[test]
fn a_checkpoint_of_pytorch_gives_the_heatmaps_that_it_gives_there() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/twin");
    let text = std::fs::read(folder.join("heatmaps.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let network = small(3);
    let start = Start::from_file(&folder.join("twin.pt"), false, &network, random).unwrap();
    let note = start.note.unwrap();
    assert!(
        note.contains("PyTorch") && note.contains("twin.pt"),
        "{note}"
    );
    assert_eq!((start.network.clone(), start.samples), (network, 0));

    let (height, width) = (32, 64);
    let picture: Vec<f32> = (0..height * width * 3)
        .map(|index| (0.01 * f64::from(index as u32)).sin() as f32)
        .collect();
    let mut engine = Engine::new(start.network.graph(), 1);
    let found = engine.forward(&start.weights, &picture, (height, width));
    let expected = expected["values"].as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    let cells = height * width / 16;
    for (index, expected) in expected.iter().enumerate() {
        let (keypoint, cell) = (index / cells, index % cells);
        let (found, expected) = (found[cell * 3 + keypoint], expected.as_f64().unwrap());
        let error = (f64::from(found) - expected).abs();
        assert!(error < 2e-5, "value {index}: {found} instead of {expected}");
    }
}

#[test]
fn safetensors_of_other_programs_are_read_by_the_names_of_modules() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let network = small(4);
    let graph = network.graph();
    let weights = random_weights(&graph, &mut noise(99));
    write(&path, &torch_names(&graph, &weights));
    let file = WeightFile::read(&path).unwrap();
    assert!(file.info.is_none());
    let mut found = random(&graph);
    assert!(found != weights);
    let fit = file.fit(&graph, &mut found);
    assert!(fit.is_complete(), "{fit}");
    assert!(found == weights);
}

#[test]
fn what_does_not_fit_is_named_with_its_shapes_and_left_out_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("four.safetensors");
    let four = small(4).graph();
    let weights = random_weights(&four, &mut noise(99));
    let mut tensors = torch_names(&four, &weights);
    tensors.push(("extra.weight".to_owned(), vec![2, 3], vec![0.0; 6]));
    write(&path, &tensors);

    let error = Start::from_file(&path, false, &small(6), random).unwrap_err();
    let error = error.to_string();
    for part in [
        "four.safetensors",
        "`hg0_conv_1x1_predict.weight` is [4, 8, 1, 1] instead of [6, 8, 1, 1]",
        "`extra.weight` [2, 3]",
        "--partial",
    ] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }

    let start = Start::from_file(&path, true, &small(6), random).unwrap();
    let (graph, fresh) = (start.network.graph(), random(&start.network.graph()));
    assert!(start.note.unwrap().contains("hg0_conv_1x1_predict.bias"));
    for (index, layer) in graph.layers.iter().enumerate() {
        let expected = match layer.name == "hg0_conv_1x1_predict" {
            true => &fresh[index],
            false => &weights[index],
        };
        assert!(start.weights[index] == *expected, "{}", layer.name);
    }
}

#[test]
fn another_architecture_is_refused_with_a_word_on_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hg8.safetensors");
    // Some of the tensors of pytorch-stacked-hourglass.
    let names = [
        "conv1.weight",
        "layer1.0.bn1.weight",
        "hg.0.hg.0.0.0.conv1.weight",
    ];
    let tensor = |name: &str| (format!("module.{name}"), vec![4], vec![1.0; 4]);
    write(&path, &names.map(tensor));
    for partial in [false, true] {
        let error = Start::from_file(&path, partial, &small(4), random).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("docs/weights.md"), "{error}");
        assert!(
            error.contains("`module.layer1.0.bn1.weight` [4]"),
            "{error}"
        );
        assert!(
            error.contains("`front_conv_1x1_1.weight` [64, 3, 7, 7]"),
            "{error}"
        );
    }

    let path = folder.path().join("text.pth");
    std::fs::write(&path, "no weights at all").unwrap();
    let error = Start::from_file(&path, false, &small(4), random).unwrap_err();
    assert!(error.to_string().contains("text.pth"), "{error}");
}
