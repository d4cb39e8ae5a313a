"""pynet's commands for a checkout. Needs Python 3.10+, a C++ compiler, and nothing else.

    python3 dev.py demo [ARGS]    train a convolutional network on real handwritten digits
    python3 dev.py test [ARGS]    run the tests (ARGS go to pytest)
    python3 dev.py lint           check style and types of the Python and C++ sources

Each makes the virtual environment .venv beside this file, installs pynet there (editable: a changed
Python file needs no new install) and runs. What has not changed is not installed again.
"""

# Standard library only, and in the Python of 2016: an interpreter that is too old for pynet must
# get as far as the message that says so.
import glob
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from typing import Any, Dict, List, Optional, Sequence

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
STATE = os.path.join(VENV, "pynet-dev.json")
LOG = os.path.join(VENV, "pynet-dev.log")
PYTHON = os.path.join(VENV, *(["Scripts", "python.exe"] if os.name == "nt" else ["bin", "python"]))

EXTRAS = {"demo": ["plot"], "test": ["test"], "lint": ["dev"]}
OLDEST = (3, 10)
OLDEST_CMAKE = (3, 24)
OFFLINE = re.compile(
    r"NewConnectionError|Failed to establish|name resolution|Name or service not known|getaddrinfo"
    r"|Connection refused|ConnectTimeout|ReadTimeout|Max retries exceeded|ProxyError|SSLError"
    r"|Network is unreachable|Connection broken|Connection aborted|from versions: none"
)
# What cmake/cuda.cmake says of a build that takes minutes more: not for the log alone.
GPU_TOO = re.compile(r"-- pynet: (the module for GPUs is built too.*)")


class Stop(Exception):
    """A reason to stop, told in one line that says what to do."""


def say(line: str) -> None:
    """Progress goes to stderr: stdout belongs to the demo and the tests."""
    print("pynet: " + line, file=sys.stderr, flush=True)


# ---- what the machine must have ------------------------------------------------------------------


def check_python(version: Sequence[int]) -> None:
    """Raise Stop if this interpreter is too old, naming a newer one if there is one on PATH."""
    if tuple(version[:2]) >= OLDEST:
        return
    names = [f"python3.{minor}" for minor in range(20, OLDEST[1] - 1, -1)]
    newer = next((name for name in names if shutil.which(name)), None)
    todo = "run it with " + newer if newer else "install a newer Python and run it with that"
    oldest, found = (".".join(map(str, numbers[:3])) for numbers in (OLDEST, version))
    raise Stop(f"needs Python {oldest} or newer, this is {found}: {todo}")


def check_venv() -> None:
    """Raise Stop if this Python cannot make virtual environments (Debian splits that part off)."""
    if all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        return
    raise Stop(
        "this Python cannot make a virtual environment: install its venv module"
        " (Debian, Ubuntu: sudo apt install python3-venv) and run again"
    )


def check_headers() -> None:
    """Raise Stop if Python's C headers are missing (Debian and Fedora split them off)."""
    if os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        return
    raise Stop(
        "Python's C headers are missing: install them (Debian, Ubuntu: sudo apt install"
        " python3-dev; Fedora: sudo dnf install python3-devel) and run again"
    )


def check_compiler() -> None:
    """Raise Stop if there is no C++ compiler: known here at once, after a minute from CMake."""
    chosen = os.environ.get("CXX")
    names = [shlex.split(chosen)[0]] if chosen else ["c++", "g++", "clang++", "cl"]
    if any(shutil.which(name) for name in names):
        return
    installer = os.environ.get("ProgramFiles(x86)", "") + r"\Microsoft Visual Studio\Installer"
    if os.name == "nt" and not chosen and os.path.exists(installer + r"\vswhere.exe"):
        return  # CMake finds Visual Studio without PATH
    raise Stop(
        f"no C++ compiler (looked for {', '.join(names)}): install one (Debian, Ubuntu: sudo apt"
        " install g++; Fedora: sudo dnf install gcc-c++; macOS: xcode-select --install; Windows:"
        " Visual Studio Build Tools) or name it in CXX, then run again"
    )


# ---- the environment -----------------------------------------------------------------------------


def read_state() -> Optional[Dict[str, Any]]:
    """Return what is known about .venv: {} if there is none, None if somebody else made it."""
    try:
        with open(STATE, encoding="utf-8") as file:
            state = json.load(file)
        return state if isinstance(state, dict) else {}
    except ValueError:
        return {}
    except OSError:
        return None if os.path.exists(VENV) and os.listdir(VENV) else {}


def write_state(state: Dict[str, Any]) -> None:
    """Write the state in one piece, so that an interruption leaves the old one."""
    os.makedirs(VENV, exist_ok=True)
    with open(STATE + ".new", "w", encoding="utf-8") as file:
        json.dump(state, file, indent=2)
    os.replace(STATE + ".new", STATE)


def find_files(folder: str) -> List[str]:
    """Return the files below a folder of the checkout, sorted, as paths from ROOT."""
    pattern = os.path.join(glob.escape(ROOT), folder, "**")
    names = (name for name in glob.iglob(pattern, recursive=True) if os.path.isfile(name))
    return sorted(os.path.relpath(name, ROOT) for name in names)


def fingerprint() -> str:
    """Return a hash of everything that an install depends on.

    That is what is compiled, and the names of the Python files but not their contents: an editable
    install knows them by name and reads them where they are.
    """
    compiled = ["pyproject.toml", "CMakeLists.txt", "dev.py"]
    compiled += find_files("cmake") + find_files("csrc")
    digest = hashlib.sha256()
    for name in compiled:
        with open(os.path.join(ROOT, name), "rb") as file:
            data = file.read()
        digest.update(f"{name} {len(data)}\n".encode())
        digest.update(data)
    for name in find_files("pynet"):
        if name.endswith(".py"):
            digest.update(f"{name}\n".encode())
    return digest.hexdigest()


def build_requirements() -> List[str]:
    """Return what pip must install before the build: CMake and ninja only where none is usable."""
    with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as file:
        found = re.search(r"^requires = \[(.*?)\]", file.read(), re.M | re.S)  # no tomllib in 3.10
    names = re.findall(r'"(.*?)"', found.group(1)) if found else []
    version = (0, 0)
    if shutil.which("cmake"):
        text = subprocess.run(["cmake", "--version"], stdout=subprocess.PIPE).stdout.decode()
        number = re.search(r"(\d+)\.(\d+)", text)
        version = (int(number.group(1)), int(number.group(2))) if number else version
    if version < OLDEST_CMAKE:
        names.append("cmake>=" + ".".join(map(str, OLDEST_CMAKE)))
    if not shutil.which("ninja"):
        names.append("ninja")
    return names


def run_logged(what: str, command: List[str]) -> None:
    """Run a command with its output in the log; show the time, and ninja's counter if there is one.

    Raises:
        Stop: the command failed. Without a network in one line, else after the end of the log.
    """
    begin = time.time()
    live = sys.stderr.isatty()
    told = None  # the line of GPU_TOO, once it has been shown
    if not live:
        say(what + " ...")
    with open(LOG, "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
        try:
            while process.poll() is None:
                text = read_log()
                if told is None:
                    told = GPU_TOO.search(text)
                    if told:
                        print("\r" if live else "", end="", file=sys.stderr)
                        say(told.group(1))
                if live:
                    count = re.findall(r"\[(\d+/\d+)\]", text[-4000:])
                    progress = f"file {count[-1]}, " if count else ""
                    line = f"pynet: {what} ... {progress}{time.time() - begin:.0f} s"
                    print("\r" + line.ljust(78), end="", file=sys.stderr, flush=True)
                time.sleep(0.2)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    print("\r" if live else "", end="", file=sys.stderr)
    if process.returncode == 0:
        say(f"{what}: done in {time.time() - begin:.0f} s".ljust(71 if live else 0))
        return
    text = read_log()
    if OFFLINE.search(text):
        raise Stop(
            "pip cannot reach the package index: connect to the network, or name a mirror in pip's"
            " own settings (PIP_INDEX_URL, PIP_PROXY, pip.conf), then run again"
        )
    print("\n".join(text.splitlines()[-40:]), file=sys.stderr)
    raise Stop(f"{what} failed; the whole log is in {LOG}")


def read_log() -> str:
    """Return the log of the running or the last command."""
    with open(LOG, encoding="utf-8", errors="replace") as file:
        return file.read()


def prepare(extras: List[str]) -> None:
    """Bring .venv up to date: made by this Python, with this checkout and these extras in it."""
    state = read_state()
    if state is None:
        raise Stop(f"{VENV} was not made by dev.py: move or delete it, then run again")
    base = {"checkout": ROOT, "python": f"{sys.base_prefix} {sys.version_info[:2]}"}
    chosen = ("CXX", "CXXFLAGS", "CMAKE_ARGS", "CUDACXX", "PYNET_CUDA")
    tools = {name: os.environ.get(name, "") for name in chosen}
    same = all(state.get(key) == base[key] for key in base) and os.path.exists(PYTHON)
    extras = sorted(set(extras).union(state.get("extras", []) if same else []))
    ready = dict(base, tools=tools, extras=extras, files=fingerprint())
    if same and state == ready:
        return
    check_venv()
    check_headers()
    check_compiler()
    # Until "files" is written the environment counts as unfinished, and the next run goes on here.
    if not same:
        shutil.rmtree(VENV, ignore_errors=True)
        write_state({})
        run_logged("making .venv", [sys.executable, "-m", "venv", VENV])
    write_state(dict(base, tools=tools, extras=state.get("extras", []) if same else []))
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install"]
    run_logged("fetching the build tools", pip + build_requirements())
    target = ROOT + "[" + ",".join(extras) + "]"
    options = ["-v", "--no-build-isolation"]
    if same and state.get("tools") != tools:
        options.append("--config-settings=cmake.fresh=true")  # CMake would keep the old compiler
    run_logged("compiling the kernels, installing pynet", pip + options + ["--editable", target])
    write_state(ready)


# ---- the verbs -----------------------------------------------------------------------------------


def run(command: List[str], cwd: Optional[str] = None) -> int:
    """Run a command in the foreground, leave Ctrl-C to it, and return its exit status."""
    process = subprocess.Popen(command, cwd=cwd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return process.wait()


def lint() -> int:
    """Run every check of style and types, and return 0 if all of them pass."""
    folders = ("csrc", "tests/cpp", "tests/cuda_host", "bench/cpp", "bench/cuda", "examples")
    sources = [name for folder in folders for name in find_files(folder)]
    sources = [name for name in sources if name.endswith((".h", ".cpp", ".cu"))]
    commands = [
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy"],
        ["clang-format", "--dry-run", "-Werror"] + sources,
    ]
    status = 0
    for command in commands:
        say("lint: " + " ".join(command[:3]))
        tool = os.path.join(os.path.dirname(PYTHON), command[0])
        status = run([tool] + command[1:], cwd=ROOT) or status
    return status


def main(arguments: List[str]) -> int:
    """Run one verb and return the exit status."""
    if not arguments or arguments[0] not in EXTRAS:
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    verb, rest = arguments[0], arguments[1:]
    try:
        check_python(sys.version_info[:3])
        prepare(EXTRAS[verb])
    except Stop as stop:
        say(str(stop))
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
        return 130
    if verb == "demo":
        return run([PYTHON, "-m", "pynet", "demo"] + rest)
    if verb == "test":
        # All tests are shared among the processors; a choice of some is not worth the start.
        spread = [] if rest else ["-n", "auto", "--dist", "worksteal"]
        return run([PYTHON, "-m", "pytest", "-q"] + spread + rest, cwd=ROOT)
    return lint()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
