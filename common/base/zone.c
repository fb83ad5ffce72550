#include "common/base/zone.h"

#include "common/base/limits.h"
#include "common/base/time_text.h"
#include "common/base/zone_table.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONE_FOLDER "/usr/share/zoneinfo/"
/* The largest file of the database has 4 kB. */
#define ZONE_FILE_BYTES_MAX ((size_t)64 * 1024)
#define ZONE_OFFSET_MS_MOST (INT64_C(26) * 3600 * 1000)

struct zone {
    struct zone_table table;
};

/* Names begin with a capital; what does not ("localtime", "posixrules") is the host's. No
 * dot is allowed, so no name leads out of the folder. */
static bool name_is_valid(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789+-_/";
    size_t size = strlen(name);
    return size <= LIMIT_ID_BYTES && name[0] >= 'A' && name[0] <= 'Z' &&
           strspn(name, allowed) == size && name[size - 1] != '/' && strstr(name, "//") == NULL;
}

/* A descriptor; -1: there is no such plain file. */
static int zone_file_open(const char *name)
{
    char path[sizeof ZONE_FOLDER + LIMIT_ID_BYTES] = { 0 };
    int length = snprintf(path, sizeof path, "%s%s", ZONE_FOLDER, name);
    assert(length > 0 && (size_t)length < sizeof path);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts = { 0 };
    if (file >= 0 && (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode))) {
        (void)close(file);
        return -1;
    }
    return file;
}

/* Fills `bytes`, which hold one byte more than a zone file may have. False: the host failed. */
static bool zone_file_read(int file, uint8_t *bytes, size_t *size)
{
    size_t filled = 0;
    ssize_t got = 1;
    while (got != 0 && filled <= ZONE_FILE_BYTES_MAX) {
        got = read(file, bytes + filled, ZONE_FILE_BYTES_MAX + 1 - filled);
        if (got < 0 && errno != EINTR) {
            return false;
        }
        filled += got > 0 ? (size_t)got : 0;
    }
    *size = filled;
    return true;
}

static enum status zone_file_load(int file, struct zone_table *table, struct refusal *refusal)
{
    uint8_t *bytes = memory_allocate(ZONE_FILE_BYTES_MAX + 1);
    size_t size = 0;
    enum status status = STATUS_OK;
    if (!zone_file_read(file, bytes, &size)) {
        status = refusal_set(refusal, STATUS_CORRUPT, "it cannot be read");
    } else if (size > ZONE_FILE_BYTES_MAX) {
        status = refusal_set(refusal, STATUS_CORRUPT, "it is too large for a zone");
    } else {
        status = zone_table_decode(span_of(bytes, size), table, refusal);
    }
    free(bytes);
    return status;
}

static enum status zone_load(struct zone *zone, const char *name, struct refusal *refusal)
{
    int file = zone_file_open(name);
    if (file < 0) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "there is no time zone '%s' in %s", name,
                           ZONE_FOLDER);
    }
    struct refusal fault;
    refusal_init(&fault);
    enum status status = zone_file_load(file, &zone->table, &fault);
    (void)close(file); /* only read: nothing can be lost */
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "the file of the time zone '%s': %s", name,
                           fault.message);
    }
    return STATUS_OK;
}

static void time_check(int64_t time_ms)
{
    /* Far more than a few days, far less than where sums with an offset overflow. */
    assert(time_ms >= 2 * LIMIT_TIME_LEAST_MS && time_ms <= 2 * LIMIT_TIME_MOST_MS);
}

static struct zone_period period_at(const struct zone *zone, int64_t at_ms)
{
    return zone_table_period(&zone->table, at_ms / 1000 - (at_ms % 1000 < 0));
}

enum status zone_open(struct zone **zone, const char *name, struct refusal *refusal)
{
    assert(*zone == NULL);
    if (!name_is_valid(name)) {
        return refusal_set(refusal, STATUS_MALFORMED, "'%s' cannot be the name of a time zone",
                           name);
    }
    struct zone *opened = memory_allocate(sizeof *opened);
    if (strcmp(name, "UTC") != 0) {
        enum status status = zone_load(opened, name, refusal);
        if (status != STATUS_OK) {
            zone_close(&opened);
            return status;
        }
    }
    *zone = opened;
    return STATUS_OK;
}

void zone_close(struct zone **zone)
{
    if (*zone == NULL) {
        return;
    }
    zone_table_release(&(*zone)->table);
    free(*zone);
    *zone = NULL;
}

int64_t zone_offset_ms(const struct zone *zone, int64_t at_ms)
{
    time_check(at_ms);
    return period_at(zone, at_ms).offset_s * 1000;
}

int64_t zone_local_ms(const struct zone *zone, int64_t at_ms)
{
    return at_ms + zone_offset_ms(zone, at_ms);
}

int64_t zone_day(const struct zone *zone, int64_t at_ms)
{
    return day_of_ms(zone_local_ms(zone, at_ms));
}

int64_t zone_instant_ms(const struct zone *zone, int64_t local_ms)
{
    time_check(local_ms);
    /* No offset is as large as this, so no clock shows the time yet. From here on each
     * stretch with one offset is asked when it shows the time or a later one; the first
     * that can answer is right. One that holds this much after `local_ms` always can. */
    int64_t begin_ms = local_ms - ZONE_OFFSET_MS_MOST;
    struct zone_period period = period_at(zone, begin_ms);
    int64_t shown_ms = local_ms - period.offset_s * 1000;
    while (period.end_s != INT64_MAX && shown_ms >= period.end_s * 1000) {
        begin_ms = period.end_s * 1000;
        period = period_at(zone, begin_ms);
        int64_t exact_ms = local_ms - period.offset_s * 1000;
        shown_ms = exact_ms > begin_ms ? exact_ms : begin_ms;
    }
    return shown_ms;
}

int64_t zone_day_start_ms(const struct zone *zone, int64_t day)
{
    return zone_instant_ms(zone, day * MS_PER_DAY);
}
