"""The handler of `doctor`: show what works here, and what coding agents find."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import output, tables
from bgrun.errors import EXIT_JOB_FAILED, EXIT_OK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Args
    from bgrun.setup.doctor import Check


def doctor(project: Project, args: Args) -> int:
    """Handle `bgrun doctor`."""
    from bgrun.setup import doctor as doctors
    from bgrun.setup import starter

    root = starter.look(project, args.here, is_given=args.file is not None).root
    found = doctors.checks(project, root)
    absent = doctors.absent_clients()
    missing = any(one.status == "missing" for one in found)
    if args.json:
        output.document(api.documents.doctor(found, absent))
    else:
        for line in tables.table([_row(one) for one in found if one.status != "ok" or not args.quiet]):
            output.out(line)
        if absent and not args.quiet:
            output.out(f"not installed: {', '.join(absent)}")
    return EXIT_JOB_FAILED if missing else EXIT_OK


def _row(check: Check) -> list[str]:
    from bgrun.setup.clients import CLIENTS

    subject = CLIENTS[check.subject].title if check.subject in CLIENTS else check.subject
    detail = f"{check.detail}; run: {check.fix}" if check.fix else check.detail
    return [check.status, subject, check.name, detail]
