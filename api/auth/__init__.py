"""Who asks, and what they may see or do.

``sign_in`` exchanges a token for a session, and ``session`` is the cookie of one.
``authentication`` finds the caller by bearer token or by session, ``origin`` keeps other sites from
changing anything with a session, and ``authorization`` checks the token's role, organisations and
teams. A refusal is an ``AccessDenied``. The rooms above turn it into an answer: a problem document,
or the page's form for a token.
"""
