"""The first page: the floor as a person reads it."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("pages", __name__)
