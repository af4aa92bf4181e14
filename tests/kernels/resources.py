#!/usr/bin/env python3
"""Compiles every .cu of kernels/ for sm_80 and sm_90a and holds what the compiler made of it against resources.txt.

    tests/kernels/resources.py             compiles and compares; 1 if something differs
    tests/kernels/resources.py --update    writes resources.txt anew; look at the difference before you commit it

One row of the table is one kernel of one source for one architecture, all instances of a template together. Held are

  exactly   instances (each costs a second of every build, so a new one is a decision), static shared memory, and in how
            many instances there are tensor-core products (HMMA), 16-byte asynchronous copies (LDGSTS.128) and ldmatrix
            (LDSM): the source decides those, not the compiler's version
  as none   spills and accesses to local memory (LDL, STL), unless a line "except" of the table says why
  bounded   registers: at most 8 more than in the table, which is the unit they are allocated in, since ptxas chooses
            anew with every version; fewer are no fault. Instances with 8- and 16-byte stores (STG.64, STG.128): no
            fewer, since a compiler may merge more than the last one did

Only Python's standard library, nvcc and cuobjdump (of CUDA, or of PyPI's triton) are needed.
"""
import argparse
import concurrent.futures
import csv
import dataclasses
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = pathlib.Path(__file__).resolve().with_suffix(".txt")
ARCHITECTURES = ["sm_80", "sm_90a"]
REGISTER_UNIT = 8
COLUMNS = ["instances", "registers", "shared", "spills", "hmma", "ldgsts128", "ldsm", "stg_wide", "local"]


@dataclasses.dataclass
class Kernel:
    """One instance: figures of ptxas, and how often the machine code has each instruction that matters."""

    registers: int = 0
    shared: int = 0  # static; dynamic shared memory is the launch's
    spills: int = 0  # bytes, stores and loads
    mix: dict = dataclasses.field(default_factory=dict)


def fail(sentence):
    print("resources: " + sentence, file=sys.stderr)
    sys.exit(1)


def find_cuobjdump(nvcc):
    """Beside nvcc, on the path, or inside triton's package of this Python."""
    found = [os.environ.get("CUOBJDUMP"), pathlib.Path(nvcc).resolve().parent / "cuobjdump", shutil.which("cuobjdump")]
    triton = importlib.util.find_spec("triton")
    if triton is not None and triton.origin:
        found.append(pathlib.Path(triton.origin).parent / "backends/nvidia/bin/cuobjdump")
    for candidate in found:
        if candidate and pathlib.Path(candidate).is_file():
            return str(candidate)
    fail("there is no cuobjdump to read machine code with; install CUDA's (cuda-cuobjdump) or run this with a Python "
         "that has PyPI's triton, or give --cuobjdump")


def parse_ptxas(log):
    """{architecture: {mangled name: Kernel}} from what -Xptxas -v says."""
    result = {architecture: {} for architecture in ARCHITECTURES}
    entry = None
    for line in log.splitlines():
        if match := re.search(r"Compiling entry function '(\S+)' for '(\S+)'", line):
            entry = result[match[2]].setdefault(match[1], Kernel())
        elif match := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
            if entry is not None:
                entry.spills += int(match[1]) + int(match[2])
        elif match := re.search(r"Used (\d+) registers", line):
            if entry is None:
                continue
            entry.registers = int(match[1])
            shared = re.search(r"(\d+) bytes smem", line)
            entry.shared = int(shared[1]) if shared else 0
            entry = None
    return result


def count_instructions(sass, kernels):
    """Adds the instruction mix of a disassembly to the kernels named in it."""
    mix = None
    for line in sass.splitlines():
        if match := re.match(r"\s*Function : (\S+)", line):
            mix = kernels[match[1]].mix if match[1] in kernels else None
        elif mix is not None and (match := re.match(r"\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+ )?([A-Z][A-Z0-9_.]*)", line)):
            name, *parts = match[1].split(".")
            for kind in kinds_of(name, parts):
                mix[kind] = mix.get(kind, 0) + 1


def kinds_of(name, parts):
    """What counts an instruction: LDGSTS.E.BYPASS.LTC128B.128 is ldgsts128, STG.E.U16 is stg_narrow."""
    if name == "STG":
        return ["stg_wide" if "64" in parts or "128" in parts else "stg_narrow"]
    if name == "LDGSTS":
        return ["ldgsts128" if "128" in parts else "ldgsts_narrow"]
    return {"HMMA": ["hmma"], "LDSM": ["ldsm"], "LDL": ["local"], "STL": ["local"]}.get(name, [])


def compile_times(file):
    """Seconds in device code of each architecture, and of the rest, from nvcc's --time."""
    seconds = {architecture: 0.0 for architecture in ARCHITECTURES} | {"host": 0.0}
    with open(file, newline="") as stream:
        for row in csv.reader(stream):
            if len(row) < 7 or row[6].strip() == "metric":
                continue
            phase, architecture = row[1].strip(), row[4].strip().replace("compute_", "sm_")
            device = phase in ("cicc", "ptxas") or phase.startswith("gcc (preprocessing 1")
            seconds[architecture if device and architecture in seconds else "host"] += float(row[6]) / 1000
    return seconds


def compile_source(source, options, folder):
    """(source, {architecture: {mangled name: Kernel}}, seconds by architecture)"""
    stem = str(source).replace("/", "_")
    target, times = folder / (stem + ".o"), folder / (stem + ".csv")
    command = [options.nvcc, "-std=c++20", "-O3", "-x", "cu", "-Xptxas", "-v", f"-I{ROOT}", "--time", times]
    for architecture in ARCHITECTURES:
        command += ["-gencode", f"arch={architecture.replace('sm_', 'compute_')},code={architecture}"]
    done = subprocess.run([*command, "-c", ROOT / source, "-o", target], capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"nvcc could not compile {source}:\n{done.stdout}{done.stderr}")
    kernels = parse_ptxas(done.stdout + done.stderr)
    for architecture, found in kernels.items():
        if found:
            dump = subprocess.run([options.cuobjdump, "-arch", architecture, "-sass", target], capture_output=True,
                                  text=True)
            if dump.returncode != 0:
                fail(f"{options.cuobjdump} could not read {target.name}: {dump.stderr.strip()}")
            count_instructions(dump.stdout, found)
    return source, kernels, compile_times(times)


def readable_names(mangled):
    """{mangled: gemm::tuned} without parameters and the arguments of templates."""
    mangled = sorted(mangled)
    done = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True)
    names = {}
    for symbol, name in zip(mangled, done.stdout.splitlines()):
        name = name.replace("(anonymous namespace)::", "").removeprefix("void ")
        names[symbol] = re.split(r"[<(]", name, maxsplit=1)[0].removeprefix("cambium::")
    return names


def rows_of(compiled):
    """{(source, kernel, architecture): {column: figure}}"""
    names = readable_names({symbol for _, kernels, _ in compiled for found in kernels.values() for symbol in found})
    rows = {}
    for source, kernels, _ in compiled:
        for architecture, found in kernels.items():
            for symbol, kernel in found.items():
                key = (str(source.relative_to("kernels")), names[symbol], architecture)
                row = rows.setdefault(key, dict.fromkeys(COLUMNS, 0))
                row["instances"] += 1
                row["registers"] = max(row["registers"], kernel.registers)
                row["shared"] = max(row["shared"], kernel.shared)
                row["spills"] += kernel.spills
                for kind in ("hmma", "ldgsts128", "ldsm", "stg_wide", "local"):
                    row[kind] += 1 if kernel.mix.get(kind) else 0
    return rows


def read_table():
    rows, exceptions = {}, {}
    if not TABLE.exists():
        return rows, exceptions
    for line in TABLE.read_text().splitlines():
        words = line.split()
        if not words or words[0] == "#":
            continue
        if words[0] == "except":  # except SOURCE KERNEL why
            exceptions[tuple(words[1:3])] = " ".join(words[3:])
        else:
            rows[tuple(words[:3])] = dict(zip(COLUMNS, map(int, words[3:])))
    return rows, exceptions


def write_table(rows, exceptions, version):
    text = [f"# What ptxas and the machine code say of each kernel; written by resources.py --update with {version}.",
            "# From hmma on: in how many instances there is such an instruction.",
            "# {:<26} {:<45} {:<6} ".format("source", "kernel", "arch") + " ".join(COLUMNS)]
    for key in sorted(rows):
        figures = " ".join(str(rows[key][name]).rjust(len(name)) for name in COLUMNS)
        text.append("{:<28} {:<45} {:<6} ".format(*key) + figures)
    text += [f"except {' '.join(key)} {why}" for key, why in sorted(exceptions.items())]
    TABLE.write_text("\n".join(text) + "\n")


def differences(rows, table, exceptions):
    """Sentences, one for each figure that does not hold."""
    found = []
    for key in sorted(rows.keys() | table.keys()):
        where = f"{key[0]} {key[1]} {key[2]}"
        if key not in table or key not in rows:
            found.append(f"{where} is " + ("new" if key in rows else "gone"))
            continue
        row, held = rows[key], table[key]
        for name in ("spills", "local"):
            if row[name] > 0 and key[:2] not in exceptions:
                found.append(f"{where} has {row[name]} " + ("bytes of spills" if name == "spills" else
                                                            "instances that use local memory"))
        for name in ("instances", "shared", "hmma", "ldgsts128", "ldsm"):
            if row[name] != held[name]:
                found.append(f"{where}: {name} is {row[name]}, held is {held[name]}")
        if row["registers"] > held["registers"] + REGISTER_UNIT:
            found.append(f"{where} takes {row['registers']} registers, {held['registers']} were enough")
        if row["stg_wide"] < held["stg_wide"]:
            found.append(f"{where}: wide stores in {row['stg_wide']} instances, held are {held['stg_wide']}")
    return found


def print_times(compiled, wall, jobs):
    print("{:<30} {:>8} {:>8} {:>8}".format("seconds", *ARCHITECTURES, "host"))
    total = dict.fromkeys([*ARCHITECTURES, "host"], 0.0)
    for source, _, seconds in compiled:
        print("{:<30} {:>8.1f} {:>8.1f} {:>8.1f}".format(str(source), *(seconds[key] for key in total)))
        for key in total:
            total[key] += seconds[key]
    print("{:<30} {:>8.1f} {:>8.1f} {:>8.1f}".format("all", *total.values()))
    print(f"{wall:.0f} s with {jobs} at a time")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write resources.txt anew")
    parser.add_argument("--only", default="", help="only sources with this in their path")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilers at a time")
    parser.add_argument("--nvcc", default=os.environ.get("CUDACXX") or shutil.which("nvcc"))
    parser.add_argument("--cuobjdump", help="CUDA's disassembler; else looked for")
    parser.add_argument("--json", type=pathlib.Path, help="every instance with its figures, to this file")
    options = parser.parse_args()
    if not options.nvcc:
        fail("there is no nvcc; install CUDA 12.8 or later, or give --nvcc")
    options.cuobjdump = options.cuobjdump or find_cuobjdump(options.nvcc)
    version = subprocess.run([options.nvcc, "--version"], capture_output=True, text=True, check=True)
    version = "nvcc " + re.search(r"release \S+ V(\S+)", version.stdout)[1]

    table, exceptions = read_table()
    weight = lambda source: sum(row["instances"] for key, row in table.items() if f"kernels/{key[0]}" == str(source))
    sources = [path.relative_to(ROOT) for path in sorted((ROOT / "kernels").rglob("*.cu"))]
    sources = sorted((path for path in sources if options.only in str(path)), key=weight, reverse=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        compiled = list(pool.map(lambda source: compile_source(source, options, pathlib.Path(folder)), sources))
    print_times(compiled, time.monotonic() - start, options.jobs)

    rows = rows_of(compiled)
    if options.json:
        options.json.write_text(json.dumps({"compiler": version, "kernels": [
            {"source": str(source), "symbol": symbol, "architecture": architecture, **dataclasses.asdict(kernel)}
            for source, kernels, _ in compiled for architecture, found in kernels.items()
            for symbol, kernel in found.items()]}, indent=1))
    held = {key: row for key, row in table.items() if options.only in f"kernels/{key[0]}"}
    if options.update:
        write_table({key: row for key, row in table.items() if key not in held} | rows, exceptions, version)
        held = rows
    found = differences(rows, held, exceptions)
    for sentence in found:
        print(sentence)
    instances = sum(row["instances"] for row in rows.values())
    print(f"{len(sources)} sources, {instances} instances, {version}: " +
          (f"{len(found)} differences" if found else "all as held"))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
