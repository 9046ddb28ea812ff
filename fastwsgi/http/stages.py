"""The stages of a response, and who has the floor: the right to touch it.

    stage        means
    open         start_response has not been called
    begun        it has; the head is held back until the length is known
    started      the head is being sent and cannot be taken back
    done         closed

    floor        means
    server       the application does not run, or what it has given is being worked on
    application  it runs, and may call start_response(), write() and wsgi.early_hints
    call         it has made such a call, which is carried out; another one, by whatever thread, is refused
"""

from __future__ import annotations

# Numbers, since they change several times in a request
OPEN = 0
BEGUN = 1
STARTED = 2
DONE = 3

SERVER = 0
APPLICATION = 1
CALL = 2
