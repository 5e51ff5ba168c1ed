"""A simulated contact centre, the network between it and the service, and a stand-in vendor."""

from projector.webex.simulator.contact_center import Simulation
from projector.webex.simulator.network import NetworkDelivery, disturb, paced
from projector.webex.simulator.sender import SendError, SendTotals, send

__all__ = ["NetworkDelivery", "SendError", "SendTotals", "Simulation", "disturb", "paced", "send"]
