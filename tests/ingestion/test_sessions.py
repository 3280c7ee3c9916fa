"""Sessions of one process do not disturb each other."""

from __future__ import annotations

from ingestion import sessions
from tests.support import Workspace


def test_a_session_that_has_ended_leaves_the_others_alone(workspace: Workspace) -> None:
    with sessions.session(workspace.home.connect_url) as ended:
        assert ended.sql("select 1 as one").collect()[0]["one"] == 1
    with sessions.session(workspace.home.connect_url) as other:
        assert other.sql("select 2 as two").collect()[0]["two"] == 2
        ended.__del__()  # type: ignore[attr-defined]  # as the garbage collector does, at any time
        assert other.sql("select 3 as three").collect()[0]["three"] == 3
