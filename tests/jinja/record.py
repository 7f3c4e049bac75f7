#!/usr/bin/env python3
"""Records what real Jinja2 makes of every template in cases.json, into the same file.

To add a case, append {"template": "…"} (with "context" of its own where the shared one won't do) and run

    python3 -m venv target/tools/jinja
    target/tools/jinja/bin/pip install jinja2==3.1.6
    target/tools/jinja/bin/python tests/jinja/record.py

Jinja2 runs as Proton ran it: StrictUndefined, no autoescape, every other setting at its default. A template that
Jinja2 refuses is recorded as {"error": CLASS}; only that it fails is compared, since the wording is Jinja2's own.
"""

import json
import pathlib

import jinja2

CASES = pathlib.Path(__file__).with_name("cases.json")


def outcome(environment, template, context):
    try:
        return {"text": environment.from_string(template).render(context)}
    except Exception as error:  # any refusal counts, also Python's own TypeError and the like
        return {"error": type(error).__name__}


def main():
    recorded = json.loads(CASES.read_text())
    recorded["jinja2"] = jinja2.__version__
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    for cases in recorded["cases"].values():
        for case in cases:
            for stale in ("text", "error"):
                case.pop(stale, None)
            case.update(outcome(environment, case["template"], case.get("context", recorded["context"])))
    CASES.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
