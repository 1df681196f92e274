"""The simulated platforms of test mode; they import nothing of ours and speak the platforms' wire formats."""

from simulators.app import create as create
from simulators.apps import App as App
from simulators.clock import Clock as Clock
from simulators.faults import Fault as Fault
from simulators.webhooks import send_webhook as send_webhook
from simulators.world import WORLD as WORLD
