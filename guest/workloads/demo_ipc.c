#include "demo_ipc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"

enum {
    PIPE_CHUNK = 8192,
    PIPE_CHUNKS = 128,
    PING_PONGS = 400,
    SOCKET_CHUNK = 4096,
    SOCKET_CHUNKS = 96,
    DATAGRAMS = 100,
    SIGNALS = 300,
    TIMER_TICKS = 20
};

static int pipe_bulk[2];
static int pipe_there[2];
static int pipe_back[2];

static void pipe_writer(int index) {
    static uint64_t chunk[PIPE_CHUNK / sizeof(uint64_t)];
    for (uint64_t i = 0; i < PIPE_CHUNKS; i++) {
        fill(chunk, sizeof(chunk), (uint64_t)index << 32 | i);
        write_all(pipe_bulk[1], chunk, sizeof(chunk));
    }
    for (int i = 0; i < PING_PONGS; i++) {
        int value = 0;
        read_all(pipe_there[0], &value, sizeof(value));
        CHECK(value == i, "ping %d came as %d", i, value);
        write_all(pipe_back[1], &value, sizeof(value));
    }
}

void demo_pipes(int index) {
    static uint64_t chunk[PIPE_CHUNK / sizeof(uint64_t)];
    CHECK(pipe(pipe_bulk) == 0 && pipe(pipe_there) == 0 && pipe(pipe_back) == 0, "pipe");
    pid_t writer = start_child(pipe_writer, index);
    for (uint64_t i = 0; i < PIPE_CHUNKS; i++) {
        read_all(pipe_bulk[0], chunk, sizeof(chunk));
        CHECK(matches(chunk, sizeof(chunk), (uint64_t)index << 32 | i), "chunk %d", (int)i);
    }
    for (int i = 0; i < PING_PONGS; i++) {
        int value = 0;
        write_all(pipe_there[1], &i, sizeof(i));
        read_all(pipe_back[0], &value, sizeof(value));
        CHECK(value == i, "pong %d came as %d", i, value);
    }
    wait_child(writer);
}

static struct sockaddr_in server_address;

static int listen_on_loopback(int type) {
    int fd = socket(AF_INET, type, 0);
    CHECK(fd >= 0, "socket");
    socklen_t length = sizeof(server_address);
    server_address = (struct sockaddr_in){.sin_family = AF_INET};
    server_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(fd, (struct sockaddr *)&server_address, length) == 0, "bind");
    CHECK(getsockname(fd, (struct sockaddr *)&server_address, &length) == 0, "getsockname");
    CHECK(type != SOCK_STREAM || listen(fd, 1) == 0, "listen");
    return fd;
}

static int connect_to_server(int type) {
    int fd = socket(AF_INET, type, 0);
    CHECK(fd >= 0, "socket");
    CHECK(connect(fd, (struct sockaddr *)&server_address, sizeof(server_address)) == 0, "connect");
    return fd;
}

static void stream_client(int index) {
    static uint64_t chunk[SOCKET_CHUNK / sizeof(uint64_t)];
    int fd = connect_to_server(SOCK_STREAM);
    for (uint64_t i = 0; i < SOCKET_CHUNKS; i++) {
        fill(chunk, sizeof(chunk), (uint64_t)index << 32 | i);
        write_all(fd, chunk, sizeof(chunk));
    }
    read_all(fd, chunk, sizeof(chunk));
    CHECK(matches(chunk, sizeof(chunk), (uint64_t)index), "the server's answer");
}

static void stream(int index) {
    static uint64_t chunk[SOCKET_CHUNK / sizeof(uint64_t)];
    int server = listen_on_loopback(SOCK_STREAM);
    pid_t client = start_child(stream_client, index);
    int peer = accept(server, NULL, NULL);
    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(peer >= 0 && poll >= 0, "accept");
    CHECK(epoll_ctl(poll, EPOLL_CTL_ADD, peer, &event) == 0, "epoll_ctl");
    for (uint64_t i = 0; i < SOCKET_CHUNKS; i++) {
        CHECK(epoll_wait(poll, &event, 1, -1) == 1, "epoll_wait");
        read_all(peer, chunk, sizeof(chunk));
        CHECK(matches(chunk, sizeof(chunk), (uint64_t)index << 32 | i), "chunk %d", (int)i);
    }
    fill(chunk, sizeof(chunk), (uint64_t)index);
    write_all(peer, chunk, sizeof(chunk));
    wait_child(client);
    close(poll);
    close(peer);
    close(server);
}

static void datagram_client(int index) {
    int fd = connect_to_server(SOCK_DGRAM);
    for (int i = 0; i < DATAGRAMS; i++) {
        int value = index << 16 | i;
        int echo = -1;
        write_all(fd, &value, sizeof(value));
        read_all(fd, &echo, sizeof(echo));
        CHECK(echo == value, "datagram %d came back as %d", value, echo);
    }
}

static void datagrams(int index) {
    int server = listen_on_loopback(SOCK_DGRAM);
    pid_t client = start_child(datagram_client, index);
    for (int i = 0; i < DATAGRAMS; i++) {
        int value = 0;
        struct sockaddr_in from;
        socklen_t length = sizeof(from);
        ssize_t n = recvfrom(server, &value, sizeof(value), 0, (struct sockaddr *)&from, &length);
        CHECK(n == sizeof(value) && value == (index << 16 | i), "datagram %d", i);
        n = sendto(server, &value, sizeof(value), 0, (struct sockaddr *)&from, length);
        CHECK(n == sizeof(value), "sendto");
    }
    wait_child(client);
    close(server);
}

void demo_sockets(int index) {
    stream(index);
    datagrams(index);
}

static void signal_sender(int index) {
    (void)index;
    for (int i = 0; i < SIGNALS; i++) {
        union sigval value = {.sival_int = i};
        while (sigqueue(getppid(), SIGRTMIN + 1, value) != 0) {
            usleep(1000); /* the queue is full */
        }
    }
}

static volatile sig_atomic_t signals_seen;
static volatile sig_atomic_t signals_in_order = 1;

static void on_signal(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    if (info->si_value.sival_int != signals_seen) {
        signals_in_order = 0;
    }
    signals_seen++;
}

void demo_signals(int index) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN + 1);
    CHECK(sigprocmask(SIG_BLOCK, &blocked, &before) == 0, "sigprocmask");
    CHECK(sigaction(SIGRTMIN + 1, &action, NULL) == 0, "sigaction");
    pid_t sender = start_child(signal_sender, index);
    while (signals_seen < SIGNALS) {
        sigsuspend(&before);
    }
    wait_child(sender);
    CHECK(signals_in_order && signals_seen == SIGNALS, "%d signals", (int)signals_seen);
}

void demo_timers(int index) {
    (void)index;
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec every = {{0, 2000000}, {0, 1000000}};
    struct timespec nap = {0, 300000};
    CHECK(fd >= 0 && timerfd_settime(fd, 0, &every, NULL) == 0, "timerfd");
    uint64_t ticks = 0;
    while (ticks < TIMER_TICKS) {
        uint64_t expired = 0;
        read_all(fd, &expired, sizeof(expired));
        CHECK(expired > 0, "a timer that did not expire");
        ticks += expired;
        CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL) == 0, "clock_nanosleep");
    }
    close(fd);
}
