"""Seeing what other people's modules are given and return, without leaving anything in them.

Methods are watched on their class, for PyTorch's forward hooks see `__call__` alone; what is no attached module passes
through. So a copy (`copy.deepcopy`) or a saved file of an attached module is what it would have been without us."""
from __future__ import annotations

import contextlib
import functools
import inspect
import threading
import weakref
from typing import Any, Callable

from saetap.library import SaetapError

Around = Callable[[str, Callable[..., Any], tuple, dict], Any]


class ForwardHook:
    """A forward (pre-)hook of one module that its copies and its saved files do not have."""

    def __init__(self, module: Any, see: Callable[..., None]) -> None:
        self._module, self._see = weakref.ref(module), see

    def __call__(self, module: Any, *given: Any) -> None:
        if self._module() is module:  # a copy's hooks are ours as well
            self._see(*given)

    def __deepcopy__(self, _: dict) -> ForwardHook:
        return self

    def __reduce__(self) -> tuple:
        # A callable of the standard library that takes anything and returns None: what is loaded needs no saetap.
        return getattr, (contextlib.nullcontext(), "__exit__")


class _Watched:
    """A method of a class, replaced for as long as some object's calls are watched."""

    def __init__(self, owner: Any, name: str) -> None:
        self.owner, self.name = owner, name
        self.own = owner.__dict__.get(name)  # None: inherited
        self.watchers: dict[int, tuple[Any, Around]] = {}
        original = getattr(owner, name)
        bound = not isinstance(owner, type)  # an object's own attribute: called without self

        @functools.wraps(original)
        def method(*args: Any, **kwargs: Any) -> Any:
            this = owner if bound else args[0]
            found = self.watchers.get(id(this))
            if found is None or found[0]() is not this:
                return original(*args, **kwargs)
            given = args if bound else args[1:]
            call = original if bound else functools.partial(original, this)
            return found[1](name, call, given, kwargs)

        self.method = method
        setattr(owner, name, method)

    def give_back(self) -> None:
        if self.owner.__dict__.get(self.name) is not self.method:
            return  # somebody else replaced it meanwhile; ours passes through
        if self.own is None:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, self.own)


_watched: dict[tuple[int, str], _Watched] = {}
_lock = threading.RLock()  # a module may be collected, and so unwatched, while it is held


def is_method(kind: type, name: str) -> bool:
    """A function that is called with the object: nothing static, of the class, or computed."""
    return inspect.isfunction(inspect.getattr_static(kind, name, None))


def watch(target: Any, name: str, around: Around) -> Callable[[], None]:
    """From now on `target.name(…)` is `around(name, call, args, kwargs)`, which has to return what call(*args, **kwargs)
    does. Returns what ends it. One watcher for each method of an object; `target` is held weakly."""
    owner = target if name in getattr(target, "__dict__", {}) else type(target)
    if owner is not target and not is_method(owner, name):
        raise SaetapError(f"saetap: {type(target).__name__} has no method {name!r}")
    key = (id(owner), name)
    with _lock:
        watched = _watched.get(key)
        if watched is None:
            watched = _watched[key] = _Watched(owner, name)
        if id(target) in watched.watchers and watched.watchers[id(target)][0]() is target:
            raise SaetapError(f"saetap: this {type(target).__name__} is attached already")
        watched.watchers[id(target)] = (weakref.ref(target), around)
    number = id(target)

    def end() -> None:
        with _lock:
            watched.watchers.pop(number, None)
            if not watched.watchers and _watched.get(key) is watched:
                del _watched[key]
                watched.give_back()

    weakref.finalize(target, end).atexit = False
    return end
