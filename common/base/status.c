#include "common/base/status.h"

const char *status_code_text(enum status status)
{
    switch (status) {
#define X(name, code, code_text, text)                                                             \
    case STATUS_##name:                                                                            \
        return code_text;
        STATUS_MAP(X)
#undef X
    }
    return "INTERNAL";
}

const char *status_text(enum status status)
{
    switch (status) {
#define X(name, code, code_text, text)                                                             \
    case STATUS_##name:                                                                            \
        return text;
        STATUS_MAP(X)
#undef X
    }
    return "an unknown status";
}

enum status status_from_code(unsigned code)
{
    switch (code) {
#define X(name, number, code_text, text)                                                           \
    case number:                                                                                   \
        return STATUS_##name;
        STATUS_MAP(X)
#undef X
    default:
        return STATUS_INTERNAL;
    }
}
