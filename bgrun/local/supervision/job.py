"""Launch one job: its script waits at a gate until its record is published, and only then begins.

The script is spawned first, so that its shell starts while the record is being written, and reads
from a pipe before all else. The PID file is created hidden, locked, and published by a rename; then the gate
is opened. If the supervisor is killed before that, the pipe closes and the script exits: no command ever
runs without a record.

What does not need the process is done before its start time is read: on Linux that waits until the shell is
executed (proc(5), `stat`), a third of a millisecond.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from bgrun.errors import LaunchError, ScarceError, is_scarce
from bgrun.light import NamedTuple, signal, suppress
from bgrun.local.recording import journal
from bgrun.local.supervision import descriptors
from bgrun.store import meta
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.system import clock, files, process, programs
from bgrun.system.changes import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from bgrun.store.paths import RunPaths


GATE_FD, SLOT_FD = 8, 9
"""Where a job script finds its gate, and the lock of its slot: descriptors that bash leaves alone (see job.sh.j2)."""
GATE = "BGRUN_GATE"
SPARE = 24
"""How many descriptors a supervisor of several runs keeps free, to write down how they end; of a low limit a third."""
_DASH = ("/bin/dash", "/usr/bin/dash")


class Around(NamedTuple):
    """What all launches share: our environment as a plain mapping, and the words that each shell begins with."""

    environment: dict[str, str]
    bash: tuple[str, ...]
    dash: tuple[str, ...]


class Held(NamedTuple):
    """Descriptors of locks that a run has before its launch, or -1: that of the run, and that of its slot.

    The job script keeps the slot open as well, as SLOT_FD, and closes it for its command.
    """

    lock_fd: int = -1
    slot_fd: int = -1


class Start(NamedTuple):
    """What a job script is started with.

    `environment` are variables of its own; `any_shell`: any POSIX shell does the same with it. `log_dir` is the log
    folder as it is named now, by which the script finds its files and its processes are marked. `meanwhile` is
    done before it begins. `spare`: other runs need descriptors too.
    """

    environment: dict[str, str]
    any_shell: bool
    log_dir: str
    meanwhile: Callable[[], None]
    spare: bool = False


def launch(at: RunPaths, facts: dict[str, str], start: Start, held: Held) -> journal.Child:
    """Start a job script as a child of this process and the leader of a session of its own.

    Raises:
        ScarceError: descriptors, processes or memory ran out; a lock that was `held` is held still.
        LaunchError: it does not run, and of its files only the meta and the script may be left.
    """
    with Change(at.log_dir, at.run_id):
        return _launch(at, facts, start, held)


def _launch(at: RunPaths, facts: dict[str, str], start: Start, held: Held) -> journal.Child:
    opened: list[int] = []
    try:
        _require_script(at._replace(log_dir=start.log_dir).script, at.run_id)
        opened.append(journal.open_log(at))
        if start.spare:
            _leave_some(opened[0])
        child = _begin(at, {**facts, "log_dir": start.log_dir}, start, held, opened)
        os.close(opened[0])
    except LaunchError:
        _withdraw(at, opened)
        raise
    except OSError as error:
        message = f"cannot launch {at.run_id} in {start.log_dir}: {error.strerror}"
        if is_scarce(error):
            _withdraw(at, opened, waits=held.lock_fd)
            raise ScarceError(message, "see `ulimit -n` and `ulimit -u`") from error
        _withdraw(at, opened)
        raise LaunchError(message) from error
    return child


def _require_script(script: str, run_id: str) -> None:
    """Refuse to launch a shell that finds no script: it would exit with 2 or 127, as a command may that succeeds."""
    if not os.access(script, os.R_OK):
        raise LaunchError(f"the job script of {run_id} no longer exists: {script}", "start the job again")


def _leave_some(fd: int) -> None:
    """Raise the OSError of a limit that is almost reached; `fd` is the lowest descriptor that was free."""
    most = os.sysconf("SC_OPEN_MAX")
    if 0 < most <= fd + min(SPARE, most // 3):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def _withdraw(at: RunPaths, opened: list[int], waits: int | None = None) -> None:
    """Remove the files of a launch; a run that stays queued, with the lock `waits` or -1, keeps its record."""
    for fd in opened:
        if waits is None or fd != waits:
            os.close(fd)
    kept = (
        {at.stop, at.hidden("pid")} if waits is not None and waits >= 0 else {at.stop} if waits is not None else set()
    )
    for path in (at.log, at.pid, at.exit, *at.all_hidden):
        if path not in kept:
            files.remove(path)


def _begin(at: RunPaths, facts: dict[str, str], start: Start, held: Held, opened: list[int]) -> journal.Child:
    """Spawn the script, make its record, publish that, and open the gate; `opened` has its log."""
    started_at = clock.iso(time.time())
    read_fd, gate_fd = os.pipe()
    try:
        pid = _spawn(at, start, (opened[0], read_fd, held.slot_fd))
        try:
            lock_fd = journal.claim_files(at, facts, opened, held.lock_fd)
            start.meanwhile()
            known = meta.pack(_with_process(facts, pid, started_at))
            journal.publish(at, pid, known, lock_fd)
            os.write(gate_fd, b"\n")
        except (OSError, LaunchError):
            _end(pid)
            raise
    finally:
        os.close(read_fd)
        os.close(gate_fd)
    return journal.Child(pid, lock_fd, known)


def _end(pid: int) -> None:
    """Kill a script that is still at its gate."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _with_process(facts: dict[str, str], pid: int, started_at: str) -> dict[str, str]:
    """Return the facts with those of a process."""
    born = {"pgid": str(pid), "pid": str(pid), "pid_start": process.start_of(pid), "started_at": started_at}
    return {**facts, **born, "pid_ns": process.pid_namespace()}


def _spawn(at: RunPaths, start: Start, fds: tuple[int, int, int]) -> int:
    """Spawn the script: its log as stdout and stderr, no stdin, default signals, no other descriptors."""
    log_fd, gate_fd, slot_fd = fds
    around = look_around()
    environment = {**around.environment, **start.environment, GATE: "1", MARK_RUN: at.run_id, MARK_DIR: start.log_dir}
    shell = around.dash if around.dash and start.any_shell and _is_plain(start.environment) else around.bash
    words = [*shell, at._replace(log_dir=start.log_dir).script]
    opened: list[int] = []
    try:
        # Opened here: in the child all that we have open counts against the limit that the job is to have.
        opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        streams = [(opened[0], 0), (log_fd, 1), (log_fd, 2)]
        for fd, target in ((slot_fd, SLOT_FD), (gate_fd, GATE_FD)):
            if fd >= 0:
                opened.append(_out_of_the_way(fd))
                streams.append((opened[-1], target))
        with descriptors.callers_limit():
            return _spawn_apart(words, environment, streams)
    finally:
        for fd in opened:
            os.close(fd)


def _spawn_apart(words: list[str], environment: dict[str, str], streams: list[tuple[int, int]]) -> int:
    """Start a program in a session of its own, with these descriptors under these numbers."""
    try:
        return os.posix_spawn(
            words[0],
            words,
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, source, target) for source, target in streams],
            setsid=True,
            setsigmask=(),
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        )
    except NotImplementedError:  # Python was built where posix_spawn(3) makes no session
        pid = os.fork()
        if pid == 0:
            _become(words, environment, streams)
        return pid


def _become(words: list[str], environment: dict[str, str], streams: list[tuple[int, int]]) -> NoReturn:
    """Do in the child what posix_spawn(3) does elsewhere."""
    try:
        os.setsid()
        for source, target in streams:
            os.dup2(source, target)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execve(words[0], words, environment)
    finally:
        os._exit(127)


def look_around(known: list[Around] = []) -> Around:  # noqa: B006 - it is to last
    """Return what all launches share, looked up once: os.environ decodes each variable at each look.

    dash takes half of bash's time, and runs a job script where it does the same. It does not where a
    variable has a name that no shell can give it, which only bash hands on, nor where one would set its
    `getopts` (dash(1)).
    """
    if not known:
        environment = programs.job_environment(os.environ)
        # Not from the PATH: any program there may be called dash.
        dash = [path for path in _DASH if os.access(path, os.X_OK)] if process.LINUX and _is_plain(environment) else []
        # -p: neither BASH_ENV nor exported functions of the caller may change the script.
        bash = (programs.find("bash") or "/bin/bash", "-p")
        known.append(Around(environment, bash, tuple(dash[:1])))
    return known[0]


def _is_plain(environment: dict[str, str]) -> bool:
    names = "".join(environment)
    return "OPTIND" not in environment and names.isascii() and all(map(str.isidentifier, environment))


def _out_of_the_way(fd: int) -> int:
    """Return a copy of a descriptor with a number that the script does not use."""
    try:
        return int(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(GATE_FD, SLOT_FD) + 1))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE)) from error  # beyond the limit (fcntl(2))
