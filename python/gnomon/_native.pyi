"""What the Rust extension offers; `gnomon` exports it. Times are nanoseconds since 1970, UTC."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, final

from typing_extensions import CapsuleType

StrPath = str | os.PathLike[str]

@final
class Record:
    """One thing that a process did.

    Bytes of a path that are no UTF-8 are kept as lone surrogates: `os.fsencode` gives them back.
    """

    time: int
    last_time: int
    count: int
    process: str
    seq: int
    pid: int
    kind: str
    access: str | None
    target: str | None
    destination: str | None
    requested: str | None
    host: str | None
    port: int | None
    address: str | None
    argv: list[str] | None
    detail: str | None
    size: int | None
    sha256: str | None
    file: str | None
    line: int | None
    function: str | None
    distribution: str | None
    via: str | None
    object: str | None
    source: str
    outcome: str | None
    failed: int | None
    errno: str | None
    bytes_out: int | None
    bytes_in: int | None
    verdict: str | None
    rule: str | None
    reason: str | None
    shadow_verdict: str | None
    shadow_rule: str | None
    child: int | None
    status: int | None
    owner_uid: int | None
    is_forged: bool

@final
class Fault:
    """Something that could not be read, and where; `severity` is `torn`, `io` or `corrupt`."""

    path: os.PathLike[str]
    offset: int
    kind: str
    severity: str
    detail: str

@final
class Process:
    """One run of an interpreter, or of gnomon itself: `role` is `python`, `run` or `keep`.

    `owner_uid` is whom its first file belongs to. It `is_forged` where it says to be of a user that its
    owner may not speak for, or two users have segments of the same id.
    """

    id: str
    role: str
    parent: str | None
    run: str | None
    pid: int
    parent_pid: int
    started_ticks: int
    parent_started_ticks: int
    parent_name: str
    forked: bool
    hook_proven: bool | None
    native: str | None
    startup: str | None
    loaded: str | None
    managed: bool
    uid: int
    user: str
    host: str
    machine: str
    boot: str
    executable: str
    python: str
    implementation: str
    environment: str | None
    argv: list[str]
    directory: str
    started: int
    ended: int | None
    last_seen: int
    status: int | None
    script_form: str | None
    script: str | None
    script_file: str | None
    script_sha256: str | None
    script_size: int | None
    script_owner: str | None
    script_owner_uid: int | None
    script_modified: int | None
    distributions: dict[str, list[tuple[str, str]]]
    lost: dict[str, int]
    segments: int
    records: int
    gnomon: str
    owner_uid: int | None
    is_forged: bool

@final
class HookFile:
    """A file as it was found when an interpreter started.

    Attributes:
        changed: When the file system last noted a change, which a program cannot set.
        sha256: `None` where it was not read as a whole.
        distribution: The installed distribution whose list of files has it.
        is_as_installed: Whether it is what that list says; `None` where the list has no hash.
        problem: Why it could not be looked at, or not as a whole.
    """

    path: str
    size: int
    modified: int
    changed: int
    inode: int
    mode: int
    owner_uid: int
    sha256: str | None
    distribution: str | None
    version: str | None
    is_as_installed: bool | None
    problem: str | None

@final
class Hook:
    """A file that runs code when an interpreter starts, or may.

    Attributes:
        kind: `pth`, `start`, `sitecustomize` or `usercustomize`.
        target: Where it leads, if it is a symlink.
        executed: How many lines are executed; `sitecustomize` and `usercustomize` are as a whole.
        lines: The first of them, each its start, without secrets.
        modules: The files of the modules that those lines import, where they lie in the same directory.
        is_own: It says of itself that it is what gnomon put there.
    """

    kind: str
    file: HookFile
    target: str | None
    executed: int
    lines: list[str]
    modules: list[HookFile]
    is_own: bool

@final
class Startup:
    """The hooks that interpreters of an environment found when they started.

    Attributes:
        created: When the first of them started.
        prefix: `sys.prefix`.
        has_user_site: Whether the user's own site directory would have been looked at.
        directories: The directories whose hooks are listed, all of them.
        unseen: Files that were too many to look at.
    """

    created: int
    prefix: str
    has_user_site: bool
    directories: list[str]
    hooks: list[Hook]
    unseen: int

@final
class Records:
    """Records, one segment in memory at a time; `faults` grows while it is read."""

    faults: list[Fault]
    def __iter__(self) -> Records: ...
    def __next__(self) -> Record: ...

@final
class Segment:
    """One file of a spool, as `Spool.verify` found it.

    `uid` is the user that its process says to be of, `owner_uid` whom the file belongs to. `follows` is what
    the segment before it is by what this one says of it: `same`, `truncated` or `changed`.
    """

    path: os.PathLike[str]
    process: str | None
    number: int
    records: int
    events: int
    used_bytes: int
    bytes: int
    is_running: bool
    has_end: bool
    uid: int | None
    owner_uid: int | None
    is_forged: bool
    sha256: str | None
    follows: str | None
    faults: list[Fault]

@final
class Tail:
    """Reads along while processes write."""

    def poll(self) -> tuple[list[Record], list[Fault]]:
        """The records that came since the last call; a repeat of an earlier one is not new."""

@final
class LiveProcess:
    """A process as it is now. `life` is `running`, `gone`, or `unknown`: it is elsewhere."""

    key: int
    id: str
    role: str
    pid: int
    life: str
    uid: int
    user: str
    host: str
    python: str
    argv: list[str]
    script: str | None
    script_form: str | None
    started: int
    ended: int | None
    status: int | None
    lost: dict[str, int]
    owner_uid: int | None
    is_forged: bool

@final
class Look:
    """What came since the last look. Processes are named by their `key`.

    Attributes:
        processes: Those that are new, or of which something else is known now.
        counts: Process, kind, records, events (with repeats), and whether it was there before the first look.
        verdicts: Process, verdict, rule, effect (empty, `stopped`, or `would` of an observed rule), events,
            and when the last of them was.
        hosts: Process, host, connections, bytes sent and received.
        newest: Process and record: the newest of all, of each kind, of those that policy spoke of, and of
            what was asked for. One that was shown before comes again when its count grows.
        files: How many the spool has.
        waiting: How many of them are still to be read.
    """

    processes: list[LiveProcess]
    counts: list[tuple[int, str, int, int, bool]]
    verdicts: list[tuple[int, str, str, str, int, int]]
    hosts: list[tuple[int, str, int, int, int]]
    newest: list[tuple[int, Record]]
    faults: list[Fault]
    files: int
    waiting: int

@final
class Live:
    """Follows a spool as it grows: counts everything, and shows the newest records."""

    def look(self, milliseconds: int) -> Look:
        """Reads what came since the last call, repeats included, for about that long.

        Raises:
            OSError: The spool cannot be listed. It may come back.
        """
    def ask(
        self,
        *,
        kinds: Sequence[str] = ...,
        verdicts: Sequence[str] = ...,
        text: str = "",
        process: int | None = None,
    ) -> None:
        """From now on also the newest records are shown that are asked for here, whatever else comes."""

@final
class Spool:
    """A directory of segments, or one segment. Opens nothing until it is used.

    Args:
        path: The directory or file.
        kinds: Only these kinds of event.
        since: Only records last repeated at or after this time.
        process: Only processes whose id starts with this, or whose pid it is.
        run: Only processes of the `gnomon run` with this id.
        target: Only records with this in a path; a glob where it has a `*` or `?`.
        host: Only this host, its subdomains, or this address.
        verdicts: Only records of which policy said one of these, or would have said it were observed rules
            enforced.
        rule: Only records of which this rule said it: `policy/rule`, or either half.
        sources: Only what these saw: `audit`, `native` (native code without an audit event), `audit+native`.
        without: Not the segments that are called so (`doubles`).

    Raises:
        OSError: The path cannot be read.
        ValueError: No kind, verdict or source is called so, or the run's id is none.
    """

    path: os.PathLike[str]
    def __new__(
        cls,
        path: StrPath,
        *,
        kinds: Sequence[str] | None = None,
        since: int | None = None,
        process: str | None = None,
        run: str | None = None,
        target: str | None = None,
        host: str | None = None,
        verdicts: Sequence[str] | None = None,
        rule: str | None = None,
        sources: Sequence[str] | None = None,
        without: Collection[str] | None = None,
    ) -> Spool: ...
    def processes(self) -> tuple[list[Process], list[Fault]]:
        """Its processes in the order they started, and what could not be read on the way."""
    def startups(self) -> tuple[dict[str, Startup], list[Fault]]:
        """What ran before the programs, by the paths of `Process.startup`, and what could not be read."""
    def last_run(self) -> str | None:
        """The id of the run that started last; `None` where there is none."""
    def records(self) -> Records:
        """The records that the filters ask for, process by process."""
    def segments(self) -> list[os.PathLike[str]]:
        """The files that the filters can ask for."""
    def verify(self) -> list[Segment]:
        """Each file, checked from end to end."""
    def tail(self) -> Tail:
        """Reads along: each `poll` gives what came since the last."""
    def live(self) -> Live:
        """Follows the whole spool, whatever the filters."""
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> CapsuleType:
        """The records as an Arrow stream; a new one at each call."""
    def stream(self, columns: Sequence[str] | None = None) -> RecordStream:
        """The records as an Arrow stream of these columns only, or of all.

        Raises:
            ValueError: No column is called so.
        """

    def tables(self) -> Tables:
        """What `processes` and `startups` tell, as tables for query engines: read in one pass."""

@final
class RecordStream:
    """Some columns of the records of a spool, for whoever reads Arrow.

    What other columns say is not looked at: a record whose payload makes no sense has a row where all columns
    can be told without it (times, count, process, seq, pid, kind, source, failed, errno, bytes).

    Attributes:
        given: How many rows its streams have given so far.
    """

    columns: list[str]
    given: int
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> CapsuleType:
        """A new stream at each call. Nothing is read before its first batch."""

@final
class Tables:
    """What a spool says of its processes; docs/records.md has the columns.

    Attributes:
        processes: A row for each process, with what `Process` has but `distributions` and `lost`.
        distributions: What was installed: a row for each distribution of each `inventory` of processes.
        losses: Records lost, by process and reason.
        faults: What could not be read.
        startups: What ran before the programs, by the paths of `Process.startup`.
        hooks: Its files.
    """

    processes: Table
    distributions: Table
    losses: Table
    faults: Table
    startups: Table
    hooks: Table

@final
class Fold:
    """What the records of spools come to, in one pass: what reports count.

    Rows are held in memory until nobody has their table any more: of files that have a class, all.

    Args:
        spools: Each record of each of them counts.
        runs: Whose records count for scripts: process, actor, script, and the file that holds that.
        places: What paths may stand for: id, expression, and what it does not stand for.
        words: The same for words in paths, which count in files of some types.
        word_types: What finds such a file.
        word_exceptions: What finds a path whose words do not count.
        endings: Files called so are in `files`, too.
        top: And so are as many of each script, those that it used most.

    Attributes:
        files: What each actor did with each file that has a class or such an ending, or was used much.
        file_counts: How many files each script used.
        classes: What paths stand for.
        reads: What each process read of files that have a class.
        imports: What each actor imported.
        contacts: What each process had to do with each other end.
        acts: Records of programs, code, tampering, native calls, listeners.
        verdicts: Records that policy said something of.
        all_files: What each actor did with each file.

    Raises:
        OSError: A spool cannot be read.
        ValueError: An expression or a process's id is none.
    """

    def __init__(
        self,
        spools: Sequence[Spool],
        runs: Sequence[tuple[str, int, str, str | None]],
        *,
        places: Sequence[tuple[str, str, str | None]] | None = None,
        words: Sequence[tuple[str, str, str | None]] | None = None,
        word_types: str | None = None,
        word_exceptions: str | None = None,
        endings: Sequence[str] | None = None,
        top: int = 100,
    ) -> None: ...

    files: Table
    file_counts: Table
    classes: Table
    reads: Table
    imports: Table
    contacts: Table
    acts: Table
    verdicts: Table
    all_files: FileUses

@final
class FileUses:
    """What each actor did with each file, for whoever reads Arrow."""

    columns: list[str]
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> CapsuleType:
        """A new stream at each call, which folds the spools anew."""

@final
class Table:
    """Rows in memory, for whoever reads Arrow."""

    columns: list[str]
    @staticmethod
    def of(columns: Sequence[tuple[str, str]], rows: Iterable[Mapping[str, object]]) -> Table:
        """The `rows` as `columns`, each with its name and kind; what a row does not have is null.

        Args:
            columns: The kinds are text, texts (a list), integer, unsigned, real, boolean; of 64 bits.
            rows: By name.

        Raises:
            TypeError: A value is not of its column's kind.
            ValueError: There is no such kind.
        """
    def __len__(self) -> int: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> CapsuleType:
        """A new stream at each call."""

@final
class Run:
    """What `gnomon run` itself leaves in the spool: the command, and how its children ended.

    Args:
        spool: The directory.
        argv: The program and its arguments.
        outer: The id of the run that this one is a part of.

    Raises:
        OSError: The spool cannot be written.
    """

    id: str
    def __new__(cls, spool: StrPath, argv: Sequence[str], outer: str | None = None) -> Run: ...
    def child_ended(self, pid: int, status: int) -> None:
        """Notes how a child ended: its exit status, or minus the signal."""
    def end(self, status: int) -> None:
        """Notes the end of the run, with the exit status that it passes on."""

class PolicyDenied(Exception):
    """A policy stopped the operation. Also a `PermissionError`, or an `ImportError` for imports.

    Copies and pickles are of the builtin class, with the same attributes: who loads them may have no gnomon.

    Attributes:
        rule: The rule that stopped it.
        policy: The policy that the rule is in.
        message: What the rule's author wrote.
        owner: Whom to ask.
        link: Where to read more.
    """

    rule: str | None
    policy: str | None
    message: str | None
    owner: str | None
    link: str | None

@final
class Problem:
    """Something that a policy file says wrongly, and where; `severity` is `error` or `warning`.

    What the file says may stand in `message` and `hint` as it is: escape it before it is shown.
    """

    file: str
    line: int
    column: int
    severity: str
    message: str
    hint: str | None

def check_policy(path: StrPath) -> tuple[int | None, list[Problem]]:
    """The number of rules of the policy file at `path`, and its problems.

    Lines and columns are counted from 1, columns in characters. There is no number where one of the problems
    is an error; that the file cannot be read is one of them.
    """

def compile_policy(
    paths: Sequence[StrPath], observe: bool = False, text: tuple[str, StrPath, str] | None = None
) -> tuple[bytes | None, list[Problem]]:
    """Compiles the policy files at `paths` into the one that processes read, and the problems of all.

    With `observe`, no rule of it acts. `text` is one more as a file would hold it: what problems call it, the
    directory for what it names relatively, and the text. There are no bytes where one of the problems is an
    error.
    """

def policy_rules(
    path: StrPath,
) -> tuple[str, list[tuple[str, str, str, str | None, str | None, str | None]]]:
    """The SHA-256 of the compiled policy at `path`, and its rules in their order.

    A rule is its name (`policy/rule`), action, mode, message, link and owner.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is broken, or was compiled by a newer gnomon.
    """

class Replay:
    """What a policy would have said of everything recorded. Times are nanoseconds since 1970, UTC.

    `each` has the records that a rule speaks of, where that was asked for: process, seq, kind, verdict, rule,
    shadow verdict, shadow rule. `without_groups` counts the processes whose groups are not recorded, where a
    rule asks for groups.
    """

    events: int
    records: int
    processes: int
    runs: int
    scripts: list[str]
    users: list[str]
    first_time: int | None
    last_time: int | None
    rules: int
    findings: list[ReplayFinding]
    each: list[tuple[str, int, str, str | None, str | None, str | None, str | None]]
    without_groups: int
    faults: list[Fault]

class ReplayFinding:
    """What one rule (`policy/rule`) would have done; where it `is_observed` only in records."""

    rule: str
    action: str
    is_observed: bool
    message: str
    link: str
    owner: str
    events: int
    records: int
    runs: list[str]
    users: list[str]
    scripts: list[ReplayScript]

class ReplayScript:
    """What a rule would have done to one script; the time, the place and the act are of the first time."""

    script: str
    events: int
    runs: int
    users: list[str]
    time: int
    file: str | None
    line: int | None
    doing: str

def replay_policy(
    policy: bytes,
    spools: Sequence[StrPath],
    *,
    since: int | None = None,
    process: str | None = None,
    run: str | None = None,
    each: bool = False,
) -> Replay:
    """What the compiled policy `policy` would have said of the records in `spools`.

    Raises:
        OSError: A spool cannot be read.
        ValueError: The policy is not one that this gnomon reads.
    """

@final
class PolicyCheck:
    """One thing that a rule asks of an event.

    Attributes:
        name: The key in the policy: `path`, `user`, `event` …
        pattern: The one of the rule's patterns that `value` matches, where it holds.
        values: All that the event has there.
        wanted: The first of the `wanted_count` patterns; where it fails, those most like the event.
        until: For the date of that name: when it is.
    """

    name: str
    holds: bool
    pattern: str | None
    value: str | None
    values: list[str]
    wanted: list[str]
    wanted_count: int
    until: int | None

@final
class RuleOutcome:
    """A rule, and what came of it for one event; `path` is the file meant where the event acts on several."""

    policy: str
    file: os.PathLike[str]
    line: int
    id: str
    action: str
    is_observed: bool
    message: str | None
    link: str | None
    owner: str | None
    path: str | None
    checks: list[PolicyCheck]

@final
class Explanation:
    """What policies say of an event, and why.

    Attributes:
        event: Its kind.
        enforced: The rule that decides.
        shadow: The rule that would decide if observed rules were enforced, too.
        policies: For each file the policy's name, and the two rules that decide there.
        overruled: The rules that match, and come after one that decides.
        close: The rules that fail in one check or two, the closest first; ten at most.
    """

    event: str
    enforced: RuleOutcome | None
    shadow: RuleOutcome | None
    policies: list[tuple[str, RuleOutcome | None, RuleOutcome | None]]
    overruled: list[RuleOutcome]
    close: list[RuleOutcome]

@final
class ExampleOutcome:
    """What a `[[rule.example]]` expects, and what its policy answers.

    Attributes:
        got: The action, with observed rules counting as if they were enforced.
        by: The rule that decides so; `None` where no rule speaks.
        problem: Why the example is no question, and what would help.
    """

    rule: str
    line: int
    event: str
    who: list[tuple[str, str]]
    expected: str
    got: str | None
    by: RuleOutcome | None
    problem: tuple[str, str] | None

def explain_policies(
    files: Sequence[StrPath], event: str, who: Sequence[tuple[str, str]], directory: StrPath, home: StrPath
) -> tuple[Explanation | None, list[Problem]]:
    """What the policy files say of `event`, done in `directory`; `None` where a problem is an error.

    Raises:
        ValueError: The event is not understood; the arguments are the cause and a hint.
    """

def test_policy(file: StrPath, home: StrPath) -> tuple[list[ExampleOutcome] | None, list[Problem]]:
    """Asks a policy file what its examples ask; `None` where one of the problems is an error."""

def columns() -> list[str]:
    """The names of the Arrow columns, which are those of the JSON fields."""

def doubles(spools: Sequence[StrPath]) -> list[set[str]]:
    """For each of `spools` the names of its segments that another has, with as much or more of their process.

    Raises:
        OSError: A spool cannot be listed.
    """

def enforce(
    data: bytes,
    *,
    justification: str | None = None,
    script: tuple[str, str, StrPath | None] | None = None,
    children: bool = True,
) -> int:
    """Puts this process, which is recorded, under the compiled policy too; the number ends it (`release`).

    Raises:
        OSError: It is not recorded, or the policy cannot be kept in the spool.
        ValueError: The data is no compiled policy.
    """

def release(ticket: int, *, children: bool = True) -> None:
    """Ends what `enforce` began with this number; does nothing the second time."""

def rule_texts(name: str) -> tuple[str, str, str] | None:
    """Message, link and owner of the rule `policy/rule` of a policy in force; empty where it has none."""

def pulse() -> tuple[int, int, int]:
    """How often a rule spoke of what this process does, when its spool last got or lost a file, and the time.

    Where the first has not changed since `begin_part`, no record of this process in the part has a verdict
    but `allow`. Zeros where it is not recorded.
    """

def preload_library() -> bytes:
    """The shared object for `LD_PRELOAD` that has a Python record before it starts; empty where none is.

    It looks for the file of this module, `_native.abi3.so`, in its own directory.
    """

def process_id() -> str | None:
    """The id that this process records under; `None` where it does not record."""

def recording() -> tuple[os.PathLike[str], str | None, bool] | None:
    """Where this process's records go, the run that it belongs to, and whether `start` began it."""

def read_toml(text: str) -> dict[str, Any]:
    """What a TOML document says, for Pythons before 3.11; dates are texts.

    Raises:
        ValueError: It is no TOML; the text says where.
    """

def machine_spool() -> os.PathLike[str] | None:
    """The spool into which all Pythons of this machine are recorded; `None` where none is."""

def start(spool: StrPath, *, every_import: bool = False, native: bool | None = None) -> bool:
    """Starts recording this process into `spool`, an absolute path; false where it is recorded already.

    `native` says whether native code is watched; by default the environment does.

    Raises:
        OSError: Nothing can be recorded there, or another audit hook refuses ours.
    """

def stop() -> bool:
    """Ends what `start` began; false where there is nothing to end. The hook stays, and records nothing."""

def begin_part() -> int | None:
    """Begins a new part of this process's records, and returns its time; `None` where it is not recorded.

    A record belongs to one part: what happens again in the next is stored anew.
    """

def examine(path: StrPath, build_id: str | None = None) -> str | None:
    """What the shared object at `path` can do unseen, as records of kind `blind` say it; `None` for nothing.

    Only where native code can be watched: Linux with glibc, on x86_64 and aarch64.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no shared object for one of these processors, or has not this build id.
    """

def reads_frames() -> bool:
    """Whether this process reads its frames where CPython keeps them, and need not ask for each."""

def seal(path: StrPath) -> int:
    """Gives back what a dead process allocated in a segment and did not use; returns the bytes.

    Raises:
        OSError: The file cannot be read or cut.
    """

@final
class Examined:
    """A file of a spool, as `examine_segment` found it; times are nanoseconds since 1970."""

    device: int
    inode: int
    owner: int
    fault: str | None
    process: str | None
    number: int
    pid: int
    life: str
    records: int
    bytes: int
    created: int
    last_time: int
    needs: list[str]
    sha256: str | None
    cut_bytes: int

def examine_segment(directory: int, name: StrPath, may_seal: bool) -> Examined | None:
    """Looks at the file called `name` in the open `directory`; `None` where it is no regular file.

    If `may_seal`, what its dead process did not use is cut off, and the digest of the rest is taken: of a
    file with one name that belongs to the directory's owner.

    Raises:
        OSError: It cannot be opened or cut.
    """

@final
class Keeper:
    """What `gnomon keep` itself leaves in a spool: what it removed, and why.

    Raises:
        OSError: The spool cannot be written.
    """

    def __new__(cls, spool: StrPath, argv: Sequence[str]) -> Keeper: ...
    def evicted(self, folder: StrPath, reason: str, files: int, bytes: int, first: int, last: int) -> None:
        """Notes that files of `folder` were removed; what they told of lies between two times."""
    def end(self, status: int) -> None:
        """Notes the end."""
