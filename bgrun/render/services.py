"""Render what a service adds to a job: its port and address, and how it is found to be ready."""

from __future__ import annotations

import re
import shlex
from _collections_abc import Mapping
from typing import Any, NamedTuple

from bgrun.errors import UsageError
from bgrun.jobfile.specs import AUTO_PORT
from bgrun.plan import ReadyCheck
from bgrun.render import script, shell_text
from bgrun.render.variables import Layers
from bgrun.system import ports
from bgrun.templating import template
from bgrun.templating.shell_check import check_syntax
from bgrun.wording import names, short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bgrun.jobfile.specs import JobFile, JobSpec
    from bgrun.plan import Concurrency, Node
    from bgrun.render.settings import RenderedSettings
    from bgrun.templating.inputs import RenderInputs

_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]+")


class Address(NamedTuple):
    """Where a service listens: its port or 0, and its URL or ''."""

    port: int = 0
    url: str = ""


class Services(Mapping[str, dict[str, Any]]):
    """The services that templates of a job know as `services`, by the names in the file that declares the job."""

    def __init__(self, job_file: JobFile, prefix: str, inputs: RenderInputs) -> None:
        start = f"{prefix}." if prefix else ""
        services = (job for job in job_file.jobs.values() if job.service and job.name.startswith(start))
        self._specs = {job.name[len(start) :]: job for job in services}
        self._inputs = inputs

    def __getitem__(self, name: str) -> dict[str, Any]:
        """Return the port and the URL of a service, as far as it has them."""
        found = address_of(self._specs[name], self._inputs)
        return {key: value for key, value in found._asdict().items() if value}

    def __iter__(self) -> Iterator[str]:
        """Yield all names."""
        return iter(self._specs)

    def __len__(self) -> int:
        """Return the number of services."""
        return len(self._specs)


def port_of(job: JobSpec, inputs: RenderInputs) -> int:
    """Return the port of a service, or 0."""
    declared = job.service.port if job.service else ""
    if declared != AUTO_PORT:
        return int(declared or 0)
    if job.name in inputs.ports:
        inputs.repeatable = False
        return inputs.ports[job.name]
    root, name = str(job.root), job.name.removeprefix(f"{job.prefix}.")
    subject = f"{root}\0{name}"
    if known := inputs.noted("port", subject):
        return int(known)  # since then another start may have got it: which is found out at the launch
    port = ports.assign(root, name)
    inputs.note("port", subject, port)
    return port


def address_of(job: JobSpec, inputs: RenderInputs, values: Mapping[str, Any] | None = None) -> Address:
    """Return where a service listens: by the URL of its check, or else on its port.

    values: what its template knows; None: what it knows where another job needs the service.

    Raises:
        UsageError: the URL is an invalid template.
    """
    port = port_of(job, inputs)
    check = job.service.ready if job.service else None
    if check and check.kind == "http":
        url = template.render(check.value, values or _own_values(job, port, inputs), f"{job.name}: ready.http")
        origin = _ORIGIN.match(url)
        return Address(port, origin[0] if origin else url)
    return Address(port, f"http://127.0.0.1:{port}" if port else "")


def _own_values(job: JobSpec, port: int, inputs: RenderInputs) -> Mapping[str, Any]:
    """Return what the templates of `ready` know of a service that starts with the defaults of its parameters."""
    defaults = {param.name: param.default for param in job.params if param.default is not None}
    values = {"job": job.name, **({"port": port} if port else {}), **defaults}
    return Layers(with_port(job, port).settings, job.root, values, f"{job.name}: ", inputs).values


def with_port(job: JobSpec, port: int) -> JobSpec:
    """Return a service whose environment has its port as PORT, unless it sets that itself."""
    if not port:
        return job
    return job._replace(settings=job.settings._replace(env={"PORT": str(port), **job.settings.env}))


def ready_check(job: JobSpec, rendered: RenderedSettings, values: Mapping[str, Any]) -> ReadyCheck | None:
    """Return the check of a service with its template rendered.

    Raises:
        UsageError: the template is invalid, or the shell cannot parse the command.
    """
    check = job.service.ready if job.service else None
    if not check or check.kind not in ("http", "command"):
        return check
    where = f"{job.name}: ready.{check.kind}"
    if check.kind == "http":
        return check._replace(value=template.render(check.value, values, where))
    shell = shell_text.words_of(job.settings.shell, job.name)
    is_posix = shell_text.is_posix(shell)
    text = (template.render_shell if is_posix else template.render_raw)(check.value, values, where).rstrip()
    if is_posix:
        check_syntax(text, shell, where)
    line = f"{rendered.env_words}{shlex.join([*shell, '-c', text])}"
    return check._replace(value=script.check_script(rendered, line), shown=f"command {short(text)!r}")


def check_slots(nodes: Sequence[Node]) -> None:
    """Refuse a plan in which a run waits for a slot that the services which it needs hold until it has finished.

    Raises:
        UsageError: one does.
    """
    needed: list[dict[int, None]] = []
    for node in nodes:
        conditions = node.conditions or ("succeeded",) * len(node.needs)
        own = [one for one, how in zip(node.needs, conditions, strict=True) if how in ("ready", "started")]
        needed.append({place: None for one in own if nodes[one].job.service for place in (*needed[one], one)})
    for node, places in zip(nodes, needed, strict=True):
        wanted = node.job.concurrency
        services = [nodes[place].job for place in places]
        same = [one.label for one in services if wanted and one.concurrency and _is_same_group(wanted, one.concurrency)]
        if wanted and len(same) >= wanted.limit and not node.skip:
            where = f"concurrency group '{wanted.group}' (limit {wanted.limit})"
            raise UsageError(
                f"{node.job.label} would wait forever in {where}: it needs {names(same)}, in the same group",
                "give the service another group under `concurrency:`, or the group a higher limit",
            )


def _is_same_group(one: Concurrency, other: Concurrency) -> bool:
    return (one.group, one.scope) == (other.group, other.scope)
