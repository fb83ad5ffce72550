/* All of this but map_fault_catch() runs in a signal handler: no memory, no stdio, no locks. */
#include "common/service/map_fault.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* A line of /proc/self/maps: two addresses, 50 bytes of facts, a path. */
#define LINE_BYTES 4352

struct line {
    char text[LINE_BYTES];
    size_t size;
};

static int digit_of(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

static const char *hex_take(const char *text, uintptr_t *value)
{
    *value = 0;
    while (digit_of(*text) >= 0) {
        *value = *value << 4 | (uintptr_t)digit_of(*text);
        text++;
    }
    return text;
}

static bool line_holds(const struct line *line, uintptr_t address)
{
    uintptr_t begin = 0;
    uintptr_t end = 0;
    const char *at = hex_take(line->text, &begin);
    if (*at != '-') {
        return false;
    }
    (void)hex_take(at + 1, &end);
    return address >= begin && address < end;
}

/* False: that was the last one. A line that is too long is cut. */
static bool line_read(int maps, struct line *line)
{
    char character = 0;
    line->size = 0;
    ssize_t got = read(maps, &character, 1);
    while (got == 1 && character != '\n') {
        if (line->size + 1 < sizeof line->text) {
            line->text[line->size++] = character;
        }
        got = read(maps, &character, 1);
    }
    line->text[line->size] = '\0';
    return got == 1;
}

static const char *path_find(uintptr_t address, struct line *line)
{
    const char *path = NULL;
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while (maps >= 0 && path == NULL && line_read(maps, line)) {
        if (line_holds(line, address)) {
            path = strchr(line->text, '/');
        }
    }
    if (maps >= 0) {
        (void)close(maps);
    }
    return path != NULL ? path : "a mapped file";
}

static void tell(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; /* there is nobody else to tell */
}

static void on_fault(int number, siginfo_t *facts, void *context)
{
    (void)number;
    (void)context;
    struct line line;
    const char *path = path_find((uintptr_t)facts->si_addr, &line);
    tell(path);
    tell(": was cut short, or its disk cannot be read (SIGBUS)\n");
    _exit(MAP_FAULT_EXIT);
}

void map_fault_catch(void)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    (void)sigemptyset(&action.sa_mask);
    int failed = sigaction(SIGBUS, &action, NULL);
    assert(failed == 0);
}
