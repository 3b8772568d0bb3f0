"""The world a submission meets: nodes, programs, an impaired link, a trace. Public: it travels with the starters."""
