"""Every fault, in the order of the delivery contract."""

from tocsin.cli.prove.faults.failpoint import Failpoints
from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.faults.kill import Kills
from tocsin.cli.prove.faults.restart import RollingRestart
from tocsin.cli.prove.faults.resume import Resumes
from tocsin.cli.prove.faults.same_request import SameRequest
from tocsin.cli.prove.faults.two_nodes import TwoNodes

FAULTS: tuple[type[Fault], ...] = (Kills, Failpoints, SameRequest, TwoNodes, RollingRestart, Resumes)
BY_NUMBER = {fault.number: fault for fault in FAULTS}
