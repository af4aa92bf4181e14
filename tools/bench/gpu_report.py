#!/usr/bin/env python3
"""Puts what the steps of gpu.sh printed into one JSON and one table: gpu_report.py WORK TREE RESULTS.

WORK holds `gpu` (nvidia-smi's line), `steps` (name, status, seconds, limit, command, a line each) and NAME.out and
NAME.err of each step. The files are named after the card and the time.
"""
import datetime
import json
import math
import pathlib
import re
import sys


def last_json(text):
    """The last line that is a JSON object, or nothing."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except ValueError:
                return None
    return None


def read_steps(work):
    steps = []
    listed = work / "steps"
    for line in listed.read_text().splitlines() if listed.exists() else []:
        name, status, seconds, limit, command = line.split("\t")
        out, err = ((work / f"{name}.{kind}").read_text(errors="replace") for kind in ("out", "err"))
        ended = {"0": "passed", "124": "stopped at its limit", "137": "stopped at its limit"}.get(status, "failed")
        steps.append({"name": name, "ended": ended, "status": int(status), "seconds": float(seconds),
                      "limit": float(limit), "command": command, "result": last_json(out),
                      "output": "" if last_json(out) else out[-4000:], "errors": err[-4000:]})
    return steps


def ratios(steps):
    """One row a model: images/s of our kernels and of the same step by cuDNN, PyTorch's best, and the ratio to it."""
    rows = []
    results = {step["name"]: step["result"] for step in steps if step["result"]}
    for name, ours in results.items():
        if not name.startswith("step:"):
            continue
        theirs = {variant: found["images_per_second"]
                  for variant, found in results.get("torch:" + name[5:], {}).get("variants", {}).items()
                  if "images_per_second" in found}
        best = max(theirs.values(), default=None)
        vendor = results.get("vendor:" + name[5:], {}).get("images_per_second")
        rows.append({"model": name[5:], "batch": ours.get("batch"), "cambium": ours["images_per_second"], "vendor": vendor,
                     "torch": theirs, "ratio": ours["images_per_second"] / best if best else None})
    return rows


def kernel_lines(result, most=20):
    """The kernels of a step in the order of what they take together, and the sum beside the measured step."""
    total = lambda kernel: kernel["count"] * kernel["microseconds_warm"]
    library = result.get("cublaslt_flops_per_second")
    lines = ["", "{} batch {} {}: copy {:.0f} GB/s, mma.sync alone {:.0f} TFLOP/s, cuBLASLt's 8192^3 product {}".format(
        result["model"], result["batch"], result["precision"], result["copy_bytes_per_second"] / 1e9,
        result["mma_flops_per_second"] / 1e12, f"{library / 1e12:.0f} TFLOP/s" if library else "not known"),
        "vendor, the time of cuDNN or cuBLASLt over ours: {}".format(result.get("vendor", "not asked for")),
        "{:>5} {:>9} {:>9} {:>8} {:>6} {:>7} {:>9}  {}".format(
        "times", "us warm", "flushed", "TFLOP/s", "roof", "vendor", "error", "kernel and shape")]
    for kernel in sorted(result["kernels"], key=total, reverse=True)[:most]:
        lines.append("{:>5} {:>9.1f} {:>9.1f} {:>8.1f} {:>5.0f}% {:>7} {:>9.1e}  {}".format(
            kernel["count"], kernel["microseconds_warm"], kernel["microseconds_flushed"],
            kernel["flops"] / kernel["microseconds_flushed"] / 1e6, 100 * kernel["roofline_share"],
            f"{kernel['vendor_ratio']:.2f}x" if "vendor_ratio" in kernel else "-", kernel["error"], kernel["name"]))
    ratios = [kernel["vendor_ratio"] for kernel in result["kernels"] if kernel.get("vendor_ratio")]
    if ratios:
        lines.append("vendor, all {} compared: geometric mean {:.2f}x, least {:.2f}x".format(
            len(ratios), math.exp(sum(map(math.log, ratios)) / len(ratios)), min(ratios)))
    lines.append("sum of all {:.2f} ms, measured step {:.2f} ms".format(
        result["sum_milliseconds_warm"], result.get("step_milliseconds", float("nan"))))
    wrong = [kernel["name"] for kernel in result["kernels"] if kernel["differing_words"]]
    return lines + [f"DIFFERENT BITS from run to run: {name}" for name in wrong]


def table(report):
    lines = [f"{report['gpu']}; Cambium {report['commit']}; {report['time']}", ""]
    lines.append("{:<24} {:<22} {:>8} {:>6}".format("step", "ended", "seconds", "limit"))
    for step in report["steps"]:
        lines.append("{name:<24} {ended:<22} {seconds:>8.1f} {limit:>6.0f}".format(**step))
    if report["training"]:
        lines += ["", "{:<14} {:>6} {:>12} {:>12} {:>12} {:>12} {:>8}".format(
            "training step", "batch", "cambium", "by cuDNN", "eager", "graph", "ratio") + "   images/s"]
    for row in report["training"]:
        figures = [row["cambium"], row["vendor"], row["torch"].get("eager"), row["torch"].get("graph")]
        lines.append("{:<14} {:>6} ".format(row["model"], row["batch"]) + " ".join(
            "{:>12}".format("-" if figure is None else f"{figure:.0f}") for figure in figures) +
            " {:>8}".format("-" if row["ratio"] is None else f"{row['ratio']:.2f}"))
    for step in report["steps"]:
        if step["name"] == "kernels" and step["result"]:
            lines += kernel_lines(step["result"])
    return "\n".join(lines) + "\n"


def main():
    work, tree, results = map(pathlib.Path, sys.argv[1:4])
    gpu = (work / "gpu").read_text().splitlines()[0] if (work / "gpu").exists() else "no GPU"
    commit = (tree / "commit").read_text().strip() if (tree / "commit").exists() else "unknown"
    now = datetime.datetime.now(datetime.timezone.utc)
    steps = read_steps(work)
    report = {"gpu": gpu, "commit": commit, "time": now.isoformat(timespec="seconds"), "steps": steps,
              "training": ratios(steps)}
    name = re.sub(r"[^a-z0-9]+", "-", gpu.split(",")[0].lower()).strip("-") + now.strftime("_%Y%m%d_%H%M")
    (results / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    text = table(report)
    (results / f"{name}.txt").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
