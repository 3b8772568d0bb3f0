"""Pushes that wait to be graded: who is next, and what a student is told of it. Plain data in one SQLite table.

    order      who is next, and when: a pure function of what waits
    queue      the table: what was pushed, what became of it; survives kill -9 and a reboot

The account that receives pushes may write the table, so nothing in it is believed: a row is read through one parser,
and one that does not pass is dropped, with a sentence. Imports no other room. The hook that puts rows in and the daemon
that takes them out are not written yet.
"""
