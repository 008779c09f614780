"""The kit finds what is wrong: each wrong adapter, and each careless driver, fails at the scenario meant for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from wrong_manners import WRONG

from sms_service.gateways.base import Reply
from sms_service.gateways.conformance import Conformance
from sms_service.gateways.conformance.reporting import joined

OF_TEMPLATES = {"without_template", "wrong_template"}
SHARES = 2  # pytest processes
RUNS = Path(__file__).with_name("wrong_runs.py")
FAILURES = [
    *((adapter.__name__, scenario) for adapter, scenarios in WRONG.items() for scenario in scenarios),
    ("ExcusesTooMuch", "capabilities"),
    ("ExcusesNothing", "capabilities"),
    ("Misspells", "capabilities"),
    ("ForgesNothing", "forged"),
    ("ExcusesSpellings", "capabilities"),
    ("SpellsNothing", "reply_spellings"),
    ("TakesNothing", "accepted"),
    ("TakesNothing", "server_error"),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[str, str]]:
    """How each test of `wrong_runs` ended, and in which words, by adapter and scenario."""
    tests = [f"{RUNS}::Test{adapter}::test_{scenario}" for adapter, scenario in FAILURES]
    folder, running = tmp_path_factory.mktemp("kit"), []
    for place in range(SHARES):  # they wait for time-outs most of the time, and that can be done at the same time
        report, said = folder / f"{place}.xml", (folder / f"{place}.txt").open("w+")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", "-o", "addopts="]
        command += [f"--basetemp={folder / str(place)}", *tests[place::SHARES]]
        running.append((subprocess.Popen(command, stdout=said, stderr=said, cwd=RUNS.parents[2]), report, said))
    found = {}
    for process, report, said in running:
        with said:
            process.wait(timeout=150)
            said.seek(0)
            assert report.exists(), said.read()
        for case in ElementTree.parse(report).iter("testcase"):
            name = case.attrib["classname"].rpartition(".Test")[2], case.attrib["name"].removeprefix("test_")
            ended = [child for child in case if child.tag in ("failure", "error", "skipped")]
            found[name] = (ended[0].tag, ended[0].attrib["message"]) if ended else ("passed", "")
    return found


@pytest.mark.parametrize(("adapter", "scenario"), FAILURES)
def test_what_is_wrong_is_found(results: dict[tuple[str, str], tuple[str, str]], adapter: str, scenario: str) -> None:
    ended, words = results[adapter, scenario]
    assert ended == "failure", words


def test_every_scenario_finds_something() -> None:
    """But for those that Pigeon has no use for; test_simulator_conformance has adapters that are wrong there."""
    scenarios = {name.removeprefix("test_") for name in dir(Conformance) if name.startswith("test_")}
    assert {scenario.partition("[")[0] for _, scenario in FAILURES} == scenarios - {"some_parts_taken", *OF_TEMPLATES}


def test_parts_are_put_together_as_they_are_where_they_are_stored() -> None:
    """A phone's network may cut a character in two; what came alone is left as it came."""
    first, second = "👍".encode("utf-16-le")[:2], "👍".encode("utf-16-le")[2:]
    cut = [half.decode("utf-16-le", "surrogatepass") for half in (first, second)]
    parts = [Reply("+8613800138000", text, "{}", part=part, parts=2, series="7") for part, text in enumerate(cut, 1)]
    assert joined(parts[::-1]) == ["👍"]
    assert joined([Reply("+8613800138000", "\ue000ok", "{}")]) == ["\ue000ok"]
