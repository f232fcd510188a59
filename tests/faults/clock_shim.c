/*
 * Clocks that can be stepped and that drift, by three numbers in the file CLOCK_FILE: nanoseconds that the wall clock is
 * ahead, and by how many millionths all clocks run fast since which nanosecond of the real monotonic clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t NS_PER_S = 1000000000, MILLION = 1000000;
enum { AHEAD_NS, DRIFT_PPM, SINCE_NS, NUMBERS };
static volatile int64_t *chosen;
static int (*real)(clockid_t, struct timespec *);

static int has_chosen(void)
{
    if (chosen == NULL) {
        const char *path = getenv("CLOCK_FILE");
        int file = path == NULL ? -1 : open(path, O_RDONLY);
        if (file < 0)
            return 0;
        void *page = mmap(NULL, NUMBERS * sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
        close(file);
        if (page == MAP_FAILED)
            return 0;
        chosen = page;
    }
    return 1;
}

static int64_t drifted_ns(void)
{
    struct timespec now;
    if (!chosen[DRIFT_PPM] || real(CLOCK_MONOTONIC, &now))
        return 0;
    return (now.tv_sec * NS_PER_S + now.tv_nsec - chosen[SINCE_NS]) * chosen[DRIFT_PPM] / MILLION;
}

int clock_gettime(clockid_t id, struct timespec *at)
{
    if (real == NULL)
        real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, at);
    int is_wall = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
    int is_ours = is_wall || id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE;
    if (!failed && is_ours && has_chosen()) {
        int64_t ns = at->tv_sec * NS_PER_S + at->tv_nsec + drifted_ns() + (is_wall ? chosen[AHEAD_NS] : 0);
        at->tv_sec = ns / NS_PER_S;
        at->tv_nsec = ns % NS_PER_S;
    }
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at != NULL)
        *at = now.tv_sec;
    return now.tv_sec;
}
