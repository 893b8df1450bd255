"""A descent that remembers its evaluations, so that another call does not compute them again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import numpy as np

from geolib.runs.store import Store

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


class Journal:
    """An objective that remembers: a descent started again in the same place is not computed again as far as it came.

    No optimiser's state needs saving for that: a deterministic method asks for the same models in the same order.

    Parameters
    ----------
    objective : callable
        What to evaluate.
    store : Store, optional
        A unit for each evaluation; what is damaged or of another descent is computed again.
        Without it only times are kept.

    Attributes
    ----------
    seconds : list of float
        Duration of each evaluation, also of those remembered.
    """

    def __init__(self, objective: Objective, store: Store | None = None) -> None:
        self.objective, self.store = objective, store
        self.seconds: list[float] = []

    def __call__(self, model: np.ndarray) -> tuple[float, np.ndarray]:
        """Return misfit and gradient, from the store if this evaluation was made before."""
        digest = hashlib.sha256(np.ascontiguousarray(model).tobytes()).hexdigest()
        name = f"evaluation-{len(self.seconds):05d}"
        found = self.store.get(name) if self.store is not None else None
        if found is None or found[1]["model"] != digest:
            begin = time.perf_counter()
            misfit, gradient = self.objective(model)
            arrays = {"misfit": np.array(float(misfit)), "gradient": np.asarray(gradient, model.dtype)}
            found = arrays, {"model": digest, "seconds": time.perf_counter() - begin}
            if self.store is not None:
                self.store.put(name, *found)
        arrays, record = found
        self.seconds.append(float(record["seconds"]))
        return float(arrays["misfit"]), np.array(arrays["gradient"])
