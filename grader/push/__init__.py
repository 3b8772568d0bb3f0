"""What is pushed: from git's hook into the queue, and the answer back into the student's terminal.

    order      who is next, and when: a pure function of what waits
    queue      the table: what was pushed, what became of it; survives kill -9 and a reboot
    rules      what the hook has to know of a course, and whose a push is
    folder     what hook and daemon share, and who may do what in it; the answer to a push
    bell       wakes the daemon
    receive    what runs in post-receive: a row into the queue, and the answer while it grows
    install    the hook in a bare repository, a student's line in authorized_keys
    shell      the forced command of a student's key

The account that receives pushes may write the table, so nothing in it is believed: a row is read through one parser,
and one that does not pass is dropped, with a sentence. What takes rows out and grades is `grader.daemon`.
"""
