"""The Caxton API on loopback, for tests, development and the demo: stateful, deterministic, faulty on demand.

It is an independent oracle of the client: apart from this front, which hands out settings and credentials that
reach it, it shares no code with the client and spells the wire format by hand.
"""

from caxton_async.emulator.accounts import Account, User
from caxton_async.emulator.conditions import ConditionKind, Conditions
from caxton_async.emulator.fault import Fault, read_faults
from caxton_async.emulator.faults import Armed, Faults
from caxton_async.emulator.front import Emulator
from caxton_async.emulator.kinds import EndpointName, FaultKind
from caxton_async.emulator.ledger import Ledger, Move, Totals
from caxton_async.emulator.payroll import Payment, Upload
from caxton_async.emulator.request import Request
from caxton_async.emulator.thread import EmulatorThread

__all__ = [
    "Account",
    "Armed",
    "ConditionKind",
    "Conditions",
    "Emulator",
    "EmulatorThread",
    "EndpointName",
    "Fault",
    "FaultKind",
    "Faults",
    "Ledger",
    "Move",
    "Payment",
    "Request",
    "Totals",
    "Upload",
    "User",
    "read_faults",
]
