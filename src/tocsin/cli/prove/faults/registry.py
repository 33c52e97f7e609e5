"""Every fault, by its number in the delivery contract."""

from tocsin.cli.prove.faults.failpoint import Failpoints
from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.faults.kill import Kills

FAULTS: tuple[type[Fault], ...] = (Kills, Failpoints)
BY_NUMBER = {fault.number: fault for fault in FAULTS}
