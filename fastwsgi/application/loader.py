"""From `MODULE:ATTR` to the application object.

Three steps, each with its own mistakes: the text is parsed, the module imported (the directories of the project come
first on `sys.path`), the attribute found and, for a factory, called. `recognise` decides whether it may be served.
"""

from __future__ import annotations

import importlib
import sys
from keyword import iskeyword
from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.application import recognise
from fastwsgi.gunicorn.green_threads import refuse_green_threads
from fastwsgi.leaving import Contained
from fastwsgi.mistakes import (
    Mistake,
    UsageError,
    WrongValue,
    current_directory,
    nearest,
    summary,
    user_traceback,
)
from fastwsgi.originals import os
from fastwsgi.records import field, record

if TYPE_CHECKING:
    import ast

    from fastwsgi.settings.settings import Settings


class AsgiMistake(Mistake):
    """An ASGI application was named."""


Application = Callable[..., Any]
"""An object from the user's code, of which nothing is known until it is called."""

APPLICATION_NAMES = ("application", "app")
FACTORY_NAMES = ("create_app", "make_app")


@record(frozen=True)
class Target:
    """What the user named: a module, attributes to follow from it, and a call of the last one, if any."""

    module: str
    path: tuple[str, ...] = ()
    called: bool = False
    arguments: tuple[object, ...] = ()
    keywords: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return ":".join(filter(None, (self.module, ".".join(self.path))))


def load(text: str, settings: Settings) -> Application:
    """The application that *text* names. Raises Mistake, even for exceptions of the user's code.

    The working directory and `sys.path` are changed for good, as the settings ask.
    """
    target = parse(text)
    roots = prepare_path(settings)
    try:
        module = import_module(target, roots)
        target, found = find(module, target, settings.factory)
        if target.called or settings.factory:
            return make(found, target)
        return checked(found, str(target))
    finally:
        refuse_green_threads()  # they may also be why it cannot be loaded


def parse(text: str) -> Target:
    """Parse `MODULE`, `MODULE:ATTR`, `MODULE:OBJECT.ATTR` or `MODULE:FACTORY(LITERALS)`. Raises UsageError."""
    module, colon, expression = text.partition(":")
    if not all(module.split(".")) and "/" not in module:
        raise UsageError(f"{text!r} does not name a module; write MODULE:ATTR, such as shop.wsgi:application")
    if not colon:
        return Target(module)
    name = expression.strip()
    if name.isidentifier() and name.isascii() and not iskeyword(name):
        return Target(module, (name,))
    import ast  # which takes 260 KB, for what is more than a name

    try:
        node = ast.parse(name, mode="eval").body
        if not isinstance(node, ast.Call):
            return Target(module, _names(node))
        path = _names(node.func)
        arguments = tuple(ast.literal_eval(argument) for argument in node.args)
        keywords = {_keyword(item): ast.literal_eval(item.value) for item in node.keywords}
    except (SyntaxError, ValueError):
        raise UsageError(
            f"cannot read {expression!r} after {module + ':'!r}; it may be a name, such as app or shop.app, "
            "or a call with literal arguments, such as create_app('test')"
        ) from None
    return Target(module, path, True, arguments, keywords)


def _names(node: ast.expr) -> tuple[str, ...]:
    """The names of `a.b.c`. Raises ValueError for anything else."""
    import ast

    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        return (*_names(node.value), node.attr)
    raise ValueError


def _keyword(item: ast.keyword) -> str:
    if item.arg is None:
        raise ValueError("**keywords are not literal")
    return item.arg


def prepare_path(settings: Settings) -> list[str]:
    """Change to the project's directory and put it, and those of `pythonpath`, first on `sys.path`.

    Returns:
        These directories.

    Raises:
        UsageError: one does not exist.
        Mistake: the current directory has been removed.
    """
    if settings.chdir is not None:
        try:
            os.chdir(settings.chdir)
        except OSError as error:
            raise WrongValue("--chdir", f"{settings.chdir}: {error.strerror}") from None
    for directory in settings.pythonpath:
        if not os.path.exists(directory):
            raise WrongValue("--pythonpath", f"{directory}: there is no such directory")
    here = current_directory()
    roots = [os.path.normpath(os.path.join(here, directory)) for directory in (*settings.pythonpath, ".")]
    sys.path[:] = roots + [entry for entry in sys.path if entry not in roots]
    return roots


def import_module(target: Target, roots: list[str]) -> ModuleType:
    """Import the target's module. Raises Mistake, which distinguishes a missing module from one that fails."""
    name = target.module
    if "/" in name:
        raise Mistake(_file_named(target))
    try:
        with Contained():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise Mistake(_missing(target, error.name, roots)) from None
        line = f"{name} cannot be imported: {summary(error)}; is it installed for {sys.executable}?"
        raise Mistake(line, user_traceback(error)) from None
    except SystemExit as error:
        hint = "" if isinstance(error.code, str) else "; keep that under if __name__ == '__main__'"
        raise exit_mistake(f"{name} exits when imported, {exit_words(error)}{hint}", error) from None
    except Exception as error:
        raise Mistake(f"{name} cannot be imported: {summary(error)}", user_traceback(error)) from None


def exit_mistake(line: str, error: SystemExit) -> Mistake:
    """The mistake of code that exits when it is loaded: the command ends with its exit code, but never with 0."""
    mistake = Mistake(line, user_traceback(error))
    mistake.exit_code = (error.code & 0xFF if isinstance(error.code, int) else 1) or 1
    return mistake


def exit_words(error: SystemExit) -> str:
    """The exit code and the text of sys.exit(), in one line."""
    if error.code is None or isinstance(error.code, int):
        return f"with exit code {(error.code or 0) & 0xFF}"
    return f"with exit code 1: {' '.join(str(error.code).split())}"


def _file_named(target: Target) -> str:
    """The line for a target that names a file instead of its module."""
    stem = target.module[:-3] if target.module.endswith(".py") else target.module
    meant = Target(stem.strip("./").replace("/", "."), target.path)
    return f"{target.module!r} is the name of a file; name the module: {meant}"


def _missing(target: Target, module: str, roots: list[str]) -> str:
    """The line for a missing *module*, the target's or a package that contains it."""
    if target.module.endswith(".py"):
        return _file_named(target)
    meant = _attribute_instead(target, module) or _django_wsgi(target, roots) or _near(target, module, roots)
    if meant:
        return f"there is no module {module!r}; did you mean {meant}?"
    places = " or ".join(roots)
    return f"there is no module {module!r} in {places}; is that the project's directory? (--chdir names it)"


def _attribute_instead(target: Target, missing: str) -> Target | None:
    """The target with ":" for ".", if the missing module is an attribute of an existing one."""
    parent, _, child = missing.rpartition(".")
    rest = target.module[len(missing) + 1 :].split(".") if target.module != missing else []
    if hasattr(sys.modules.get(parent), child):
        return Target(parent, (child, *rest, *target.path))
    return None


def _django_wsgi(target: Target, roots: list[str]) -> Target | None:
    """The WSGI module of the Django project in one of *roots*, if there is one."""
    for root in roots:
        if os.path.exists(os.path.join(root, "manage.py")):
            for project in sorted(os.listdir(root)):
                if os.path.exists(os.path.join(root, project, "wsgi.py")):
                    return Target(f"{project}.wsgi", target.path)
    return None


def _near(target: Target, missing: str, roots: list[str]) -> Target | None:
    """The target with the importable module whose name is most like the missing one's, if any is."""
    import pkgutil

    parent, dot, child = missing.rpartition(".")
    places = getattr(sys.modules.get(parent), "__path__", ()) if parent else roots
    meant = nearest(child, (module.name for module in pkgutil.iter_modules(list(places))))
    if meant is None:
        return None
    return Target(parent + dot + meant + target.module[len(missing) :], target.path)


def find(module: ModuleType, target: Target, factory: bool) -> tuple[Target, object]:
    """The target with the names that led to an object, and the object.

    Without a name, the usual ones are tried. Raises Mistake if there is none.
    """
    names = FACTORY_NAMES if factory else APPLICATION_NAMES
    if not target.path:
        for name in names:
            if hasattr(module, name):
                return Target(target.module, (name,)), getattr(module, name)
        raise Mistake(
            f"{_described(module)} has neither {' nor '.join(map(repr, names))}{_usual_hint(module)}"
        )
    found: object = module
    for step, name in enumerate(target.path):
        try:
            found = getattr(found, name)
        except AttributeError:
            owner = str(Target(target.module, target.path[:step])) if step else _described(module)
            raise Mistake(f"{owner} has no attribute {name!r}{_attribute_hint(found, name)}") from None
    return target, found


def _described(module: ModuleType) -> str:
    """The module's name and file: the imported one may be another of that name."""
    place = getattr(module, "__file__", None)
    return f"module {module.__name__} ({place})" if place else f"module {module.__name__}"


def _usual_hint(module: ModuleType) -> str:
    """Advice on what to serve of a module without an attribute of a usual name."""
    from importlib.util import find_spec

    name = module.__name__
    if hasattr(module, "__path__") and find_spec(f"{name}.wsgi"):
        return f"; did you mean {name}.wsgi?"
    for key, value in vars(module).items():
        if key in FACTORY_NAMES:
            return f"; did you mean '{name}:{key}()'?"
        if recognise.is_application(value):
            return f"; did you mean {name}:{key}?"
    return f"; name the application: {name}:ATTR"


def _attribute_hint(owner: object, name: str) -> str:
    meant = nearest(name, (key for key in dir(owner) if not key.startswith("__")))
    return f"; did you mean {meant!r}?" if meant else ""


def make(factory: object, target: Target) -> Application:
    """Call the factory that the target names; the application it makes. Raises Mistake."""
    name = str(target)
    if not callable(factory):
        raise Mistake(
            f"{name} is {recognise.article(type(factory).__name__)}, not a factory: it cannot be called"
        )
    if recognise.is_async(factory):
        raise Mistake(f"{name} is an async function; a factory of WSGI applications is a plain one")
    if not target.called and recognise.is_application(factory):
        raise Mistake(f"{name} is an application, not a factory; leave out --factory")
    if not target.called and recognise.needs_arguments(factory):
        raise Mistake(f"the factory {name} needs arguments; give them as literals: '{name}(...)'")
    try:
        with Contained():
            app = factory(*target.arguments, **target.keywords)
    except SystemExit as error:
        raise exit_mistake(f"the factory {name} exits, {exit_words(error)}", error) from None
    except Exception as error:
        raise Mistake(f"the factory {name} failed: {summary(error)}", user_traceback(error)) from None
    return checked(app, name, f"what {name}() returned")


def load_by(make: Callable[[], object], name: str, settings: Settings) -> Application:
    """The application that *make*, of a framework, loads.

    Args:
        make: imports the user's code.
        name: how the application is called in messages.
        settings: say where to import from, as for load().

    Raises:
        Mistake: it cannot be loaded; one that *make* raises is passed on.
    """
    if settings.factory:
        raise WrongValue("--factory", f"is for an application that is named as MODULE:ATTR, and not for {name}")
    prepare_path(settings)
    try:
        with Contained():
            app = make()
    except Mistake:
        raise
    except SystemExit as error:
        raise exit_mistake(f"{name} exits when it is loaded, {exit_words(error)}", error) from None
    except Exception as error:
        raise Mistake(f"{name} cannot be loaded: {summary(error)}", user_traceback(error)) from None
    finally:
        refuse_green_threads()
    return checked(app, name)


def checked(app: object, name: str, subject: str = "") -> Application:
    """*app*, if it may be a WSGI application.

    Args:
        app: any object.
        name: how the user may write it.
        subject: its name in the message, if not that one.

    Raises:
        Mistake: it is not; the line says what it is instead.
    """
    reason = recognise.objection(app, name)
    if reason is None and callable(app):
        return app
    kind = AsgiMistake if recognise.is_asgi(app) else Mistake
    raise kind(f"{subject or name} {reason}")
