"""A copy of the tree in which one of many mutations is chosen when a test runs, by CAMBIUM_MUTANT, so that all of them
cost one build. A mutant is killed if the test fails; the test must pass while none is chosen."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def copy_tree(into):
    ignored = shutil.ignore_patterns(".git", "build*", "__pycache__")
    shutil.copytree(ROOT, into, ignore=ignored, dirs_exist_ok=True)
    return pathlib.Path(into)


def build(tree, target):
    folder = tree / "build"
    for command in (["cmake", "-S", tree, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"],
                    ["cmake", "--build", folder, "--target", target]):
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"the mutated tree does not build:\n{run.stdout}{run.stderr}")
    return next(path for path in folder.rglob(target) if path.is_file() and os.access(path, os.X_OK))


def passes(program, mutant):
    environment = {**os.environ, "CAMBIUM_MUTANT": mutant, "OMP_NUM_THREADS": "1"}  # the operands are tiny
    run = subprocess.run([program, "--abort-after=1"], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
    return run.returncode == 0


def hunt(mutate, target):
    """mutate(tree) changes the copy and returns {mutant: what it does}. Exits 1 if one survives."""
    with tempfile.TemporaryDirectory(prefix="cambium-mutants-") as folder:
        tree = copy_tree(folder)
        mutants = mutate(tree)
        program = build(tree, target)
        if not passes(program, ""):
            sys.exit(f"{target} fails without a mutation: nothing can be learned")
        survivors = []
        for mutant, meaning in mutants.items():
            alive = passes(program, mutant)
            print(f"{'SURVIVES' if alive else 'killed':8} {meaning}", flush=True)
            if alive:
                survivors.append(mutant)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} mutants killed by {target}")
    sys.exit(1 if survivors or not mutants else 0)
