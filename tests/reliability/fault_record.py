"""What a test of a fault says for docs/reliability.md, and whether it is to take its time. As fault_record.h."""

import json
import os

# `make test-long`: more tries, a longer soak.
LONG_FORM = "SAETAP_LONG" in os.environ


def record_fault(area: str, fault: str, tries: int, lost: str) -> None:
    """Called when a fault was tried and what had to hold was checked.

    `area` and `fault` are for people; `lost`: what is gone in the worst of the tries. One line of JSON is added to the
    file that SAETAP_FAULTS names; without it nothing is written.
    """
    path = os.environ.get("SAETAP_FAULTS")
    if path is None:
        return
    line = {"area": area, "fault": fault, "tries": tries, "lost": lost, "long": LONG_FORM}
    with open(path, "a", encoding="utf-8") as faults:
        faults.write(json.dumps(line) + "\n")
