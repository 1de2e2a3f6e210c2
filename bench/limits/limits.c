/* What the machine allows, without R: each command prints the seconds of one operation.
 *
 *   limits ping N       one round trip of 64 bytes between two processes over a Unix socket
 *   limits socket B     B bytes from one process to another over a Unix socket, into fresh memory
 *   limits memfd B      B bytes written to a memfd, mapped by another process and copied out
 *   limits fork N       N forks of a bare process, each of which says that it is there
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PING_BYTES = 64, CHUNK_BYTES = 1 << 20 };

static void die(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) die("clock_gettime");
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void read_all(int fd, char *to, size_t n) {
    while (n > 0) {
        ssize_t got = read(fd, to, n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) die("read");
        to += got;
        n -= (size_t)got;
    }
}

static void write_all(int fd, const char *from, size_t n) {
    while (n > 0) {
        ssize_t put = write(fd, from, n > CHUNK_BYTES ? CHUNK_BYTES : n);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) die("write");
        from += put;
        n -= (size_t)put;
    }
}

static char *fresh(size_t n) {
    char *p = malloc(n);
    if (p == NULL) die("malloc");
    return p;
}

/* Both ends of a socket pair; returns 0 in the child, which keeps ends[1]. */
static pid_t split(int ends[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) die("socketpair");
    pid_t pid = fork();
    if (pid < 0) die("fork");
    close(ends[pid == 0 ? 0 : 1]);
    return pid;
}

static double ping(long rounds) {
    int ends[2];
    char message[PING_BYTES] = {0};
    pid_t pid = split(ends);
    if (pid == 0) {
        for (long i = 0; i < rounds; i++) {
            read_all(ends[1], message, sizeof message);
            write_all(ends[1], message, sizeof message);
        }
        _exit(0);
    }
    double start = now();
    for (long i = 0; i < rounds; i++) {
        write_all(ends[0], message, sizeof message);
        read_all(ends[0], message, sizeof message);
    }
    double seconds = (now() - start) / (double)rounds;
    waitpid(pid, NULL, 0);
    return seconds;
}

static double through_socket(size_t bytes) {
    int ends[2];
    char *from = fresh(bytes);
    memset(from, 1, bytes);
    pid_t pid = split(ends);
    if (pid == 0) {
        read_all(ends[1], fresh(bytes), bytes);
        write_all(ends[1], "", 1);
        _exit(0);
    }
    char done;
    double start = now();
    write_all(ends[0], from, bytes);
    read_all(ends[0], &done, 1);
    double seconds = now() - start;
    waitpid(pid, NULL, 0);
    return seconds;
}

static double through_memfd(size_t bytes) {
    int ends[2];
    char *from = fresh(bytes);
    memset(from, 1, bytes);
    int fd = memfd_create("limits", MFD_CLOEXEC);
    if (fd < 0) die("memfd_create");
    pid_t pid = split(ends);
    char done;
    if (pid == 0) {
        read_all(ends[1], &done, 1);
        char *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED) die("mmap");
        char *to = fresh(bytes);
        memcpy(to, map, bytes);
        /* The compiler must not find out that nobody reads the copy. */
        write_all(ends[1], to + bytes / 2, 1);
        _exit(0);
    }
    double start = now();
    for (size_t at = 0; at < bytes;) {
        ssize_t put = pwrite(fd, from + at, bytes - at, (off_t)at);
        if (put <= 0) die("pwrite");
        at += (size_t)put;
    }
    write_all(ends[0], "", 1);
    read_all(ends[0], &done, 1);
    double seconds = now() - start;
    waitpid(pid, NULL, 0);
    return seconds;
}

static double forks(long n) {
    int ends[2];
    if (pipe(ends) != 0) die("pipe");
    int hold[2];
    if (pipe(hold) != 0) die("pipe");
    double start = now();
    for (long i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid < 0) die("fork");
        if (pid == 0) {
            char end;
            close(hold[1]);
            write_all(ends[1], "", 1);
            while (read(hold[0], &end, 1) < 0 && errno == EINTR) continue;
            _exit(0);
        }
    }
    for (long i = 0; i < n; i++) {
        char ready;
        read_all(ends[0], &ready, 1);
    }
    double seconds = now() - start;
    close(hold[1]);
    while (wait(NULL) > 0) continue;
    return seconds;
}

int main(int argc, char **argv) {
    const char *what = argc == 3 ? argv[1] : "";
    double n = argc == 3 ? atof(argv[2]) : 0;
    double seconds;
    if (n < 1) what = "";
    if (strcmp(what, "ping") == 0) seconds = ping((long)n);
    else if (strcmp(what, "socket") == 0) seconds = through_socket((size_t)n);
    else if (strcmp(what, "memfd") == 0) seconds = through_memfd((size_t)n);
    else if (strcmp(what, "fork") == 0) seconds = forks((long)n);
    else {
        fputs("usage: limits ping|socket|memfd|fork NUMBER\n", stderr);
        return 2;
    }
    printf("%.9f\n", seconds);
    return 0;
}
