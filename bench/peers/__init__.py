"""Others to measure beside: aioquic, and the kernel's TCP. And how a flow of ours is fed and read. No scripts."""
