"""What connections and their transports agree on: how much is read at once, what is returned instead of a count, and
whether the client is there."""

READ_SIZE = 65536  # bytes asked for at once; the inbox has room for them behind the longest head that is kept
BODY_SIZE = 262144  # bytes of a body asked for at once, where they need no inbox

WOULD_BLOCK = -1
LOST = -2  # reset, or another error that ends a connection
MUST_WRITE = -3  # nothing is read until the socket accepts what the transport itself must send
REFUSED = -4  # the transport ends the connection, and has reported why in its own protocol
NOT_TLS = -5  # the client speaks plain HTTP where TLS is spoken; so does the transport from now on

# Whether the client is there
PRESENT = 0
FINISHED = 1  # nothing more will come: it has closed, or shut down its sending side alone
LEFT = 2  # the connection is reset, or both sides are shut down
