"""The simulated platforms of test mode; they import nothing of ours and speak the platforms' wire formats."""

from simulators.app import create as create
from simulators.apps import App as App
from simulators.apps import Redirects as Redirects
from simulators.apps import exactly as exactly
from simulators.clock import Clock as Clock
from simulators.faults import Fault as Fault
from simulators.instagram_outbox import send_signed_request as send_signed_request
from simulators.instagram_world import INSTAGRAM as INSTAGRAM
from simulators.instagram_world import InstagramApp as InstagramApp
from simulators.instagram_world import InstagramFault as InstagramFault
from simulators.webhooks import send_webhook as send_webhook
from simulators.world import WORLD as WORLD
from simulators.youtube_world import YOUTUBE as YOUTUBE
