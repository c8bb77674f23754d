"""Whom a load calls, when some are out."""

from __future__ import annotations

from dataclasses import replace

from lcw_assets.defs.prices.failover import choose
from lcw_assets.defs.prices.health import Health, State
from lcw_assets.defs.prices.refusal import Refusal


def of(**states: State) -> dict[str, Health]:
    return {name: Health(state, (), None, None, None, None, None, 0, 0, 0) for name, state in states.items()}


def test_all_are_called_while_nobody_is_out() -> None:
    found = choose(["a", "b", "c"], {}, of(a="healthy", b="degraded"), quorum=3)
    assert (found.call, found.probe, found.absent, found.enough) == (("a", "b", "c"), (), (), True)


def test_a_backup_takes_the_place_of_who_is_out_or_is_probed() -> None:
    found = choose(["a", "b", "c"], {"a": "x", "b": "y"}, of(a="out", b="probing"), quorum=3)
    assert (found.call, found.probe, found.replaced) == (("c", "x", "y"), ("b",), {"a": "x", "b": "y"})
    assert (found.absent, found.enough) == ((), True)


def test_a_backup_that_is_out_has_a_backup_and_a_circle_ends() -> None:
    backups = {"a": "x", "x": "y", "y": "a"}
    assert choose(["a"], backups, of(a="out", x="out"), quorum=1).replaced == {"a": "y"}
    assert choose(["a"], backups, of(a="out", x="out", y="out"), quorum=0).absent == ("a",)


def test_nobody_stands_in_twice_or_for_two() -> None:
    found = choose(["a", "b", "c"], {"a": "x", "b": "x", "c": "a"}, of(a="out", b="out"), quorum=2)
    assert (found.call, found.replaced, found.absent) == (("c", "x"), {"a": "x"}, ("b",))
    assert choose(["a", "b"], {"a": "b"}, of(a="out"), quorum=1).call == ("b",)


def test_too_few_are_not_enough() -> None:
    found = choose(["a", "b", "c"], {}, of(a="out", b="probing"), quorum=2)
    assert (found.call, found.probe, found.absent, found.enough) == (("c",), ("b",), ("a",), False)


def test_where_too_few_are_left_whoever_did_not_request_a_pause_is_probed() -> None:
    healths = of(a="out", b="out", c="out", d="out")
    healths["d"] = replace(healths["d"], reasons=(Refusal("banned", {"until": None}),))
    found = choose(["a", "b", "c", "d"], {}, healths, quorum=3)
    assert (found.call, found.probe, found.absent) == ((), ("a", "b", "c"), ("d",))
    assert choose(["a", "b", "c", "d", "e", "f"], {}, of(a="out", d="out"), quorum=3).probe == (), "four are enough"
