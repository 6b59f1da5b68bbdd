"""Grammars for numbers within bounds, digit by digit."""

import math
from decimal import Decimal, InvalidOperation
from typing import Any

from desktop.runtime.sampling.grammar.elements import refused
from desktop.runtime.sampling.schema.rules import either

_USUAL_DIGITS = 15  # of a number without a bound: what a double holds exactly
_MAX_DIGITS = 40
_FRACTION = '"." [0-9]{1,15}'


def bounds(schema: dict[str, Any]) -> tuple[Decimal | None, Decimal | None, bool, bool]:
    """Return the smallest and the largest value, and whether each itself is left out."""
    low, no_low = _bound(schema, "minimum", "exclusiveMinimum", max)
    high, no_high = _bound(schema, "maximum", "exclusiveMaximum", min)
    return low, high, no_low, no_high


def _bound(schema: dict[str, Any], name: str, exclusive: str, stricter: Any) -> tuple[Decimal | None, bool]:
    bound, excluding = _decimal(schema, name), schema.get(exclusive)
    if isinstance(excluding, bool):  # draft 4: a flag beside the bound
        return bound, excluding and bound is not None
    other = _decimal(schema, exclusive)
    if other is None or bound is None:
        return (bound, False) if other is None else (other, True)
    return (other, True) if stricter(bound, other) == other else (bound, False)


def _decimal(schema: dict[str, Any], name: str) -> Decimal | None:
    value = schema.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(f"'{name}' of the JSON schema is not a number")
    try:
        number = Decimal(str(value))
    except (InvalidOperation, ValueError) as error:
        raise refused(f"'{name}' of the JSON schema is not a number") from error
    if not number.is_finite() or number.adjusted() > _MAX_DIGITS or int(number.as_tuple().exponent) < -_MAX_DIGITS:
        raise refused(f"'{name}' of the JSON schema is out of range")
    return number


def integer_rule(schema: dict[str, Any]) -> str:
    """Return the rule of the integers within a schema's bounds."""
    low, high, no_low, no_high = bounds(schema)
    smallest = None if low is None else math.floor(low) + 1 if no_low else math.ceil(low)
    largest = None if high is None else math.ceil(high) - 1 if no_high else math.floor(high)
    return _between(*_open_ends(smallest, largest), decimals=0)


def number_rule(schema: dict[str, Any]) -> str:
    """Return a rule of numbers within a schema's bounds: all with few decimals where a bound has decimals itself."""
    low, high, no_low, no_high = bounds(schema)
    decimals = max((-int(bound.as_tuple().exponent) for bound in (low, high) if bound is not None), default=0)
    if decimals > 0:
        decimals = min(max(decimals, 2), _USUAL_DIGITS)
        scale = 10**decimals
        smallest = None if low is None else math.floor(low * scale) + 1 if no_low else math.ceil(low * scale)
        largest = None if high is None else math.ceil(high * scale) - 1 if no_high else math.floor(high * scale)
        return _between(*_open_ends(smallest, largest), decimals=decimals)
    first, last = _open_ends(None if low is None else math.ceil(low), None if high is None else math.floor(high))
    ways = []
    if first + no_low <= last - no_high:
        ways.append(_between(first + no_low, last - no_high, decimals=0))
    # A fraction leads away from zero: up to the next integer, which must be within the bounds as well. One that is
    # all zeros would be the bound itself.
    if last - 1 >= max(first, 0):
        fraction = _positive_fraction() if no_low and first >= 0 else _FRACTION
        ways.append(f"{_natural(max(first, 0), last - 1, 0)} {fraction}")
    if -first - 1 >= max(-last, 0):
        fraction = _positive_fraction() if no_high and last <= 0 else _FRACTION
        ways.append(f'"-" {_natural(max(-last, 0), -first - 1, 0)} {fraction}')
    if not ways:
        raise refused("no number is within the bounds of the JSON schema")
    return either(ways)


def _positive_fraction() -> str:
    return '"." [0-9]{0,14} [1-9]'


def _open_ends(smallest: int | None, largest: int | None) -> tuple[int, int]:
    """Bounds on both sides: a missing one is as far as a number without bounds could be, or ten times the other."""
    known = max(abs(smallest or 0), abs(largest or 0))
    far = max(10**_USUAL_DIGITS, 10 * known) - 1
    return (-far if smallest is None else smallest), (far if largest is None else largest)


def _between(smallest: int, largest: int, *, decimals: int) -> str:
    """The rule of all integers from smallest to largest, written with a point before the last `decimals` digits."""
    if smallest > largest:
        raise refused("no number is within the bounds of the JSON schema")
    ways = []
    if largest >= 0:
        ways.append(_natural(max(smallest, 0), largest, decimals))
    if smallest < 0:
        ways.append(f'"-" {_natural(max(-largest, 1), -smallest, decimals)}')
    return either(ways)


def _natural(smallest: int, largest: int, decimals: int) -> str:
    ways, shortest = [], decimals + 1
    for digits in range(max(len(str(smallest)), shortest), max(len(str(largest)), shortest) + 1):
        low = smallest if digits == shortest else max(smallest, 10 ** (digits - 1))
        high = min(largest, 10**digits - 1)
        ways.append(_digits(str(low).zfill(digits), str(high).zfill(digits), digits - decimals))
    return either(ways)


def _digits(low: str, high: str, point: int) -> str:
    """Numbers of the same length from low to high, with a point before the digit number `point`."""
    if not low:
        return ""
    dot = '"." ' if point == 0 else ""
    nothing_left = set(low) == {"0"} and set(high) == {"9"}
    if nothing_left:
        return dot + _any_digits(len(low), point)
    first, last = low[0], high[0]
    if first == last:
        return f'{dot}"{first}" {_digits(low[1:], high[1:], point - 1)}'
    zeros, nines = "0" * (len(low) - 1), "9" * (len(low) - 1)
    ways = []
    if low[1:] != zeros:
        ways.append(f'"{first}" {_digits(low[1:], nines, point - 1)}')
        first = chr(ord(first) + 1)
    top = [] if high[1:] == nines else [f'"{last}" {_digits(zeros, high[1:], point - 1)}']
    if top:
        last = chr(ord(last) - 1)
    if first <= last:
        ways.append(f"[{first}-{last}] {_digits(zeros, nines, point - 1)}")
    return dot + either(ways + top)


def _any_digits(count: int, point: int) -> str:
    if 0 < point < count:
        return f'[0-9]{{{point}}} "." [0-9]{{{count - point}}}'
    return f"[0-9]{{{count}}}"
