/* A native library that does one thing again and again, for measuring what each call costs where it is redirected.
 * Compiled by variants.py, loaded by workloads/native_calls.py. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Opens `path` (what is not there costs least). */
void open_one(const char *path, int descriptor, long count) {
    (void)descriptor;
    for (long i = 0; i < count; i++) close(open(path, O_RDONLY | O_CLOEXEC));
}

/* Opens `path` with another ending each time. */
void open_new(const char *path, int descriptor, long count) {
    char name[256];
    static long number;
    (void)descriptor;
    for (long i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s-%08ld", path, number++);
        close(open(name, O_RDONLY | O_CLOEXEC));
    }
}

void write_byte(const char *path, int descriptor, long count) {
    (void)path;
    for (long i = 0; i < count; i++) (void)!write(descriptor, "x", 1);
}

void read_byte(const char *path, int descriptor, long count) {
    char byte;
    (void)path;
    for (long i = 0; i < count; i++) (void)!read(descriptor, &byte, 1);
}

void pread_byte(const char *path, int descriptor, long count) {
    char byte;
    (void)path;
    for (long i = 0; i < count; i++) (void)!pread(descriptor, &byte, 1, 0);
}

void send_byte(const char *path, int descriptor, long count) {
    (void)path;
    for (long i = 0; i < count; i++) send(descriptor, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void receive_byte(const char *path, int descriptor, long count) {
    char byte;
    (void)path;
    for (long i = 0; i < count; i++) recv(descriptor, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
}

void close_none(const char *path, int descriptor, long count) {
    (void)path, (void)descriptor;
    for (long i = 0; i < count; i++) close(-1);
}

/* Connects to a socket in the file system that is not there. */
void connect_local(const char *path, int descriptor, long count) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    for (long i = 0; i < count; i++) connect(descriptor, (struct sockaddr *)&address, sizeof address);
}
