"""Echo servers to compare with, each as small as its kind allows: SERVER.py HOST:PORT. No limits, no timers."""
