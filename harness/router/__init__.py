"""The link between two nodes of the Docker lab: a router over TUN."""
