"""A network with a student's node on it. `interface.py` is what every lab promises; tests see nothing else of it.

    doctor       what this machine can do, and what would help
    docker | local          a star of containers | child processes and a relay on loopback
    netem        the kernel's own netem on a wire
    relay | router          the link in user space: between sockets | between network namespaces, over TUN
    interface | timer | signals   Node, Network, Process and their errors | waking a thread exactly | what is inherited
    node         what runs in and around a student's node: agent, warden, /proc

It may import `pictures`, `link` and `course`. Begin with `interface.py`.
"""
