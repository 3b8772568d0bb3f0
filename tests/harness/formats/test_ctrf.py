"""CTRF as its own library reads it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from samples_of_results import ATTACKS, CONTEXT, MIXED, hostile

from harness.formats import ctrf

VALIDATE = """
import { parse, validateStrict, isCTRFReport } from "ctrf";
import { readFileSync } from "node:fs";
const reports = JSON.parse(readFileSync(0, "utf8"));
for (const text of reports) { const report = parse(text); validateStrict(report); if (!isCTRFReport(report)) throw 1; }
console.log(reports.length);
"""


@pytest.mark.forges
def test_the_library_takes_every_report(node: Callable[[str, str], str]) -> None:
    reports = [ctrf.render(result, CONTEXT) for result in (MIXED, *map(hostile, ATTACKS.values()))]
    assert node(VALIDATE, json.dumps(reports)).strip() == str(len(reports))
