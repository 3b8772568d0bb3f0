"""JUnit XML as pytest writes it (`--junit-xml`, family xunit2), which every CI shows.

One `testsuites` with one `testsuite`; a `testcase` for each check, with at most one of `failure`, `error`, `skipped`.
What nobody decided is skipped: it is not the submission's fault, and no CI has a word for it.
"""

from __future__ import annotations

from xml.etree import ElementTree

from harness.formats.result import CheckResult, Context, Result
from harness.formats.words import NAMES, explanation, headline, line, points
from harness.tester.border.outcome import Outcome

#: How long an attribute may be (characters): some readers show it on one line.
_MOST_ATTRIBUTE = 500
_ELEMENTS = {
    Outcome.FAIL: "failure",
    Outcome.TIMEOUT: "failure",
    Outcome.ERROR: "error",
    Outcome.SKIPPED: "skipped",
    Outcome.INCONCLUSIVE: "skipped",
    None: "error",
}


def render(result: Result, context: Context) -> str:
    """The XML as text; encode it as UTF-8."""
    counts = [_ELEMENTS.get(check.outcome) for check in result.checks]
    suites = ElementTree.Element("testsuites", name="lab check")
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        {
            "name": line(result.assignment),
            "errors": str(counts.count("error")),
            "failures": str(counts.count("failure")),
            "skipped": str(counts.count("skipped")),
            "tests": str(len(counts)),
            "time": f"{sum(check.seconds for check in result.checks):.3f}",
            "timestamp": context.now.isoformat(),
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("points", points(result.points)), ("possible", points(result.possible))):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for check in result.checks:
        suite.append(_case(result, check))
    if result.message:
        ElementTree.SubElement(suite, "system-err").text = line(result.message)
    body = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>{body}\n'


def _case(result: Result, check: CheckResult) -> ElementTree.Element:
    file, _, name = check.id.partition("::")
    module = file.removesuffix(".py").replace("/", ".") if name else check.suite
    case = ElementTree.Element(
        "testcase",
        classname=line(f"{result.assignment}.{module}"),
        name=line(name or check.id),
        time=f"{check.seconds:.3f}",
    )
    kind = _ELEMENTS.get(check.outcome)
    if kind:
        said = line(f"{check.section} {check.title} {headline(check)}", _MOST_ATTRIBUTE)
        element = ElementTree.SubElement(case, kind, message=said)
        if kind == "skipped":
            element.set("type", NAMES[check.outcome])
        element.text = f"{points(check.points)} of {points(check.possible)} points\n{explanation(check)}"
    return case
