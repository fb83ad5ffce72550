/*
 * What a call came to. One list for the whole suite: each status has a text and the
 * code (gRPC's numbers) that it becomes on the wire.
 */
#ifndef KITH_BASE_STATUS_H
#define KITH_BASE_STATUS_H

#define MUST_USE __attribute__((warn_unused_result))

/* clang-format off */
#define STATUS_MAP(X)                                                              \
    X(OK,               0,  "OK",                  "done")                         \
    X(MALFORMED,        3,  "INVALID_ARGUMENT",    "bytes or fields are wrong")    \
    X(TIMEOUT,          4,  "DEADLINE_EXCEEDED",   "the time is over, the outcome is unknown") \
    X(NOT_FOUND,        5,  "NOT_FOUND",           "there is no such thing")       \
    X(EXISTS,           6,  "ALREADY_EXISTS",      "the key was used with another body") \
    X(DENIED,           7,  "PERMISSION_DENIED",   "not allowed")                  \
    X(LIMIT,            8,  "RESOURCE_EXHAUSTED",  "a bound is reached")           \
    X(REFUSED,          9,  "FAILED_PRECONDITION", "a rule says no")               \
    X(ABORTED,          10, "ABORTED",             "out of order, send again")     \
    X(RANGE,            11, "OUT_OF_RANGE",        "trimmed, no longer held")      \
    X(UNIMPLEMENTED,    12, "UNIMPLEMENTED",       "no such method")               \
    X(INTERNAL,         13, "INTERNAL",            "a bug or a fault of the host") \
    X(UNREACHABLE,      14, "UNAVAILABLE",         "not reachable, the outcome is unknown") \
    X(CORRUPT,          15, "DATA_LOSS",           "a checksum, epoch or chain does not match") \
    X(UNAUTHENTICATED,  16, "UNAUTHENTICATED",     "who are you")
/* clang-format on */

enum status {
#define X(name, code, code_text, text) STATUS_##name = (code),
    STATUS_MAP(X)
#undef X
};

/* The code's name as the wire and the documents spell it ("DATA_LOSS"). Static. */
const char *status_code_text(enum status status);
/* A sentence for people. Static. */
const char *status_text(enum status status);
/* A number from the wire. STATUS_INTERNAL for a code that no status has. */
enum status status_from_code(unsigned code);

#endif
