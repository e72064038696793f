"""The acts that the command `progress` offers are those of the server, with the same arguments."""

from __future__ import annotations

import argparse

import pytest
from progress_client.command import incidents
from progress_client.command.main import ARGUMENTS
from progress_client.command.options import ACTS as OFFERED
from progress_client.command.options import parser

from jobs.operations import ACTS, INCIDENT_ACTS
from jobs.rules.incidents import IncidentState

NAMED_OTHERWISE = {"ids": "items", "keys": "items"}


def arguments_of(name: str) -> set[str]:
    """The arguments of an act as the command asks for them."""
    [acts] = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    asked = {action.dest for action in acts.choices[name]._actions} - {"help", "job", "as_json"}
    return {NAMED_OTHERWISE.get(argument, argument) for argument in asked}


def test_the_command_has_the_acts_of_the_server_in_their_order() -> None:
    assert list(OFFERED.items()) == [(act.name, act.help) for act in ACTS.values()]


@pytest.mark.parametrize("name", ACTS)
def test_the_command_asks_for_the_arguments_of_each_act(name: str) -> None:
    fields = ACTS[name].Arguments.__struct_fields__
    assert arguments_of(name) == set(fields)
    assert set(fields) - {"reason", "items"} <= set(ARGUMENTS)


def test_the_command_has_the_acts_on_incidents_with_their_arguments_and_states() -> None:
    assert {name: act.summary[:1].lower() + act.summary[1:] for name, act in INCIDENT_ACTS.items()} == incidents.ACTS
    asked = {name: set(options) for name, options in incidents.OPTIONS.items()}
    assert asked == {name: set(act.Arguments.__struct_fields__) for name, act in INCIDENT_ACTS.items()}
    assert (incidents.ONGOING, *IncidentState) == incidents.STATES
