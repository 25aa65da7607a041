"""Data files of Parquet, as pyarrow writes them, and their rows as JSON lines. Needs pyarrow, which no other comparison needs:
    python test/conformance/parquet_cases.py
"""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PAIRS = [{"id": at, "prompt": f"Ticket {at}: the pump café lost pressure {at % 5}.\nSeverity:", "completion": " high" if at % 3 else " low"} for at in range(24)]
CHATS = [
    {"messages": [{"role": "user", "content": "How are you?"}, {"role": "assistant", "content": "Fine."}]},
    {
        "messages": [
            {"role": "user", "content": "Look."},
            {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {"name": "look", "arguments": {"at": 1.0, "deep": 12345678901234567}}}]},
            {"role": "tool", "content": "low"},
            {"role": "assistant", "content": "It is low.", "weight": 1},
        ]
    },
]
TOOLS = json.dumps([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}])


def without_none(value, key=None):
    """Columns have the fields of all rows: what a row does not have is none there."""
    if isinstance(value, dict):
        return {name: without_none(item, name) for name, item in value.items() if item is not None or name == "content"}
    return [without_none(item) for item in value] if isinstance(value, list) else value


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    pairs = pa.Table.from_pylist(PAIRS)
    for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4"):
        version = "2.0" if codec in ("gzip", "zstd") else "1.0"
        pq.write_table(pairs, directory / f"{codec}.parquet", compression=codec, row_group_size=10, data_page_version=version, data_page_size=256)
    pq.write_table(pairs, directory / "delta.parquet", use_dictionary=False, column_encoding={"prompt": "DELTA_BYTE_ARRAY", "completion": "DELTA_LENGTH_BYTE_ARRAY", "id": "DELTA_BINARY_PACKED"})
    chats = pa.Table.from_pylist([{**chat, "tools": TOOLS} for chat in CHATS])
    pq.write_table(chats, directory / "chats.parquet", compression="zstd")
    # Each text is the one before it: 600 MiB in a file of some kilobytes.
    (directory / "refused").mkdir(exist_ok=True)
    same = pa.table({"prompt": ["x" * 2**20] * 600})
    pq.write_table(same, directory / "refused" / "shared.parquet", use_dictionary=False, compression="zstd", column_encoding={"prompt": "DELTA_BYTE_ARRAY"}, write_statistics=False)
    rows = {"pairs": PAIRS, "chats": [{**without_none(row), "tools": json.loads(TOOLS)} for row in chats.to_pylist()]}
    (directory / "rows.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(__file__).resolve().parents[1] / "fixtures" / "parquet")
