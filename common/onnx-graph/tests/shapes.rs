//! Shapes and figures of graphs whose numbers are known from elsewhere.

#![allow(clippy::unwrap_used)]

use onnx_graph::{AttributeProto, DataType, GraphBuilder, GraphFacts, Model, infer_shapes};

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto::ints(name, values)
}

/// The start of ResNet-50: 7×7 stride 2 and the first 1×1 of the first block.
fn resnet_stem() -> Model {
    let mut graph = GraphBuilder::new("stem");
    graph.input(
        "image",
        DataType::Float,
        &["n".into(), 3.into(), 224.into(), 224.into()],
    );
    graph.f32("w1", &[64, 3, 7, 7], &[0.0; 64 * 3 * 49]);
    graph.node(
        "Conv",
        &["image", "w1"],
        &["c1"],
        vec![ints("strides", &[2, 2]), ints("pads", &[3, 3, 3, 3])],
    );
    for (name, size) in [("scale", 64), ("shift", 64), ("mean", 64), ("var", 64)] {
        graph.f32(name, &[size], &vec![1.0; size]);
    }
    graph.node(
        "BatchNormalization",
        &["c1", "scale", "shift", "mean", "var"],
        &["b1"],
        vec![],
    );
    graph.node("Relu", &["b1"], &["r1"], vec![]);
    graph.node(
        "MaxPool",
        &["r1"],
        &["p1"],
        vec![
            ints("kernel_shape", &[3, 3]),
            ints("strides", &[2, 2]),
            ints("pads", &[1, 1, 1, 1]),
        ],
    );
    graph.f32("w2", &[64, 64, 1, 1], &[0.0; 64 * 64]);
    graph.node("Conv", &["p1", "w2"], &["c2"], vec![]);
    graph.output(
        "c2",
        DataType::Float,
        &["n".into(), 64.into(), 56.into(), 56.into()],
    );
    graph.finish().unwrap()
}

#[test]
fn the_stem_of_resnet_50_has_the_published_sizes() {
    // He et al. 2016, table 1: conv1 112×112, conv2_x 56×56. 118,013,952 multiply-adds and 9,408
    // weights for conv1 are the figures of the usual counters (fvcore, ptflops).
    let model = resnet_stem();
    let shapes = infer_shapes(model.graph(), |_, _, _| 1);
    assert_eq!(shapes.get("c1"), Some([1, 64, 112, 112].as_slice()));
    assert_eq!(shapes.get("p1"), Some([1, 64, 56, 56].as_slice()));
    let facts = GraphFacts::of(&model);
    assert_eq!(facts.macs, 118_013_952 + 12_845_056);
    assert_eq!(facts.parameters, 9_408 + 128 + 4_096);
    assert_eq!(facts.nodes_without_shape, Vec::<String>::new());
    assert_eq!(facts.operators["Conv"], 2);
    assert_eq!(
        facts.inputs[0].shape,
        ["n".into(), 3.into(), 224.into(), 224.into()]
    );
}

/// One operator behind an input of the given shape; the shape of its output.
fn shape_after(
    input: &[usize],
    constants: &[(&str, &[i64])],
    op: &str,
    inputs: &[&str],
    attributes: Vec<AttributeProto>,
) -> Vec<usize> {
    let mut graph = GraphBuilder::new("one");
    let shape: Vec<_> = input.iter().map(|&d| d.into()).collect();
    graph.input("x", DataType::Float, &shape);
    for (name, values) in constants {
        graph.i64(name, &[values.len()], values);
    }
    graph.node(op, inputs, &["y"], attributes);
    graph.output("y", DataType::Float, &[]);
    let model = graph.finish().unwrap();
    infer_shapes(model.graph(), |_, _, _| 1)
        .get("y")
        .map(<[usize]>::to_vec)
        .unwrap_or_else(|| panic!("no shape behind {op}"))
}

#[test]
fn operators_give_the_shapes_that_numpy_and_the_specification_give() {
    // Each expected shape was computed by hand from the operator's page.
    let x = [2, 12, 9, 7];
    let y = |op, constants: &[(&str, &[i64])], inputs: &[&str], attributes| {
        shape_after(&x, constants, op, inputs, attributes)
    };
    assert_eq!(
        y("Transpose", &[], &["x"], vec![ints("perm", &[0, 2, 3, 1])]),
        [2, 9, 7, 12]
    );
    assert_eq!(
        y("Reshape", &[("s", &[0, -1, 7])], &["x", "s"], vec![]),
        [2, 108, 7]
    );
    assert_eq!(
        y("Flatten", &[], &["x"], vec![AttributeProto::int("axis", 2)]),
        [24, 63]
    );
    assert_eq!(
        y("Unsqueeze", &[("a", &[0, -1])], &["x", "a"], vec![]),
        [1, 2, 12, 9, 7, 1]
    );
    assert_eq!(
        y(
            "Slice",
            &[
                ("s", &[-1, 8]),
                ("e", &[i64::MIN, 1]),
                ("a", &[1, 2]),
                ("t", &[-5, -2])
            ],
            &["x", "s", "e", "a", "t"],
            vec![]
        ),
        [2, 3, 4, 7] // indices 11, 6, 1 and 8, 6, 4, 2
    );
    assert_eq!(
        y(
            "Pad",
            &[("p", &[0, 0, 1, 2, 0, 0, 3, 4])],
            &["x", "p"],
            vec![]
        ),
        [2, 12, 13, 13]
    );
    assert_eq!(
        y(
            "DepthToSpace",
            &[],
            &["x"],
            vec![AttributeProto::int("blocksize", 2)]
        ),
        [2, 3, 18, 14]
    );
    assert_eq!(
        y(
            "ReduceMean",
            &[],
            &["x"],
            vec![ints("axes", &[-1, 2]), AttributeProto::int("keepdims", 0)]
        ),
        [2, 12]
    );
    assert_eq!(
        y(
            "AveragePool",
            &[],
            &["x"],
            vec![
                ints("kernel_shape", &[2, 2]),
                ints("strides", &[2, 2]),
                AttributeProto::int("ceil_mode", 1)
            ]
        ),
        [2, 12, 5, 4]
    );
    assert_eq!(
        y(
            "MaxPool",
            &[],
            &["x"],
            vec![
                ints("kernel_shape", &[3, 3]),
                ints("strides", &[2, 2]),
                AttributeProto::string("auto_pad", "SAME_UPPER")
            ]
        ),
        [2, 12, 5, 4]
    );
    assert_eq!(
        y(
            "Resize",
            &[("s", &[2, 12, 18, 21])],
            &["x", "", "", "s"],
            vec![]
        ),
        [2, 12, 18, 21]
    );
}

#[test]
fn shapes_computed_inside_the_graph_are_followed() {
    // What PyTorch writes for x.reshape(x.shape[0], x.shape[1] // 2, -1).
    let mut graph = GraphBuilder::new("chain");
    graph.input("x", DataType::Float, &["n".into(), 6.into(), 5.into()]);
    graph.node("Shape", &["x"], &["shape"], vec![]);
    for (index, name) in [(0, "first"), (1, "second")] {
        graph.i64(&format!("{name}_index"), &[], &[index]);
        graph.node(
            "Gather",
            &["shape", &format!("{name}_index")],
            &[name],
            vec![],
        );
    }
    graph.i64("two", &[], &[2]);
    graph.node("Div", &["second", "two"], &["half"], vec![]);
    graph.i64("zero", &[1], &[0]);
    graph.i64("rest", &[1], &[-1]);
    graph.node("Unsqueeze", &["first", "zero"], &["a"], vec![]);
    graph.node("Unsqueeze", &["half", "zero"], &["b"], vec![]);
    graph.node(
        "Concat",
        &["a", "b", "rest"],
        &["wanted"],
        vec![AttributeProto::int("axis", 0)],
    );
    graph.node("Reshape", &["x", "wanted"], &["y"], vec![]);
    graph.output("y", DataType::Float, &[]);
    let model = graph.finish().unwrap();
    let shapes = infer_shapes(model.graph(), |_, _, _| 4);
    assert_eq!(shapes.get("y"), Some([4, 3, 10].as_slice()));
}

#[test]
fn upsampling_and_transposed_convolution_are_counted() {
    let mut graph = GraphBuilder::new("up");
    graph.input(
        "x",
        DataType::Float,
        &[1.into(), 8.into(), 4.into(), 4.into()],
    );
    graph.f32("scales", &[4], &[1.0, 1.0, 2.0, 2.0]);
    graph.node("Resize", &["x", "", "scales"], &["big"], vec![]);
    graph.f32("w", &[8, 5, 4, 4], &[0.0; 640]);
    graph.node(
        "ConvTranspose",
        &["big", "w"],
        &["y"],
        vec![ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])],
    );
    graph.output("y", DataType::Float, &[]);
    let model = graph.finish().unwrap();
    let shapes = infer_shapes(model.graph(), |_, _, _| 1);
    assert_eq!(shapes.get("big"), Some([1, 8, 8, 8].as_slice()));
    assert_eq!(shapes.get("y"), Some([1, 5, 16, 16].as_slice()));
    // 8·8·8 input elements, each spread over 5·4·4 output elements.
    assert_eq!(GraphFacts::of(&model).macs, 512 * 80);
}

#[test]
fn quantized_weights_count_as_parameters_and_their_scales_do_not() {
    let mut graph = GraphBuilder::new("qdq");
    graph.input(
        "x",
        DataType::Float,
        &[1.into(), 2.into(), 4.into(), 4.into()],
    );
    graph.i8("w_q", &[3, 2, 1, 1], &[1; 6]);
    graph.f32("w_scale", &[3], &[0.1; 3]);
    graph.i8("w_zero", &[3], &[0; 3]);
    graph.node(
        "DequantizeLinear",
        &["w_q", "w_scale", "w_zero"],
        &["w"],
        vec![AttributeProto::int("axis", 0)],
    );
    graph.node("Conv", &["x", "w"], &["y"], vec![]);
    graph.node("FutureOperator", &["y"], &["z"], vec![]);
    graph.f32("w2", &[1, 3, 1, 1], &[1.0; 3]);
    graph.node("Conv", &["z", "w2"], &["out"], vec![]);
    graph.output(
        "out",
        DataType::Float,
        &["a".into(), "b".into(), "c".into(), "d".into()],
    );
    let facts = GraphFacts::of(&graph.finish().unwrap());
    assert_eq!(facts.parameters, 6 + 3);
    assert_eq!(facts.macs, 16 * 6);
    assert_eq!(facts.nodes_without_shape, ["Conv `out`"]);
}
