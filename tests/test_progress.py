import subprocess
import sys

import pytest

SCRIPT = """
import io, multiprocessing, sys, time, torch
from geolib.inversion import latent

class Terminal(io.StringIO):
    def isatty(self):
        return {tty}

def slow(latents):
    time.sleep(0.03)
    return latents

def work():
    sys.stderr = Terminal()
    start = torch.tensor([[0.5], [0.2]])
    latent.adam(slow, torch.zeros(2, 1), start, torch.zeros(2, 30, 1), enough=torch.tensor([0.45, 0.0]))
    return sys.stderr.getvalue()

def worker(pipe):
    pipe.send(work())

if __name__ == "__main__":
    here, there = multiprocessing.Pipe()
    if {apart}:
        process = multiprocessing.Process(target=worker, args=(there,))
        process.start()
        print(here.recv() if here.poll(60) else "nothing came")
    else:
        print(work())
"""


@pytest.fixture
def shown(tmp_path):
    def run(*, tty: bool, apart: bool = False) -> str:
        script = tmp_path / "script.py"  # a file, which a spawned process can import
        script.write_text(SCRIPT.format(tty=tty, apart=apart))
        command = [sys.executable, str(script)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        return done.stdout.strip("\n")

    return run


def test_a_terminal_sees_how_far_a_search_is_and_how_well_it_fits(shown):
    text = shown(tty=True)
    assert "strategy 1: " in text and "median of the best misfits 0." in text and ", 1 at rest" in text
    assert text.splitlines()[-1].strip() == ""  # it is wiped out at the end


def test_elsewhere_nothing_is_written(shown):
    assert shown(tty=False) == ""
    assert shown(tty=True, apart=True) == ""
