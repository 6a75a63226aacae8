"""What make_store's store `many` is of, said once more: which places there are, and what each feature does at them."""

from typing import NamedTuple

STEPS = 300
ROWS = 8
MANY_TOKENS = STEPS * ROWS


class Place(NamedTuple):
    step: int
    row: int


def many_random(place: Place) -> int:
    x = (place.step * ROWS + place.row + 1) * 2654435761 % 2**32
    x = (x ^ x >> 15) * 2246822519 % 2**32
    return (x ^ x >> 13) >> 8


PLACES = [Place(step, row) for step in range(STEPS) for row in range(ROWS)]


def token_at(place: Place) -> int:
    return 1 + many_random(place) % 12


def tokens_of_text() -> list[int]:
    return [token_at(place) for place in PLACES]


def activation_at(feature: int, place: Place) -> float:
    strength = 1 + many_random(place) % 1000 / 100
    if feature == 5 or (feature < 5 and token_at(place) == feature + 1):
        return strength
    if feature == 1 and token_at(place) == 1 and place.row % 2 == 0:
        return strength / 2
    return 0.0


def active_places(feature: int) -> dict[Place, float]:
    found = {place: activation_at(feature, place) for place in PLACES}
    return {place: activation for place, activation in found.items() if activation != 0}
