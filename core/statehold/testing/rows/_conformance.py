from __future__ import annotations

from statehold.testing.rows._expiring import Expiring
from statehold.testing.rows._getting import Getting
from statehold.testing.rows._histories import Histories
from statehold.testing.rows._keeping import Keeping
from statehold.testing.rows._killing import Killing
from statehold.testing.rows._ordering import Ordering
from statehold.testing.rows._reading import Reading
from statehold.testing.rows._sharing import Sharing
from statehold.testing.rows._writing import Writing


class RowStoreConformance(
    Getting, Reading, Writing, Ordering, Expiring, Keeping, Sharing, Killing, Histories
):
    """Tests that a driver keeps every promise that `docs/row-store.md` numbers.

    Subclass it, with a name that pytest collects, and say how a driver is made::

        class TestSqlite(RowStoreConformance):
            @pytest.fixture
            def factory(self, tmp_path):
                return functools.partial(SqliteDriver, tmp_path)
    """
