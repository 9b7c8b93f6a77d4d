"""`vacuum`, `pin` and `forget`."""

from __future__ import annotations

import argparse

from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.console import counted, printable, say
from mcp_lakehouse.commands.opening import Opening
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.retention.records import DatasetVacuum, ForgetPlace


def vacuum(args: argparse.Namespace, opening: Opening) -> int:
    """Remove what nothing needs any more; fails when some of it could not be looked at."""
    with opening() as lake:
        report = lake.vacuum(args.datasets or None, dry_run=args.dry_run, at_once=args.now)
    failed = [each for each in report.datasets if (each.note or "").startswith("not vacuumed")]
    if args.json:
        show.json_value(report)
        return 1 if failed else 0
    columns = {"dataset": False, "retired": False, "files": True, "bytes": True, "waiting": True, "until": False}
    show.facts(columns, [_line(each) for each in report.datasets])
    for each in report.datasets:
        for line in [*each.kept, *([each.note] if each.note else [])]:
            say(f"{printable(each.dataset)}: {printable(line)}")
    would = "would be removed" if report.dry_run else "removed"
    say(f"({counted(report.files_removed, 'file')} of {report.bytes_removed:,} bytes {would})")
    return 1 if failed else 0


def pin(args: argparse.Namespace, opening: Opening) -> int:
    """Pin a version, or take its pins away."""
    if not args.remove and not args.reason:
        raise InvalidInput("a pin needs a reason", hint="give --reason TEXT: what needs this version")
    with opening() as lake:
        if args.remove:
            gone = lake.unpin(args.dataset, args.version, args.reason)
            record: object = {"dataset": args.dataset, "version": args.version, "removed": gone}
            told = f"{counted(gone, 'pin')} of {args.dataset} v{args.version} removed"
        else:
            record = lake.pin(args.dataset, args.version, args.reason)
            told = (
                f"{args.dataset} v{args.version} stays until: mcp-lakehouse pin {args.dataset} {args.version} --remove"
            )
    if args.json:
        show.json_value(record)
    else:
        print(told)
    return 0


def _line(each: DatasetVacuum) -> dict[str, object]:
    return {
        "dataset": each.dataset,
        "retired": ", ".join(each.retired),
        "files": each.files_removed,
        "bytes": each.bytes_removed,
        "waiting": each.files_waiting,
        "until": each.waiting_until or "",
    }


def forget(args: argparse.Namespace, opening: Opening) -> int:
    """Delete rows everywhere; fails when some of them may be left where we can reach."""
    with opening() as lake:
        report = lake.forget(args.dataset, args.where, args.confirm, dry_run=args.dry_run)
    if args.json:
        show.json_value(report)
        return 0 if report.verified or report.dry_run else 1
    show.facts(
        {"place": False, "removed": True, "what": False, "left": False}, [_place(each) for each in report.places]
    )
    if report.retired:
        would = "would be" if report.dry_run else "are"
        say(f"versions of {report.dataset} that {would} readable no more: {', '.join(report.retired)}")
    say("not reached:")
    for line in report.left:
        say(f"  {printable(line)}")
    if report.dry_run:
        say("(a dry run: nothing was changed)")
        return 0
    looked = "nothing is left" if report.verified else "NOT ALL IS GONE, run it again"
    say(f"({report.dataset} is at version {report.version}; looked again: {looked})")
    return 0 if report.verified else 1


def _place(each: ForgetPlace) -> dict[str, object]:
    return {"place": each.place, "removed": each.removed, "what": each.what, "left": each.left or ""}
