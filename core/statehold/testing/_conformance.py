from __future__ import annotations

from statehold.testing._binding import Binding
from statehold.testing._calling import Calling
from statehold.testing._claims import Claims
from statehold.testing._histories import Histories
from statehold.testing._reading import Reading
from statehold.testing._replacing import Replacing
from statehold.testing._separating import Separating
from statehold.testing._typing import Typing
from statehold.testing._writing import Writing


class StorageConformance(
    Claims, Reading, Writing, Typing, Separating, Replacing, Binding, Calling, Histories
):
    """Tests that a storage keeps every promise that `docs/conformance.md` numbers.

    Subclass it, with a name that pytest collects, and say which provider and which rows::

        class TestScada(StorageConformance):
            provider = provider
            rows = [({"Device": "d1", "Point": "p1"}, {"Reading": 1.5, "At": 1})]

    Tests of operations that the provider does not claim are not generated.
    """
