from __future__ import annotations

import gc
import sys

from statehold.serving import own_process


def test_what_is_imported_is_left_out_of_garbage_collections_while_a_process_serves():
    # The tests themselves are left out, too.
    gc.unfreeze()
    turn = sys.getswitchinterval()
    with own_process():
        assert gc.get_freeze_count() > 10_000
        assert "sqlalchemy" in sys.modules
        assert sys.getswitchinterval() < turn
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == (turn, 0)
