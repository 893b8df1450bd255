"""Finding the public data files: in the folder GEOLIB_DATA, else downloaded once and pinned by hash, else absent."""

from __future__ import annotations

import functools
import hashlib
import os
import warnings
from pathlib import Path

from geolib import _checks

FILES: dict[str, tuple[str, str | None]] = {
    "laloy2019_training_image.png": (
        "a138be025008c65e4bbf236ca4c520c0823e37cd67bbcbb367d4e8c8b1dccf47",
        "https://raw.githubusercontent.com/elaloy/gan_for_gradient_based_inv/master/training/ti/ti.png",
    ),
    # The released data is a pickle upstream, which is never loaded: only the converted file of GEOLIB_DATA is used.
    "laloy2019_model1_noise2.npz": ("b19633a4da58a78ebafca930c39578f569b5a0edc34c06f31edc1fe9ef552d69", None),
    "marmousi_vp_1601x401.f32": (
        "0f72aca4ffc47707d9e3e2970ccd3f604bc4e2e70a5497273a4d3786748f4c83",
        "https://raw.githubusercontent.com/devitocodes/data/master/Simple2D/vp_marmousi_bi",
    ),
}


def locate(name: str) -> Path | None:
    """Return the path of a data file, or None where it is neither at hand nor can be downloaded.

    Parameters
    ----------
    name : str
        One of `FILES`.

    Raises
    ------
    ValueError
        If the name is unknown, if `GEOLIB_DATA` is no folder or lacks the file, or if the file's hash differs: a folder
        that was named on purpose is never silently passed over.

    Notes
    -----
    Reads the file once to hash it (under 0.1 s); a download is tried once per process and gives up after 20 s.
    """
    _checks.choice("data file", name, FILES)
    expected, url = FILES[name]
    return _locate(name, os.environ.get("GEOLIB_DATA", ""), url, expected)


@functools.cache
def _locate(name: str, folder: str, url: str | None, expected: str) -> Path | None:
    if folder:
        path = Path(os.path.expanduser(folder)) / name  # Path's own fails on ~user where there is no such user
        if not path.parent.is_dir():
            raise ValueError(f"GEOLIB_DATA must be an existing folder; got {folder!r}. Correct or unset it.")
        if not path.is_file():
            raise ValueError(f"GEOLIB_DATA must hold {name}; {folder!r} does not. Add the file or unset GEOLIB_DATA.")
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise ValueError(f"{path} must have the sha256 {expected[:12]}…; it differs. Replace the damaged file.")
        return path
    return _download(name, url, expected) if url else None


def _download(name: str, url: str, expected: str) -> Path | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pooch's progress bar misses widgets that it would not show here
        try:
            import pooch
        except ModuleNotFoundError:  # a bare machine
            return None

    pooch.get_logger().setLevel("WARNING")  # its progress lines would land in the notebooks
    try:
        path = pooch.retrieve(
            url,
            known_hash=f"sha256:{expected}",
            fname=name,
            path=pooch.os_cache("geolib"),
            downloader=pooch.HTTPDownloader(timeout=20),
        )
    except OSError:  # no network: requests' errors are all OSErrors; callers say on the page what they use instead
        return None
    except ValueError:
        raise ValueError(f"download of {name} must match its pinned hash; it does not. Do not use {url}.") from None
    return Path(path)
