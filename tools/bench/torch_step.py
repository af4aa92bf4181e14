#!/usr/bin/env python3
"""PyTorch's training step, what `cambium bench step` is held against: 1000 classes at 224 px, SGD with momentum 0.9.

Measured in turn, each the best that PyTorch offers without changing the model: eager, replayed as one CUDA graph, and
torch.compile where --compile is given (it takes minutes). bf16 autocast, channels-last, cuDNN's benchmark mode, images
already on the device as u8 and normalised there, as in ours. Prints one JSON object.
"""
import argparse
import json
import statistics
import sys
import time


def make_step(torch, model, images, labels, compiled):
    loss_of = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, fused=images.is_cuda)
    mean = torch.tensor([0.485, 0.456, 0.406], device=images.device).view(1, 3, 1, 1) * 255
    scale = 1 / (torch.tensor([0.229, 0.224, 0.225], device=images.device).view(1, 3, 1, 1) * 255)

    def forward(images, labels):
        with torch.autocast(images.device.type, dtype=torch.bfloat16):
            return loss_of(model((images - mean) * scale), labels)

    if compiled:
        forward = torch.compile(forward)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward(images, labels)
        loss.backward()
        optimizer.step()
        return loss

    return step


def captured(torch, step):
    """The step as a CUDA graph, after a warm-up on a stream of its own, as PyTorch's manual asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def measure(torch, step, seconds):
    """Median, least and most milliseconds of steps timed with events, for about `seconds` after warm-up."""
    for _ in range(5):
        step()
    torch.cuda.synchronize()
    times, end = [], time.monotonic() + seconds
    while len(times) < 5 or time.monotonic() < end:
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        step()
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop))
    return {"milliseconds": statistics.median(times), "least": min(times), "most": max(times), "steps": len(times)}


def variant(torch, arguments, name):
    import torchvision

    torch.manual_seed(0)
    torch.cuda.reset_peak_memory_stats()
    model = torchvision.models.get_model(arguments.model).cuda().to(memory_format=torch.channels_last).train()
    shape = (arguments.batch, 3, 224, 224)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, device="cuda").to(memory_format=torch.channels_last)
    labels = torch.randint(0, 1000, (arguments.batch,), device="cuda")
    step = make_step(torch, model, images, labels, compiled=name == "compile")
    result = measure(torch, captured(torch, step) if name == "graph" else step, arguments.seconds)
    result["images_per_second"] = 1000 * arguments.batch / result["milliseconds"]
    result["peak_memory_mb"] = torch.cuda.max_memory_allocated() / 2**20
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet50", help="torchvision's name")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=3, help="how long each variant is timed")
    parser.add_argument("--compile", action="store_true", help="also torch.compile")
    arguments = parser.parse_args()
    try:
        import torch
        import torchvision
    except ImportError as error:
        sys.exit(f"torch_step.py: {error}; PyTorch and torchvision are what this measures")
    if not torch.cuda.is_available():
        sys.exit("torch_step.py: PyTorch finds no GPU here, and a CPU's step says nothing about one")
    torch.backends.cudnn.benchmark = True
    result = {"model": arguments.model, "batch": arguments.batch, "torch": torch.__version__,
              "cudnn": torch.backends.cudnn.version(), "device": torch.cuda.get_device_name(), "variants": {}}
    for name in ["eager", "graph"] + (["compile"] if arguments.compile else []):
        try:
            result["variants"][name] = variant(torch, arguments, name)
        except RuntimeError as error:  # one variant that fails does not take the others with it
            result["variants"][name] = {"error": str(error).splitlines()[0]}
        torch.cuda.empty_cache()
    print(json.dumps(result))
    return 0 if any("milliseconds" in found for found in result["variants"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
