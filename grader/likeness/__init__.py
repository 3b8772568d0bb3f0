"""Which submissions of a class are alike: hints for a person, by compare50. Never a verdict, never on a student's page.

    sources     what of each submission is compared, and what all were given. Walks kept copies
    container   the node in which hostile source is read: no network, bounded in everything
    inside      what runs in there; it stands alone
    hints       what came back, checked: pairs and their passages. Pure

compare50 is fetched into an image of its own when it is first wanted, and is no part of any environment: it pins what
others need newer (attrs), and its licence is its own (GPL-3.0).
"""
