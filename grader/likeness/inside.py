"""What compares sources, in a node without network: a line of JSON in, a line for each pair out, then an end.

It stands alone there, beside compare50. What it reads was written by students and is never executed; should reading it
go wrong, this process is an ordinary user's, and its node ends with it.
"""

from __future__ import annotations

import json
import os
import sys

#: Where the sources are, and who reads them.
PLACE, NOBODY = "/compare", 65_534
#: Passages of a pair that are told.
MOST_PASSAGES = 200


def main() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    sys.path.insert(0, "/usr/local/lib/socketlab")
    import compare50  # type: ignore[import-not-found]
    from compare50 import _api, _data, passes

    _api.Executor = _api.FauxExecutor  # one process: the node has one processor
    asked = json.loads(sys.stdin.readline())
    tidy = _data.Preprocessor(passes.structure.preprocessors)

    def submission(folder: str, files: list[str]) -> object:
        return compare50.Submission(f"{PLACE}/{folder}", files, preprocessor=tidy)

    given = set(submission("given", asked["given"]).files)  # type: ignore[attr-defined]
    all_of_them = [submission(folder, files) for folder, files in asked["submissions"].items()]
    scores = compare50.rank(all_of_them, [], given, passes.structure, n=asked["most"])
    texts: dict[object, str] = {}

    def lines(span: object) -> list[object]:
        file = span.file  # type: ignore[attr-defined]
        text = texts.setdefault(file.path, file.read())
        first = text.count("\n", 0, span.start) + 1  # type: ignore[attr-defined]
        last = text.count("\n", 0, max(span.end - 1, span.start)) + 1  # type: ignore[attr-defined]
        return [file.name.name, first, last]

    for result in compare50.compare(scores, given, passes.structure):
        passages = []
        for group in result.groups:
            one = min((lines(s) for s in group.spans if s.file.submission == result.sub_a), default=None)
            other = min((lines(s) for s in group.spans if s.file.submission == result.sub_b), default=None)
            if one and other:
                passages.append([one, other])
        row = {
            "pair": [result.sub_a.path.name, result.sub_b.path.name],
            "score": float(result.score.score),
            "passages": sorted(passages)[:MOST_PASSAGES],
        }
        print(json.dumps(row), flush=True)
    print(json.dumps({"end": True}), flush=True)


if __name__ == "__main__":
    main()
