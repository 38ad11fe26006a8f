"""Reads a training's TensorBoard event files with the programs that they are for.

    tensorboard_events.py RUN_FOLDER    compares them with the folder's log.csv
    tensorboard_events.py --expected    prints the bytes that trainer/src/tensorboard.rs expects
"""

import csv
import io
import struct
import sys
from pathlib import Path


def expected():
    from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    def records(*events):
        file = io.BytesIO()
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString(deterministic=True))
        writer.flush()
        return file.getvalue().hex()

    value, summary = summary_pb2.Summary.Value, summary_pb2.Summary
    print("SIMPLE ", records(
        event_pb2.Event(wall_time=1700000000.25, file_version="brain.Event:2"),
        event_pb2.Event(wall_time=1700000001.5, step=300, summary=summary(value=[
            value(tag="loss/train", simple_value=0.125),
            value(tag="learning_rate", simple_value=0.002),
        ])),
    ))
    plugin = summary_pb2.SummaryMetadata.PluginData(plugin_name="scalars")
    metadata = summary_pb2.SummaryMetadata(plugin_data=plugin)
    tensors = [
        tensor_pb2.TensorProto(dtype=1, float_val=[0.75]),
        tensor_pb2.TensorProto(dtype=1, tensor_content=struct.pack("<f", 0.5)),
    ]
    print("TENSORS", records(*(
        event_pb2.Event(wall_time=3.0 + i, step=2 + i, summary=summary(value=[
            value(tag="epoch_loss", metadata=metadata, tensor=tensor),
        ]))
        for i, tensor in enumerate(tensors)
    )))


def compare(folder):
    from tbparse import SummaryReader
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with open(folder / "log.csv") as file:
        rows = {int(row["step"]): row for row in csv.DictReader(file)}
    names = {
        "PCK/validation": "pck",
        "loss/train_mean": "loss",
        "learning_rate": "learning_rate",
        "samples_per_second": "samples_per_second",
    }
    # TensorBoard's own reader.
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    tags = accumulator.Tags()["scalars"]
    print("tags:", ", ".join(tags))
    worst = 0.0
    for tag, column in names.items():
        read = {event.step: event.value for event in accumulator.Scalars(tag)}
        missing = set(rows) - set(read)
        assert not missing, f"{tag}: steps {sorted(missing)} are missing"
        for step, row in rows.items():
            worst = max(worst, abs(read[step] - float(row[column])) / max(1.0, abs(read[step])))
    losses = accumulator.Scalars("loss/train")
    print(f"TensorBoard: {len(rows)} validations, {len(losses)} steps,",
          f"largest difference to log.csv {worst:.1e}")
    # What the CSV is rounded to.
    assert worst < 1e-2, worst
    # An independent reader.
    frame = SummaryReader(str(folder)).scalars
    assert set(frame["tag"]) == set(tags), set(frame["tag"]) ^ set(tags)
    pck = frame[frame["tag"] == "PCK/validation"]
    assert set(pck["step"]) == set(rows)
    print(f"tbparse: {len(frame)} scalars, {frame['tag'].nunique()} tags")


if __name__ == "__main__":
    if sys.argv[1:] == ["--expected"]:
        expected()
    elif len(sys.argv) == 2:
        compare(Path(sys.argv[1]))
    else:
        sys.exit(__doc__)
