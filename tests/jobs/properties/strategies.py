"""Strategies of counters, phases and jobs for the tests of the arithmetic."""

from __future__ import annotations

from hypothesis import strategies as st

from jobs.rules.progress import Counts, PhaseState
from jobs.rules.statuses import PhaseStatus, Shortfall, Trigger

NUMBER = st.one_of(st.integers(0, 30), st.integers(0, 2**53))
THRESHOLD = st.integers(0, 100)


@st.composite
def counts(draw: st.DrawFn, *, known: bool = False) -> Counts:
    """Generate counters of any phase, also of an over-delivered one."""
    expected = draw(NUMBER if known else st.none() | NUMBER)
    return Counts(expected, *(draw(NUMBER) for _ in range(4)))


@st.composite
def states(draw: st.DrawFn) -> PhaseState:
    """Generate any phase; a completed one has a total, as the database demands."""
    status = draw(st.sampled_from(PhaseStatus))
    return PhaseState(
        counts=draw(counts(known=status == PhaseStatus.COMPLETED)),
        status=status,
        weight=draw(st.integers(0, 1000)),
        threshold=draw(THRESHOLD),
        trigger=draw(st.sampled_from(Trigger)),
        on_shortfall=draw(st.sampled_from(Shortfall)),
        gated=draw(st.booleans()),
        begun=draw(st.booleans()),
    )


JOBS = st.lists(states(), min_size=1, max_size=6)
