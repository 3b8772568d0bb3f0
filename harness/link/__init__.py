"""What an impaired link does to packets: one model, pure, draw for draw as the kernel's netem does it.

`profile.py` is what may be asked of it, `model.py` does it, `simulator.py` runs two endpoints over it in virtual time,
`named.py` reads profiles.toml, `netem_words.py` and `netem_wire.py` say the same to a kernel. Imports no other room.
Begin with `profile.py`.
"""
