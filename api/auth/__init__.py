"""Who asks, and what they may see or do.

``authentication`` checks the token, ``authorization`` its role, organisations and teams, and
``session`` keeps a token for the page. A refusal is an ``AccessDenied``. The rooms above turn it
into an answer: a problem document, or the page's form for a token.
"""
