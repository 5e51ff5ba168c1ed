"""Answers of the vendor's APIs: a row as it comes, and what may be wrong with a whole answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from projector.infrastructure.errors import ProjectorError

MOST_PAGES = 10_000  # of one answer

ApiRow = Mapping[str, Any]


class EndlessPages(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor's pages do not come to an end."""


class ForeignOrganisation(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor answers for another organisation."""


class UnexpectedAnswer(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor's answer has another shape than its documentation says."""
