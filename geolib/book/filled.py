"""Numbers of ours within the sentences of the ledger: placeholders that shipped measures fill."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from geolib.runs.measure import Measure

if TYPE_CHECKING:
    from geolib.book.claims import Claim

#: Texts of an entry whose braces are placeholders; those of errata may hold LaTeX.
TEXTS = ("note", "tried", "unvaried", "changed_after_results")
#: A measure of the entry's paper, a part of it (its value if none is named), a format: {m:.2f},
#: {m[k]}. Names may hold points, which those of Python's own templates may not.
_PLACE = re.compile(r"\{(?P<name>[^{}\[\]:]+)(?:\[(?P<part>\w+)\])?(?::(?P<form>[^{}]*))?\}")
_PARTS = ("value", "low", "high", "n", "k")
#: What stands for a number that is not computed yet.
WAITING = "—"


class Place(NamedTuple):
    """A placeholder: as it is written, the measure and the part of it that it names, its format."""

    text: str
    name: str
    part: str
    form: str

    def shown(self, measure: Measure | None) -> str:
        """Return the number as the sentence has it; of a share without trials k and n wait."""
        value = getattr(measure, self.part, None)
        # The book has a space before the sign of a percentage.
        return WAITING if value is None else format(value, self.form).replace("%", " %")


def places(text: str, where: str = "a sentence") -> list[Place]:
    """Return the placeholders of a sentence.

    Raises
    ------
    ValueError
        If a brace belongs to none, or one has a part or a format that no number has.
    """
    if re.search(r"[{}]", _PLACE.sub("", text)):
        raise ValueError(
            f"braces of {where} must hold a measure, as in {{m:.2f}} or {{m[k]}}; got {text!r}. "
            "Correct them."
        )
    found = [
        Place(each[0], each["name"], each["part"] or "value", each["form"] or "")
        for each in _PLACE.finditer(text)
    ]
    for place in found:
        if place.part not in _PARTS:
            raise ValueError(
                f"{place.text} of {where} must ask for one of {', '.join(_PARTS)}. Correct it."
            )
        try:
            format(1 if place.part in ("n", "k") else 0.5, place.form)
        except ValueError:
            raise ValueError(
                f"{place.text} of {where} must have a format that numbers know. Correct it."
            ) from None
    return found


def fill(text: str, measures: Mapping[str, Measure]) -> str:
    """Return a sentence with its numbers; for one without a result stands `WAITING`."""
    for place in places(text):
        text = text.replace(place.text, place.shown(measures.get(place.name)))
    return text


def check(claims: Sequence[Claim], measures: Mapping[str, Measure]) -> None:
    """Refuse a placeholder without a result in a claim that has its own.

    Where the claim waits for results, so may its sentences.
    """
    for claim in claims:
        if not set(claim.measure) <= set(measures):
            continue
        for place in (place for name in TEXTS for place in places(getattr(claim, name))):
            if place.shown(measures.get(place.name)) == WAITING:
                raise ValueError(
                    f"placeholder {place.text} of claim {claim.id} must name a measure of "
                    f"{claim.paper} that has a result; it has none. Correct the name, or ship it."
                )
