"""`make audit`: are there known holes in what we install? pip-audit and npm audit are asked.

Ends with 1 for a finding. Where a service cannot be reached that is said, and is no fault of ours: it ends with 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 240  # seconds for each
NPM_LEVEL = "moderate"


@dataclass(frozen=True)
class Verdict:
    """What one of the two said. findings: one line each; unreachable: why there is no answer, or empty."""

    findings: tuple[str, ...] = ()
    unreachable: str = ""


def python_packages() -> Verdict:
    """What is installed here, against the advisories of PyPI."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--skip-editable"]
    return read_pip(*_asked(command))


def read_pip(text: str, complaint: str) -> Verdict:
    """pip-audit's answer: JSON, whatever it ends with; anything else is no answer."""
    told = _json(text)
    if not isinstance(told, dict) or "dependencies" not in told:
        return Verdict(unreachable=_last_line(complaint) or "pip-audit gave no answer")
    found = []
    for package in told["dependencies"]:
        for hole in package.get("vulns", []):
            mended = ", ".join(hole.get("fix_versions", [])) or "no version yet"
            found.append(f"{package['name']} {package['version']}: {hole['id']}, mended in {mended}")
    return Verdict(tuple(found))


def browser_packages() -> Verdict:
    """What package-lock.json names, against npm's advisories."""
    command = [sys.executable, "scripts/npm.py", "audit", "--json", f"--audit-level={NPM_LEVEL}"]
    return read_npm(*_asked(command))


def read_npm(text: str, complaint: str) -> Verdict:
    """npm's answer: JSON with `vulnerabilities`; with `error`, or anything else, there is none."""
    told = _json(text)
    if not isinstance(told, dict) or "vulnerabilities" not in told:
        said = told.get("message") or told.get("error") if isinstance(told, dict) else None
        return Verdict(unreachable=str(said or _last_line(complaint) or "npm gave no answer"))
    holes = told["vulnerabilities"].values()
    grave = [hole for hole in holes if hole.get("severity") in ("moderate", "high", "critical")]
    return Verdict(tuple(f"{hole['name']} ({hole['severity']}): {hole.get('range', '')}" for hole in grave))


def main() -> int:
    """Ask both, say what they said; 1 for a finding."""
    found = False
    for name, ask in (("Python packages", python_packages), ("browser packages", browser_packages)):
        verdict = ask()
        if verdict.unreachable:
            print(f"{name}: NOT AUDITED, the service cannot be reached ({verdict.unreachable})")
        elif verdict.findings:
            found = True
            print(f"{name}: {len(verdict.findings)} known holes")
            for finding in verdict.findings:
                print(f"  {finding}")
        else:
            print(f"{name}: no known holes")
    return int(found)


def _asked(command: list[str]) -> tuple[str, str]:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"{type(error).__name__}: no answer within {PATIENCE} s" if "Timeout" in repr(error) else str(error)
    return done.stdout, done.stderr


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


if __name__ == "__main__":
    sys.exit(main())
