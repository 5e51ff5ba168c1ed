"""A simulated contact centre, the network between it and us, and the sender of its webhooks."""

from projector.webex.simulator.contact_center import Simulation
from projector.webex.simulator.network import Delivery, disturb, paced
from projector.webex.simulator.sender import SendError, Totals, send

__all__ = ["Delivery", "SendError", "Simulation", "Totals", "disturb", "paced", "send"]
