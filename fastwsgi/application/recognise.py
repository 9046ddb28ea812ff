"""The test whether an object can be a WSGI application, and if not, what it is and what the user meant.

PEP 3333 asks for a callable that takes two positional arguments and returns an iterable. What users name by mistake is
recognised by its signature alone, without a call: data, a module, a class to be instantiated, a factory, an ASGI
application. An object whose signature cannot be known passes.
"""

from __future__ import annotations

import functools
from types import FunctionType, ModuleType
from typing import Callable

from fastwsgi.records import record

ASGI_NAMES = ("scope", "receive", "send")
NOT_PLAIN = 0x04 | 0x08 | 0x80 | 0x200  # CO_VARARGS, CO_VARKEYWORDS, CO_COROUTINE, CO_ASYNC_GENERATOR


def objection(app: object, name: str) -> str | None:
    """Why *app* is not a WSGI application and what to do, or None if it may be one.

    Args:
        app: any object.
        name: "MODULE:ATTR", for the advice.

    Returns:
        Text that completes a sentence beginning with the object's name.
    """
    if isinstance(app, ModuleType):
        return "is a module: name an application, which is an object in one, behind the colon"
    if not callable(app):
        return f"is {article(type(app).__name__)}, not a WSGI application: it cannot be called"
    if takes_two(app):
        return None
    shape = Shape.of(app)
    if is_asgi(app):
        return _asgi_advice(name)
    if is_async(app):
        return "is an async function; a WSGI application is a plain one"
    if isinstance(app, type):
        return _class_objection(app, shape, name)
    return None if shape is None else _function_objection(shape, name)


def takes_two(app: Callable[..., object]) -> bool:
    """Whether *app* is plainly an application: a function of two arguments, or an object that is called by a method.

    What else may be one is found out with inspect, which takes 700 KB with what it imports.
    """
    is_function = isinstance(app, FunctionType)
    function = app if is_function else type(app).__call__
    if isinstance(app, type) or not isinstance(function, FunctionType):
        return False
    code = function.__code__
    return (
        code.co_argcount == (2 if is_function else 3)
        and not code.co_kwonlyargcount
        and not code.co_flags & NOT_PLAIN
        and not function.__defaults__
    )


def needs_arguments(factory: object) -> bool:
    """Whether *factory* cannot be called without arguments."""
    shape = Shape.of(factory)
    return shape is not None and bool(shape.required or shape.keywords)


def is_application(app: object) -> bool:
    """Whether *app* is certainly meant as one: it requires two arguments, and the first has the name of an environ."""
    shape = Shape.of(app)
    if shape is None or len(shape.required) != 2 or not shape.required[0].startswith("env"):
        return False
    return objection(app, "") is None


def is_asgi(app: object) -> bool:
    """Whether *app* takes the arguments of an ASGI application."""
    shape = Shape.of(app)
    return shape is not None and shape.is_asgi()


def is_async(function: object) -> bool:
    """Whether calling *function* only makes a coroutine or an async generator."""
    import inspect

    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function) and not isinstance(function, type):
        function = inspect.getattr_static(type(function), "__call__", None)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def article(noun: str) -> str:
    """*noun* with "a" or "an" before it."""
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"


@record(frozen=True)
class Shape:
    """The arguments that a callable takes.

    Attributes:
        required: the names of its positional arguments without a default.
        most: the most positional arguments it takes; None: any number.
        keywords: the names of its keyword-only arguments without a default.
    """

    required: tuple[str, ...]
    most: int | None
    keywords: tuple[str, ...]

    @classmethod
    def of(cls, function: object) -> Shape | None:
        """The shape of *function*, or None if it cannot be known.

        A decorator's wrapper counts, not the function that it wraps, since the wrapper is what gets called.
        """
        import inspect

        if not callable(function):
            return None
        try:
            parameters = list(inspect.signature(function, follow_wrapped=False).parameters.values())
        except Exception:  # evaluating the user's annotations may raise anything
            return None
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
        varied = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        required = tuple(p.name for p in positional if p.default is p.empty)
        return cls(required, None if varied else len(positional), tuple(keywords))

    def takes(self, number: int) -> bool:
        """Whether it can be called with *number* positional arguments."""
        return (
            not self.keywords and len(self.required) <= number and (self.most is None or self.most >= number)
        )

    def is_asgi(self) -> bool:
        """Whether it takes the arguments of an ASGI 3 or ASGI 2 application."""
        return self.required == ASGI_NAMES or self.required == ASGI_NAMES[:1]


def _asgi_advice(name: str) -> str:
    module, _, attribute = name.partition(":")
    if module.endswith(".asgi"):
        return f"is an ASGI application; did you mean {module[:-5]}.wsgi:{attribute or 'application'}?"
    return "is an ASGI application; serve it with an ASGI server, or wrap it (a2wsgi.ASGIMiddleware)"


def _class_objection(app: type, shape: Shape | None, name: str) -> str | None:
    """The objection to a class: PEP 3333 allows one with iterable instances, made of two arguments, as responses."""
    takes_two = shape is None or shape.takes(2)
    if takes_two and (hasattr(app, "__iter__") or hasattr(app, "__getitem__")):
        return None
    call = f"{name}({'' if shape is None or shape.takes(0) else '...'})"
    return f"is a class, not an application; name an instance of it, or have one made: '{call}'"


def _function_objection(shape: Shape, name: str) -> str | None:
    if shape.takes(2) and (shape.required or shape.most is None):
        return None
    if not shape.required and not shape.keywords:
        return "looks like a factory; use --factory"
    takes = ", ".join(shape.required + shape.keywords)
    if len(shape.required) < 2 and not takes.startswith("env"):
        return f"takes ({takes}), so it looks like a factory; give its arguments: '{name}(...)'"
    return f"takes ({takes}); a WSGI application takes (environ, start_response)"
