#include "cli/process_usage.h"

#include "common/base/money.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 1024
/* Of /proc/PID/stat: user time is the 12th word behind the name, the kernel's the 13th. */
#define USER_TIME_WORD 12

/* The word number `index`, from 0, as a number. */
static bool number_at(const char *line, size_t index, uint64_t *number)
{
    const char *at = line + strspn(line, " \t");
    for (size_t i = 0; i < index; i++) {
        at += strcspn(at, " \t");
        at += strspn(at, " \t");
    }
    int64_t value = 0;
    if (integer_parse(span_of(at, strcspn(at, " \t\n")), &value) != STATUS_OK || value < 0) {
        return false;
    }
    *number = (uint64_t)value;
    return true;
}

static FILE *proc_open(pid_t pid, const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    return fopen(path, "re");
}

static bool cpu_read(pid_t pid, uint64_t *cpu_ms)
{
    char line[LINE_BYTES] = "";
    uint64_t user = 0;
    uint64_t kernel = 0;
    FILE *file = proc_open(pid, "stat");
    if (file == NULL) {
        return false;
    }
    bool read = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    /* The name before it is in brackets and may hold anything. */
    const char *rest = read ? strrchr(line, ')') : NULL;
    if (rest == NULL || !number_at(rest, USER_TIME_WORD, &user) ||
        !number_at(rest, USER_TIME_WORD + 1, &kernel)) {
        return false;
    }
    long ticks = sysconf(_SC_CLK_TCK);
    *cpu_ms = (user + kernel) * 1000 / (ticks > 0 ? (uint64_t)ticks : 100);
    return true;
}

static bool anonymous_read(pid_t pid, uint64_t *bytes)
{
    static const char key[] = "RssAnon:";
    char line[LINE_BYTES];
    uint64_t kilobytes = 0;
    bool found = false;
    FILE *file = proc_open(pid, "status");
    if (file == NULL) {
        return false;
    }
    while (!found && fgets(line, sizeof line, file) != NULL) {
        found = strncmp(line, key, sizeof key - 1) == 0 &&
                number_at(line + sizeof key - 1, 0, &kilobytes);
    }
    (void)fclose(file);
    *bytes = kilobytes * 1024;
    return found;
}

bool process_usage_read(pid_t pid, struct process_usage *usage)
{
    struct process_usage read = { .pid = pid };
    if (!cpu_read(pid, &read.cpu_ms) || !anonymous_read(pid, &read.anonymous_bytes)) {
        return false;
    }
    *usage = read;
    return true;
}
