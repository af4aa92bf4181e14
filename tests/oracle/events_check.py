"""Reads an event file of ours with TensorBoard's own reader, as TensorBoard does when it draws the curves.

  python tests/oracle/events_check.py RUN     prints every curve: tag, steps, values; fails if there are none

Needs: pip install tensorboard==2.21.0
"""
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main(run):
    events = EventAccumulator(run, size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    curves = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
    for tag in tags["tensors"]:
        curves[tag] = [(e.step, float(e.tensor_proto.float_val[0])) for e in events.Tensors(tag)]
    if not curves:
        sys.exit(f"{run}: TensorBoard finds no curve")
    print("file version", events.file_version)
    for tag, points in sorted(curves.items()):
        print(tag, " ".join(f"{step}:{value:g}" for step, value in points))


if __name__ == "__main__":
    main(*sys.argv[1:])
