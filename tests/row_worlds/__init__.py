"""Row worlds: small days of a contact centre, told twice by hand.

Each has the webhooks that the vendor would send, and the rows that its APIs would return. The rows
are written after the vendor's published replies, and are not made from the webhooks: their words,
their number and their times differ from the webhooks' as they do in those replies.
"""
