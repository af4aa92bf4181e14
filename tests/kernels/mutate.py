#!/usr/bin/env python3
"""Mutates the tuned kernels one line at a time and says who notices: the checker, only the results, only the counters,
or nobody; and whether that is what mutations.txt expects.

    tests/kernels/mutate.py [--work FOLDER] [--jobs N] [--list] [FAMILY or NUMBER ...]

It works on a copy of the sources (in build/mutants), where it builds the checked tests of a mutation's family and runs
them. Interrupted, it goes on where it was: results are kept as long as neither the mutation nor any source changes.
Exit status: 0 all as expected, 1 not, 2 wrong usage. Not part of CI: it compiles every mutation, for half an hour.
"""
import argparse
import dataclasses
import filecmp
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ["CMakeLists.txt", "cmake", "data", "engine", "kernels", "models", "tests", "tools"]
SECONDS = 600  # of a test program; the longest takes 20 on a quiet machine

# Programs that show a mutation: the checked tests, then the counters where those pass. gemm has a small program of its
# own, as all of its instances take minutes to compile.
CHECKED = {"gemm": "gemm_mutant"}
COUNTERS = {"gemm": None}


def fail(sentence, status=2):
    print(f"mutate.py: {sentence}", file=sys.stderr)
    sys.exit(status)


@dataclasses.dataclass
class Mutation:
    number: int
    family: str
    file: str
    what: str
    old: str = ""
    occurrence: int = 0  # 0: the only one
    new: str = ""
    expected: str = ""

    def applied(self, text):
        places = [m.start() for m in re.finditer(re.escape(self.old), text)]
        wanted = self.occurrence or 1
        if not self.old or len(places) < wanted or (self.occurrence == 0 and len(places) > 1):
            fail(f"mutation {self.number} ({self.what}): {self.file} holds '{self.old}' {len(places)} times", 1)
        at = places[wanted - 1]
        return text[:at] + self.new + text[at + len(self.old):]


def read_mutations(path):
    mutations = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        heading = re.fullmatch(r"\[(\w+)\] (\S+): (.+)", line)
        old = re.fullmatch(r"-(\d*) (.+)", line)
        if heading:
            mutations.append(Mutation(len(mutations) + 1, *heading.groups()))
        elif not line or line.startswith("#"):
            continue
        elif not mutations:
            fail(f"{path.name}:{number}: there is no mutation that this line could belong to")
        elif old:
            mutations[-1].occurrence, mutations[-1].old = int(old[1] or 0), old[2]
        elif line.startswith("+"):
            mutations[-1].new = line[2:]
        elif line.startswith("= "):
            mutations[-1].expected = line[2:]
        else:
            fail(f"{path.name}:{number}: '{line}' is none of [family], -, +, =, #")
    return mutations


def synchronise(tree):
    """Makes `tree` a copy of the sources; files that are equal keep their times, so that they are not built again."""
    wanted = set()
    for top in SOURCES:
        source = ROOT / top
        for path in [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file()):
            relative = path.relative_to(ROOT)
            if "__pycache__" in relative.parts:
                continue
            wanted.add(relative)
            target = tree / relative
            if not target.exists() or not filecmp.cmp(path, target, shallow=False):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    for path in [p for p in tree.rglob("*") if p.is_file()]:
        if path.relative_to(tree) not in wanted:
            path.unlink()


def digest_of_sources():
    digest = hashlib.sha256()
    for folder in ["kernels", "tests/kernels", "cmake"]:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in {".cu", ".cuh", ".h", ".cpp", ".cmake"}:
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Bench:
    def __init__(self, work, jobs):
        self.tree, self.build_folder, self.jobs = work / "tree", work / "build", jobs
        synchronise(self.tree)
        if not (self.build_folder / "build.ninja").exists():
            ccache = shutil.which("ccache")
            launcher = [f"-DCMAKE_CXX_COMPILER_LAUNCHER={ccache}"] if ccache else []
            self.command(["cmake", "-G", "Ninja", "-S", self.tree, "-B", self.build_folder,
                          "-DCMAKE_BUILD_TYPE=Release", *launcher])
        self.kinds = re.findall(r'^    \{"([a-z-]+)", "', (ROOT / "kernels/simt/report.cpp").read_text(), re.M)
        if len(self.kinds) < 20:
            fail("kernels/simt/report.cpp does not list the kinds of reports as it did", 1)

    def command(self, words):
        done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            fail(f"{words[0]} failed:\n{done.stdout[-3000:]}", 1)

    def build(self, target):
        """Nothing, or the first error."""
        done = subprocess.run(["ninja", "-C", self.build_folder, "-j", str(self.jobs), target], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode == 0:
            return None
        errors = [line for line in done.stdout.splitlines() if "error" in line]
        return errors[0] if errors else done.stdout[-500:]

    def run(self, target):
        """Exit status and output of a program; status None where it does not end."""
        program = next(p for p in self.build_folder.rglob(target) if p.is_file() and os.access(p, os.X_OK))
        try:
            done = subprocess.run([program], cwd=self.tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return None, ""
        return done.returncode, done.stdout.decode(errors="replace")

    def classify(self, family):
        """Who notices, in the words of mutations.txt."""
        checked, counters = CHECKED.get(family, f"test_{family}_check"), COUNTERS.get(family, f"test_{family}_counters")
        error = self.build(checked)
        if error:
            return f"does not compile: {error}"
        status, output = self.run(checked)
        if status is None:
            return "does not end"
        found = [kind for kind in self.kinds if re.search(rf"\b{kind}\b", output)]
        if found:
            return "reported " + ", ".join(found)
        if checked == "gemm_mutant" and status == 1 and re.search(r"wrong: 0 of", output):
            return "counters"
        if status != 0:
            return "numbers" if status == 1 else f"ends with status {status}"
        if counters:
            error = self.build(counters)
            if error:
                return f"does not compile: {error}"
            status, output = self.run(counters)
            if status != 0:
                return "counters"
        return "survives"

    def judge(self, mutation):
        path = self.tree / "kernels" / mutation.file
        whole = path.read_text()
        try:
            path.write_text(mutation.applied(whole))
            return self.classify(mutation.family)
        finally:
            path.write_text(whole)


def agrees(found, expected):
    """A report may have consequences: those expected must be among those found."""
    if expected.startswith("reported ") and found.startswith("reported "):
        return set(expected[9:].split(", ")) <= set(found[9:].split(", "))
    return found == expected


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chosen", nargs="*", metavar="FAMILY or NUMBER", help="only these mutations")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "mutants", help="folder to build in")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilations at a time")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    options = parser.parse_args()
    mutations = read_mutations(ROOT / "tests" / "kernels" / "mutations.txt")
    names = {m.family for m in mutations} | {str(m.number) for m in mutations}
    for one in options.chosen:
        if one not in names:
            fail(f"there is no mutation or family '{one}'; families: {', '.join(sorted({m.family for m in mutations}))}")
    if options.chosen:
        mutations = [m for m in mutations if m.family in options.chosen or str(m.number) in options.chosen]
    for m in mutations:
        m.applied((ROOT / "kernels" / m.file).read_text())  # complains now, not in half an hour
    if options.list:
        for m in mutations:
            print(f"{m.number:3} {m.family:<12} {m.what} ({m.file})")
        return 0

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    bench = Bench(options.work.resolve(), options.jobs)
    sources = digest_of_sources()
    log = options.work / "results.jsonl"
    known = {}
    if log.exists():
        for line in log.read_text().splitlines():
            try:
                entry = json.loads(line)
                known[entry["key"]] = entry["found"]
            except (ValueError, KeyError):
                continue  # the line that was being written when the run was interrupted

    def key_of(*parts):
        return hashlib.sha256("\0".join([sources, *map(str, parts)]).encode()).hexdigest()

    def found_for(key, make):
        if key not in known:
            known[key] = make()
            with log.open("a") as file:
                file.write(json.dumps({"key": key, "found": known[key]}) + "\n")
        return known[key]

    start, differing, counts = time.monotonic(), [], {}
    for family in dict.fromkeys(m.family for m in mutations):
        found = found_for(key_of(family), lambda: bench.classify(family))
        if found != "survives":
            fail(f"without a mutation, the tests of {family} must find nothing; they say: {found}", 1)
    for m in mutations:
        found = found_for(key_of(m.family, m.file, m.old, m.occurrence, m.new), lambda: bench.judge(m))
        counts[found.split()[0]] = counts.get(found.split()[0], 0) + 1
        good = agrees(found, m.expected)
        if not good:
            differing.append(m)
        print(f"{m.number:3} {m.family:<12} {m.what} ({m.file})\n    {found}"
              + ("" if good else f"   EXPECTED: {m.expected}"), flush=True)
    minutes = (time.monotonic() - start) / 60
    print(f"\n{len(mutations)} mutations in {minutes:.1f} min: " + ", ".join(f"{n} {what}" for what, n in counts.items()))
    if differing:
        print(f"not as mutations.txt expects: {', '.join(str(m.number) for m in differing)}")
    return 1 if differing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
