/* The floor of every table: what is left of a server when it reads, finds where requests end, and answers with bytes
 * that were made before.
 *
 *     floor PORT PIECES < RESPONSE
 *
 * Of a head it looks at the version, at "Connection: close" and, of a POST, at Content-Length; it keeps no dates, limits
 * or deadlines, and checks nothing. A response goes out in PIECES writes, as that of an application that yields as often.
 *
 * A program that is faster than its client would wait after every few requests, and pay more for its waits than a slower
 * one: so after a batch of less than half of BATCH it sleeps for NAP. The client, which has the answers to most of its
 * connections to look at meanwhile, is not held up, and the next batch is as large as that of the servers. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, NAP = 150 * 1000, HEAD = 16 * 1024, ROOM = 256 * 1024, MOST = 4 * 1024 * 1024, SMALL = 8 * 1024, DEPTH = 16, FILES = 4096 };

/* unread: bytes of a head not yet complete; skip: of a body still to come; owed: of responses still to write. */
struct connection {
    size_t unread, skip, owed;
    int closing, waits_to_write;
    char head[HEAD];
};

static char *response; /* with copies, if it is small, so that pipelined requests are answered by one write */
static size_t size, all, piece;
static struct connection *connections[FILES];
static int poller;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int operation, int file, unsigned events) {
    struct epoll_event event = {.events = events, .data.fd = file};
    if (epoll_ctl(poller, operation, file, &event) < 0) die("epoll_ctl");
}

static void take(int listener) {
    int file, on = 1;
    while ((file = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (file >= FILES) exit(1);
        setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (!connections[file]) connections[file] = malloc(sizeof(struct connection));
        memset(connections[file], 0, offsetof(struct connection, head));
        watch(EPOLL_CTL_ADD, file, EPOLLIN);
    }
}

/* Count the requests in data: the number of bytes that are not part of a complete head or of a body is returned. */
static size_t parse(struct connection *one, const char *data, size_t length) {
    for (;;) {
        size_t body = one->skip < length ? one->skip : length;
        one->skip -= body, data += body, length -= body;
        if (one->skip) return 0;
        const char *end = memmem(data, length, "\r\n\r\n", 4);
        if (!end) return length;
        const char *line = memchr(data, '\r', length);
        const char *declared = *data == 'P' ? memmem(data, end - data, "Content-Length: ", 16) : NULL;
        one->closing |= line[-1] == '0' || memmem(line, end - line, "Connection: close", 17) != NULL;
        one->skip = declared ? strtoul(declared + 16, NULL, 10) : 0;
        length -= end + 4 - data, data = end + 4;
        one->owed += size;
    }
}

/* Write what is owed; whether the connection goes on. */
static int answer(int file, struct connection *one) {
    while (one->owed && !one->skip) {
        size_t from = (size - one->owed % size) % size, most = all - from;
        most = one->owed < most ? one->owed : most;
        ssize_t wrote = send(file, response + from, piece < most ? piece : most, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EAGAIN) {
            if (!one->waits_to_write) watch(EPOLL_CTL_MOD, file, EPOLLOUT);
            return one->waits_to_write = 1;
        }
        if (wrote < 0) return 0;
        one->owed -= wrote;
    }
    if (one->waits_to_write) watch(EPOLL_CTL_MOD, file, EPOLLIN), one->waits_to_write = 0;
    return !one->closing || one->skip;
}

static int serve(int file, struct connection *one) {
    static char data[HEAD + ROOM];
    if (one->waits_to_write) return answer(file, one);
    memcpy(data, one->head, one->unread);
    ssize_t got = recv(file, data + one->unread, ROOM, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    size_t length = one->unread + got;
    one->unread = parse(one, data, length);
    if (one->unread > HEAD) return 0;
    memcpy(one->head, data + length - one->unread, one->unread);
    return answer(file, one);
}

static int listening(int port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
    if (listen(listener, 1024) < 0) die("listen");
    return listener;
}

static void prepare(int pieces) {
    response = malloc(MOST);
    all = size = fread(response, 1, MOST, stdin);
    if (!size) die("no response");
    for (; all < DEPTH * size && all < SMALL; all += size) memcpy(response + all, response, size);
    piece = pieces > 1 ? (size + pieces - 1) / pieces : all;
}

int main(int count, char **arguments) {
    if (count != 3) return fprintf(stderr, "floor PORT PIECES < RESPONSE\n"), 2;
    prepare(atoi(arguments[2]));
    int listener = listening(atoi(arguments[1]));
    poller = epoll_create1(0);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    prctl(PR_SET_TIMERSLACK, 1);
    struct timespec nap = {.tv_nsec = NAP};
    for (;;) {
        struct epoll_event events[BATCH];
        int ready = epoll_wait(poller, events, BATCH, -1);
        for (int i = 0; i < ready; i++) {
            int file = events[i].data.fd;
            if (file == listener) take(listener);
            else if (!serve(file, connections[file])) close(file);
        }
        if (ready < BATCH / 2) nanosleep(&nap, NULL);
    }
}
