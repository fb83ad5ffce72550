/*
 * What a process did to its files and what it told others, in one order, in memory that other
 * processes share: each process of a suite appends to the same log, and a test reads it.
 *
 * The log is a file that the test makes. It begins with a struct write_log_header; records follow,
 * each with its path and its bytes, each at a multiple of 8. A record stands there before the call
 * that it tells of is made, so a power cut at that place may have let the call through or not.
 * tests/faults/write_log.py reads this: what changes here changes there.
 */
#ifndef KITH_FAULTS_WRITE_LOG_H
#define KITH_FAULTS_WRITE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WRITE_LOG_MAGIC UINT64_C(0x314c524b46544948)
#define WRITE_LOG_PATH_BYTES 256
#define WRITE_LOG_NAME_BYTES 32
/* The first record stands here. */
#define WRITE_LOG_BEGIN 4096

/* What goes wrong, and where: the test writes it, and `kind` last. */
enum fault_kind {
    FAULT_NONE = 0,
    FAULT_SYNC = 1,        /* fdatasync, fsync and writes through O_DSYNC fail with `error` */
    FAULT_WRITE = 2,       /* writes fail with `error` */
    FAULT_SHORT_WRITE = 3, /* writes take half of their bytes */
    FAULT_KILL = 4,        /* the process dies when a write through O_DSYNC was made, unsynced */
    FAULT_MEMORY = 5,      /* there is none for who asks: `file` is the program */
};

struct fault {
    _Atomic uint32_t kind;
    uint32_t error;
    uint32_t forever;       /* also every later call */
    _Atomic int32_t before; /* calls that go well first */
    _Atomic uint32_t struck;
    char file[WRITE_LOG_NAME_BYTES]; /* how its path ends, or the program's */
};

struct write_log_header {
    uint64_t magic;
    uint64_t capacity;
    _Atomic uint64_t used;            /* where the next record goes */
    _Atomic uint64_t lost;            /* records that had no room: the log is worth nothing then */
    _Atomic int64_t clock_ahead_ms;   /* the wall clock is told to be so much ahead */
    _Atomic uint32_t syncs_swallowed; /* not 0: nothing is ever synced */
    _Atomic uint32_t is_logging;      /* 0: calls pass, and leave no record */
    char root[WRITE_LOG_PATH_BYTES];  /* files below this folder are logged */
    struct fault fault;
};

enum record_kind {
    RECORD_WRITE = 1,    /* of a file */
    RECORD_SYNC = 2,     /* of a file or folder: all its records before `covers` are on disk */
    RECORD_TRUNCATE = 3, /* of a file, to `offset` */
    RECORD_FOLDER = 4,   /* it was made */
    RECORD_SEND = 5,     /* through a socket of a service; `path` is the socket's */
    RECORD_MARK = 6,     /* the record at `covers`, and no other of its file, is on disk */
    RECORD_RENAME = 7,   /* of a file; its bytes are the new name */
    RECORD_REMOVE = 8,   /* of a file */
    RECORD_CREATE = 9,   /* of a file, empty */
};

struct record {
    uint32_t size; /* with what follows, a multiple of 8 */
    uint32_t kind;
    _Atomic uint32_t is_whole;
    uint32_t process;
    uint64_t stream; /* tells the sockets of one path apart */
    uint64_t offset;
    uint64_t file_size; /* before the call */
    uint64_t covers;
    _Atomic int64_t result; /* of the call; INT64_MIN: it never came back */
    uint32_t path_size;
    uint32_t data_size;
};

/* NULL where this process keeps none. */
struct write_log_header *write_log(void);

/* The path of an open file that is logged, or of a service's end of a socket. False: neither. */
bool write_log_path_of(int file, char path[WRITE_LOG_PATH_BYTES]);
bool write_log_is_logged(const char *path);

/* Appends a record with its path and `record->data_size` bytes. NULL: it has no room, or there is
 * no log. errno stays. */
struct record *write_log_append(const struct record *record, const char *path, const void *data);

/* Where a record stands in the log. */
uint64_t write_log_place(const struct record *record);

/* Does this call fail? Yes or no is counted. errno stays. */
bool write_log_fault_strikes(const char *path, enum fault_kind kind);

#endif
