"""Descents, searches and chains that remember their evaluations, so that another call computes none of them again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import numpy as np

from geolib.runs.store import Store

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


class _Memory:
    """Evaluations by their number: what was evaluated before, and in the same place, is read from the store."""

    def __init__(self, store: Store | None) -> None:
        self.store = store
        self.seconds: list[float] = []

    def recall(self, model: np.ndarray, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Return the arrays of the next evaluation, from the store if it was made before."""
        digest = hashlib.sha256(np.ascontiguousarray(model).tobytes()).hexdigest()
        name = f"evaluation-{len(self.seconds):05d}"
        found = self.store.get(name) if self.store is not None else None
        if found is None or found[1]["model"] != digest:
            begin = time.perf_counter()
            arrays = compute()
            found = arrays, {"model": digest, "seconds": time.perf_counter() - begin}
            if self.store is not None:
                self.store.put(name, *found)
        self.seconds.append(float(found[1]["seconds"]))
        return found[0]


class Journal(_Memory):
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
        super().__init__(store)
        self.objective = objective

    def __call__(self, model: np.ndarray) -> tuple[float, np.ndarray]:
        """Return misfit and gradient, from the store if this evaluation was made before."""

        def compute() -> dict[str, np.ndarray]:
            misfit, gradient = self.objective(model)
            return {"misfit": np.array(float(misfit)), "gradient": np.asarray(gradient, model.dtype)}

        arrays = self.recall(model, compute)
        return float(arrays["misfit"]), np.array(arrays["gradient"])


class Remembered(_Memory):
    """A simulation that remembers: a killed search or sampler (`search`, `posterior`) goes on where it was.

    Parameters
    ----------
    simulate : callable
        Takes models `(n, d)`, returns predictions `(n, n_data)`.
    store : Store
        A unit for each call; what is damaged or of another search is computed again.
    """

    def __init__(self, simulate: Callable[[np.ndarray], np.ndarray], store: Store) -> None:
        super().__init__(store)
        self.simulate = simulate

    def __call__(self, models: np.ndarray) -> np.ndarray:
        """Return predictions, from the store if this call was made before."""
        return np.array(self.recall(models, lambda: {"made": np.asarray(self.simulate(models))})["made"])


class Chained:
    """A log likelihood that remembers its values: chains that were killed go on where they were.

    The states follow from the values and the sampler's random numbers, so that nothing else is kept.

    Parameters
    ----------
    log_likelihood : callable
        Takes states `(n, d)`, returns `(n,)`.
    store : Store
        Holds the values, all in one unit.
    every : int
        Calls after which they are saved; so many are computed again at most.

    Raises
    ------
    ValueError
        If the values are those of other chains.
    """

    NAME = "likelihoods"

    def __init__(self, log_likelihood: Callable[[np.ndarray], np.ndarray], store: Store, every: int = 500) -> None:
        self.log_likelihood, self.store, self.every = log_likelihood, store, every
        found = store.get(self.NAME)
        self.known: np.ndarray = found[0]["values"] if found else np.empty(0)
        self.digest: str = found[1]["states"] if found else ""
        self.values: list[np.ndarray] = []
        self.count = 0
        self.states = hashlib.sha256()

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """Return the values of the next states, as far as they are known without computing."""
        self.states.update(np.ascontiguousarray(states).tobytes())
        known = self.known[self.count : self.count + len(states)]
        self.count += len(states)
        values = known if len(known) == len(states) else np.asarray(self.log_likelihood(states), float)
        self.values.append(values)
        if self.digest and self.count >= len(self.known):
            if self.states.hexdigest() != self.digest:
                path = self.store.path(self.NAME)
                raise ValueError(f"{path} must hold values of these chains; it holds those of others. Delete it.")
            self.digest = ""
        if self.count > len(self.known) and len(self.values) % self.every == 0:
            kept = {"values": np.concatenate(self.values)}
            self.store.put(self.NAME, kept, {"states": self.states.hexdigest()})
        return values
