"""Upserts and deletions by key, and folding: data files written anew, or an overlay. Nothing is committed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.ingest.engine import Job, reading
from mcp_lakehouse.ingest.rejects import MAX_TEXT_CHARS
from mcp_lakehouse.ingest.stored import FILE, PLACE, Stored, numbers, only, paths, source
from mcp_lakehouse.ingest.types import quoted
from mcp_lakehouse.ingest.writing import Columns, write
from mcp_lakehouse.table import DELETED
from mcp_lakehouse.worker.channel import Message

# An overlay is begun where the files it spares have so many times its rows.
_CHEAPER = 4
_PLACE, _FILE, _COUNT = quoted(PLACE), quoted(FILE), quoted("lakehouse count")
_DELETED = quoted(DELETED)
_NOTHING: Message = {"replaced": [], "incoming": [], "overlay": None, "keeps_overlay": True}


@dataclass(frozen=True, slots=True)
class _Keyed:
    """An upsert or a deletion at work. The tables `winners` (keys) and `hits` (rows of theirs, by file) are there."""

    job: Job
    stored: Stored
    # As they are compared, and as they are written.
    columns: Columns
    written: Columns
    key: Sequence[str]
    deletes: bool
    rows: str

    @property
    def keys(self) -> str:
        """The key as SQL."""
        return ", ".join(quoted(name) for name in self.key)

    def names(self, columns: Columns | None = None) -> str:
        """The columns as they are written, as SQL."""
        kinds = dict(self.columns)
        return ", ".join(
            quoted(name) if kinds[name] == kind else f"CAST({quoted(name)} AS {kind}) AS {quoted(name)}"
            for name, kind in (columns or self.written)
        )


@dataclass(frozen=True, slots=True)
class _Counts:
    """Keys that are given, those of them that were seen, and how many rows of theirs were.

    `laid` rows of the overlay have such a key, `laid_live` of them are no deletions; `known` keys are in either.
    """

    given: int
    matched: int
    gone: int
    laid: int
    laid_live: int
    known: int


def rewrite(job: Job, request: Message) -> Message:
    """What an upsert of `incoming` files into `existing` ones on `key` makes of both, or a deletion (`deletes`).

    Of incoming rows with the same key the last wins; rows with a null in the key are rejected. Either each existing
    file that holds a matched key is replaced by one without those rows (`file` is null where none are left), with
    the rows of the old overlay among the incoming; or there is a new `overlay`. `updated` counts matched keys,
    `inserted` the others, `gone` the rows that are seen no more. Raises `InvalidInput` where rows of `documents`
    would go because they share a key: their text is nowhere else.
    """
    columns: Columns = [(name, kind) for name, kind in request["columns"]]
    key = _key(request["key"], columns)
    incoming = paths(request["incoming"])
    deletes = request.get("deletes", False)
    if not incoming:
        return _NOTHING | {"updated": 0, "inserted": 0, "gone": 0, "rejected": 0, "rejects": None, "notes": []}
    with reading("the deletion" if deletes else "the upsert"):
        stored = Stored.of(request)
        written = [(name, kind) for name, kind in request.get("written") or columns]
        rows = source(job, incoming, columns, place=True)
        work = _Keyed(job, stored, columns, written, key, deletes, rows)
        _take_winners(work, documents=request.get("documents", False))
        counts = _counted(work)
        nothing = not counts.gone and not counts.laid
        if nothing and deletes:
            made = _NOTHING
        elif nothing or not _pays(work, counts, request):
            made = _rewritten(work, fold=not nothing)
        else:
            made = _NOTHING | {"overlay": _laid(work, counts, request)}
    return made | {
        "updated": counts.matched,
        "inserted": 0 if deletes else counts.given - counts.matched,
        "gone": counts.gone,
        "unknown": counts.given - counts.matched,
        "rejected": job.rejects.count,
        "rejects": job.rejects.path,
        "notes": job.notes,
    }


def fold(job: Job, request: Message) -> Message:
    """The overlay's rows in data files, and those it shadows in none: `replaced` and `incoming` as `rewrite` gives."""
    columns: Columns = [(name, kind) for name, kind in request["columns"]]
    with reading("the dataset's files"):
        return _rewritten(_Keyed(job, Stored.of(request), columns, columns, (), False, ""), fold=True)


def _key(key: Sequence[str], columns: Columns) -> list[str]:
    spelled = {name.casefold(): name for name, _ in columns}
    missing = [name for name in key if name.casefold() not in spelled]
    if missing or not key:
        raise InvalidInput(
            f"the key names {', '.join(map(repr, missing))}, which is no column" if missing else "no key was given",
            hint=f"columns: {', '.join(name for name, _ in columns[:50])}",
        )
    return [spelled[name.casefold()] for name in key]


def _take_winners(work: _Keyed, *, documents: bool) -> None:
    """Make `winners`: of each key its last place among the incoming rows."""
    job, key = work.job, work.key
    filled = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in key)
    job.rows(
        f"CREATE TEMP TABLE winners AS SELECT {work.keys}, max({_PLACE}) AS {_PLACE}, count(*) AS {_COUNT} "
        f"FROM ({work.rows}) WHERE {filled} GROUP BY {work.keys}"
    )
    distinct, given = numbers(job, f"SELECT count(*), coalesce(sum({_COUNT}), 0) FROM winners")
    if given > distinct and documents:
        raise InvalidInput(
            f"{given - distinct:,} rows of the documents repeat a key ({', '.join(key)}); their text would be lost",
            hint="leave key out: mode='upsert' replaces all rows of each source",
        )
    if given > distinct and not work.deletes:
        job.note(f"{given - distinct:,} rows repeat a key of the same load; the last of each was kept")
    _reject_null_keys(job, work.rows, filled, key)
    if job.rejects.count and not distinct:
        raise InvalidInput(
            f"every row of the source has no value in the key ({', '.join(key)})",
            hint="check that the source has that column and fills it, or give another key",
        )


def _reject_null_keys(job: Job, rows: str, filled: str, key: Sequence[str]) -> None:
    count = numbers(job, f"SELECT count(*) FROM ({rows}) WHERE NOT ({filled})")[0]
    if not count:
        return
    shown = job.rows(
        f"SELECT left(to_json(r)::VARCHAR, {MAX_TEXT_CHARS}) FROM (SELECT * EXCLUDE ({_PLACE}) FROM ({rows}) "
        f"WHERE NOT ({filled}) ORDER BY {_PLACE} LIMIT {job.rejects.room}) AS r"
    )
    reason = f"the key ({', '.join(key)}) is null"
    job.rejects.add_many([("", None, key[0], reason, str(text)) for (text,) in shown], more=count - len(shown))


def _counted(work: _Keyed) -> _Counts:
    """Make `hits`, the rows of the winners' keys that are seen, by file; and count."""
    job, stored, keys = work.job, work.stored, work.keys
    needed = only(work.columns, list(dict.fromkeys([*work.key, *stored.by])))
    found = stored.base(job, needed, file=True)
    job.rows(
        f"CREATE TEMP TABLE hits AS SELECT {keys}, {_FILE}, count(*) AS {_COUNT} "
        f"FROM ({found}) SEMI JOIN winners USING ({keys}) GROUP BY ALL"
    )
    known = f"SELECT {keys} FROM hits"
    laid = laid_live = 0
    if stored.overlay is not None:
        theirs = f"SELECT {keys}, {_DELETED} FROM ({stored.laid(job, needed)}) SEMI JOIN winners USING ({keys})"
        job.rows(f"CREATE TEMP TABLE laid_hits AS {theirs}")
        laid, laid_live = numbers(job, f"SELECT count(*), count(*) FILTER (NOT {_DELETED}) FROM laid_hits")
        live = f"{known} UNION SELECT {keys} FROM laid_hits WHERE NOT {_DELETED}"
        known = f"{known} UNION SELECT {keys} FROM laid_hits"
    else:
        live = known
    gone = numbers(job, f"SELECT coalesce(sum({_COUNT}), 0) FROM hits")[0] + laid_live
    return _Counts(
        given=numbers(job, "SELECT count(*) FROM winners")[0],
        matched=numbers(job, f"SELECT count(*) FROM (SELECT DISTINCT * FROM ({live}))")[0],
        gone=gone,
        laid=laid,
        laid_live=laid_live,
        known=numbers(job, f"SELECT count(*) FROM (SELECT DISTINCT * FROM ({known}))")[0],
    )


def _pays(work: _Keyed, counts: _Counts, request: Message) -> bool:
    """Whether an overlay is much cheaper than data files written anew, and can say what is to be said."""
    stored, most = work.stored, request.get("overlay_rows", 0)
    if request.get("documents") or any(name.casefold() == DELETED for name, _ in work.columns):
        return False
    rows = (counts.known if work.deletes else counts.given) + stored.laid_rows - counts.laid
    if rows > most:
        return False
    if stored.overlay is not None:
        # It reaches what was added since from now on, so none of that may have a key of it.
        return tuple(stored.by) == tuple(work.key) and not _overlaps(work)
    files = [int(str(file)) for (file,) in work.job.rows(f"SELECT DISTINCT {_FILE} FROM hits")]
    return bool(sum(stored.rows[file] for file in files) > max(_CHEAPER * rows, request["overlay_from"]))


def _overlaps(work: _Keyed) -> bool:
    stored, job = work.stored, work.job
    later = stored.paths[stored.reached :]
    if not later:
        return False
    columns = only(work.columns, work.key)
    theirs = source(job, later, columns)
    return bool(
        job.rows(f"SELECT 1 FROM ({theirs}) SEMI JOIN ({stored.laid(job, columns)}) USING ({work.keys}) LIMIT 1")
    )


def _laid(work: _Keyed, counts: _Counts, request: Message) -> Message:
    """The overlay before without the winners' keys, with what is new of them; deletions come last."""
    job, stored, names = work.job, work.stored, work.names()
    selects = []
    live = deleted = 0
    if stored.overlay is not None:
        laid = stored.laid(job, work.columns)
        selects.append(f"SELECT {names}, {_DELETED} FROM ({laid}) ANTI JOIN winners USING ({work.keys})")
        before = request["overlay"]
        live, deleted = before["upserted"] - counts.laid_live, before["deleted"] - (counts.laid - counts.laid_live)
    if work.deletes:
        gone = f"SELECT {work.keys} FROM hits" + (
            f" UNION SELECT {work.keys} FROM laid_hits" if stored.overlay is not None else ""
        )
        nothing = ", ".join(
            f"CAST({quoted(name) if name in work.key else 'NULL'} AS {kind}) AS {quoted(name)}"
            for name, kind in work.written
        )
        selects.append(f"SELECT {nothing}, true AS {_DELETED} FROM (SELECT DISTINCT * FROM ({gone}))")
        deleted += counts.known
    else:
        selects.insert(0, f"SELECT {names}, false AS {_DELETED} FROM ({work.rows}) SEMI JOIN winners USING ({_PLACE})")
        live += counts.given
    query = f"{' UNION ALL '.join(selects)} ORDER BY {_DELETED}"
    (file,) = write(job, query, [*work.written, (DELETED, "BOOLEAN")], split=False)
    shadowed = (request["overlay"]["shadowed"] if stored.overlay is not None else 0) + counts.gone - counts.laid_live
    return {"file": file, "by": list(work.key), "upserted": live, "deleted": deleted, "shadowed": shadowed}


def _rewritten(work: _Keyed, *, fold: bool) -> Message:
    """Data files without the winners' rows and without what the overlay shadows; the new rows and the overlay's."""
    job, stored = work.job, work.stored
    laid = stored.overlay is not None and fold
    touched = _touched(work) if fold else []
    replaced = [{"path": stored.paths[number], "file": _without(work, number)} for number in touched]
    selects = []
    if work.rows and not work.deletes:
        selects.append(f"SELECT {work.names()} FROM ({work.rows}) SEMI JOIN winners USING ({_PLACE})")
    if laid:
        rest = f"SELECT {work.names()} FROM ({stored.laid(job, work.columns)})"
        selects.append(f"{rest}{_not_winning(work)} WHERE NOT {_DELETED}")
    with job.progress.during(job.connection, 0, 0, "writing the new rows"):
        written = write(job, " UNION ALL ".join(selects), work.written) if selects else []
    # Where nothing is replaced the overlay stays as it is, over the files that it was laid over.
    return {"replaced": replaced, "incoming": written, "overlay": None, "keeps_overlay": not fold}


def _touched(work: _Keyed) -> list[int]:
    """The files that hold a row of the winners' or one that the overlay shadows."""
    job, stored = work.job, work.stored
    found: set[int] = set()
    if work.key:
        found |= {int(str(file)) for (file,) in job.rows(f"SELECT DISTINCT {_FILE} FROM hits")}
    if stored.overlay is not None and stored.reached:
        by = only(work.columns, stored.by)
        keys = ", ".join(quoted(name) for name in stored.by)
        laid = stored.laid(job, by)
        for number in range(stored.reached):
            base = source(job, [stored.paths[number]], by)
            if number not in found and job.rows(f"SELECT 1 FROM ({base}) SEMI JOIN ({laid}) USING ({keys}) LIMIT 1"):
                found.add(number)
    return sorted(found)


def _without(work: _Keyed, number: int) -> Message | None:
    rows = work.stored.base(work.job, work.columns, of=[number])
    query = f"SELECT {work.names()} FROM ({rows}){_not_winning(work)}"
    # One file for one file, however large: the caller swaps them.
    files = write(work.job, query, work.written, split=False)
    return files[0] if files else None


def _not_winning(work: _Keyed) -> str:
    return f" ANTI JOIN winners USING ({work.keys})" if work.key else ""
