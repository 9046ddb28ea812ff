/* A load generator for what wrk cannot do: bursts of any length, requests that differ at no cost, and a constant rate.
 *
 *     load PORT CONNECTIONS SECONDS RATE DEPTH COUNT < REQUESTS
 *
 * REQUESTS are COUNT texts of one length, sent in turn, each of DEPTH requests in one write. With RATE 0 a connection
 * sends again as soon as it is answered, and after SECONDS waits for its last answer and ends: no request has cost the
 * server something and is not counted. Otherwise request n is due at n / RATE seconds and goes out then, by whichever
 * connection is free; where none is, it waits, and its latency counts from when it was due all the same: what a server
 * that stalls does to those who come meanwhile is not left out ("coordinated omission", as Gil Tene's wrk2 avoids it).
 * What was due and is not answered at the end counts with the time it has waited.
 *
 * It never sleeps: a timer's lateness would be told as latency, and to wake it is work that would be the server's, the
 * more the faster it is. It wants a core of its own. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, HEAD = 8 * 1024, ROOM = 256 * 1024, MOST = 64 * 1024 * 1024 };
enum { MICROSECONDS = 4 * 1000 * 1000, PATIENCE = 5 }; /* seconds after the end for the last answers */
enum state { IN_HEAD, IN_BODY, IN_CHUNK_SIZE, IN_CHUNK, AFTER_CHUNKS, UNTIL_CLOSE };

/* left: bytes of a body or chunk to come; sent: bytes of the request; awaited: responses to it not yet complete. */
struct connection {
    int file, awaited, closing, wants_to_write;
    enum state state;
    size_t left, sent, filled;
    const char *request;
    double due;
    char head[HEAD];
};

static struct { int port, connections, depth, count; double seconds, rate; } options;
static char *requests;
static size_t request_size;
static struct connection *connections, **idle; /* idle: those without a request, the longest idle first */
static int poller, first_idle, idles, over;
static unsigned long completed, errors, sent;
static unsigned *latencies; /* how many took so many microseconds */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int operation, struct connection *one, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = one};
    if (epoll_ctl(poller, operation, one->file, &event) < 0) die("epoll_ctl");
}

static void connect_it(struct connection *one) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    one->file = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(one->file, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
    setsockopt(one->file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(one->file, F_SETFL, O_NONBLOCK);
    one->state = IN_HEAD, one->filled = 0, one->closing = one->wants_to_write = 0;
    watch(EPOLL_CTL_ADD, one, EPOLLIN);
}

static void record(double due) {
    unsigned long took = (now() - due) * 1e6;
    latencies[took < MICROSECONDS ? took : MICROSECONDS - 1]++;
}

/* Whether all went well; what does not fit into the socket's buffer is sent when there is room. */
static int send_more(struct connection *one) {
    ssize_t wrote = send(one->file, one->request + one->sent, request_size - one->sent, MSG_NOSIGNAL);
    if (wrote < 0 && errno != EAGAIN) return 0;
    if (wrote > 0) one->sent += wrote;
    int wants = one->sent < request_size;
    if (wants != one->wants_to_write) watch(EPOLL_CTL_MOD, one, wants ? EPOLLIN | EPOLLOUT : EPOLLIN);
    one->wants_to_write = wants;
    return 1;
}

static void start(struct connection *one, double due) {
    one->request = requests + sent++ % options.count * request_size;
    one->sent = 0, one->awaited = options.depth, one->due = due;
    send_more(one); /* an error is seen by the next read, too */
}

/* The connection is free: for the next request at once, or for whenever one is due. */
static void finish(struct connection *one, int failed) {
    if (failed) errors++;
    else completed += options.depth;
    record(one->due);
    one->awaited = 0;
    if (failed || one->closing || over) close(one->file);
    if (over) {
        idles++;
        return;
    }
    if (failed || one->closing) connect_it(one);
    if (options.rate == 0) start(one, now());
    else idle[(first_idle + idles++) % options.connections] = one;
}

static void body_begins(struct connection *one) {
    const char *length = strcasestr(one->head, "\ncontent-length:");
    if (memcmp(one->head + 9, "200", 3)) errors++;
    one->closing |= strcasestr(one->head, "\nconnection: close") || !memcmp(one->head, "HTTP/1.0", 8);
    one->left = length ? strtoul(length + 16, NULL, 10) : 0;
    one->state = length ? IN_BODY : strcasestr(one->head, "\ntransfer-encoding: chunked") ? IN_CHUNK_SIZE : UNTIL_CLOSE;
}

/* Take bytes of a head: how many. */
static size_t take_head(struct connection *one, const char *data, size_t length) {
    size_t room = HEAD - 1 - one->filled, more = length < room ? length : room;
    memcpy(one->head + one->filled, data, more);
    char *from = one->head + (one->filled > 3 ? one->filled - 3 : 0);
    char *end = memmem(from, one->head + one->filled + more - from, "\r\n\r\n", 4);
    if (!end) return one->filled += more, more;
    end[4] = 0;
    more = end + 4 - one->head - one->filled;
    one->filled = 0;
    body_begins(one);
    return more;
}

/* Take one byte of a line with the size of a chunk; the line's end and that of the chunk are two bytes more. */
static void take_size(struct connection *one, char byte) {
    if (byte == '\n') {
        one->state = one->left ? IN_CHUNK : AFTER_CHUNKS;
        one->left += 2;
    } else if (byte != '\r') {
        one->left = one->left * 16 + (byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10);
    }
}

/* Take what was received: whether the request has all its responses, or -1 if more came than was asked for. */
static int take(struct connection *one, const char *data, size_t length) {
    while (length || (one->state == IN_BODY && !one->left)) {
        size_t used = 1;
        if (!one->awaited) return -1;
        if (one->state == IN_HEAD) {
            used = take_head(one, data, length);
            if (one->filled == HEAD - 1) return -1;
        } else if (one->state == IN_CHUNK_SIZE) {
            take_size(one, *data);
        } else {
            used = one->state == UNTIL_CLOSE || one->left > length ? length : one->left;
            one->left -= one->state == UNTIL_CLOSE ? 0 : used;
            if (one->state == UNTIL_CLOSE || one->left) return one->awaited == 0;
            if (one->state != IN_CHUNK) one->awaited--;
            one->state = one->state == IN_CHUNK ? IN_CHUNK_SIZE : IN_HEAD;
        }
        data += used, length -= used;
    }
    return one->awaited == 0;
}

static void serve(struct connection *one, unsigned events) {
    static char data[ROOM];
    if (events & EPOLLOUT && !send_more(one)) return finish(one, 1);
    if (!(events & ~EPOLLOUT)) return;
    ssize_t got = recv(one->file, data, ROOM, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (!one->awaited) { /* a server may close a connection that asks nothing, but not speak first */
        errors += got > 0;
        close(one->file);
        return connect_it(one);
    }
    if (got <= 0) return one->closing = 1, finish(one, one->state != UNTIL_CLOSE || one->awaited > 1);
    int done = take(one, data, got);
    if (done) finish(one, done < 0);
}

static void prepare(char **arguments) {
    options.port = atoi(arguments[1]), options.connections = atoi(arguments[2]);
    options.seconds = atof(arguments[3]), options.rate = atof(arguments[4]);
    options.depth = atoi(arguments[5]), options.count = atoi(arguments[6]);
    requests = malloc(MOST);
    request_size = fread(requests, 1, MOST, stdin) / options.count;
    latencies = calloc(MICROSECONDS, sizeof *latencies);
    connections = calloc(options.connections, sizeof *connections);
    idle = calloc(options.connections, sizeof *idle);
    poller = epoll_create1(0);
    for (int i = 0; i < options.connections; i++) {
        connect_it(&connections[i]);
        idle[idles++] = &connections[i];
    }
}

static void serve_some(void) {
    struct epoll_event events[BATCH];
    int ready = epoll_wait(poller, events, BATCH, 0);
    for (int i = 0; i < ready; i++) serve(events[i].data.ptr, events[i].events);
}

/* Run until the time is over: when the next request is due that was not sent. */
static double run(double begun) {
    double end = begun + options.seconds, due = begun, time;
    while (options.rate == 0 && idles) start(idle[--idles], begun);
    while ((time = now()) < end) {
        for (; options.rate > 0 && idles && due <= time; due += 1 / options.rate) {
            struct connection *one = idle[first_idle];
            first_idle = (first_idle + 1) % options.connections, idles--;
            start(one, due);
        }
        serve_some();
    }
    over = options.rate == 0;
    while (over && idles < options.connections && now() < end + PATIENCE) serve_some();
    return due;
}

/* Microseconds that so many of a hundred took at most. */
static unsigned percentile(double percent) {
    unsigned long all = 0, seen = 0;
    unsigned took = 0;
    for (unsigned i = 0; i < MICROSECONDS; i++) all += latencies[i];
    while (took < MICROSECONDS - 1 && (seen += latencies[took]) < all * percent / 100) took++;
    return took;
}

int main(int count, char **arguments) {
    if (count != 7) return fprintf(stderr, "load PORT CONNECTIONS SECONDS RATE DEPTH COUNT < REQUESTS\n"), 2;
    prepare(arguments);
    double begun = now(), due = run(begun), seconds = now() - begun;
    for (int i = 0; options.rate > 0 && i < options.connections; i++)
        if (connections[i].awaited) record(connections[i].due);
    for (; options.rate > 0 && due < begun + options.seconds; due += 1 / options.rate) record(due);
    printf("%lu requests in %.4f s, p50 %.3f ms, p99 %.3f ms, %lu errors\n", completed, seconds, percentile(50) / 1e3,
           percentile(99) / 1e3, errors);
    return 0;
}
