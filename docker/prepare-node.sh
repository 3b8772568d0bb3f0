#!/bin/sh
# Turn a root file system with python3, iproute2, nftables and tcpdump into our nodes': run inside it, as root.
# The Python packages stand in /usr/local/lib/socketlab; they are compiled here, by the Python that will run them.
set -eu
find / -xdev -type f -perm /6000 -exec chmod a-s {} +
mkdir -p /code /trusted /agent
chmod 0700 /trusted /agent
python3 -m compileall -q /usr/local/lib/socketlab || true
rm -rf /usr/share/doc/* /usr/share/man/* /usr/share/locale/* /usr/share/info/* /var/cache/apt/* /var/lib/apt/lists/* /var/log/*
