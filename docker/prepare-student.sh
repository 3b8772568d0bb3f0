#!/bin/sh
# Turn a root file system with python3 into that of a node in which submissions run, or, with make and compilers, are
# built: run inside it, as root.
set -eu
# Each node runs its programs as a user of its own (harness/lab/docker/recipes.py): the kernel counts pipes, locks and
# much else by user, over all containers.
user=40000
while [ $user -lt 41024 ]; do
    echo "student$user:x:$user:$user:student:/work:/bin/sh" >> /etc/passwd
    echo "student$user:x:$user:" >> /etc/group
    user=$((user + 1))
done
# As on most laptops: `python` is Python 3.
command -v python > /dev/null || ln -s "$(command -v python3)" /usr/local/bin/python
# What a submission finds here: harness/lab/docker/images.py reads it, and every result tells it.
told=
tell() { # TOOL VERSION
    [ -z "$2" ] || told="$told${told:+, }\"$1\": \"$2\""
}
has() { command -v "$1" > /dev/null; }
tell system "$(. /etc/os-release && echo "$PRETTY_NAME")"
tell python "$(python3 -c 'import platform; print(platform.python_version())')"
tell gcc "$(has gcc && gcc -dumpfullversion)"
tell go "$(has go && go version | sed -n 's/^go version go\([0-9.]*\).*/\1/p')"
tell rust "$(has rustc && rustc --version | sed -n 's/^rustc \([0-9.]*\).*/\1/p')"
tell java "$(has java && java -version 2>&1 | sed -n '1s/.*"\(.*\)".*/\1/p')"
tell make "$(has make && make --version | sed -n '1s/^GNU Make //p')"
tell openssl "$(python3 -c 'import ssl; print(ssl.OPENSSL_VERSION.split()[1])')"
printf '{%s}\n' "$told" > /usr/local/share/socketlab.json
# Every program of a submission begins with these modules: some bases come without their bytecode.
python3 -m compileall -q "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" || true
# No program in here may change its user. (no-new-privileges forbids it as well; this is the second lock.)
find / -xdev -type f -perm /6000 -exec chmod a-s {} +
# Mount points; the folders themselves stay empty and root's.
mkdir -p /work /build /submission /agent /lab
chmod 0755 /work /build /submission /lab
chmod 0700 /agent
rm -rf /usr/share/doc/* /usr/share/man/* /usr/share/locale/* /usr/share/info/* /var/cache/apt/* /var/lib/apt/lists/* /var/log/*
