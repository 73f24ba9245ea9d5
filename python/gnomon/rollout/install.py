"""`gnomon install`: brings gnomon into the interpreters of a machine, or brings them up to date.

In this order: what could be wrong is checked; payload and settings are put; then each interpreter gets its
loader. So there is never a loader without a payload, and installing again finishes what was cut short.
"""

from __future__ import annotations

import collections
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import covering, files, payload, policies, preloading, settings, spooling, timer
from .errors import RolloutError, RolloutUsageError
from .interpreters import Interpreter
from .interpreters import find as find_interpreters
from .layout import ROOT, Layout
from .ledger import Ledger, locked, make_root, write_file
from .outcome import Outcome

Find = Callable[[Sequence[str]], Sequence[Interpreter]]


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        pythons: Interpreters that are named; none: all of the machine.
        policies: Policy files besides those of the configuration.
        is_observed: Rules are observed, and do not act.
        spool: Where records go, if not where the configuration says.
        prefix: Where the payload goes.
        config: The configuration, if it is elsewhere.
        group: Whose members can read records.
        has_timer: Whether something is to run `keep` each hour.
        strong: `print` says what strong mode takes, `system` has every program preload the library.
    """

    pythons: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    is_observed: bool = False
    spool: str | None = None
    prefix: str | None = None
    config: str | None = None
    group: str = "gnomon"
    has_timer: bool = True
    strong: str | None = None


class Install:
    """One installation: made ready without a change, then carried out.

    Args:
        options: What the command line says.
        layout: Where things are; by default as `options` say.
        find: Finds interpreters: those at the paths that it is given, or all.

    Raises:
        RolloutError: It cannot be done; nothing was changed.
    """

    def __init__(self, options: Options, *, layout: Layout | None = None, find: Find | None = None) -> None:
        self._options = options
        self._layout = layout or Layout.at(options.prefix)
        _require_rights(self._layout)
        config = options.config or self._layout.config
        decided = settings.read(config, self._layout.spool, is_needed=options.config is not None)
        self._settings = decided.with_options(
            spool=options.spool, policies=options.policies, timer=options.has_timer
        )
        self._policies = policies.compiled(
            self._layout, self._settings.policies, is_observed=options.is_observed
        )
        self._lines = self._settings.lines(tuple(self._policies), self._layout)
        self._files = payload.own()
        self._text = covering.loader_text(self._files[payload.LOADER], self._layout.root)
        self._found = list((find or _find)(options.pythons))

    def plan(self) -> list[Outcome]:
        """What would be done; changes nothing."""
        ledger = Ledger.read(self._layout.ledger)
        cover = covering.Covering(self._layout, ledger, self._text)
        outcomes = [*self._planned_surroundings(), Outcome("payload", "would be put", (self._layout.root,))]
        for library, interpreters in self._libraries().items():
            state, remarks = cover.planned(library)
            outcomes.append(
                Outcome(interpreters[0].executable, state, tuple(remarks), interpreters[0].version)
            )
        outcomes += self._others()
        if self._settings.timer:
            outcomes.append(timer.planned(self._layout, ledger))
        if self._options.strong == "system":
            outcomes.append(Outcome("strong mode", "would be put", (self._layout.preload,)))
        return outcomes

    def _planned_surroundings(self) -> list[Outcome]:
        planned = []
        if not spooling.is_group(self._options.group):
            planned.append(Outcome(f"group {self._options.group}", "would be made"))
        if not os.path.lexists(self._settings.spool):
            planned.append(Outcome("spool", "would be made", (self._settings.spool,)))
        return planned

    def carry_out(self) -> list[Outcome]:
        """Does it, and says what came of it.

        Raises:
            RolloutError: It came to an end early; `uninstall` takes out what was done, `install` goes on.
        """
        os.umask(0o022)
        try:
            make_root(self._layout)
            with locked(self._layout.root):
                return self._carry_out(Ledger.read(self._layout.ledger))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RolloutError(
                f"cannot write `{error.filename or self._layout.root}`: {reason}",
                hint="install again once that is mended, or take it out with `gnomon uninstall --all`",
            ) from error

    def _carry_out(self, ledger: Ledger) -> list[Outcome]:
        outcomes = [_forget_gone(ledger), *self._put_surroundings(ledger), self._put_payload()]
        cover = covering.Covering(self._layout, ledger, self._text)
        outcomes += [cover.cover(*each) for each in self._libraries().items()]
        outcomes += self._others()
        if self._settings.timer:
            outcomes.append(timer.ensure(self._layout, ledger, self._python()))
        if self._options.strong == "system":
            outcomes.append(preloading.ensure(self._layout, ledger))
        elif self._options.strong:
            outcomes.append(preloading.advise(self._layout))
        return [one for one in outcomes if one is not None]

    def _put_surroundings(self, ledger: Ledger) -> list[Outcome | None]:
        spooling.take_over(ledger, self._settings.spool)
        group, outcome = spooling.ensure_group(ledger, self._options.group)
        return [outcome, spooling.ensure_spool(ledger, self._settings.spool, group)]

    def _put_payload(self) -> Outcome:
        layout = self._layout
        name = payload.put(layout, self._files)
        policies.put(layout, self._policies)
        write_file(layout.settings, self._lines)
        policies.prune(layout, self._policies)
        payload.use(layout, name)
        removed = payload.prune(layout)
        remarks = [f"{layout.versions}/{name}", *(f"removed {old}, which nothing uses" for old in removed)]
        return Outcome("payload", "done", tuple(remarks))

    def _libraries(self) -> dict[str, list[Interpreter]]:
        """The libraries to come into, and whose each is."""
        found: dict[str, list[Interpreter]] = collections.defaultdict(list)
        for one in self._found:
            if one.obstacle is None and one.library and not one.is_environment:
                found[os.path.realpath(one.library)].append(one)
        return found

    def _others(self) -> list[Outcome]:
        """Environments, and what cannot be covered: an error only where it was named."""
        outcomes = []
        for one in self._found:
            if one.obstacle is not None:
                state = "failed" if self._options.pythons else "cannot"
                outcomes.append(Outcome(one.executable, state, (one.obstacle,), one.version))
            elif one.is_environment:
                outcomes.append(Outcome(one.executable, "inherits", (), one.version))
        return outcomes

    def _python(self) -> str | None:
        """A Python that runs `keep`: one that only root can change, the system's own if it will do."""
        able = [
            name
            for one in self._found
            if one.obstacle is None and not one.is_environment
            for name in (one.executable, *one.names)
        ]
        for name in sorted(
            [*able, os.path.realpath(sys.executable)], key=lambda name: name != "/usr/bin/python3"
        ):
            try:
                if os.geteuid() != 0 or not files.writers(name):
                    return name
            except OSError:
                continue
        return None


def _find(pythons: Sequence[str]) -> Sequence[Interpreter]:
    return find_interpreters(pythons, everywhere=not pythons)


def _require_rights(layout: Layout) -> None:
    if os.geteuid() != 0 and layout.root == ROOT:
        raise RolloutUsageError(
            "only root installs gnomon for all users of a machine",
            hint="say `sudo gnomon install --all`, or `gnomon install --here` for an environment of your own",
        )
    parent = layout.root
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    if os.geteuid() == 0 and files.writers(parent):
        raise RolloutError(
            f"cannot install in `{layout.root}`: other users can change what is there",
            hint="choose a directory that only root can change, with --prefix",
        )


def _forget_gone(ledger: Ledger) -> Outcome | None:
    gone = [one for one in ledger.of_kind(covering.KIND) if not os.path.isdir(one["library"])]
    for change in gone:
        covering.uncover(ledger, change)
        ledger.drop(change)
    if not gone:
        return None
    return Outcome("interpreters", "done", tuple(f"`{one['library']}` is gone" for one in gone))


def last_line(outcomes: Sequence[Outcome]) -> str:
    """What it came to, in a sentence."""
    number = collections.Counter(one.state for one in outcomes if one.version or one.state == "inherits")
    planned = number["would be covered"]
    covered = number["covered"] + number["unchanged"] + planned
    environments = _counted(number["inherits"], "environment")
    verb = "would be covered" if planned else "covered"
    text = f"{_counted(covered, 'interpreter')} {verb}, and {environments} with them"
    missing = sum(one.is_failure for one in outcomes)
    rest = [f"{number['cannot']} cannot be covered"] if number["cannot"] else []
    rest += [f"{missing} failed: see above"] if missing else []
    return "; ".join((text, *rest))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
