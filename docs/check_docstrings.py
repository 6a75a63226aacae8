"""Fails if something that the Python package offers has no docstring, but for what its name says."""

import inspect
import sys

import saetap

SAYS_IT_ALL = {"saetap.Sample.token", "saetap.Store.path"}


def offered():
    yield "saetap", saetap
    for name in saetap.__all__:
        thing = getattr(saetap, name)
        yield f"saetap.{name}", thing
        if not inspect.isclass(thing):
            continue
        for member, value in vars(thing).items():
            if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, (property, classmethod))):
                yield f"saetap.{name}.{member}", value


missing = [name for name, thing in offered() if not (thing.__doc__ or "").strip() and name not in SAYS_IT_ALL]
for name in missing:
    print(f"no documentation: {name}", file=sys.stderr)
sys.exit(1 if missing else 0)
