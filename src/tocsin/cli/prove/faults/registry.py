"""Every fault, in the order of the delivery contract."""

from tocsin.cli.prove.faults.bus import Bus
from tocsin.cli.prove.faults.clock import Clock
from tocsin.cli.prove.faults.database import Database
from tocsin.cli.prove.faults.disk import FullDisk
from tocsin.cli.prove.faults.failpoint import Failpoints
from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.faults.kill import Kills
from tocsin.cli.prove.faults.links import Links
from tocsin.cli.prove.faults.push import PushProvider
from tocsin.cli.prove.faults.restart import RollingRestart
from tocsin.cli.prove.faults.resume import Resumes
from tocsin.cli.prove.faults.same_request import SameRequest
from tocsin.cli.prove.faults.slow import SlowClient
from tocsin.cli.prove.faults.two_nodes import TwoNodes

FAULTS: tuple[type[Fault], ...] = (
    Kills,
    Failpoints,
    Database,
    Bus,
    FullDisk,
    Clock,
    SlowClient,
    Links,
    SameRequest,
    TwoNodes,
    RollingRestart,
    Resumes,
    PushProvider,
)
BY_NUMBER = {fault.number: fault for fault in FAULTS}
