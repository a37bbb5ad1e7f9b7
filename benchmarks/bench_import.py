"""What importing the client adds to importing aiohttp: processor time of fresh processes, in turns, less that of an empty one.

Goals: 1.25x of `import aiohttp`, and `caxton --version` without aiohttp.
"""

import resource
import statistics
import subprocess
import sys

ROUNDS = 31
PROGRAMS = {
    "nothing": "pass",
    "import aiohttp": "import aiohttp",
    "import aiohttp, again": "import aiohttp",
    "from caxton_async import CaxtonClient": "from caxton_async import CaxtonClient",
    "import caxton_async": "import caxton_async",
}
VERSION = "import sys; from caxton_async.cli import main\ntry: main(['--version'])\nexcept SystemExit: pass\nsys.exit('aiohttp' in sys.modules)"


def seconds(program: str) -> float:
    """Return the processor time of a fresh interpreter that runs `program`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(ROUNDS):
        for name, program in PROGRAMS.items():
            taken[name].append(seconds(program))
    start = statistics.median(taken.pop("nothing"))
    bare = statistics.median(taken["import aiohttp"]) - start
    for name, times in taken.items():
        own = statistics.median(times) - start
        print(f"{name:38} {own / bare:5.2f}x  {own * 1000:4.0f} ms")
    loads = subprocess.run([sys.executable, "-c", VERSION], stdout=subprocess.DEVNULL, check=False).returncode
    print(f"{'caxton --version':38} {'loads aiohttp' if loads else 'without aiohttp'}")


if __name__ == "__main__":
    main()
