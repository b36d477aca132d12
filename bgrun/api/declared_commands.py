"""List what the declared jobs run, for `bgrun hook`, which is called before each shell command of a coding agent.

A cache entry makes it fast: reading a job file takes 40 ms and more. It is invalid for another job file, for changed
included files and for other code of bgrun.
"""

from __future__ import annotations

import os

from bgrun import codec
from bgrun.jobfile import project as projects
from bgrun.light import suppress
from bgrun.templating import checks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from bgrun.jobfile.project import Project
    from bgrun.jobfile.specs import JobSpec
    from bgrun.setup.command_hook import DeclaredCommand

_ENTRY = "commands"


def declared_commands(project: Project, programs: Iterable[str]) -> list[DeclaredCommand]:
    """Return what the jobs of a project run; an empty list if its job file names none of these programs.

    Raises:
        NoJobFileError: there is none.
        JobFileError: it has errors.
    """
    raw = projects.read_job_file(projects.declared_in(project))
    if b"include" not in raw and not any(os.fsencode(one) in raw for one in programs):
        return []
    from bgrun.jobfile.installation import code_mark

    source = (codec.digest(raw), project.root, code_mark())
    found = _cached(project, source)
    return _read(project, raw, source) if found is None else found


def _cached(project: Project, source: tuple[Any, ...]) -> list[DeclaredCommand] | None:
    from bgrun.setup.command_hook import DeclaredCommand

    with suppress(ValueError, TypeError):
        made_from, recorded, found = codec.unpack(project.store.cache.read(_ENTRY) or b"")
        if made_from == source and checks.unchanged(recorded, os.environ, project.here):
            return [codec.restore(DeclaredCommand, one) for one in found]
    return None


def _read(project: Project, raw: bytes, source: tuple[Any, ...]) -> list[DeclaredCommand]:
    from bgrun.api import jobs
    from bgrun.templating import inputs

    recorded = inputs.RenderInputs(os.environ, project.here)
    job_file = jobs.load(project, raw=raw, recorded=recorded)
    found = [_declared(job) for job in job_file.jobs.values()]
    if recorded.repeatable:
        project.store.cache.write(_ENTRY, codec.pack((source, recorded.recorded(), found)))
    return found


def _declared(job: JobSpec) -> DeclaredCommand:
    from bgrun.setup.command_hook import DeclaredCommand

    defaults = {param.name: param.default for param in job.params}
    named = job.settings.working_dir
    directory = "" if "{{" in named or "{%" in named else os.path.join(job.root, named)
    return DeclaredCommand(job.name, job.command, defaults, directory, job.settings.shell)
