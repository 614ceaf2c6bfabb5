from __future__ import annotations

from statehold_zos.ledger._file import File


class Notes:
    """Small texts that stay, by topic and key: what a disk was measured to be, a token that was printed."""

    def __init__(self, file: File) -> None:
        self._file = file

    def get(self, topic: str, key: str) -> str | None:
        """Return a text, None where there is none."""
        with self._file.read() as sql:
            row = sql.execute("SELECT text FROM notes WHERE topic = ? AND key = ?", (topic, key)).fetchone()
        return None if row is None else str(row[0])

    def put(self, topic: str, key: str, text: str) -> None:
        """Write a text, over the one there was."""
        with self._file.write() as sql:
            sql.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (topic, key, text))

    def remove(self, topic: str, key: str) -> None:
        """Remove a text, if it is there."""
        with self._file.write() as sql:
            sql.execute("DELETE FROM notes WHERE topic = ? AND key = ?", (topic, key))

    def all(self, topic: str) -> dict[str, str]:
        """Return the texts of a topic by their keys."""
        with self._file.read() as sql:
            return dict(sql.execute("SELECT key, text FROM notes WHERE topic = ? ORDER BY key", (topic,)))
