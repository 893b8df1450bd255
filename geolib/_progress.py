"""One look for the progress of long loops."""

from __future__ import annotations

import multiprocessing

from tqdm import tqdm


def steps(first: int, last: int, label: str) -> tqdm:
    """Return `range(first, last)` behind a bar with the time left, which vanishes when the loop is done.

    It is silent where there is no terminal, and in worker processes, whose bars would write over one another. The
    caller adds the figure that matters by `set_postfix_str`.
    """
    silent = True if multiprocessing.parent_process() else None  # None leaves it to tqdm, which looks for a terminal
    return tqdm(range(first, last), desc=label, leave=False, disable=silent, mininterval=0.5)
