"""A simulated contact centre, the network between it and us, and the sender of its webhooks."""

from projector.simulate.centre import Simulation
from projector.simulate.delivery import Delivery, disturb, paced
from projector.simulate.sender import SendError, Totals, send

__all__ = ["Delivery", "SendError", "Simulation", "Totals", "disturb", "paced", "send"]
