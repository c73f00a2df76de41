"""The collections of one index in Milvus, and what is asked of them."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .connecting import connect, is_lite, read, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .connecting import Address

LONGEST = 65_535
"""Bytes of a text in one field."""
MOST = 1_000
"""Rows that are written or asked for at a time."""
DEEPEST = 16_384
"""Rows that a search or a query may find: Milvus's own limit."""

_SOME, _MANY = 500, 10_000
"""Rows that Milvus Lite may look through in each search, and those that wait for the next."""
_WRITING: dict[str, threading.Lock] = {}
"""By address: Milvus Lite wants one writer at a time."""


@dataclass(frozen=True)
class Field:
    """One field of a table."""

    name: str
    kind: str = "VARCHAR"
    """As Milvus calls it: ``INT64``, ``VARCHAR``, ``DOUBLE``, ``JSON``, ``ARRAY`` (of texts)."""
    longest: int = LONGEST
    """Bytes of a text."""
    nullable: bool = False
    looked_up: bool = False
    """Whether rows are looked up by it, so that an index of it pays."""

    def how(self) -> dict[str, Any]:
        """What Milvus wants to know of it."""
        if self.kind == "VARCHAR":
            return {"max_length": self.longest, "nullable": self.nullable}
        if self.kind == "ARRAY":
            from pymilvus import DataType

            return {"element_type": DataType.VARCHAR, "max_capacity": 256, "max_length": self.longest}
        return {"nullable": True} if self.nullable else {}


class Tables:
    """The collections of one index, made when they are first written to.

    Parameters
    ----------
    address
        See :func:`mmrag_nb.milvus.connecting.read`.
    """

    def __init__(self, address: str) -> None:
        self.address: Address = read(address)
        self._client = connect(self.address)
        with told(self.address):
            self._lite = self.address.lite or is_lite(self._client)
        self._there: set[str] = set()
        self._fresh: Counter[str] = Counter()
        """Rows by table that were written since it was settled."""
        self._writing = _WRITING.setdefault(self.address.uri, threading.Lock())

    def name(self, table: str) -> str:
        """What a table is called among all collections of the server."""
        return f"{self.address.name}_{table}"

    def exists(self, table: str) -> bool:
        """Whether anything was ever written to a table."""
        if table not in self._there:
            with told(self.address):
                if not self._client.has_collection(self.name(table)):
                    return False
                self._client.load_collection(self.name(table))  # after a restart
            self._there.add(table)
        return True

    def make(self, table: str, fields: Sequence[Field], vector: int = 0, worded: Sequence[str] = ()) -> None:
        """Make a table, where it is not there yet.

        Parameters
        ----------
        fields
            The first is the primary key.
        vector
            Dimension of the field ``vector``. Milvus has no collection without one: 0 makes one of two numbers.
        worded
            Fields of words, blank between blank, that :meth:`match` ranks by BM25.
        """
        if self.exists(table):
            return
        from pymilvus import DataType, Function, FunctionType, MilvusClient

        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        indexes = MilvusClient.prepare_index_params()
        # Words come split already; Milvus Lite splits at all that is no letter or digit, which comes to the same.
        analyzer = {"tokenizer": "standard" if self._lite else "whitespace"}
        for place, field in enumerate(fields):
            how = field.how()
            if field.name in worded:
                how |= {"enable_analyzer": True, "enable_match": True, "analyzer_params": analyzer}
            schema.add_field(field.name, getattr(DataType, field.kind), is_primary=place == 0, **how)
            if field.looked_up:
                indexes.add_index(field.name, index_type="INVERTED")
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=vector or 2)
        near = "AUTOINDEX" if vector and not self._lite else "FLAT"
        indexes.add_index("vector", index_type=near, metric_type="COSINE")
        for name in worded:
            schema.add_field(f"{name}_bm25", DataType.SPARSE_FLOAT_VECTOR)
            schema.add_function(
                Function(
                    name=f"{name}_to_bm25",
                    function_type=FunctionType.BM25,
                    input_field_names=[name],
                    output_field_names=[f"{name}_bm25"],
                )
            )
            indexes.add_index(f"{name}_bm25", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        with self._writing, told(self.address):
            if not self._client.has_collection(self.name(table)):
                self._client.create_collection(self.name(table), schema=schema, consistency_level="Session")
                # pymilvus would sleep for half a second for each index to be ready, which those of nothing are at once.
                self._client.create_index(self.name(table), indexes, sync=not self._lite)
        self.exists(table)

    # -- write -----------------------------------------------------------------------------------------------------

    def put(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows, each over the one that has its key."""
        waiting = [{"vector": [1.0, 0.0], **row} for row in rows]
        with self._writing, told(self.address):
            for start in range(0, len(waiting), MOST):
                self._client.upsert(self.name(table), waiting[start : start + MOST])
        self._fresh[table] += len(waiting)
        self._settle(table, _MANY)

    def _settle(self, table: str, most: int) -> None:
        """Have Milvus Lite put what was written into a segment with its indexes: until then it looks through all.

        A cluster does so by itself.
        """
        if self._lite and self._fresh[table] >= most:
            self._fresh[table] = 0
            with self._writing, told(self.address):
                self._client.flush(self.name(table))

    def drop(self, table: str, keys: Sequence[int]) -> None:
        """Delete the rows of these keys."""
        if keys and self.exists(table):
            with self._writing, told(self.address):
                for start in range(0, len(keys), MOST):
                    self._client.delete(self.name(table), ids=list(keys[start : start + MOST]))

    # -- read ------------------------------------------------------------------------------------------------------

    def get(
        self, table: str, keys: Iterable[int | str], fields: Sequence[str], most: int = MOST
    ) -> list[dict[str, Any]]:
        """The rows of these keys, of those that are there, ``most`` at a time."""
        wanted = list(dict.fromkeys(keys))
        found: list[dict[str, Any]] = []
        if wanted and self.exists(table):
            with told(self.address):
                for start in range(0, len(wanted), most):
                    part = wanted[start : start + most]
                    found += self._client.get(self.name(table), ids=part, output_fields=list(fields))
        return found

    def where(self, table: str, condition: str, fields: Sequence[str], limit: int = DEEPEST) -> list[dict[str, Any]]:
        """At most ``limit`` of the rows that fit."""
        if not self.exists(table):
            return []
        with told(self.address):
            return list(self._client.query(self.name(table), filter=condition, output_fields=list(fields), limit=limit))

    def every(
        self, table: str, fields: Sequence[str], condition: str = "", most: int = MOST
    ) -> Iterator[dict[str, Any]]:
        """All rows that fit, by their keys, ``most`` at a time."""
        if not self.exists(table):
            return
        with told(self.address):
            rows = self._client.query_iterator(
                self.name(table), batch_size=most, filter=condition, output_fields=list(fields)
            )
            with closing(rows):
                while batch := rows.next():
                    yield from batch

    def count(self, table: str, condition: str = "") -> int:
        """Number of rows that fit."""
        if not self.exists(table):
            return 0
        with told(self.address):
            if condition and self._lite:  # which counts by putting together whole rows
                return len(self._client.query(self.name(table), filter=condition, output_fields=["id"]))
            rows = self._client.query(self.name(table), filter=condition, output_fields=["count(*)"])
        return int(rows[0]["count(*)"])

    def nearest(
        self, table: str, queries: NDArray[np.float32], k: int, condition: str, fields: Sequence[str]
    ) -> list[list[dict[str, Any]]]:
        """For each query (q, d), at most ``k`` rows with their ``cosine``, best first."""
        if not self.exists(table):
            return [[] for _ in queries]
        return self._search(table, queries.tolist(), "vector", k, condition, fields)

    def above(self, table: str, query: NDArray[np.float32], cosine: float, condition: str) -> int:
        """Number of rows that fit and lie nearer to ``query`` (d,) than ``cosine``, :data:`DEEPEST` at most."""
        return len(self._search(table, [query.tolist()], "vector", DEEPEST, condition, (), radius=cosine)[0])

    def holding(self, table: str, field: str, words: Sequence[str]) -> list[set[int]]:
        """For each word, keys of the rows whose ``field`` has it: :data:`DEEPEST` at most."""
        if not words or not self.exists(table):
            return [set() for _ in words]
        found = self._search(table, words, f"{field}_bm25", DEEPEST, "", ())
        return [{int(row["id"]) for row in rows} for rows in found]

    @property
    def counts_slowly(self) -> bool:
        """Whether each row is looked through to count those with a word, as Milvus Lite does."""
        return self._lite

    def match(self, table: str, field: str, words: str, k: int, condition: str) -> list[int]:
        """Keys of the ``k`` rows whose ``field`` shares ``words`` best, by Milvus's BM25."""
        if not self.exists(table):
            return []
        return [int(row["id"]) for row in self._search(table, [words], f"{field}_bm25", k, condition, ())[0]]

    def _search(  # noqa: PLR0917
        self,
        table: str,
        queries: Sequence[Any],
        field: str,
        k: int,
        condition: str,
        fields: Sequence[str],
        **near: float,
    ) -> list[list[dict[str, Any]]]:
        self._settle(table, _SOME)
        with told(self.address):
            found = self._client.search(
                self.name(table),
                data=list(queries),
                anns_field=field,
                limit=max(1, min(k, DEEPEST)),
                filter=condition,
                output_fields=list(fields),
                search_params={"params": near} if near else {},
            )
        return [[{**hit["entity"], "id": hit["id"], "cosine": hit["distance"]} for hit in hits] for hits in found]

    def close(self) -> None:
        """Let go of the connection; Milvus Lite goes on until the process ends."""
        with told(self.address):
            self._client.close()


def literal(value: bool | float | str) -> str:
    """A value as it stands in a condition; nothing in it is taken for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'
    return repr(value)


def among(field: str, values: Iterable[int | str]) -> str:
    """A condition: ``field`` is one of ``values``."""
    return f"{field} in [{', '.join(map(literal, values))}]"
