"""The step that compiles: for one GPU, in a folder, or not at all where that has been done."""

from __future__ import annotations

import json
import re
import shutil
import sys

from gpucheck.job import Failed, Job, Result
from gpucheck.process import last_line, processors

TOOLS = ("cmake", "ninja", "nvcc")
PROBLEM = re.compile(r"error|fatal|not found|no such file|killed", re.IGNORECASE)
SHOWN = 8  # lines of what a compiler said


def architecture(capability: list[int]) -> str:
    """For this GPU alone; the instructions of Hopper and later are in targets of their own."""
    major, minor = capability
    return f"{major}{minor}{'a' if major >= 9 else ''}-real"


def problem(said: str) -> str:
    """The first lines that tell of an error, or the last one."""
    lines = [line.strip()[:300] for line in said.splitlines() if PROBLEM.search(line)]
    return "\n".join(lines[:SHOWN]) or last_line(said)


def imports(job: Job) -> str | None:
    """Why Python cannot import the modules in the package; None where it can."""
    program = "import pynet._core, pynet._cuda"
    code, said = job.run("import", [sys.executable, "-c", program])
    return None if code == 0 else last_line(said)


def build(job: Job) -> Result:
    """Compile the core and the CUDA module from the checkout, for this GPU, in a folder."""
    target = architecture(job.gpu["compute_capability"])
    wanted = job.wanted(target)
    if job.built() == wanted:
        job.assemble()
        why = imports(job)
        if why is None:
            return {"passed": True, "target": target, "compiled": "before"}
        print(f"  what was built before cannot be imported, so it is built anew: {why}", flush=True)
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise Failed(f"{tool} is not on PATH")
    code, said = job.run("pybind11", [sys.executable, "-m", "pybind11", "--cmakedir"])
    if code != 0:
        raise Failed(f"pybind11: {last_line(said)}")
    shutil.rmtree(job.modules, ignore_errors=True)
    compile_modules(job, target, last_line(said))
    job.assemble()
    if (why := imports(job)) is not None:
        raise Failed(f"import: {why}")
    (job.modules / "built.json").write_text(json.dumps(wanted))
    return {"passed": True, "target": target, "compiled": "now"}


def compile_modules(job: Job, target: str, pybind11: str) -> None:
    folder = job.folder / "build"
    options = {
        "PYNET_CUDA": "ON",
        "PYNET_CUDA_ARCHITECTURES": target,
        "PYNET_ISAS": "baseline",  # the processor is only what is compared with
        "Python_EXECUTABLE": sys.executable,
        "pybind11_DIR": pybind11,
    }
    configure = ["cmake", "-S", job.root, "-B", folder, "-G", "Ninja"]
    configure += [f"-D{name}={value}" for name, value in options.items()]
    for name, command in (
        ("configure", configure),
        ("compile", ["cmake", "--build", folder, "--parallel", str(processors())]),
    ):
        code, said = job.run(name, command)
        if code != 0:
            raise Failed(f"{name}: {problem(said)}")
    job.modules.mkdir(parents=True)
    for module in ("_core", "_cuda"):
        for path in folder.glob(f"{module}*.so"):
            shutil.copy2(path, job.modules)
